"""The schema of a database: made at once when it is new, checked when it is opened, upgraded when asked.

The migrations and `tables` must give the same schema; a test compares them.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from settlement.store.database import Database
from settlement.store.errors import NotEmpty, NotOurDatabase, SchemaTooNew, SchemaTooOld
from settlement.store.tables import metadata

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")  # every one ever released, oldest first
HEAD = REVISIONS[-1]
VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
MIGRATIONS = Path(__file__).parent / "migrations"


async def ensure(database: Database, upgrade: bool) -> None:
    """Leave the database at the newest schema, or refuse it.

    A new database is created. An older one is upgraded if `upgrade`, else SchemaTooOld. Raises SchemaTooNew,
    NotOurDatabase.
    """
    found = await database.read(revision)
    if found == HEAD:
        return
    if found is None:
        await database.write(lambda connection: _create(connection, database))
    elif found not in REVISIONS:
        raise SchemaTooNew(database.name, found, HEAD)
    elif upgrade:
        await database.write(lambda connection: _upgrade(connection, database))
    else:
        raise SchemaTooOld(database.name, found, HEAD)


async def known_revision(database: Database) -> str:
    """The schema that a database has, which may be an older one. Raises SchemaTooNew, NotOurDatabase."""
    found = await database.read(revision)
    if found is None:
        raise NotOurDatabase(database.name)
    if found not in REVISIONS:
        raise SchemaTooNew(database.name, found, HEAD)
    return found


def create_empty(connection: Connection, database: Database) -> None:
    """Make our tables in a database that has none, in the caller's transaction. Raises NotEmpty."""
    database.backend.queue(connection)
    if inspect(connection).get_table_names():
        raise NotEmpty(database.name)
    _create_tables(connection)


def revision(connection: Connection) -> str | None:
    """The database's revision, None where it has no tables of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _create(connection: Connection, database: Database) -> None:
    """Make every table and note the revision, in the caller's transaction."""
    database.backend.queue(connection)
    if revision(connection) is not None:
        return  # another process was faster
    if inspect(connection).get_table_names():
        raise NotOurDatabase(database.name)
    _create_tables(connection)


def _create_tables(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    connection.execute(text(VERSION_TABLE))
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection, database: Database) -> None:
    """Run the migrations that are missing, in the caller's transaction: all of them or none."""
    database.backend.queue(connection)
    migrate(connection)


def migrate(connection: Connection, target: str = "head") -> None:
    """Bring whatever is there to a schema, in the caller's transaction."""
    from alembic import command  # takes a tenth of a second to import, and is hardly ever needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, target)
