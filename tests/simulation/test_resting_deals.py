"""A party with many deals plans for those in which nothing happens only now and then: nothing is lost by it."""

from __future__ import annotations

from collections import Counter

from htlc import resting
from htlc.resting import Resting
from relayer.simulation.run import Stage, seeds

DEALS = 150


def test_nothing_is_lost_where_deals_rest(monkeypatch) -> None:
    """The same troubles as ever, with a single deal treated as one of many, and rests eight times as long."""
    rested: Counter[bool] = Counter()
    holds = Resting.holds

    async def counted(self, deal) -> bool:
        found = await holds(self, deal)
        rested[found] += 1
        return found

    monkeypatch.setattr(resting, "FEW", -1)
    monkeypatch.setattr(resting, "REST_SECONDS", 8 * resting.REST_SECONDS)
    monkeypatch.setattr(Resting, "holds", counted)
    for seed in seeds(31, DEALS):
        judge = Stage().play(seed, disk=seed % 10 == 0)
        assert judge.failures == [], seed
    assert rested[True] > DEALS // 3
    assert rested[False] > DEALS
