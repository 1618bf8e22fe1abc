"""A database of one's own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from settlement.store import Store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "deals.db"


@pytest_asyncio.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    async with await Store.open(str(database), drive=True) as opened:
        yield opened
