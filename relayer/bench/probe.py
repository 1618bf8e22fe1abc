"""What a process of ours uses, and how quickly it answers: read from outside, as an operator would."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

TICKS = os.sysconf("SC_CLK_TCK")
MEGABYTE = 1024  # kB, as /proc counts
READ_SECONDS = 30.0  # for one answer, before the measurement is given up
UTIME, STIME = 11, 12  # fields of /proc/PID/stat behind the name, counted from 0


def cpu_seconds(pid: int) -> float:
    """What a process has used of all cores since it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[UTIME]) + int(fields[STIME])) / TICKS


def resident_mb(pid: int) -> float:
    """What a process holds in memory now."""
    return _kilobytes(pid, "VmRSS") / MEGABYTE


def peak_mb(pid: int) -> float:
    """The most that a process ever held in memory."""
    return _kilobytes(pid, "VmHWM") / MEGABYTE


def _kilobytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise ValueError(f"/proc/{pid}/status has no {name}")


@dataclass(slots=True)
class Reads:
    """Answers to URLs, asked for in turn at an even pace whatever the last one took, so that a pause of the server
    is counted by everybody who would have waited for it."""

    urls: tuple[str, ...]
    pause: float
    seconds: list[float] = field(default_factory=list)

    async def run(self, until: float) -> None:
        """Ask until the event loop's time `until`. Raises aiohttp's errors, and on any answer but 200."""
        loop = asyncio.get_running_loop()
        limit = aiohttp.ClientTimeout(total=READ_SECONDS)
        async with aiohttp.ClientSession(timeout=limit) as session, asyncio.TaskGroup() as group:
            due = loop.time()
            for url in itertools.cycle(self.urls):
                if due >= until:
                    break
                await asyncio.sleep(max(0.0, due - loop.time()))
                group.create_task(self._one(session, url))
                due += self.pause

    async def _one(self, session: aiohttp.ClientSession, url: str) -> None:
        began = time.perf_counter()
        async with session.get(url) as response:
            response.raise_for_status()
            await response.read()
        self.seconds.append(time.perf_counter() - began)

    def quantile_ms(self, share: float) -> float:
        """The answer time that `share` of all answers stay within, in milliseconds."""
        found = sorted(self.seconds)
        return round(found[min(len(found) - 1, int(len(found) * share))] * 1000, 1)
