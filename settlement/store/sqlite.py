"""All that is particular to SQLite: the address, the pragmas, how a transaction begins, what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Insert, Table, event
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from settlement.store.connection import connect
from settlement.store.errors import StoreBusy, StoreDamaged, StoreUnavailable, UnsupportedDatabase

BUSY_TIMEOUT_MS = 10_000  # another process's write takes milliseconds; this long means trouble
JOURNAL_BYTES = 4 * 2**20  # what the write-ahead log keeps of the disk once it was longer
CACHE_KIB = 1024  # pages kept per connection
CONNECTIONS = 3  # readers besides the one writer; each is a thread
FILE_MODE = 0o600
WRITE_OPTION = "strikelock_write"

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SQLite:
    """A database in one file, `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return str(self.path)

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

    def insert(self, table: Table) -> Insert:
        """An insert that leaves a row that is there already as it is."""
        return sqlite_insert(table).on_conflict_do_nothing()

    def failure(self, error: DBAPIError) -> StoreUnavailable:
        """What an error of the driver means to the caller."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        primary = code & 0xFF if isinstance(code, int) else None  # the upper bits say it more finely
        kind = StoreDamaged if primary in _DAMAGE else StoreBusy if primary in _BUSY else StoreUnavailable
        return kind(self.name, str(error.orig))

    def _create_private(self) -> None:
        """Make the file before SQLite does, readable by its owner alone (its journal inherits the mode)."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
        except OSError as error:
            raise StoreUnavailable(self.name, error.strerror or str(error)) from error


def parse(url: str) -> SQLite:
    """The database that a path or `sqlite:///PATH` names. Raises UnsupportedDatabase."""
    if "://" not in url:
        return SQLite(Path(url).expanduser().absolute())
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UnsupportedDatabase(url) from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise UnsupportedDatabase(parsed.render_as_string(hide_password=True))
    return SQLite(Path(parsed.database).absolute())


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
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
