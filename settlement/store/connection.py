"""A SQLite connection that leaves the event loop only where SQLite may wait.

The stock asynchronous driver hands every call to a thread: four round trips a statement, each dearer than the
statement. SQLite waits for another process when a transaction that writes begins, and for the disk when it ends.
Those two run in the connection's thread; all else works in memory, in tens of microseconds, and is done at once.
A round trip to a thread is also two turns of the event loop, which a busy process makes anybody wait for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiosqlite

CHUNK = 64  # rows an open cursor would fetch at a time; ours are never left open
WRITING = "BEGIN IMMEDIATE"  # begins what writes: with it goes the end of the transaction to the thread
WAITING = (WRITING, "PRAGMA")  # statements that may have to wait


class QuickCursor:
    """What SQLAlchemy's adapter needs of a cursor; everything is there once `execute` has returned."""

    arraysize = 1

    def __init__(self, connection: QuickConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        if statement.startswith("BEGIN"):
            self._connection.writing = statement == WRITING
        if statement.startswith(WAITING):
            await self._connection.in_thread(partial(self._work, False, statement, parameters))
        else:
            self._work(False, statement, parameters, self._connection._conn)
        return self

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> Self:
        self._work(True, statement, parameters, self._connection._conn)
        return self

    def _work(self, many: bool, statement: str, parameters: Sequence[Any], raw: sqlite3.Connection) -> None:
        cursor = raw.executemany(statement, parameters) if many else raw.execute(statement, parameters)
        try:
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else []
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def fetchmany(self, size: int) -> list[Any]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def close(self) -> None:
        self._rows = []


class QuickConnection(aiosqlite.Connection):
    """aiosqlite's connection with such cursors. One task uses it at a time: the pool sees to that."""

    writing = False  # since the last transaction began

    def cursor(self) -> QuickCursor:  # type: ignore[override]
        return QuickCursor(self)

    async def in_thread(self, work: Any) -> None:
        """Run `work` on the raw connection, in the thread that belongs to it."""
        await self._execute(work, self._conn)  # type: ignore[no-untyped-call]

    async def commit(self) -> None:
        """On disk when this returns, if there was anything to write."""
        if self.writing:
            await super().commit()
        else:
            self._conn.commit()

    async def rollback(self) -> None:
        """Nothing to do is most often the case: a pool rolls back what comes home."""
        if self.writing and self.in_transaction:
            await super().rollback()
        else:
            self._conn.rollback()


async def connect(path: Path) -> QuickConnection:
    """Open a connection with a thread of its own."""
    connector = partial(sqlite3.connect, path, isolation_level=None, check_same_thread=False)
    connection = QuickConnection(connector, CHUNK)
    connection._thread.daemon = True  # a forgotten connection must not keep the process alive
    await connection
    return connection
