"""Nodes restart and chains reorganise in the middle of an option and of a swap, on every pair of chains; the deal
goes through, and every unit is accounted for."""

from __future__ import annotations

import pytest

from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from relayer.testing.world import DEPTH
from tests.stage import Stage, flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

# What is undone: whose transaction, for which leg and step; its chain follows from the leg.
MOMENTS = {
    "option": (
        ("first", "collateral", "fund"),
        ("second", "strike", "fund"),
        ("first", "premium", "activate"),
        ("second", "collateral", "exercise"),
        ("first", "strike", "exercise"),
    ),
    "swap": (
        ("first", "x", "fund"),
        ("second", "y", "fund"),
        ("first", "y", "claim"),
        ("second", "x", "claim"),
    ),
}
OUTCOMES = {"option": "exercised", "swap": "swapped"}
ROLES = {"option": ("writer", "holder"), "swap": ("initiator", "participant")}
WHOLE = [(protocol, *moment) for protocol, moments in MOMENTS.items() for moment in moments]


@pytest.fixture(scope="module", params=CHAIN_PAIRS)
async def show(request, world):
    async with stage(world, f"moves-{request.param.replace('/', '-')}", CHAIN_PAIRS[request.param]) as show:
        yield show


async def played(show: Stage, world, protocol: str, disturb) -> str:
    """Play a deal to its good end; `disturb(deal)` is called before each step."""
    pair = next(name for name, chains in CHAIN_PAIRS.items() if chains == tuple(show.first.party.chains))
    legs = plot(protocol, Outcome.EXERCISED, "call", pair, world.tokens).legs
    small = {name: type(leg)(leg.chain, leg.asset, leg.amount // 20) for name, leg in legs.items()}
    before = await show.balances()
    first, second = ROLES[protocol]
    deal = await show.agree(protocol, first, small)
    await show.second.wants(deal, exercise=True)

    async def over() -> bool:
        await disturb(deal)
        return await show.closed(deal)

    await show.until(over)
    await world.step()
    terms = (await show.first.party.store.deal(deal)).terms
    gains = flows(terms, OUTCOMES[protocol])
    after = await show.balances()
    for player, role in ((show.first, first), (show.second, second)):
        assert await player.outcome(deal) == OUTCOMES[protocol]
        fees = await show.fees(player, deal)
        assert fold(after[player.role], minus=before[player.role]) == fold(gains[role], minus=fees)
    return deal


@pytest.mark.parametrize(("protocol", "who", "leg", "step"), WHOLE)
async def test_three_blocks_are_reorganised(show, world, protocol, who, leg, step):
    """The transaction is in a block, and the last three blocks are replaced by others without it."""
    player = show.first if who == "first" else show.second
    done = []

    async def disturb(deal: str) -> None:
        if not done and await show.mined(player, deal, leg, step):
            chain = (await player.party.store.deal(deal)).terms.legs[leg].chain
            await world.reorganise(chain, DEPTH)
            done.append(chain)

    await played(show, world, protocol, disturb)
    assert done


@pytest.mark.parametrize(("protocol", "least"), [("option", 6), ("swap", 4)])
async def test_nodes_restart_at_every_step(show, world, protocol, least):
    """Each time somebody has signed something, every node of the deal restarts before it is mined."""
    signed = set()
    restarts = []

    async def disturb(deal: str) -> None:
        for player in show.players:
            for intent in await player.party.store.intents(deal):
                if (player.role, intent.number) not in signed:
                    signed.add((player.role, intent.number))
                    await world.nodes[intent.tx.chain].restart()
                    await world.restarted(intent.tx.chain)
                    restarts.append(intent.tx.chain)

    await played(show, world, protocol, disturb)
    assert len(restarts) >= least
