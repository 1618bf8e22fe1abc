"""The collector of cyclic garbage leaves alone what lives long, and misses nothing for good."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from relayer import garbage


class Knot:
    """Refers to itself: no count of references ever lets go of it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.enable()
    gc.unfreeze()


async def test_what_lives_is_set_aside_and_gone_through_in_the_end(monkeypatch):
    monkeypatch.setattr(garbage, "START_SECONDS", 0.01)
    monkeypatch.setattr(garbage, "ASIDE_SECONDS", 0.01)
    monkeypatch.setattr(garbage, "ROUNDS", 3)
    gc.collect()
    knot = Knot()
    gone = weakref.ref(knot)
    task = asyncio.create_task(garbage.keep_pauses_short())
    try:
        async with asyncio.timeout(10):
            while not gc.get_freeze_count():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            del knot  # it was set aside with the rest
            while gone() is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    finally:
        task.cancel()


async def test_nothing_is_collected_during_a_start_and_a_daemon_that_ends_early_leaves_no_trace():
    garbage.put_off()
    assert not gc.isenabled()
    task = asyncio.create_task(garbage.keep_pauses_short())
    await asyncio.sleep(0)
    assert not gc.isenabled()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert gc.isenabled()
