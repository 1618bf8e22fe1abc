"""Miners leave a transaction of ours lying, whichever it is: it is replaced with a higher fee, by the rules of its
chain, until it is taken; nothing is paid twice and every unit is accounted for."""

from __future__ import annotations

import pytest

from chains.port import TxPhase
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from tests.stage import flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

ATTEMPTS = 2
MOMENTS = (
    ("first", "collateral", "fund"),
    ("second", "premium", "fund"),
    ("first", "premium", "activate"),
    ("second", "collateral", "exercise"),
    ("first", "strike", "exercise"),
)


@pytest.fixture(scope="module", params=("bitcoin/evm", "bitcoin/litecoin"))
async def show(request, world):
    async with stage(world, f"fees-{request.param.replace('/', '-')}", CHAIN_PAIRS[request.param]) as show:
        yield show


@pytest.mark.parametrize(("who", "leg", "step"), MOMENTS)
async def test_it_is_replaced_until_it_is_mined(show, world, who, leg, step):
    player = show.first if who == "first" else show.second
    pair = "/".join(show.first.party.chains)
    legs = plot("option", Outcome.EXERCISED, "call", pair, world.tokens).legs
    small = {name: type(item)(item.chain, item.asset, item.amount // 20) for name, item in legs.items()}
    before = await show.balances()
    deal = await show.agree("option", "writer", small)
    terms = (await show.first.party.store.deal(deal)).terms
    await show.second.wants(deal, exercise=True)
    chain = terms.legs[leg].chain

    async def attempts():
        intents = await player.party.store.intents(deal)
        return [intent for intent in intents if (intent.leg, intent.step) == (leg, step)]

    async def stalled():
        return {chain} if 0 < len(await attempts()) < ATTEMPTS else ()

    async def over() -> bool:
        return await show.closed(deal)

    show.stalled = stalled
    await show.until(over)
    await world.step()
    lineage = await attempts()
    assert len(lineage) >= ATTEMPTS
    prices = [intent.tx.price for intent in lineage]
    assert prices == sorted(set(prices)), "each replacement bids more"
    assert [intent.final.phase for intent in lineage].count(TxPhase.MINED) == 1
    after = await show.balances()
    gains = flows(terms, "exercised")
    for one, role in ((show.first, "writer"), (show.second, "holder")):
        assert await one.outcome(deal) == "exercised"
        fees = await show.fees(one, deal)
        assert fold(after[one.role], minus=before[one.role]) == fold(gains[role], minus=fees)
