"""Delivers releases to the counterparty, for as long as it takes, without holding up the driver.

A lost message costs time, never money: every leg has a way out that needs no message.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import structlog

from htlc.errors import PeerUnavailable
from htlc.ports import Deal, Peer

log = structlog.get_logger(__name__)

FIRST_PAUSE = 1.0  # seconds; doubles with each failure
LONGEST_PAUSE = 60.0

Parcel: TypeAlias = tuple[str, str, str]  # deal, leg, path


class Courier:
    """One task for each release that is not delivered yet. Delivering twice is harmless."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._tasks: dict[Parcel, asyncio.Task[None]] = {}

    def deliver(self, deal: Deal) -> None:
        """See to it that every release given in the deal reaches the counterparty."""
        for (leg, path), consent in deal.consents_given.items():
            parcel = (deal.id, leg, path)
            if parcel not in self._tasks:
                self._tasks[parcel] = asyncio.create_task(self._carry(deal, leg, path, consent))

    def forget(self, deal: str) -> None:
        """The deal is closed: stop trying."""
        for parcel in [parcel for parcel in self._tasks if parcel[0] == deal]:
            self._tasks.pop(parcel).cancel()

    async def close(self) -> None:
        """Stop everything under way."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, deal: Deal, leg: str, path: str, consent: str) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._peer.send_consent(deal, leg, path, consent)
            except PeerUnavailable as error:
                log.info("release not delivered yet", deal=deal.id, leg=leg, reason=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                log.info("release delivered", deal=deal.id, leg=leg, path=path)
                return
