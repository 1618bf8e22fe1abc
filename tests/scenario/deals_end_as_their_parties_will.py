"""Every protocol, on every pair of chains, to every end: the outcome is what the parties wanted, both read the
same one off the chains, and every satoshi, wei and token is where it belongs.

All deals of a pair run at the same time between the same two parties, as they would in a daemon.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from tests.stage import Stage, flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Ending:
    """How a deal goes: who holds back from where on. The first player is the writer, or the initiator."""

    protocol: str
    name: str
    outcome: str
    kind: str = "call"


ENDINGS = (
    Ending("option", "exercised", "exercised"),
    Ending("option", "exercised", "exercised", kind="put"),
    Ending("option", "expired", "expired"),
    Ending("option", "abandoned by the writer", "abandoned"),
    Ending("option", "abandoned by the holder", "abandoned"),
    Ending("option", "never funded", "unfunded"),
    Ending("swap", "exercised", "swapped"),
    Ending("swap", "abandoned by the initiator", "refunded"),
    Ending("swap", "abandoned by the participant", "refunded"),
    Ending("swap", "never funded", "unfunded"),
)
SHRINK = 20  # legs are this much smaller than the demo's, so that one purse lasts for all deals


async def steer(show: Stage, deal: str, ending: Ending) -> None:
    """Have the players want what the ending asks for, when its time has come."""
    first, second = show.players
    if ending.name == "never funded":
        await first.wants(deal, stop=True)
    if ending.name.startswith("abandoned"):
        leg = "collateral" if ending.protocol == "option" else "x"
        quitter = first if ending.name in ("abandoned by the writer", "abandoned by the initiator") else second
        if await show.mined(first, deal, leg, "fund"):
            await quitter.wants(deal, stop=True)
    if ending.name == "exercised" and ending.protocol == "option":
        await second.wants(deal, exercise=True)


@pytest.fixture(scope="module", params=CHAIN_PAIRS)
async def season(request, world):
    """Every ending on one pair of chains: terms and outcomes by ending, and what became of the parties' money."""
    chains = CHAIN_PAIRS[request.param]
    async with stage(world, f"season-{request.param.replace('/', '-')}", chains) as show:
        before = await show.balances()
        deals = {}
        for ending in ENDINGS:
            legs = plot(ending.protocol, Outcome.EXERCISED, ending.kind, request.param, world.tokens).legs
            small = {name: type(leg)(leg.chain, leg.asset, leg.amount // SHRINK) for name, leg in legs.items()}
            role = "writer" if ending.protocol == "option" else "initiator"
            deals[ending] = await show.agree(ending.protocol, role, small, releases=False, kind=ending.kind)

        async def over() -> bool:
            for ending, deal in deals.items():
                if not await show.closed(deal):
                    await steer(show, deal, ending)
            return await show.closed(*deals.values())

        await show.until(over)
        await world.step()
        after = await show.balances()
        fees = {player.role: await show.fees(player, *deals.values()) for player in show.players}
        outcomes = {
            ending: tuple([await player.outcome(deal) for player in show.players])
            for ending, deal in deals.items()
        }
        terms = {ending: (await show.first.party.store.deal(deal)).terms for ending, deal in deals.items()}
        yield terms, outcomes, before, after, fees


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda e: f"{e.protocol} {e.kind} {e.name}")
async def test_both_parties_read_the_outcome_that_was_meant(season, ending):
    _, outcomes, *_ = season
    assert outcomes[ending] == (ending.outcome, ending.outcome)


async def test_every_unit_is_accounted_for(season):
    terms, outcomes, before, after, fees = season
    for player, role in (("first", 0), ("second", 1)):
        gains = []
        for ending, (outcome, _) in outcomes.items():
            found = list(flows(terms[ending], outcome).values())
            gains.append(found[role])
        expected = fold(*gains, minus=fees[player])
        assert fold(after[player], minus=before[player]) == expected
