"""A journal whose deals are backed up before they are driven.

The driver learns of deals from `deals` alone. A new deal is shown to it only when its descriptor is in the backup
folder, so no money ever goes into a deal that could not be recovered. A deal for which something was signed
already is shown in any case: its deadlines count more than a full disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import structlog

from chains.port import SignedTx, TxState
from htlc.ports import Deal, Intent, Journal
from htlc.protocols.base import Vow, Will
from settlement.backup import describe, file_name, write_file
from settlement.errors import DescriptorUnavailable
from settlement.seed import Identity

log = structlog.get_logger(__name__)


class JournalHandle:
    """A journal around another: see `htlc.ports.Journal`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def deals(self) -> tuple[Deal, ...]:
        return await self._journal.deals()

    async def deal(self, deal: str) -> Deal:
        return await self._journal.deal(deal)

    async def intents(self, deal: str) -> tuple[Intent, ...]:
        return await self._journal.intents(deal)

    async def unsettled(self) -> tuple[Intent, ...]:
        return await self._journal.unsettled()

    async def sign(self, deal: str, leg: str, step: str, tx: SignedTx, at: int) -> Intent:
        return await self._journal.sign(deal, leg, step, tx, at)

    async def settle(self, number: int, state: TxState) -> None:
        await self._journal.settle(number, state)

    async def learn(self, deal: str, preimages: Mapping[bytes, bytes]) -> None:
        await self._journal.learn(deal, preimages)

    async def swear(self, deal: str, vow: Vow) -> None:
        await self._journal.swear(deal, vow)

    async def give_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        await self._journal.give_consent(deal, leg, path, consent)

    async def hold_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        await self._journal.hold_consent(deal, leg, path, consent)

    async def resolve(self, deal: str, will: Will) -> None:
        await self._journal.resolve(deal, will)

    async def close(self, deal: str, outcome: str, at: int) -> None:
        await self._journal.close(deal, outcome, at)


class KeptJournal(JournalHandle):
    """Shows the deals that are backed up."""

    def __init__(self, journal: Journal, folder: Path, identity: Identity) -> None:
        super().__init__(journal)
        self._folder = folder
        self._identity = identity
        self._kept: set[str] = set()

    async def deals(self) -> tuple[Deal, ...]:
        """Every open deal that is backed up, and those that can't wait for it."""
        found = await super().deals()
        return tuple([deal for deal in found if await self._keep(deal)])

    async def _keep(self, deal: Deal) -> bool:
        """Whether a deal may be driven: write its descriptor if that was not done."""
        if deal.id in self._kept:
            return True
        path = self._folder / file_name(deal)
        try:
            if not path.exists():
                text = describe(deal, self._identity).text
                await asyncio.to_thread(write_file, path, text)
                log.info("descriptor written", deal=deal.id, file=str(path))
        except DescriptorUnavailable as error:
            begun = bool(await self._journal.intents(deal.id))
            log.warning("no descriptor yet", deal=deal.id, reason=str(error), waits=not begun)
            return begun
        self._kept.add(deal.id)
        return True
