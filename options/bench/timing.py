"""Timing that other processes disturb little: the best of several runs, in processor time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    runs: int  # repetitions, of which the best counts
    options: int  # elements of a long array


def best(work: Callable[[], object], runs: int, calls: int = 1, *, wall: bool = False) -> float:
    """Seconds for one call of `work`: the least mean over `runs` batches of `calls`."""
    clock = time.perf_counter if wall else time.thread_time
    work()
    least = float("inf")
    for _ in range(runs):
        start = clock()
        for _ in range(calls):
            work()
        least = min(least, (clock() - start) / calls)
    return least
