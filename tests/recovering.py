"""Parties that lose everything but their seed and what a backup holds, and watch how recovery gets their money
out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from htlc.ports import FUND
from htlc.protocols import protocol as protocol_of
from htlc.terms import Terms
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from relayer.recover import Recovery
from relayer.testing.world import EVM_NAMES, World
from settlement.backup import read_files
from tests.attesters import quorum
from tests.stage import Player, Stage, fold, stage

STEPS = 400
SHRINK = 20
DAYS = 30
DUST_SATOSHIS = 100_000  # all that fees may come to, on a UTXO chain
DUST_WEI = 10**16

# What was signed last: by whom, for which leg and step.
OPTION = (
    ("first", "collateral", FUND),
    ("second", "premium", FUND),
    ("second", "strike", FUND),
    ("first", "premium", "activate"),
    ("second", "collateral", "exercise"),
)
ATTESTED = (
    ("first", "premium", "activate"),
    ("second", "strike", FUND),
    ("second", "collateral", "exercise"),
)
SWAP = (("first", "x", FUND), ("second", "y", FUND), ("first", "y", "claim"))

TAKEN = ("claim", "exercise", "activate")
# If the other party took the first leg, which was ours, we must have got the second.
TOGETHER = {
    "writer": (("collateral", "strike"), ("collateral", "premium")),
    "holder": (("strike", "collateral"),),
    "initiator": (("x", "y"),),
    "participant": (("y", "x"),),
}
ROLES = {
    "option": ("writer", "holder"),
    "attested": ("writer", "holder"),
    "swap": ("initiator", "participant"),
}


@dataclass(frozen=True)
class Fire:
    """A machine that burns: whose, in which deal, right after what was signed. alone: the other party is gone as
    well from then on. backup: what is left besides the seed."""

    protocol: str
    pair: str
    moment: tuple[str, str, str]
    loser: str
    alone: bool = False
    backup: str = "file"

    @property
    def name(self) -> str:
        left = "alone" if self.alone else "with-the-other"
        words = (self.backup, self.pair, self.protocol, self.loser, "burns-after", *self.moment, left)
        return "-".join(words).replace("/", "-")


@asynccontextmanager
async def recovered(player: Player, from_chain: bool = False) -> AsyncIterator[Recovery]:
    """A new machine with the player's seed and its backup folder, or with the seed alone, and nothing else."""
    settings = player.party.settings
    folder = settings.party.folder / "recovered"
    party = settings.party.model_copy(update={"folder": folder, "database": ""})
    fresh = settings.model_copy(update={"party": party})
    found = () if from_chain else read_files([settings.backup.folder])
    async with Recovery.open(fresh, player.party.seed, found, DAYS if from_chain else None) as recovery:
        yield recovery


async def burn(world: World, fire: Fire) -> None:
    """Play a deal up to the fire and recover: nothing is lost but fees, and what the documents say may be."""
    first_role = ROLES[fire.protocol][0]
    chains = CHAIN_PAIRS[fire.pair]
    async with (
        quorum(world, fire.name, chains, honest=3 if fire.protocol == "attested" else 0) as members,
        stage(world, fire.name, chains, attesters=members.urls, backup=fire.backup) as show,
    ):
        legs = plot(fire.protocol, Outcome.EXERCISED, "call", fire.pair, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        before = await show.balances()
        deal = await show.agree(fire.protocol, first_role, small)
        await show.second.wants(deal, exercise=True)
        who, leg, step = fire.moment
        actor = show.first if who == "first" else show.second

        async def signed() -> bool:
            return await show.signed(actor, deal, leg, step)

        await show.until(signed)
        victim, other = (show.first, show.second) if fire.loser == "first" else (show.second, show.first)
        show.awake = set() if fire.alone else {other.role}
        if fire.backup == "chain":
            assert not victim.party.settings.backup.folder.exists()
        async with recovered(victim, fire.backup == "chain") as recovery:
            outcome = await _recover(show, recovery, other, fire.alone)
            terms = (await victim.party.store.deal(deal)).terms
            (document,) = (await recovery.document())["deals"]
            assert document["deal"] == deal
            if not fire.alone:
                assert await other.outcome(deal) == outcome
            await world.step()
            after = await show.balances()
        paths = {leg: one.get("path") for leg, one in document["legs"].items()}
        ours = ROLES[fire.protocol][fire.loser == "second"]
        assert not [pair for pair in TOGETHER[ours] if paths[pair[0]] in TAKEN and paths[pair[1]] not in TAKEN]
        change = fold(after[victim.role], minus=fold(before[victim.role], moved(terms, ours, paths)))
        for asset, units in change.items():
            assert -_dust(asset) <= units <= 0, f"{asset} by {units} beside what the outcome {outcome} says"


def _dust(asset: str) -> int:
    """What fees may come to in an asset."""
    chain, _, coin = asset.partition("/")
    if coin != "native":
        return 0
    return DUST_WEI if chain in EVM_NAMES else DUST_SATOSHIS


def moved(terms: Terms, role: str, paths: Mapping[str, str | None]) -> dict[str, int]:
    """What a role gained and paid, by the paths that the chains show."""
    spoken = protocol_of(terms.protocol)
    gains: dict[str, int] = {}
    for leg, path in paths.items():
        if path in TAKEN:
            one = terms.legs[leg]
            sign = -1 if spoken.funder(leg) == role else 1
            gains[f"{one.chain}/{one.asset}"] = gains.get(f"{one.chain}/{one.asset}", 0) + sign * one.amount
    return gains


async def _recover(show: Stage, recovery: Recovery, other: Player, alone: bool) -> str:
    """Tick the recovery, and whoever is awake, until it is over; the outcome as it was read off the chains."""
    for _ in range(STEPS):
        if not await recovery.over():
            await recovery.tick()
        await show.tick()
        if await recovery.over() and (alone or await other.outcome(recovery.deals[0].id) is not None):
            return str((await recovery.document())["deals"][0]["outcome"])
        await show.world.step(4)
    raise AssertionError(f"still waiting: {recovery.states()}, {other.driver.reports}")
