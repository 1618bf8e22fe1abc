"""How a deal comes about, played: two real `Agreement`s, each on its store, and a post that loses, repeats,
reorders and forges what they say to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random

from chains.errors import StrikelockError
from chains.port import Chain
from chains.simulated.chain import SimChain
from chains.simulated.keys import secret_of
from chains.simulated.node import Node
from htlc.protocols import protocol
from htlc.terms import Terms
from relayer.simulation.judge import Judge
from relayer.simulation.plan import BEGIN, MISS, PartyPlan, Plan
from relayer.simulation.shelf import DiskShelf
from relayer.simulation.world import make_ledger
from settlement.agreement import Agreement, Offer
from settlement.bodies import ProposalBody, RefusalBody
from settlement.messages import Kind, Message, read, seal, unseal
from settlement.policy import AcceptPolicy, Policies, Risk
from settlement.seed import Seed
from settlement.store import Store

BEFORE = 120  # seconds before the deal begins, in which it is agreed
STEPS = 20  # after so many the post is reliable
REUSED = {"HashReused", "NonceReused"}


class PlayedSeed(Seed):
    """A seed whose secrets are those of the simulation, and whose chance is the run's."""

    __slots__ = ("_rng", "kept")
    _rng: Random
    kept: set[str]  # every secret that was derived, in hex

    def __init__(self, raw: bytes, rng: Random) -> None:
        super().__init__(raw)
        object.__setattr__(self, "_rng", rng)
        object.__setattr__(self, "kept", set())

    def nonce(self) -> bytes:
        return self._rng.randbytes(16)

    def secret(self, nonce: bytes, label: str) -> bytes:
        secret = secret_of(self.raw, nonce, label)
        self.kept.add(secret.hex())
        return secret


@dataclass(slots=True)
class Side:
    """One party, and what a restart of its process makes anew."""

    party: PartyPlan
    seed: PlayedSeed
    store: Store
    make: Callable[[Store], Agreement]
    agreement: Agreement

    def restart(self) -> None:
        self.agreement = self.make(self.store)


