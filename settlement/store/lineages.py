"""One lineage for each account, however many processes sign for it.

A transaction is made knowing every other one that claims a nonce or a coin of the account, or none of them is
safe. So whoever signs takes a turn at the account, reads what is stored, signs, and stores: the account's version
grows with each transaction, and one that was made at another version is refused. The turn itself ends by the
database's clock; it spares work, and nothing depends on it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy import Connection, Insert, or_, update

from htlc.errors import LineageBusy, LineageMoved
from settlement.store.database import Database
from settlement.store.errors import StoreUnavailable
from settlement.store.tables import lineages

log = structlog.get_logger(__name__)

TURN_MS: Final = 5_000  # that a turn lasts at the most
PATIENCE_SECONDS: Final = 2.0  # that we wait for ours; the next look tries again
POLL_SECONDS: Final = 0.02


class Lineages:
    """The turns of this process, `me`."""

    def __init__(self, database: Database, me: str) -> None:
        self._database = database
        self._me = me
        self._seen: dict[str, int] = {}  # the version at which our turn began
        self._left: dict[str, int] = {}  # the version that what we stored last has made
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[bool]:
        """Our turn at an account: what is read of it within is all there is. Gives whether others may have signed
        since we did. Raises LineageBusy."""
        if self._database.backend.alone:
            yield False
            return
        async with self._locks[account]:
            version = self._seen[account] = await self._take(account)
            try:
                yield version != self._left.get(account)
            finally:
                if self._seen.pop(account, None) is not None:
                    await self._let_go(account)

    async def _take(self, account: str) -> int:
        loop = asyncio.get_running_loop()
        patience = loop.time() + PATIENCE_SECONDS
        while (version := await self._try(account)) is None:
            if loop.time() > patience:
                raise LineageBusy(account)
            await asyncio.sleep(POLL_SECONDS)
        return version

    async def _try(self, account: str) -> int | None:
        now = self._database.backend.now
        free = or_(lineages.c.holder.is_(None), lineages.c.holder == self._me, lineages.c.until < now)
        query = update(lineages).where(lineages.c.account == account, free)
        query = query.values(holder=self._me, until=now + TURN_MS)
        taken = await self._database.touch(query.returning(lineages.c.version))
        if not taken:  # somebody else's turn, or nobody ever signed
            await self._database.touch(self._first(account))
        return taken[0].version if taken else None

    def _first(self, account: str) -> Insert:
        """An account that nobody signed for yet."""
        return self._database.insert_new(lineages).values(account=account, version=0, until=0)

    async def _let_go(self, account: str) -> None:
        """Nothing was signed in our turn."""
        mine = update(lineages).where(lineages.c.account == account, lineages.c.holder == self._me)
        try:
            await self._database.touch(mine.values(holder=None))
        except StoreUnavailable as error:
            log.warning("a turn is left to run out", account=account, reason=str(error))

    def check(self, connection: Connection, account: str) -> None:
        """In the transaction that stores what was signed: raise LineageMoved unless it was made knowing all that
        is stored of the account. This ends our turn."""
        if self._database.backend.alone:
            return
        seen = self._seen.get(account)
        query = update(lineages).where(lineages.c.account == account)
        if seen is None:  # signed without a look at what is stored: nobody else's turn outlives it
            connection.execute(self._first(account))
        else:
            query = query.where(lineages.c.version == seen)
        query = query.values(version=lineages.c.version + 1, holder=None)
        if connection.execute(query).rowcount == 0:
            raise LineageMoved(account)

    def stored(self, account: str) -> None:
        """What was signed is stored, so our turn is over."""
        if (seen := self._seen.pop(account, None)) is not None:
            self._left[account] = seen + 1
