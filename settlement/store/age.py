"""Whether a database is the newest state of itself. What isn't was restored, and its open deals become limited."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update

from settlement.store import journal
from settlement.store.backend import Epoch
from settlement.store.book import limit_proposals
from settlement.store.database import Database
from settlement.store.errors import StoreRolledBack
from settlement.store.offers import withdraw_all
from settlement.store.tables import changes, meta
from settlement.store.tokens import revoke_all

EPOCH: Final = "epoch"
HOME: Final = "home"


@dataclass(frozen=True, slots=True)
class Mark:
    """How a database tells its states apart. count: of its changes. at_home: it is where it was made."""

    id: str
    count: int
    at_home: bool


class Age:
    """Counts the changes of a database, and compares with what is known of it outside. fence: ends all leases, in
    a transaction."""

    def __init__(self, database: Database, epoch: Epoch, fence: Callable[[Connection], None]) -> None:
        self._database = database
        self._epoch = epoch
        self._fence = fence
        self._id = ""
        self._count = 0

    async def find_out(self, driving: bool) -> bool:
        """Whether this is an older copy; a driver limits the deals of one, a reader changes nothing: the driver
        will find the same."""
        found, restored = await self._database.read(self._mark), False
        if not self._newest(found) and (driving or not found.id):
            found, restored = await self._database.write(self._adopt)
        self._id, self._count = found.id, found.count
        if driving:
            self._epoch.advance(found.id, found.count)
        return restored

    def advance(self, connection: Connection) -> int:
        """Count one more change, first thing in the transaction that makes it: all of them wait for each other
        here. Raises StoreRolledBack."""
        count = int(connection.execute(_COUNT).scalar_one())
        if count <= self._count:
            raise StoreRolledBack(self._database.name, f"{count} changes, where {self._count} were seen")
        return count

    def stored(self, count: int) -> None:
        """A change is on disk: tell the side file."""
        self._count = max(self._count, count)
        self._epoch.advance(self._id, count)

    def close(self) -> None:
        """Let go of the side file."""
        self._epoch.close()

    def _newest(self, mark: Mark) -> bool:
        return mark.at_home and self._epoch.matches(mark.id, mark.count)

    def _mark(self, connection: Connection) -> Mark:
        """What the database says of itself."""
        found = {row.name: row.value for row in connection.execute(_MARKS)}
        count = connection.execute(select(changes.c.count)).scalar_one_or_none()
        at_home = self._database.backend.home(connection) == found.get(HOME, "")
        return Mark(found.get(EPOCH, ""), count or 0, at_home)

    def _adopt(self, connection: Connection) -> tuple[Mark, bool]:
        """Start a new epoch; every open deal of a database that is not new becomes limited, and so does every deal
        that comes of its proposals. Whoever drove it, of now or then, is fenced.

        The side file is written first: a crash before the commit leaves the two different, the safe side.
        """
        self._database.backend.queue(connection)
        connection.execute(select(changes).with_for_update())  # nobody writes until this is done
        known = self._mark(connection)
        if known.id and self._newest(known):
            return known, False  # a new database, and another process was faster
        fresh = self._epoch.renew()
        journal.limit_open_deals(connection)
        limit_proposals(connection)
        withdraw_all(connection, int(time.time()))
        revoke_all(connection, int(time.time()))
        self._fence(connection)
        _put(connection, EPOCH, fresh)
        _put(connection, HOME, self._database.backend.home(connection))
        if connection.execute(select(changes.c.count)).first() is None:
            connection.execute(insert(changes).values(count=0))
        return Mark(fresh, known.count, at_home=True), bool(known.id)


_COUNT = update(changes).values(count=changes.c.count + 1).returning(changes.c.count)
_MARKS = select(meta).where(meta.c.name.in_((EPOCH, HOME)))


def _put(connection: Connection, name: str, value: str) -> None:
    if connection.execute(update(meta).where(meta.c.name == name).values(value=value)).rowcount == 0:
        connection.execute(insert(meta).values(name=name, value=value))
