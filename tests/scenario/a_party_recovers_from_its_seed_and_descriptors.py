"""A machine burns at each stage of an option and of a swap. What is left is the seed, and the descriptor that was
written when the deal opened; the other party goes on, or is gone too. Nobody loses more than fees and what the
documents say may be forfeited: a live option that was not used yet, a swap that was not claimed yet."""

from __future__ import annotations

import pytest

from htlc.ports import FUND
from htlc.protocols import protocol as protocol_of
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from tests.attesters import quorum
from tests.recovering import recovered
from tests.stage import Stage, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

PAIR = "bitcoin/evm"
STEPS = 400
SHRINK = 20
DUST_SATOSHIS = 100_000  # all that fees may come to, on either chain
DUST_WEI = 10**16

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
CASES = [
    *(("option", "writer", moment, loser) for moment in OPTION for loser in ("first", "second")),
    *(("swap", "initiator", moment, loser) for moment in SWAP for loser in ("first", "second")),
    *(("attested", "writer", moment, loser) for moment in ATTESTED for loser in ("first", "second")),
]


TAKEN = ("claim", "exercise", "activate")
# If the other party took the first leg, which was ours, we must have got the second.
TOGETHER = {
    "writer": (("collateral", "strike"), ("collateral", "premium")),
    "holder": (("strike", "collateral"),),
    "initiator": (("x", "y"),),
    "participant": (("y", "x"),),
}


def victim_role(protocol: str, loser: str) -> str:
    roles = ("initiator", "participant") if protocol == "swap" else ("writer", "holder")
    return roles[0] if loser == "first" else roles[1]


def moved(terms, role: str, paths) -> dict[str, int]:
    """What a role gained and paid, by the paths that the chains show."""
    spoken = protocol_of(terms.protocol)
    gains: dict[str, int] = {}
    for leg, path in paths.items():
        if path in TAKEN:
            one = terms.legs[leg]
            sign = -1 if spoken.funder(leg) == role else 1
            gains[f"{one.chain}/{one.asset}"] = gains.get(f"{one.chain}/{one.asset}", 0) + sign * one.amount
    return gains


def name(case) -> str:
    protocol, _, (who, leg, step), loser = case
    return f"{protocol}-{loser}-loses-all-after-{who}-{leg}-{step}"


@pytest.mark.parametrize("alone", [False, True], ids=["other-goes-on", "other-is-gone"])
@pytest.mark.parametrize("case", CASES, ids=name)
async def test_nothing_is_lost_but_what_may_be_forfeited(world, case, alone):
    protocol, role, (who, leg, step), loser = case
    chains, folder = CHAIN_PAIRS[PAIR], f"{name(case)}-{alone}"
    async with (
        quorum(world, folder, chains, honest=3 if protocol == "attested" else 0) as members,
        stage(world, folder, chains, attesters=members.urls) as show,
    ):
        legs = plot(protocol, Outcome.EXERCISED, "call", PAIR, world.tokens).legs
        small = {key: type(one)(one.chain, one.asset, one.amount // SHRINK) for key, one in legs.items()}
        before = await show.balances()
        deal = await show.agree(protocol, role, small)
        await show.second.wants(deal, exercise=True)
        actor = show.first if who == "first" else show.second

        async def signed() -> bool:
            return await show.signed(actor, deal, leg, step)

        await show.until(signed)
        victim = show.first if loser == "first" else show.second
        other = show.second if loser == "first" else show.first
        show.awake.discard(victim.role)
        if alone:
            show.awake.discard(other.role)
        async with recovered(victim) as recovery:
            outcome = await _recover(show, world, deal, recovery, other, alone)
            terms = (await victim.party.store.deal(deal)).terms
            (document,) = (await recovery.document())["deals"]
            if not alone:
                assert await other.outcome(deal) == outcome
            await world.step()
            after = await show.balances()
        paths = {leg: one.get("path") for leg, one in document["legs"].items()}
        ours = victim_role(protocol, loser)
        assert not [pair for pair in TOGETHER[ours] if paths[pair[0]] in TAKEN and paths[pair[1]] not in TAKEN]
        change = fold(after[victim.role], minus=fold(before[victim.role], moved(terms, ours, paths)))
        for asset, units in change.items():
            limit = {"bitcoin/native": DUST_SATOSHIS, "evm/native": DUST_WEI}.get(asset, 0)
            assert -limit <= units <= 0, f"{asset} by {units} beside what the outcome {outcome} says"


async def _recover(show: Stage, world, deal, recovery, other, alone: bool) -> str:
    """Tick the recovery, and whoever is awake, until it is over; the outcome as it was read off the chains."""
    for _ in range(STEPS):
        await recovery.tick()
        await show.tick()
        if await recovery.over() and (alone or await other.outcome(deal) is not None):
            return str((await recovery.document())["deals"][0]["outcome"])
        await world.step(4)
    raise AssertionError(f"still waiting: {recovery.states()}, {other.driver.reports}")
