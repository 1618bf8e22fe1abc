"""All that is particular to PostgreSQL: the address, how a transaction begins, what its errors mean.

Several daemons share one database. Transactions that write wait for each other, at the row that counts changes or
at an advisory lock, so each of them finds what SQLite would show it: a state that nobody else changes meanwhile.
Sessions that fall silent in the midst of one, such as those of a stopped process, are ended by the server.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Insert, Table, cast, event, func, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from settlement.store.errors import MissingDriver, StoreBusy, StoreDamaged, StoreUnavailable
from settlement.store.shared_epoch import SharedEpoch

CONNECTIONS = 5  # of one process
CONNECT_SECONDS = 10
COMMAND_SECONDS = 30
SILENCE_MS = 5_000  # that a session may keep others waiting in the midst of a transaction
LOCK_MS = 10_000  # waited for others; longer than a silent one can last
QUEUE = 0x5354524B  # the advisory lock of those that change the schema, one in each database
DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)
# What tells a database from every copy of it: the cluster, the database in it, and the timeline, which a restore
# to an earlier point and a standby that took over begin anew.
HOME = text(
    "SELECT (SELECT system_identifier FROM pg_control_system())"
    " || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())"
    " || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)"
)

_BUSY = {"55P03", "57014", "40001", "40P01", "25P03"}
_DAMAGE = {"XX001", "XX002"}


class NoLock:
    """Several may drive: leases keep them apart."""

    def __init__(self) -> None:
        self.held = False

    def acquire(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False


class PostgreSQL:
    """A database on a server."""

    alone = False

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql+asyncpg")

    @property
    def name(self) -> str:
        return self._url.set(drivername="postgresql").render_as_string(hide_password=True)

    @property
    def now(self) -> ColumnElement[int]:
        return cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)

    def engine(self) -> AsyncEngine:
        """An engine whose commits are on disk when they return. Raises MissingDriver."""
        if importlib.util.find_spec("asyncpg") is None:
            raise MissingDriver(self.name)
        settings = {
            "application_name": "strikelock",
            "idle_in_transaction_session_timeout": str(SILENCE_MS),
            "lock_timeout": str(LOCK_MS),
        }
        engine = create_async_engine(
            self._url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=COMMAND_SECONDS,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": COMMAND_SECONDS,
                "server_settings": settings,
            },
        )
        event.listen(engine.sync_engine, "connect", _prepare)
        return engine

    def reader(self, engine: AsyncEngine) -> AsyncEngine:
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def glancer(self, engine: AsyncEngine) -> AsyncEngine:
        return engine.execution_options(isolation_level="AUTOCOMMIT", postgresql_readonly=False)

    def writer(self, engine: AsyncEngine) -> AsyncEngine:
        return engine.execution_options(isolation_level="READ COMMITTED", postgresql_readonly=False)

    def queue(self, connection: Connection) -> None:
        connection.execute(_QUEUE)

    def home(self, connection: Connection) -> str:
        return str(connection.execute(HOME).scalar_one())

    def insert(self, table: Table) -> Insert:
        return postgresql_insert(table).on_conflict_do_nothing()

    def failure(self, error: Exception) -> StoreUnavailable:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlstate", None)
        kind = StoreDamaged if code in _DAMAGE else StoreBusy if code in _BUSY else StoreUnavailable
        return kind(self.name, f"{cause}" or type(cause).__name__)

    def lock(self) -> NoLock:
        return NoLock()

    def epoch(self, folder: Path | None) -> SharedEpoch:
        return SharedEpoch(folder and folder / f"{self._url.database}.epoch")


_QUEUE = text(f"SELECT pg_advisory_xact_lock({QUEUE})")


def _prepare(connection: Any, _record: Any) -> None:
    """A commit must be on disk when it returns, whatever the server's default."""
    cursor = connection.cursor()
    cursor.execute(DURABLE)
    cursor.close()
    connection.commit()
