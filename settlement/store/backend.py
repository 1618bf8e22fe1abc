"""What the store needs of a kind of database. Everything else is SQLAlchemy without a dialect's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Insert, Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.store.errors import StoreUnavailable, UnsupportedDatabase


class Lock(Protocol):
    """Keeps a second driver out, where there may be only one."""

    @property
    def held(self) -> bool: ...

    def acquire(self) -> None:
        """Raises DatabaseInUse."""
        ...

    def release(self) -> None: ...


class Epoch(Protocol):
    """Knows, outside the database, which state of it is the newest."""

    def matches(self, id_: str, count: int) -> bool:
        """Whether a database of this id, with so many changes, may be the newest one."""
        ...

    def renew(self) -> str:
        """Note a new id before the database takes it over; the id."""
        ...

    def advance(self, id_: str, count: int) -> None:
        """Note that the database has had so many changes."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """One database. alone: at most one process drives it, and its lock sees to that."""

    alone: bool

    @property
    def name(self) -> str:
        """For people: without a password."""
        ...

    @property
    def now(self) -> ColumnElement[int]:
        """The database's clock, milliseconds of UNIX time: the only one by which leases end."""
        ...

    def engine(self) -> AsyncEngine:
        """An engine whose transactions are real ones. Raises StoreUnavailable, MissingDriver."""
        ...

    def reader(self, engine: AsyncEngine) -> AsyncEngine:
        """The engine for transactions that see one consistent state."""
        ...

    def glancer(self, engine: AsyncEngine) -> AsyncEngine:
        """The engine for single statements that need no transaction around them."""
        ...

    def writer(self, engine: AsyncEngine) -> AsyncEngine:
        """The engine for transactions that write."""
        ...

    def queue(self, connection: Connection) -> None:
        """Have the transaction, which has just begun, wait until no other of its kind is under way."""
        ...

    def home(self, connection: Connection) -> str:
        """Where this database lives; another one after it was copied. Empty where the epoch's file knows that."""
        ...

    def insert(self, table: Table) -> Insert:
        """An insert that leaves a row that is there already as it is."""
        ...

    def failure(self, error: Exception) -> StoreUnavailable:
        """What an error of the driver means to the caller."""
        ...

    def lock(self) -> Lock: ...

    def epoch(self, folder: Path | None) -> Epoch:
        """folder: where this process may keep a side file, if not beside the database."""
        ...


def parse(url: str) -> Backend:
    """The database that a path, `sqlite:///PATH` or `postgresql://...` names. Raises UnsupportedDatabase."""
    from settlement.store.postgres import PostgreSQL  # which few need
    from settlement.store.sqlite import SQLite

    if "://" not in url:
        return SQLite(Path(url).expanduser().absolute())
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UnsupportedDatabase(url) from error
    kind = parsed.get_backend_name()
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        return SQLite(Path(parsed.database).absolute())
    if kind == "postgresql" and parsed.database:
        return PostgreSQL(parsed)
    raise UnsupportedDatabase(parsed.render_as_string(hide_password=True))
