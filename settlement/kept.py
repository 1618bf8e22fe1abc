"""A journal whose deals are backed up before they are driven.

The driver learns of deals from `deals` alone. A new deal is shown to it only when it is backed up, by a descriptor
in the backup folder or by a record that is final on a chain, so no money ever goes into a deal that could not be
recovered. A deal for which something was signed already is shown in any case: its deadlines count more than a full
disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

import structlog

from chains.errors import ChainError
from chains.port import SignedTx, TxState
from htlc.errors import Fenced
from htlc.ports import RECORD, Deal, Intent, Journal
from htlc.protocols.base import Vow, Will
from settlement.backup import describe, file_name, write_file
from settlement.errors import DescriptorUnavailable
from settlement.seed import Identity

log = structlog.get_logger(__name__)

ModesOf: TypeAlias = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


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

    def turn(self, chain: str) -> AbstractAsyncContextManager[Sequence[SignedTx]]:
        return self._journal.turn(chain)

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


class Keeper(Protocol):
    """One way to back up deals."""

    async def keep(self, deal: Deal) -> bool:
        """Whether the deal is backed up; if not, what can be done for it now is done. Raises StrikelockError."""
        ...


class FileKeeper:
    """Descriptors in a folder."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self._folder = folder
        self._identity = identity

    async def keep(self, deal: Deal) -> bool:
        """Write the descriptor, flushed, unless it is there. Raises DescriptorUnavailable."""
        path = self._folder / file_name(deal)
        if not path.exists():
            await asyncio.to_thread(write_file, path, describe(deal, self._identity).text)
            log.info("descriptor written", deal=deal.id, file=str(path))
        return True


class NoKeeper:
    """For deals whose user wants no backup of ours."""

    async def keep(self, deal: Deal) -> bool:
        return True


class KeptJournal(JournalHandle):
    """Shows the deals that are backed up. keepers: by mode. modes_of: how deals are to be backed up, by id."""

    def __init__(self, journal: Journal, keepers: Mapping[str, Keeper], modes_of: ModesOf) -> None:
        super().__init__(journal)
        self._keepers = keepers
        self._modes_of = modes_of
        self._kept: set[str] = set()

    async def deals(self) -> tuple[Deal, ...]:
        """Every open deal that is backed up, and those that can't wait for it."""
        found = await super().deals()
        unkept = [deal.id for deal in found if deal.id not in self._kept]
        modes = await self._modes_of(unkept) if unkept else {}
        return tuple([deal for deal in found if deal.id in self._kept or await self._keep(deal, modes[deal.id])])

    async def _keep(self, deal: Deal, mode: str) -> bool:
        """Whether a deal may be driven: back it up if that was not done. The deadlines of one that something was
        signed for count more."""
        reason = ""
        try:
            if await self._keepers[mode].keep(deal):
                self._kept.add(deal.id)
                return True
        except Fenced as error:
            log.warning("deal dropped", deal=deal.id, reason=str(error))
            return False  # another process backs it up, and drives it
        except (DescriptorUnavailable, ChainError) as error:
            reason = str(error)
        begun = any(intent.step != RECORD for intent in await self._journal.intents(deal.id))
        if reason:
            log.warning("not backed up yet", deal=deal.id, mode=mode, reason=reason, waits=not begun)
        return begun
