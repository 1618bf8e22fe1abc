"""Transactions: each piece of work is one, whole or not at all, and its errors are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Executable, Insert, Row, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.store.backend import Backend

T = TypeVar("T")


class Transact(Protocol):
    """`Store`'s way to run work on a connection as one transaction."""

    def __call__(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...


class Database:
    """An engine and the transactions on it. `work` is plain code on a SQLAlchemy connection; it must not keep
    anything of it."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.name = backend.name
        self._engine: AsyncEngine = backend.engine()
        self._reader = backend.reader(self._engine)
        self._glancer = backend.glancer(self._engine)
        self._writer = backend.writer(self._engine)
        self._turn = asyncio.Lock()  # writers of this process queue here, not in the database's busy loop
        self._writes: set[asyncio.Task[Any]] = set()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one consistent state. Raises StoreUnavailable."""
        with self._translated():
            async with self._reader.connect() as connection, connection.begin():
                return await connection.run_sync(work)

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """Run `work` where each statement may be a transaction of its own: a single one, or a few that need not
        fit each other. Raises StoreUnavailable."""
        with self._translated():
            async with self._glancer.connect() as connection, connection.begin():
                return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T], after: Callable[[T | None], None] | None = None) -> T:
        """Run `work` as one transaction, on disk when this returns. Raises StoreUnavailable.

        Of this process no other one writes meanwhile. Of others none does from the moment on at which `work`
        writes something that all of them write, or calls `queue`.

        Cancelling the caller does not cut the transaction in two: it is finished behind its back. `after` is
        called in any case once it is over, with the result, or None if it failed.
        """
        return await self._finished(self._write(work, after))

    async def write_beside(self, work: Callable[[Connection], T]) -> T:
        """The same without waiting for other writers of this process. Raises StoreUnavailable."""
        return await self._finished(self._write_beside(self._writer, work))

    async def touch(self, statement: Executable) -> Sequence[Row[Any]]:
        """Run one statement that writes, as a transaction; the rows that it returns. Raises StoreUnavailable."""

        def work(connection: Connection) -> Sequence[Row[Any]]:
            result = connection.execute(statement)
            return result.all() if result.returns_rows else ()

        engine = self._writer if self.backend.alone else self._glancer
        return await self._finished(self._write_beside(engine, work))

    async def _finished(self, writing: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(writing)
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

    async def _write_beside(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        with self._translated():
            async with engine.connect() as connection, connection.begin():
                return await connection.run_sync(work)

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
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise self.backend.failure(error) from error