class Bargain:
    """One exchange. Both parties run our software in it: what an adversary would say instead, the post says."""

    def __init__(self, plan: Plan, judge: Judge, shelves: Mapping[str, DiskShelf]) -> None:
        self._plan = plan
        self._judge = judge
        self._shelves = shelves
        self._rng = Random(plan.seed ^ 0xA93EE)
        self._time = float(BEGIN - BEFORE)
        self._way: list[Message] = []
        self._sides: dict[str, Side] = {}
        self._ledgers = {spec.name: make_ledger(spec, self._rng) for spec in plan.specs}

    def now(self) -> float:
        """UNIX seconds; it is the clock of both parties."""
        return self._time

    async def strike(self) -> Terms:
        """The terms that both parties have agreed to in the end; their deals are stored, their processes gone."""
        for party in self._plan.parties:
            await self._shelves[party.role].open()
            side = self._side(party, self._shelves[party.role].store)
            self._sides[side.agreement.identity.public] = side
        proposer, acceptor = self._sides.values()
        proposal = await proposer.agreement.propose(
            self._offer(proposer.party.role), acceptor.agreement.identity.public, "http://simulated"
        )
        for step in range(2 * STEPS):
            if not self._way and not await self._resend():
                break
            await self._step(faulty=step < STEPS)
        terms = await self._outcome(proposer, acceptor)
        await self._reuse(proposer, acceptor, read(proposal.message.encode()), terms)
        for party in self._plan.parties:
            await self._shelves[party.role].close()
        self._judge.saw("the terms were agreed by messages")
        return terms

    # --- the parties -------------------------------------------------------------------------------------

    def _side(self, party: PartyPlan, store: Store) -> Side:
        seed = PlayedSeed(party.seed, self._rng)
        chains: dict[str, Chain] = {
            name: SimChain(ledger, Node(party.role, ledger, self._rng, self._judge.faults), self.now)
            for name, ledger in self._ledgers.items()
        }
        wallets = {name: chain.wallet(party.seed) for name, chain in chains.items()}
        quorum = self._plan.terms.quorum
        relied_on = frozenset(quorum.members if quorum is not None else ())
        risk = Risk(self._plan.guards.outage, MISS, self._plan.last - BEGIN + BEFORE, relied_on)
        policies = Policies(risk, AcceptPolicy(auto=True))

        def make(store: Store) -> Agreement:
            return Agreement(store, chains, wallets, seed, policies, self, "http://simulated")

        return Side(party, seed, store, make, make(store))

    def _offer(self, role: str) -> Offer:
        terms = self._plan.terms
        return Offer(terms.protocol, role, terms.legs, terms.times, terms.options, quorum=terms.quorum)

    # --- the post ----------------------------------------------------------------------------------------

    async def _step(self, faulty: bool) -> None:
        """One thing that happens on the way."""
        rng = self._rng
        self._time += rng.random()
        if not faulty:
            await self._deliver(self._way.pop(0))
        else:
            message = rng.choice(self._way)
            match rng.choice(("lose", "repeat", "forge", "restart", "deliver", "deliver", "deliver")):
                case "lose":
                    self._way.remove(message)
                    self._judge.faults["message lost"] += 1
                case "repeat":
                    self._judge.faults["message repeated"] += 1
                    await self._deliver(message)
                case "forge":
                    await self._forge(message)
                case "restart":
                    self._sides[message.recipient].restart()
                case _:
                    self._way.remove(message)
                    await self._deliver(message)

    async def _resend(self) -> bool:
        """Who waits for an answer says it again; whether anybody does."""
        for side in self._sides.values():
            for proposal in await side.store.book.pending():
                message = side.agreement.outgoing(proposal)
                if message is not None:
                    self._way.append(message)
        return bool(self._way)

    async def _deliver(self, message: Message) -> Message | None:
        leaked = [secret for side in self._sides.values() for secret in side.seed.kept if secret in message.text]
        self._judge.check(not leaked, "no-leak", f"in a message: {message.kind.value}")
        answer = await self._sides[message.recipient].agreement.receive(message)
        if answer is not None:
            self._way.append(answer)
        return answer

    # --- forgeries ---------------------------------------------------------------------------------------

    async def _forge(self, message: Message) -> None:
        """Say something else in the sender's name, or the same in another's. It must change nothing."""
        self._judge.faults["message forged"] += 1
        side = self._sides[message.recipient]
        before = await self._stands(side)
        raw = self._altered(message)
        try:
            answer = await side.agreement.receive(unseal(raw, message.recipient))
        except StrikelockError:
            answer = None
        refused = answer is None or answer.kind in (Kind.REFUSAL, Kind.RECEIPT)
        after = await self._stands(side)
        self._judge.check(refused and before == after, "agreed", f"a forged {message.kind.value} was taken")
        self._judge.saw("a forged message was refused")

    def _altered(self, message: Message) -> bytes:
        rng, text = self._rng, message.text
        match rng.choice(("flip", "cut", "stranger", "readdressed")):
            case "flip":
                at = rng.randrange(len(text))
                return (text[:at] + chr((ord(text[at]) ^ 1) & 0x7F) + text[at + 1 :]).encode()
            case "cut":
                return text[: rng.randrange(len(text))].encode()
            case "stranger":
                stranger = PlayedSeed(sha256(message.id.encode()).digest(), rng).identity()
                return seal(stranger, message.kind, message.recipient, message.body, message.at).text.encode()
            case _:
                own = self._sides[message.sender].seed.identity()
                return seal(own, message.kind, message.sender, message.body, message.at).text.encode()

    async def _stands(self, side: Side) -> tuple[object, ...]:
        return (await side.store.deals(), await side.store.book.proposals())

    async def _reuse(self, proposer: Side, acceptor: Side, first: Message, terms: Terms) -> None:
        """The proposer wants a second deal under the hashes of the first: one preimage would open both."""
        body = ProposalBody.parse(first.body)
        again = replace(body, until=body.until + 1)
        if self._rng.random() < 0.5:  # the hashes alone
            ours = body.terms.parties[body.role]
            fresh = replace(ours, nonce=self._rng.randbytes(16))
            again = replace(again, terms=replace(body.terms, parties={body.role: fresh}))
        identity, there = proposer.seed.identity(), acceptor.agreement.identity.public
        message = seal(identity, Kind.PROPOSAL, there, again.to_json(), int(self._time))
        answer = await acceptor.agreement.receive(message)
        reason = RefusalBody.parse(answer.body).code if answer is not None and answer.kind is Kind.REFUSAL else ""
        self._judge.check(reason in REUSED, "agreed", f"hashes of deal {terms.id} taken again: {reason or answer}")
        self._judge.saw("a hash of another deal was refused")

    # --- the end -----------------------------------------------------------------------------------------

    async def _outcome(self, proposer: Side, acceptor: Side) -> Terms:
        (ours,), (theirs,) = await proposer.store.deals(), await acceptor.store.deals()
        self._judge.check(ours.terms == theirs.terms, "agreed", f"{ours.id} and {theirs.id}")
        played = self._plan.terms
        same = all(getattr(ours.terms, part) == getattr(played, part) for part in ("legs", "times", "options"))
        self._judge.check(same, "agreed", f"deal {ours.id} is not what was proposed")
        protocol(ours.terms.protocol).validate(ours.terms)
        return ours.terms
