"""A database of one's own for each test, of either kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from chains.testing.postgres import Postgres
from settlement.store import Store
from settlement.store.backend import parse
from settlement.store.database import Database
from settlement.store.schema import ensure
from settlement.store.tables import metadata

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.node)]
EMPTY = "; ".join(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables))
ALONE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file for a database."""
    return tmp_path / "deals.db"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tables(postgres: Postgres) -> str:
    """A database on the server with our tables."""
    url = await postgres.create_database("ours")
    ours = Database(parse(url))
    await ensure(ours, upgrade=False)
    await ours.close()
    return url


@pytest_asyncio.fixture
async def postgres_url(tables: str) -> AsyncIterator[str]:
    """A database on a real server with our tables, empty. To make one for each test would take half a second."""
    yield tables
    connection = await asyncpg.connect(tables)
    await connection.fetch(ALONE, connection.get_server_pid())
    await connection.execute(EMPTY)
    await connection.close()


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database on each engine."""
    if request.param == "sqlite":
        return str(tmp_path / "deals.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with await Store.open(url, drive=True) as opened:
        yield opened
