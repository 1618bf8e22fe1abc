"""Both parties let go of a live option: each signs the other's release once nothing can be lost by it, and all
money is back before any refund time."""

from __future__ import annotations

import pytest

from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from tests.stage import flows, fold, stage

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("pair", ["bitcoin/evm", "bitcoin/litecoin", "evm/evm"])
@pytest.mark.parametrize("live", [True, False], ids=["live", "never live"])
async def test_money_is_back_before_its_time(world, pair, live):
    async with stage(world, f"release-{live}-{pair.replace('/', '-')}", CHAIN_PAIRS[pair]) as show:
        legs = plot("option", Outcome.EXPIRED, "call", pair, world.tokens).legs
        small = {name: type(leg)(leg.chain, leg.asset, leg.amount // 20) for name, leg in legs.items()}
        before = await show.balances()
        deal = await show.agree("option", "writer", small)
        terms = (await show.first.party.store.deal(deal)).terms
        moment = ("premium", "activate") if live else ("collateral", "fund")

        async def over() -> bool:
            if await show.mined(show.first, deal, *moment):
                for player in show.players:
                    await player.wants(deal, let_go=True)
            return await show.closed(deal)

        await show.until(over)
        released = {
            leg
            for player in show.players
            for leg in ("collateral", "strike")
            if await show.signed(player, deal, leg, "release")
        }
        assert released == ({"collateral", "strike"} if live else {"collateral"})
        assert world.time < terms.times["collateral"]
        await world.step()
        after = await show.balances()
        outcome = "expired" if live else "abandoned"
        gains = flows(terms, outcome)
        for player, role in ((show.first, "writer"), (show.second, "holder")):
            assert await player.outcome(deal) == outcome
            fees = await show.fees(player, deal)
            assert fold(after[player.role], minus=before[player.role]) == fold(gains[role], minus=fees)
