"""The adversary: a counterparty that runs none of our software. It sees everything, it may have a miner, and what
it does is drawn: which steps it takes, how soon, how late, how wrong."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from chains.errors import ChainError
from chains.legs import Leg, Path
from chains.port import SignedTx, Wallet
from chains.quorum import pack
from chains.simulated.chain import SimChain
from chains.simulated.keys import secret_of
from chains.simulated.ledger import Ledger
from chains.simulated.node import Node
from htlc.ports import Deal
from relayer.simulation import tricks
from relayer.simulation.plan import BEGIN, PartyPlan

if TYPE_CHECKING:
    from relayer.simulation.world import World

FUNDINGS = ("full", "full", "full", "full", "full", "part", "twice", "over", "decoys", "taken back", "never")
BIG_CAP = 10**30


class Rogue:
    """One adversary. For each step it might take it draws when it is ready to, and whether it uses its miner."""

    def __init__(self, world: World, plan: PartyPlan) -> None:
        self.world = world
        self.plan = plan
        self.role = plan.role
        self.owner = plan.role
        self.rng = rng = Random(plan.seed)
        self.spoken = world.spoken
        self.legs = world.legs
        self.wake: float = BEGIN + rng.uniform(0, 5)
        self.out = False
        self.chains: dict[str, SimChain] = {}
        self.wallets: dict[str, Wallet] = {}
        for name, ledger in world.ledgers.items():
            node = Node(self.owner, ledger, rng, world.judge.faults)
            self.chains[name] = SimChain(ledger, node, lambda: world.now)
            self.wallets[name] = self.chains[name].wallet(plan.seed)
        nonce = world.terms.parties[self.role].nonce
        self.secrets = {
            value: secret_of(plan.seed, nonce, label)
            for label, value in world.terms.parties[self.role].hashes.items()
        }
        self.held: dict[tuple[str, str], str] = {}
        self.sent: list[SignedTx] = []
        self.done: set[tuple[str, str]] = set()
        self.funding = {leg: rng.choice(FUNDINGS) for leg in self.legs if self.spoken.funder(leg) == self.role}
        self.depth = {leg: rng.choice((0, 1, 3, 9)) for leg in self.funding}
        self.ready = {
            (name, path.name): self._moment(name, path) for name, leg in self.legs.items() for path in leg.paths
        }
        self.fund_at = {leg: self._funding_time(leg) for leg in self.funding}
        self.miner = rng.random() < 0.6
        self.away = self._away()
        self.chance = Random(plan.seed + b"/tricks")
        self.tried: set[str] = set()  # claims that it thought of cycling

    # --- what it is like ---------------------------------------------------------------------------------

    def _moment(self, name: str, path: Path) -> float:
        """From when on it takes a path: at once, around a deadline, or never."""
        rng, terms = self.rng, self.world.terms
        style = rng.random()
        if style < 0.5:
            return 0.0
        if style < 0.62:
            return float("inf")
        if style < 0.85 and name in terms.times:
            spec = self.world.ledgers[terms.legs[name].chain].spec
            return terms.times[name] + rng.uniform(-12, 12) * spec.timing.interval
        deadline = rng.choice(sorted(terms.times.values()))
        return deadline + rng.choice((-1, 1)) * rng.expovariate(1.0) * 300

    def _funding_time(self, name: str) -> float:
        """From when on it funds: at once, so late that the other must act in the last moment, or too late."""
        rng, terms = self.rng, self.world.terms
        if rng.random() < 0.6:
            return 0.0
        guards, chain = self.world.guards, terms.legs[name].chain
        deadline = min(terms.times.values())
        ledger = self.world.ledgers[chain]
        block = max(ledger.spec.timing.interval, ledger.pace)
        return deadline - guards.reach(chain) - (ledger.spec.timing.depth - rng.uniform(-6, 3)) * block

    def _away(self) -> tuple[float, float]:
        """It vanishes, and may return."""
        if self.rng.random() < 0.7:
            return (0.0, 0.0)
        begin = self.rng.uniform(BEGIN, self.world.last)
        return (begin, begin + self.rng.expovariate(1.0) * (self.world.last - BEGIN))

    # --- turns -------------------------------------------------------------------------------------------

    async def turn(self) -> None:
        """Everything it is ready for and able to."""
        now = self.world.now
        if not self.away[0] <= now < self.away[1]:
            for name in self.legs:
                if name in self.funding:
                    await self._fund(name)
                await self._spend(name, now)
                await tricks.cycle(self, name)
            await self._talk()
        self.wake = self._next(now)

    def _next(self, now: float) -> float:
        moments = (*self.world.terms.times.values(), *self.ready.values(), *self.fund_at.values(), *self.away)
        times = [t for t in moments if t > now]
        soon = min(times, default=float("inf"))
        pause = self.world.pause * self.rng.expovariate(0.25)
        if self.world.quiet:
            pause *= 10
        return min(soon + 0.01, now + pause)

    def ledger(self, name: str) -> Ledger:
        return self.world.ledgers[self.world.terms.legs[name].chain]

    # --- money in ----------------------------------------------------------------------------------------

    async def _fund(self, name: str) -> None:
        style = self.funding[name]
        if (name, "fund") in self.done:
            await self._fund_late(name)
            return
        if style == "never" or self.world.now < self.fund_at[name] or not self._turn_to_fund(name):
            return
        leg, saw = self.legs[name], self.world.judge.saw
        self.done.add((name, "fund"))
        match style:
            case "part":
                saw("a leg was funded in part")
                await self._pay(leg, leg.amount - 1 if self.rng.random() < 0.5 else leg.amount // 2)
            case "twice":
                saw("a leg was funded twice")
                await self._pay(leg, leg.amount)
                await self._pay(leg, leg.amount)
            case "over":
                await self._pay(leg, leg.amount + 12_345)
            case "decoys":
                await self._pay(leg, leg.amount // 3)
                await self._pay(leg, leg.amount)
            case "taken back":
                tx = await self._pay(leg, leg.amount)
                if tx is not None:
                    await self._take_back(leg.chain, tx)
            case _:
                await self._pay(leg, leg.amount)

    async def _fund_late(self, name: str) -> None:
        """Money that comes after the leg was spent."""
        ledger = self.ledger(name)
        spent = any(event.spent for event in ledger.history.get(self.world.addresses[name], ()))
        if spent and (name, "late") not in self.done and self.rng.random() < 0.03:
            self.done.add((name, "late"))
            self.world.judge.saw("late money came to a spent leg")
            await self._pay(self.legs[name], self.legs[name].amount // 7)

    def _turn_to_fund(self, name: str) -> bool:
        """The one who funds second waits for the first leg, or does not."""
        first = next(iter(self.legs))
        if name == first or self.depth[name] == 9:
            return self.rng.random() < 0.5
        ledger = self.ledger(first)
        address = self.world.addresses[first]
        facts = ledger.facts(address, self.legs[first], ledger.height)
        return (facts.full or 0) >= self.depth[name] or self.rng.random() < 0.02

    async def _pay(self, leg: Leg, amount: int) -> SignedTx | None:
        wallet = self.wallets[leg.chain]
        price = self.world.ledgers[leg.chain].market.urgent
        try:
            tx = await wallet.fund(_of_amount(leg, amount), price, BIG_CAP, self.pending(leg.chain))
        except ChainError:
            return None
        # The address is the leg's own, whatever the amount.
        known = self.world.ledgers[leg.chain].known[tx.txid]
        address = self.chains[leg.chain].node.leg_address(leg)
        known.outs = ((address, leg.asset, amount), *known.outs[1:])
        return await self.send(tx)

    async def _take_back(self, chain: str, tx: SignedTx) -> None:
        try:
            back = await self.wallets[chain].cancel(tx, tx.price * 2, self.pending(chain))
        except ChainError:
            return
        self.world.judge.saw("the other party took its funding back")
        if self.miner:
            self._mine(back)
        else:
            await self.send(back)

    # --- money out ---------------------------------------------------------------------------------------

    async def _spend(self, name: str, now: float) -> None:
        leg = self.legs[name]
        held = self.world.held(name)
        if not held:
            return
        for path in leg.paths:
            if self.spoken.recipient_key(name, path.name)[0] != self.role or now < self.ready[name, path.name]:
                continue
            preimages = self.preimages(path)
            if preimages is None or (path.signers and (name, path.name) not in self.held):
                continue
            await self._take(name, leg, path, preimages)

    def preimages(self, path: Path) -> tuple[bytes, ...] | None:
        known = {**self.world.public, **self.secrets}
        if any(value not in known for value in path.hashes):
            return None
        return tuple(known[value] for value in path.hashes)

    async def _take(self, name: str, leg: Leg, path: Path, preimages: tuple[bytes, ...]) -> None:
        wallet, ledger = self.wallets[leg.chain], self.world.ledgers[leg.chain]
        role, label = self.spoken.recipient_key(name, path.name)
        key = wallet.key(self.world.terms.parties[role].nonce, label)
        consents = [self.held[name, path.name]] if path.signers else []
        if path.quorum is not None:
            consents.append(await self._signatures(name, path))
        price = int(ledger.market.urgent * self.rng.choice((0.7, 1.0, 3.0)))
        pending = [] if leg.asset == "" else self.pending(leg.chain)
        try:
            tx = await wallet.spend(leg, path.name, key, preimages, consents, price, BIG_CAP, pending)
        except ChainError:
            return
        if any(old in ledger.pool for old in (one.txid for one in self.sent if one.claims == tx.claims)):
            return  # on its way
        if self.miner and self.rng.random() < 0.7:
            self._mine(tx)
        else:
            tricks.pin(self, leg, tx)
            await self.send(tx)
        self.world.ambush()

    async def _signatures(self, name: str, path: Path) -> str:
        """What the members of a quorum sign for us, few as they may be."""
        world = self.world
        if world.members is None:
            return ""
        since = dict.fromkeys(world.ledgers, 0)
        deal = Deal(world.deal, world.terms, self.role, world.guards, since, BEGIN)
        return pack(await world.members.gather(deal, name, path.name))

    # --- the wire ----------------------------------------------------------------------------------------

    def pending(self, chain: str) -> list[SignedTx]:
        ledger = self.world.ledgers[chain]
        private = {tx.txid for tx in ledger.private}
        return [tx for tx in self.sent if tx.chain == chain and (tx.txid in ledger.pool or tx.txid in private)]

    async def send(self, tx: SignedTx) -> SignedTx | None:
        self.world.shows(tx)
        try:
            await self.chains[tx.chain].broadcast(tx)
        except ChainError:
            return None
        self.sent.append(tx)
        return tx

    def _mine(self, tx: SignedTx) -> None:
        """Straight into the next block, seen by nobody before."""
        ledger = self.world.ledgers[tx.chain]
        known = ledger.known[tx.txid]
        if all(one.claims != known.claims for one in ledger.private):
            ledger.private.append(known)
            self.sent.append(tx)

    # --- messages ----------------------------------------------------------------------------------------

    async def receive(self, leg: str, path: str, consent: str) -> bool:
        self.held[leg, path] = consent
        self.wake = self.world.now + self.rng.uniform(0, 5)
        return True

    async def _talk(self) -> None:
        """Releases, some of them true, at any time; and nonsense."""
        rng = self.rng
        if rng.random() < 0.9:
            return
        for name, leg in self.legs.items():
            for path in leg.paths:
                signers = [one for one in self.spoken.signer_keys(name, path.name) if one[0] == self.role]
                if not signers:
                    continue
                wallet = self.wallets[leg.chain]
                key = wallet.key(self.world.terms.parties[self.role].nonce, signers[0][1])
                try:
                    text = await wallet.consent(leg, path.name, key)
                except ChainError:
                    continue
                await self.world.deliver(self, name, path.name, text if rng.random() < 0.5 else "00" * 32)
        if rng.random() < 0.2:
            await self.world.deliver(self, rng.choice(sorted(self.legs)), "refund", "f" * 64)


def _of_amount(leg: Leg, amount: int) -> Leg:
    return replace(leg, amount=amount)
