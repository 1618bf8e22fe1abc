"""Where a party's journal lies: in memory, or in the real database on a memory disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from htlc.ports import Deal, Journal
from relayer.simulation.memory import MemoryJournal
from settlement.store import Store, sqlite
from settlement.store.connection import CHUNK, QuickConnection
from settlement.store.sqlite import SQLite

MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - flushing a file there costs nothing
SUFFIXES = ("", "-wal")
TABLES = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
VERSION = "SELECT version_num FROM alembic_version"


class Shelf(Protocol):
    """One party's durable state. `journal` is what a process has open."""

    real: bool

    @property
    def journal(self) -> Journal: ...

    async def open(self) -> None:
        """A process starts."""
        ...

    async def close(self) -> None:
        """A process is gone."""
        ...

    async def add(self, deal: Deal) -> None: ...

    def back_up(self) -> None:
        """Copy everything as it is on disk now."""
        ...

    async def restore(self) -> bool:
        """Put the copy in place of what is there; False if there is none. No process runs."""
        ...

    @property
    def stale(self) -> bool:
        """The process that runs found that something is missing: its open deals are limited."""
        ...


class MemoryShelf:
    """A journal in memory."""

    real = False

    def __init__(self) -> None:
        self._journal = MemoryJournal()
        self._copy: MemoryJournal | None = None
        self.stale = False

    @property
    def journal(self) -> Journal:
        return self._journal

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def add(self, deal: Deal) -> None:
        await self._journal.add(deal)

    def back_up(self) -> None:
        self._copy = self._journal.copy()

    async def restore(self) -> bool:
        if self._copy is None:
            return False
        self.stale = self._copy.changes < self._journal.changes
        self._journal = self._copy
        if self.stale:
            self._journal.limit()
        return True


class DiskShelf:
    """The store itself: the same code, the same files, connections without a thread of their own."""

    real = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: Store | None = None

    @property
    def journal(self) -> Journal:
        return self.store

    @property
    def store(self) -> Store:
        """The store that the process has open."""
        assert self._store is not None  # noqa: S101 - only a process that runs asks
        return self._store

    async def open(self) -> None:
        if not self._path.exists():
            self._path.write_bytes(await _blank.content())
        self._store = await Store.open(str(self._path), drive=True)

    async def close(self) -> None:
        if self._store is not None:
            await self._store.aclose()
            self._store = None

    @property
    def stale(self) -> bool:
        return self._store is not None and self._store.restored

    async def add(self, deal: Deal) -> None:
        await self.store.add(deal)

    def back_up(self) -> None:
        for suffix in SUFFIXES:
            file = self._path.with_name(self._path.name + suffix)
            if file.exists():
                shutil.copyfile(file, file.with_name(file.name + ".backup"))

    async def restore(self) -> bool:
        for suffix in SUFFIXES:
            file = self._path.with_name(self._path.name + suffix)
            copy = file.with_name(file.name + ".backup")
            if suffix == "" and not copy.exists():
                return False
            file.unlink(missing_ok=True)
            if copy.exists():
                copy.replace(file)
        return True


class InlineConnection(QuickConnection):
    """Does at once what the daemon's connection does in a thread: in virtual time nothing may take its own."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, CHUNK)
        self._connection = connector()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    async def close(self) -> None:
        self.stop()

    def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def _connect(path: Path) -> InlineConnection:
    return InlineConnection(partial(sqlite3.connect, path, isolation_level=None, check_same_thread=False))


class Blank:
    """A database without a row, as it is before the store that opens it finds out that it is new. Making the
    tables takes as long as half a deal."""

    def __init__(self) -> None:
        self._content = b""

    async def content(self) -> bytes:
        """The file, made once for each process."""
        if not self._content:
            with TemporaryDirectory(dir=memory_disk(), prefix="strikelock-blank-") as folder:
                await (await Store.open(str(Path(folder) / "full.db"))).aclose()
                self._content = _tables_of(Path(folder) / "full.db", Path(folder) / "blank.db")
        return self._content


def _tables_of(path: Path, copy: Path) -> bytes:
    source, target = sqlite3.connect(path), sqlite3.connect(copy)
    try:
        target.execute("PRAGMA journal_mode = WAL")
        for (statement,) in source.execute(TABLES):
            target.execute(statement)
        target.executemany("INSERT INTO alembic_version VALUES (?)", source.execute(VERSION))
        target.commit()
    finally:
        source.close()
        target.close()
    return copy.read_bytes()


class Engines:
    """Engines that are used again, one for each name of a file: a new one compiles every statement anew."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[SQLite, AsyncEngine]] = {}

    def of(self, backend: SQLite, make: Callable[[SQLite], AsyncEngine]) -> AsyncEngine:
        """The engine for a database; whoever had a database of that name before is done with it."""
        kept = self._kept.get(backend.path.name)
        if kept is None:
            ours = SQLite(backend.path)
            kept = self._kept[backend.path.name] = (ours, make(ours))
        ours, engine = kept
        ours.path = backend.path  # new connections are made there
        engine.sync_engine.dispose(close=False)
        return engine


_blank = Blank()
_engines = Engines()


@contextmanager
def without_threads() -> Iterator[None]:
    """The store's connections are inline meanwhile, and its engines those of earlier deals."""
    module: Any = sqlite
    backend: Any = SQLite
    connect, make = module.connect, backend.engine
    module.connect = _connect
    backend.engine = lambda self: _engines.of(self, make)
    try:
        yield
    finally:
        module.connect = connect
        backend.engine = make


def memory_disk() -> str | None:
    """A folder in memory for temporary files, if the machine has one."""
    return str(MEMORY_DISK) if os.access(MEMORY_DISK, os.W_OK) else None
