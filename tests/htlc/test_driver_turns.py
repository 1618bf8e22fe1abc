"""Whose turn it is when there is more to do than time: money that is out comes first, and what fails waits."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from htlc import driver as module
from htlc import turns as turning
from htlc.driver import Driver
from htlc.plans import Plan
from htlc.protocols.base import Action, Fund, SpendLeg


class Turns(Driver):
    """Notes whose turn it is. Those in `failing` have something in their way."""

    def __init__(self) -> None:
        super().__init__(
            SimpleNamespace(), {}, {}, lambda nonce, label: b"", SimpleNamespace(), SimpleNamespace(), {}
        )
        self.turns: list[str] = []
        self.failing: set[str] = set()

    async def _act_on(self, plan: Plan) -> list[str]:
        deal = plan.work.deal.id
        self.turns.append(deal)
        if deal == "broken":
            raise KeyError(deal)
        return ["something"] if deal in self.failing else []

    async def turn(self, *plans: Plan) -> list[str]:
        self.turns = []
        await self._carry_out(plans)
        self.pulse.ticks += 1
        return self.turns


def plan(deal: str, *actions: Action) -> Plan:
    seen: Any = SimpleNamespace()
    work: Any = SimpleNamespace(deal=SimpleNamespace(id=deal))
    return Plan(seen, actions, work, ())


def fund(deal: str, by: int) -> Plan:
    return plan(deal, Fund("x", by))


def spend(deal: str, by: int | None) -> Plan:
    return plan(deal, SpendLeg("x", "claim", (), by))


async def test_spends_come_before_fundings_and_the_nearest_deadline_first():
    driver = Turns()
    plans = (fund("a", 5), spend("b", None), plan("idle"), fund("c", 3), spend("d", 9), spend("e", 7))
    assert await driver.turn(*plans) == ["e", "d", "b", "c", "a", "idle"]
    assert driver.reports.keys() == {"a", "b", "c", "d", "e", "idle"}


async def test_what_failed_comes_after_what_did_not_and_longest_ago_first():
    driver = Turns()
    driver.failing = {"a", "b"}
    assert await driver.turn(fund("a", 1), fund("b", 2), fund("c", 3)) == ["a", "b", "c"]
    assert driver.reports["a"].troubles == ("something",)
    assert await driver.turn(fund("b", 2), fund("c", 3)) == ["c", "b"]
    assert await driver.turn(fund("a", 1), fund("b", 2), fund("c", 3)) == ["c", "a", "b"]
    driver.failing = set()
    await driver.turn(fund("a", 1), fund("b", 2))
    assert await driver.turn(fund("a", 1), fund("b", 2), fund("c", 3)) == ["a", "b", "c"]


async def test_a_failed_spend_still_comes_before_every_funding():
    driver = Turns()
    driver.failing = {"late"}
    assert await driver.turn(spend("late", 1), fund("a", 0)) == ["late", "a"]
    assert await driver.turn(spend("late", 1), fund("a", 0)) == ["late", "a"]


async def test_a_fault_in_one_deal_costs_the_others_nothing(monkeypatch):
    monkeypatch.setattr(module, "ACT_SECONDS", 60.0)  # to write such a fault down, for people, takes seconds
    driver = Turns()
    assert await driver.turn(spend("broken", 1), spend("a", 2)) == ["broken", "a"]
    assert await driver.turn(spend("broken", 1), spend("a", 2)) == ["a", "broken"]


async def test_when_the_time_is_over_the_world_is_looked_at_before_the_rest(monkeypatch):
    driver = Turns()
    monkeypatch.setattr(module, "ACT_SECONDS", 0.02)

    async def slowly(plan: Plan) -> list[str]:
        driver.turns.append(plan.work.deal.id)
        await asyncio.sleep(0.03)
        return []

    monkeypatch.setattr(driver, "_act_on", slowly)
    assert await driver.turn(fund("a", 1), fund("b", 2), fund("c", 3)) == ["a"]
    assert driver._wake.is_set(), "the next look comes at once"
    assert driver.reports.keys() == {"a", "b", "c"}, "what was seen of the others is told all the same"


async def test_others_of_the_process_have_their_turn_between_deals(monkeypatch):
    driver, others = Turns(), []
    monkeypatch.setattr(turning, "TURN_SECONDS", -1.0)

    async def derive(deal: Any, _states: Any) -> Plan:
        return plan(deal.id)

    monkeypatch.setattr(driver, "_derive", derive)

    async def other() -> None:
        while True:
            others.append(len(others))
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    made = await driver._plan([SimpleNamespace(id=str(number)) for number in range(10)], {})
    beside.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beside
    assert len(made) == 10
    assert len(others) >= 9
