"""A real Prometheus scrapes two parties in a deal, and its rules notice a near deadline and a party that died."""

from __future__ import annotations

import pytest

from chains.testing.processes import free_port
from tests.processes import duel
from tests.prometheus import Prometheus
from tests.scenario.a_daemon_lives_with_what_is_down import configure, until

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(240)]


async def test_numbers_and_alerts_follow_a_deal_and_a_death(world):
    async with duel(world, "scraped", "option") as both:
        listens = [f"127.0.0.1:{free_port()}" for _ in both.actors]
        for actor, listen in zip(both.actors, listens, strict=True):
            configure(actor, ops={"listen": listen})
        await both.agree()
        async with Prometheus(listens) as prometheus:

            async def scraped() -> bool:
                found = await prometheus.values("strikelock_deals")
                return found == {("option", "writer"): 1.0, ("option", "holder"): 1.0}

            await until(scraped)
            (margin,) = (await prometheus.values("min(strikelock_deadline_margin_seconds)")).values()
            nearest = min((await both.parties[0].store.deal(both.deal)).terms.times.values())
            assert 0 < margin <= nearest
            assert await prometheus.values("min(strikelock_chain_up)") == {(): 1.0}

            async def nears() -> bool:
                await world.step()
                return "StrikelockDeadlineNear" in await prometheus.alerts()

            await until(nears)
            await both.actors[1].kill()

            async def missed() -> bool:
                return "StrikelockDown" in await prometheus.alerts()

            await until(missed)
            await both.actors[1].start()

            async def back() -> bool:
                return "StrikelockDown" not in await prometheus.alerts()

            await until(back)
        assert await both.settle()
