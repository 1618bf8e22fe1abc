"""Collects the quorum's signatures for as long as it takes, without holding up the driver.

What it gets is held in the journal like a release: from then on the plan counts on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import structlog

from chains.errors import StrikelockError
from htlc.ports import Attesters, Deal, Journal

log = structlog.get_logger(__name__)

FIRST_PAUSE = 1.0  # seconds; grows by half with each failure
LONGEST_PAUSE = 15.0  # an exercise waits for it

Wanted: TypeAlias = tuple[str, str, str]  # deal, leg, path


class Collector:
    """One task for each attestation that is wanted and not there yet. `arrived` is called when one is."""

    def __init__(self, attesters: Attesters, journal: Journal, arrived: Callable[[], None]) -> None:
        self._attesters = attesters
        self._journal = journal
        self._arrived = arrived
        self._tasks: dict[Wanted, asyncio.Task[None]] = {}

    def want(self, deal: Deal, leg: str, path: str) -> None:
        """See to it that the attestation is asked for until it is held."""
        wanted = (deal.id, leg, path)
        if wanted not in self._tasks or self._tasks[wanted].done():
            self._tasks[wanted] = asyncio.create_task(self._collect(deal, leg, path))

    def keep(self, deal: str, wanted: set[tuple[str, str]]) -> None:
        """Stop asking for what a deal's plan does not want any more. wanted: (leg, path)."""
        for one in [one for one in self._tasks if one[0] == deal and one[1:] not in wanted]:
            self._tasks.pop(one).cancel()

    async def close(self) -> None:
        """Stop everything under way."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _collect(self, deal: Deal, leg: str, path: str) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                consent = await self._attesters.attest(deal, leg, path)
                await self._journal.hold_consent(deal.id, leg, path, consent)
            except StrikelockError as error:
                log.info("not attested yet", deal=deal.id, leg=leg, reason=str(error))
                await asyncio.sleep(pause)
                pause = min(1.5 * pause, LONGEST_PAUSE)
            else:
                log.info("attested", deal=deal.id, leg=leg, path=path)
                self._arrived()
                return
