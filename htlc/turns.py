"""Turns for others of the process, during work on many deals that never waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TURN_SECONDS = 0.002  # of work on deals, after which others of this process get a turn


class Turns:
    """Of one piece of work."""

    def __init__(self) -> None:
        self._clock: Callable[[], float] | None = None
        self._since = 0.0

    async def give(self, last: bool = False) -> None:
        """Before a piece of the work. last: nothing comes after it, so that no time need be measured."""
        if self._clock is None:
            if not last:
                self._clock = asyncio.get_running_loop().time
                self._since = self._clock()
        elif self._clock() - self._since > TURN_SECONDS:
            await asyncio.sleep(0)
            self._since = self._clock()
