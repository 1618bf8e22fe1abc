"""All that is particular to SQLite: the address, the pragmas, how a transaction begins, what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Insert, Table, cast, event, func
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from settlement.store.connection import WRITING, connect
from settlement.store.epoch import FileEpoch
from settlement.store.errors import StoreBusy, StoreDamaged, StoreUnavailable
from settlement.store.lock import DriverLock

BUSY_TIMEOUT_MS = 10_000  # another process's write takes milliseconds; this long means trouble
JOURNAL_BYTES = 4 * 2**20  # what the write-ahead log keeps of the disk once it was longer
CACHE_KIB = 1024  # pages kept per connection
CONNECTIONS = 3  # readers besides the one writer; each is a thread
FILE_MODE = 0o600
WRITE_OPTION = "strikelock_write"
UNIX_DAY = 2440587.5  # the Julian day on which UNIX time begins
DAY_MS = 86_400_000

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SQLite:
    """A database in one file, `path`."""

    alone = True

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def now(self) -> ColumnElement[int]:
        return cast((func.julianday("now") - UNIX_DAY) * DAY_MS, BigInteger)

    def engine(self) -> AsyncEngine:
        """An engine whose transactions are real ones. Raises StoreUnavailable if there can't be such a file."""
        self._create_private()
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self.path)),
            async_creator=lambda *_, **__: connect(self.path),
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=60,
        )
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        return engine

    def reader(self, engine: AsyncEngine) -> AsyncEngine:
        return engine

    def glancer(self, engine: AsyncEngine) -> AsyncEngine:
        return engine  # a transaction costs nothing here

    def writer(self, engine: AsyncEngine) -> AsyncEngine:
        return engine.execution_options(**{WRITE_OPTION: True})

    def queue(self, connection: Connection) -> None:
        """Nothing to do: it began with the database's lock."""

    def home(self, connection: Connection) -> str:
        return ""

    def insert(self, table: Table) -> Insert:
        return sqlite_insert(table).on_conflict_do_nothing()

    def failure(self, error: Exception) -> StoreUnavailable:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", None)
        primary = code & 0xFF if isinstance(code, int) else None  # the upper bits say it more finely
        kind = StoreDamaged if primary in _DAMAGE else StoreBusy if primary in _BUSY else StoreUnavailable
        return kind(self.name, str(cause))

    def lock(self) -> DriverLock:
        return DriverLock(self.path)

    def epoch(self, folder: Path | None) -> FileEpoch:
        return FileEpoch(self.path)

    def _create_private(self) -> None:
        """Make the file before SQLite does, readable by its owner alone (its journal inherits the mode). One that
        is there is not touched: closing a file lets go of all locks that this process has on it, and those of a
        connection that another store of ours has are among them."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
        except FileExistsError:
            return
        except OSError as error:
            raise StoreUnavailable(self.name, error.strerror or str(error)) from error


def _prepare(connection: Any, _record: Any) -> None:
    """Settings of a new connection. The journal mode stays with the file, the others are the connection's."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A write takes its lock at once: one that starts as a reader could be refused half-way."""
    write = connection.get_execution_options().get(WRITE_OPTION, False)
    connection.exec_driver_sql(WRITING if write else "BEGIN")
