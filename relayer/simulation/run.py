"""Many runs, one after the other, and what came of them."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from relayer.simulation.bargain import Bargain
from relayer.simulation.judge import SOMETIMES, Failure, Judge
from relayer.simulation.loop import VirtualLoop
from relayer.simulation.plan import Plan, draw
from relayer.simulation.shelf import DiskShelf, memory_disk, without_threads
from relayer.simulation.world import World

DISK_SHARE = 100  # one deal in so many is played on the real database, the others on a journal in memory
AGREED_SHARE = 400  # and one in so many begins with the exchange of messages that makes it
SWEEP = 100  # deals between two collections of garbage
SHARE = 250  # deals that a process plays at once
SEEDS = 10**9  # of one run: the seeds of two runs never meet


@dataclass(slots=True)
class Tally:
    """What some runs came to."""

    deals: int = 0
    lost_units: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    sometimes: Counter[str] = field(default_factory=Counter)
    margin: float | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    workers: int = 1
    failures: list[Failure] = field(default_factory=list)

    def add(self, judge: Judge) -> None:
        """One more run."""
        self.deals += 1
        self.lost_units += judge.lost
        self.faults.update(judge.faults)
        self.sometimes.update(judge.sometimes)
        self.failures += judge.failures
        if judge.margin is not None:
            self.margin = judge.margin if self.margin is None else min(self.margin, judge.margin)

    def merge(self, other: Tally) -> None:
        """The runs of another process."""
        self.deals += other.deals
        self.lost_units += other.lost_units
        self.faults.update(other.faults)
        self.sometimes.update(other.sometimes)
        self.failures += other.failures
        self.cpu_seconds += other.cpu_seconds
        margins = [margin for margin in (self.margin, other.margin) if margin is not None]
        self.margin = min(margins, default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "deals": self.deals,
            "lost_units": self.lost_units,
            "faults": dict(sorted(self.faults.items())),
            "sometimes": {event: self.sometimes.get(event, 0) for event in SOMETIMES},
            "deals_per_second": round(self.deals / self.seconds, 1) if self.seconds else 0.0,
            "workers": self.workers,
            "deals_per_cpu_second": round(self.deals / self.cpu_seconds, 1) if self.cpu_seconds else 0.0,
            "worst_margin_seconds": self.margin,
            "failures": [
                {"seed": one.seed, "invariant": one.invariant, "detail": one.detail} for one in self.failures
            ],
        }


class Stage:
    """Where runs are played: one loop, one listener on the logs."""

    def __init__(self, world_class: type[World] = World) -> None:
        self._world_class = world_class
        self._world: World | None = None
        self._loop = VirtualLoop()
        structlog.configure(
            processors=[self._listen],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=False,
        )

    def _listen(self, _logger: Any, _method: str, event: Mapping[str, Any]) -> Any:
        """Every line that would be logged."""
        world = self._world
        if world is not None:
            if event.get("exc_info"):
                import traceback

                world.judge.fail("no-error", traceback.format_exc())
            text = repr(event)
            for value, digits, literal in world.spelt:
                if value not in world.public and (digits in text or literal in text):
                    world.judge.fail("no-leak", f"in a log line: {event.get('event')}")
            if world.judge.transcript is not None:
                world.judge.say(f"    {text}")
        raise structlog.DropEvent

    def play(
        self,
        seed: int,
        transcript: bool = False,
        alter: Callable[[Plan], None] | None = None,
        disk: bool | None = None,
    ) -> Judge:
        """One run. alter: changes to what the seed means. disk: on a real database; every DISK_SHARE-th unless
        given."""
        judge = Judge(seed, transcript=[] if transcript else None)
        plan = draw(seed)
        if alter is not None:
            alter(plan)
        agree = disk is None and seed % AGREED_SHARE == 0
        try:
            if disk or (disk is None and seed % DISK_SHARE == 0):
                with TemporaryDirectory(dir=memory_disk(), prefix="strikelock-sim-") as folder, without_threads():
                    shelves = {party.role: DiskShelf(Path(folder) / f"{party.role}.db") for party in plan.parties}
                    self._loop.run_until_complete(self._play_on_disk(plan, judge, shelves, agree))
            else:
                self._world = self._world_class(plan, self._loop, judge)
                self._loop.run_until_complete(self._world.run())
        except Exception as error:
            judge.fail("no-error", repr(error))
            if transcript:
                raise
        finally:
            if self._world is not None:
                self._world.take_apart()
            self._world = None
        return judge

    async def _play_on_disk(self, plan: Plan, judge: Judge, shelves: Mapping[str, DiskShelf], agree: bool) -> None:
        """On the real database; first the exchange of messages that makes the deal, if it is to be played."""
        await asyncio.sleep(0)  # from here on the loop runs
        if agree:
            plan.terms = await Bargain(plan, judge, shelves).strike()
        self._world = self._world_class(plan, self._loop, judge)
        await self._world.run(shelves.__getitem__, agreed=agree)


def seeds(seed: int, deals: int) -> range:
    """The seeds of a run's deals."""
    return range(seed * SEEDS, seed * SEEDS + deals)


def run(seed: int, deals: int, world_class: type[World] = World) -> Tally:
    """Play `deals` deals."""
    return play_all(seeds(seed, deals), world_class)


def run_shared(seed: int, deals: int, workers: int) -> Tally:
    """The same in some processes, which share the deals and nothing else."""
    workers = min(workers, -(-deals // SHARE))
    if workers == 1:
        return run(seed, deals)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    begun = time.perf_counter()
    every = seeds(seed, deals)
    parts = [every[start : start + SHARE] for start in range(0, deals, SHARE)]
    total = Tally(workers=workers)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for tally in pool.map(play_all, parts):
            total.merge(tally)
    total.seconds = time.perf_counter() - begun
    return total


def play_all(every: Iterable[int], world_class: type[World] = World) -> Tally:
    """Play the deals of these seeds."""
    stage = Stage(world_class)
    tally = Tally()
    begun, used = time.perf_counter(), time.process_time()
    gc.collect()
    gc.freeze()
    gc.disable()  # worlds die whole: they are swept together
    try:
        for number, one in enumerate(every, 1):
            tally.add(stage.play(one))
            if number % SWEEP == 0:
                gc.collect()
                gc.freeze()  # what is left is kept for other deals, and need not be gone through again
    finally:
        gc.enable()
        gc.unfreeze()
    tally.seconds = time.perf_counter() - begun
    tally.cpu_seconds = time.process_time() - used
    return tally
