"""Nodes restart and chains reorganise in the middle of an option, on both families; the deal goes through, and
every unit is accounted for."""

from __future__ import annotations

import pytest

from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from relayer.testing.world import DEPTH
from tests.stage import Stage, flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

PAIRS = ("bitcoin/evm", "litecoin/evm")

# What is undone: whose transaction, for which leg and step; its chain follows from the leg.
MOMENTS = (
    ("first", "collateral", "fund"),
    ("second", "strike", "fund"),
    ("first", "premium", "activate"),
    ("second", "collateral", "exercise"),
    ("first", "strike", "exercise"),
)


@pytest.fixture(scope="module", params=PAIRS)
async def show(request, world):
    chains = CHAIN_PAIRS[request.param]
    async with stage(world, f"moves-{request.param.replace('/', '-')}", chains) as show:
        yield show


async def exercised_option(show: Stage, world, disturb) -> str:
    """Play an option to its exercise; `disturb(deal)` is called before each step."""
    pair = "/".join(show.first.party.chains)
    legs = plot("option", Outcome.EXERCISED, "call", pair, world.tokens).legs
    small = {name: type(leg)(leg.chain, leg.asset, leg.amount // 20) for name, leg in legs.items()}
    before = await show.balances()
    deal = await show.agree("option", "writer", small)
    await show.second.wants(deal, exercise=True)

    async def over() -> bool:
        await disturb(deal)
        return await show.closed(deal)

    await show.until(over)
    await world.step()
    terms = (await show.first.party.store.deal(deal)).terms
    gains = flows(terms, "exercised")
    after = await show.balances()
    for player, role in ((show.first, "writer"), (show.second, "holder")):
        assert await player.outcome(deal) == "exercised"
        fees = await show.fees(player, deal)
        assert fold(after[player.role], minus=before[player.role]) == fold(gains[role], minus=fees)
    return deal


@pytest.mark.parametrize(("who", "leg", "step"), MOMENTS)
async def test_three_blocks_are_reorganised(show, world, who, leg, step):
    """The transaction is in a block, and the last three blocks are replaced by others without it."""
    player = show.first if who == "first" else show.second
    done = []

    async def disturb(deal: str) -> None:
        if not done and await show.mined(player, deal, leg, step):
            chain = (await player.party.store.deal(deal)).terms.legs[leg].chain
            await world.reorganise(chain, DEPTH)
            done.append(chain)

    await exercised_option(show, world, disturb)
    assert done


async def test_nodes_restart_at_every_step(show, world):
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

    await exercised_option(show, world, disturb)
    assert len(restarts) >= 6
