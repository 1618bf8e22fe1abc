"""Attestations are asked for until they are there, once each, and no longer than the plan wants them."""

from __future__ import annotations

import asyncio

import pytest

from htlc import collector as module
from htlc.collector import Collector
from htlc.errors import QuorumShort
from htlc.ports import Deal
from tests.htlc.deals import ATTESTED_TERMS, GUARDS

DEAL = Deal(ATTESTED_TERMS.id, ATTESTED_TERMS, "holder", GUARDS, {}, 0)
EXERCISE = ("collateral", "exercise")
BOUND = 5.0  # seconds, of every wait


class Members:
    """Answers after so many failures; counts who asks at the same time."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.questions = self.together = self.most = 0
        self.asked_often = asyncio.Event()

    async def attest(self, deal: Deal, leg: str, path: str) -> str:
        self.questions += 1
        if self.questions == 3:
            self.asked_often.set()
        self.together += 1
        self.most = max(self.most, self.together)
        try:
            await asyncio.sleep(0)
        finally:
            self.together -= 1
        if self.questions <= self.failures:
            raise QuorumShort(1, 3, "two are silent")
        return "signatures"


class Shelf:
    """The part of a journal that is used."""

    def __init__(self) -> None:
        self.held: list[tuple[str, ...]] = []

    async def hold_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        self.held.append((deal, leg, path, consent))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)


def made(failures: int = 0) -> tuple[Members, Shelf, asyncio.Event, Collector]:
    members, shelf, arrived = Members(failures), Shelf(), asyncio.Event()
    return members, shelf, arrived, Collector(members, shelf, arrived.set)


async def test_it_asks_until_enough_have_signed() -> None:
    members, shelf, arrived, collector = made(failures=3)
    for _ in range(5):  # as every tick does
        collector.want(DEAL, *EXERCISE)
    async with asyncio.timeout(BOUND):
        await arrived.wait()
    assert shelf.held == [(DEAL.id, *EXERCISE, "signatures")]
    assert (members.questions, members.most) == (4, 1)
    await collector.close()


async def test_it_stops_when_the_plan_wants_it_no_more() -> None:
    members, shelf, arrived, collector = made(failures=10**9)
    collector.want(DEAL, *EXERCISE)
    collector.keep(DEAL.id, {EXERCISE})
    async with asyncio.timeout(BOUND):
        await members.asked_often.wait()
    collector.keep("another deal", set())
    assert collector._tasks
    collector.keep(DEAL.id, set())
    assert not collector._tasks
    await asyncio.sleep(0)
    asked = members.questions
    await asyncio.sleep(0.02)
    assert members.questions == asked
    assert not shelf.held
    assert not arrived.is_set()


async def test_closing_ends_what_is_under_way() -> None:
    members, _, _, collector = made(failures=10**9)
    collector.want(DEAL, *EXERCISE)
    await asyncio.sleep(0)
    async with asyncio.timeout(BOUND):
        await collector.close()
    asked = members.questions
    await asyncio.sleep(0.02)
    assert members.questions == asked


async def test_what_was_lost_is_asked_for_again() -> None:
    """A reorganisation, or a restored backup: the plan wants it once more."""
    _, shelf, arrived, collector = made()
    for _ in range(2):
        arrived.clear()
        collector.want(DEAL, *EXERCISE)
        async with asyncio.timeout(BOUND):
            await arrived.wait()
        await asyncio.sleep(0)
    assert len(shelf.held) == 2
    await collector.close()
