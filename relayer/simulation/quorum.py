"""The quorum of an attested option, played: real attesters on nodes of their own, and others that are slow, dark,
unwilling or lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from chains.errors import StrikelockError
from chains.legs import Leg, Quorum
from chains.port import Key, Snapshot
from chains.quorum import deal_member, deal_secret, pack, threshold_of
from chains.simulated.chain import SimChain
from chains.simulated.node import Node
from htlc.errors import QuorumShort
from htlc.ports import Deal
from htlc.protocols.option import COLLATERAL, EXERCISE
from htlc.terms import Terms
from relayer.attest.attester import Attester
from settlement.backup import Descriptor
from settlement.seed import public_member

if TYPE_CHECKING:
    from relayer.simulation.player import Player
    from relayer.simulation.world import World

SECRETS = {public_member(secret): secret for secret in (sha256(b"member/%d" % i).digest() for i in range(7))}
NOWHERE = Path("/nonexistent")  # what it signed is kept in memory here
SILENT = ("dark", "unwilling")
SLOWEST = 0.6  # of the time that the ladder gives the quorum for its answer


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """kind: truthful, slow, dark, unwilling, liar. wait: seconds from the first question until it is answered."""

    member: str
    kind: str
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class QuorumPlan:
    """The members of a deal's quorum. Fewer than the threshold lie."""

    members: tuple[MemberPlan, ...]

    @property
    def quorum(self) -> Quorum:
        """As it stands in the terms."""
        return Quorum(threshold_of(len(self.members)), tuple(sorted(one.member for one in self.members)))

    @property
    def able(self) -> bool:
        """Enough of them answer truthfully, and in time."""
        willing = sum(1 for one in self.members if one.kind in ("truthful", "slow"))
        return willing >= self.quorum.threshold


def draw_quorum(seed: int, include: int) -> QuorumPlan:
    """Who attests in a run. include: seconds that the ladder gives them."""
    rng = Random(f"{seed}/quorum")
    chosen = rng.sample(sorted(SECRETS), rng.choice((3, 4, 4, 7)))
    rotten = rng.choice((0, 1, 1, 2, len(chosen)))
    kinds = [rng.choice(("dark", "unwilling", "liar", "slow")) for _ in range(rotten)]
    most = threshold_of(len(chosen)) - 1
    while kinds.count("liar") > most:
        kinds[kinds.index("liar")] = "unwilling"
    kinds += ["truthful"] * (len(chosen) - rotten)
    return QuorumPlan(
        tuple(
            MemberPlan(member, kind, rng.uniform(0, SLOWEST * include))
            for member, kind in zip(chosen, kinds, strict=True)
        )
    )


class PlayedAttester(Attester):
    """A member that is honest. What it gave it keeps in memory, and all else it does as ever."""

    def __init__(self, secret: bytes, chains: Mapping[str, SimChain], wallets: Mapping[str, object]) -> None:
        super().__init__(secret, chains, wallets, NOWHERE, longest=10**9)  # type: ignore[arg-type]
        self.wallets = wallets
        self.signed: dict[bytes, str] = {}

    def _given(self, terms: Terms) -> str | None:
        return self.signed.get(terms.digest)

    async def _sign(self, deal: str, terms: Terms, legs: Mapping[str, Leg], looks: Mapping[str, Snapshot]) -> str:
        self.signed[terms.digest] = await self.sign(terms, legs[COLLATERAL])
        return self.signed[terms.digest]

    async def sign(self, terms: Terms, leg: Leg) -> str:
        """Its signature of the exercise, whatever stands where."""
        key = Key(deal_member(self.member, terms.digest), deal_secret(self._secret, terms.digest))
        return await self._wallets[leg.chain].consent(leg, EXERCISE, key)


class Members:
    """All of one deal's."""

    def __init__(self, world: World, plan: QuorumPlan) -> None:
        self._world = world
        self._plans = plan.members
        self._quorum = plan.quorum
        self._rng = Random(f"{world.plan.seed}/members")
        self._asked: dict[str, float] = {}
        self._attesters: dict[str, PlayedAttester] = {}
        self._counted: set[str] = set()

    def _attester(self, member: str) -> PlayedAttester:
        """A member, made when it is first asked: of most deals nobody asks."""
        found = self._attesters.get(member)
        if found is None:
            found = self._attesters[member] = self._made(member)
        return found

    def _made(self, member: str) -> PlayedAttester:
        world = self._world
        chains = {
            name: SimChain(ledger, Node("attester", ledger, self._rng, world.judge.faults), lambda: world.now)
            for name, ledger in world.ledgers.items()
        }
        return PlayedAttester(SECRETS[member], chains, {name: one.wallet(b"") for name, one in chains.items()})

    async def gather(self, deal: Deal, leg: str, path: str) -> dict[str, str]:
        """The good signatures of all who answer now, by key."""
        world, signed = self._world, {}
        for plan in self._plans:
            own = deal_member(plan.member, deal.terms.digest)
            try:
                text = await self._answer(plan, deal)
                good = await self._check(leg, path, own, text)
            except StrikelockError:
                continue
            if good:
                signed[own] = text
            else:
                world.judge.saw("a lying attester was of no use")
        return signed

    async def _check(self, leg: str, path: str, own: str, text: str) -> bool:
        built = self._world.legs[leg]
        attester = self._attester(self._plans[0].member)
        return await attester._wallets[built.chain].check_consent(built, path, own, text)

    async def _answer(self, plan: MemberPlan, deal: Deal) -> str:
        """What a member says. Raises a StrikelockError where it does not sign."""
        world, attester = self._world, self._attester(plan.member)
        if plan.kind != "truthful" and plan.member not in self._counted:
            self._counted.add(plan.member)
            world.judge.faults[f"attester {plan.kind}"] += 1
        if self._silent(plan):
            raise QuorumShort(0, 1, plan.kind)
        if plan.kind == "liar":
            return await attester.sign(deal.terms, world.legs[COLLATERAL]) if self._rng.random() < 0.7 else "00"
        before = attester.signed.get(deal.terms.digest)
        text = await attester.attest(Descriptor(deal, ""))
        if before is None:
            world.checks.attesting(plan.member)
        return text

    def _silent(self, plan: MemberPlan) -> bool:
        """A member says nothing now, whatever stands where."""
        since = self._asked.setdefault(plan.member, self._world.loop_now)
        return plan.kind in SILENT or (plan.kind == "slow" and self._world.loop_now < since + plan.wait)

    async def enough(self, deal: Deal, leg: str, path: str) -> str:
        """The signatures of enough of them. Raises QuorumShort."""
        needed = self._quorum.threshold
        # Where too few speak at all, what these few say makes no difference, and costs the same.
        speaking = sum(1 for plan in self._plans if not self._silent(plan))
        signed = await self.gather(deal, leg, path) if speaking >= needed else {}
        if len(signed) < needed:
            self._world.judge.saw("too few attesters signed")
            raise QuorumShort(len(signed), needed, f"{speaking} speak")
        self._world.judge.saw("a quorum attested an exercise")
        return pack(signed)


class WayToMembers:
    """See `htlc.ports.Attesters`: a party's way to the quorum."""

    def __init__(self, members: Members, player: Player) -> None:
        self._members = members
        self._player = player

    async def attest(self, deal: Deal, leg: str, path: str) -> str:
        found = await self._members.enough(deal, leg, path)
        self._player.attested.add((leg, path))
        self._player.call()
        return found
