"""Backups and restores: every row of a database, as it was at one moment, in a file of its own.

A backup is a SQLite database with our tables, whichever kind of database it was made of: anything that reads
SQLite reads it, and it can be restored into either kind. What it lacks is who held what. A restored database has
an epoch that no side file knows, so whoever drives it first finds that it was restored.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    create_engine,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from settlement.store import schema
from settlement.store.age import EPOCH, HOME
from settlement.store.backend import parse
from settlement.store.database import Database
from settlement.store.errors import NoSuchBackup, NotEmpty, SchemaTooNew, StoreUnavailable
from settlement.store.leases import DEAL
from settlement.store.sqlite import FILE_MODE, SQLite
from settlement.store.tables import changes, daemons, deals, leases, lineages, meta, metadata

ROWS: Final = 500  # read and written at a time
EPHEMERAL: Final = frozenset({daemons.name, leases.name, lineages.name, "alembic_version"})
RESTORED: Final = "restored"  # an epoch that no side file knows


async def back_up(url: str, file: Path) -> int:
    """Write all of a database, of whatever schema and as of one moment, into a new file; how many rows it has. The
    database may be in use. Raises NotEmpty where the file exists, StoreUnavailable, SchemaTooNew, NotOurDatabase.
    """
    _refuse(file)
    source = Database(parse(url))
    try:
        revision = await schema.known_revision(source)
        with _draft(file) as draft, _sqlite(draft) as target:
            schema.migrate(target, revision)
            found = MetaData()
            found.reflect(target)
            copied = await source.read(lambda connection: _copy(connection, target, found))
            target.commit()
            _publish(draft, file)
        return copied
    finally:
        await source.close()


async def restore(file: Path, url: str) -> int:
    """Fill an empty database with what a backup holds, which may be of an older version; how many rows. Whoever
    drives it first finds that it was restored, and its open deals are limited. Raises NoSuchBackup, SchemaTooNew,
    NotEmpty where the database has tables, DatabaseInUse, StoreUnavailable."""
    backend = parse(url)
    lock = backend.lock()
    lock.acquire()
    target = Database(backend)
    try:
        with _draft(file) as draft:
            _copy_file(file, draft)
            with _sqlite(draft) as source:
                _bring_up(source, file)
                return await target.write(lambda connection: _fill(source, connection, target))
    finally:
        await target.close()
        lock.release()


def _bring_up(source: Connection, file: Path) -> None:
    """Bring a backup to the newest schema."""
    try:
        revision = schema.revision(source)
    except DBAPIError as error:
        raise NoSuchBackup(str(file)) from error
    if revision is None:
        raise NoSuchBackup(str(file))
    if revision not in schema.REVISIONS:
        raise SchemaTooNew(str(file), revision, schema.HEAD)
    schema.migrate(source)
    source.commit()


def _fill(source: Connection, target: Connection, database: Database) -> int:
    """Make our tables in an empty database, and fill them; all in one transaction."""
    schema.create_empty(target, database)
    copied = _copy(source, target, metadata)
    target.execute(delete(meta).where(meta.c.name == HOME))
    target.execute(update(meta).where(meta.c.name == EPOCH).values(value=RESTORED))
    if target.execute(select(changes.c.count)).first() is None:
        target.execute(insert(changes).values(count=0))
    free_all(target)
    if target.dialect.name == "postgresql":
        number_on(target, metadata)
    return copied


def _copy(source: Connection, target: Connection, tables: MetaData) -> int:
    """Copy every row but those that die with their process; how many."""
    copied = 0
    for table in tables.sorted_tables:
        if table.name in EPHEMERAL:
            continue
        rows = source.execution_options(yield_per=ROWS).execute(select(table))
        for part in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in part])
            copied += len(part)
    return copied


def free_all(connection: Connection) -> None:
    """Every open deal is there for anybody to drive."""
    opened = select(literal(DEAL), deals.c.id, literal(0)).where(deals.c.outcome.is_(None))
    connection.execute(insert(leases).from_select(["kind", "name", "epoch"], opened))


def number_on(connection: Connection, tables: MetaData) -> None:
    """Rows that were copied with their numbers don't advance the counters that give new ones."""
    for table in metadata.sorted_tables:
        if table.name in tables.tables and (column := _serial(table)) is not None:
            highest = select(func.coalesce(func.max(table.c[column]), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, column)
            connection.execute(select(func.setval(sequence, highest, False)))


def _serial(table: Table) -> str | None:
    column = table.autoincrement_column
    return None if column is None else column.name


# --- files -----------------------------------------------------------------------------------------------


def _refuse(file: Path) -> None:
    if file.exists():
        raise NotEmpty(str(file))


def _copy_file(file: Path, draft: Path) -> None:
    if not file.is_file():
        raise NoSuchBackup(str(file))
    shutil.copyfile(file, draft)


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """A private file beside another, gone in the end unless it was published."""
    draft = file.absolute().with_name(f".{file.name}.{os.urandom(4).hex()}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
        yield draft
    except OSError as error:
        raise StoreUnavailable(str(file), error.strerror or str(error)) from error
    finally:
        for left in draft.parent.glob(draft.name + "*"):
            left.unlink(missing_ok=True)


@contextmanager
def _sqlite(path: Path) -> Iterator[Connection]:
    """A plain connection to a file that nobody else uses."""
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(text("PRAGMA foreign_keys = OFF"))
            connection.commit()
            yield connection
    except DBAPIError as error:
        raise SQLite(path).failure(error) from error
    finally:
        engine.dispose()


def _publish(draft: Path, file: Path) -> None:
    """Give a whole file its name, flushed."""
    for path in (draft, file.absolute().parent):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    draft.replace(file)
