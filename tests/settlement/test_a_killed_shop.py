"""A maker's process is killed while it sells: what it said is sold is sold, once, and the rest can be sold."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from settlement.store import Store
from settlement.takings import TakingState
from tests.settlement.samples import AT
from tests.settlement.selling import OUT, PARTS, SOLD, UNIT

# A package of ours is called as one that some distributions install.
SELLING = """
import asyncio, sys, types
tests = sys.modules["tests"] = types.ModuleType("tests")
tests.__path__ = [sys.argv[1]]
from tests.settlement.selling import sell_everything
asyncio.run(sell_everything(sys.argv[2]))
"""


def sell(database: Path, after: int | None) -> list[str]:
    """Have a process sell; kill it after so many sales, in the midst of the next. What it said."""
    command = [sys.executable, "-c", SELLING, str(Path(__file__).parents[1]), str(database)]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                if line.startswith(SOLD):
                    said.append(line.strip())
                if len(said) == after:
                    process.kill()
        finally:
            process.kill()
    return said


@pytest.mark.timeout(200)
async def test_a_shop_that_is_killed_sells_nothing_twice(database):
    said: list[str] = []
    for after in (1, 9, 5, None):  # the last process goes on to the end
        said += await asyncio.to_thread(sell, database, after)
        async with await Store.open(str(database), drive=True) as store:
            takings = await store.offers.takings(AT, limit=10**6)
            proposals = await store.book.proposals(limit=10**6)
            assert {one.proposal for one in takings} == {proposal.id for proposal in proposals}
            assert len(takings) == len(proposals)  # both or neither, whenever it died
            sold = {line.removeprefix(SOLD) for line in said if line != OUT}
            assert sold <= {one.taking.id for one in takings}
            (own,) = await store.offers.offers(AT)
            assert own.remaining == (PARTS - len(takings)) * UNIT
            assert all(one.state is TakingState.RESERVED for one in takings)
    assert said[-1] == OUT
    assert len(takings) == PARTS
