"""Transactions: each piece of work is one, whole or not at all, and its errors are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.store.sqlite import WRITE_OPTION, SQLite

T = TypeVar("T")


class Transact(Protocol):
    """`Store`'s way to run work on a connection as one transaction."""

    def __call__(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...


class Database:
    """An engine and the transactions on it. `work` is plain code on a SQLAlchemy connection; it must not keep
    anything of it."""

    def __init__(self, backend: SQLite) -> None:
        self.backend = backend
        self.name = backend.name
        self._engine: AsyncEngine = backend.engine()
        self._writer = self._engine.execution_options(**{WRITE_OPTION: True})
        self._turn = asyncio.Lock()  # writers of this process queue here, not in the database's busy loop
        self._writes: set[asyncio.Task[Any]] = set()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one consistent state. Raises StoreUnavailable."""
        with self._translated():
            async with self._engine.connect() as connection, connection.begin():
                return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T], after: Callable[[T | None], None] | None = None) -> T:
        """Run `work` as one transaction, on disk when this returns. Raises StoreUnavailable.

        Cancelling the caller does not cut the transaction in two: it is finished behind its back. `after` is
        called in any case once it is over, with the result, or None if it failed.
        """
        task = asyncio.create_task(self._write(work, after))
        self._writes.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._writes.discard(task)
        if not task.cancelled():
            task.exception()  # the caller has it; if it was cancelled, nobody wants it

    async def _write(self, work: Callable[[Connection], T], after: Callable[[T | None], None] | None) -> T:
        result: T | None = None
        try:
            with self._translated():
                async with self._turn, self._writer.connect() as connection, connection.begin():
                    found = await connection.run_sync(work)
            result = found
            return found
        finally:
            if after is not None:
                after(result)

    def insert_new(self, table: Table) -> Insert:
        """An insert that leaves a row that is there already as it is."""
        return self.backend.insert(table)

    async def close(self) -> None:
        """Finish what is being written and let go of the file."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self.backend.failure(error) from error
