"""strikelock db, as an operator types it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
import tomli_w

from settlement.store import Store
from tests.settlement.samples import deal

pytestmark = pytest.mark.node


@pytest.fixture(params=["sqlite", "postgresql"])
async def party(request, postgres, tmp_path):
    """A configuration with a database of each kind; its URL, and another, empty one."""

    async def make(name: str) -> str:
        if request.param == "sqlite":
            return str(tmp_path / f"{name}.db")
        return await postgres.create_database(f"cli_{name}")

    urls = await make("first"), await make("second")
    configs = []
    for number, url in enumerate(urls):
        path = tmp_path / f"{number}.toml"
        path.write_text(tomli_w.dumps({"party": {"folder": str(tmp_path), "database": url}, "chains": {}}))
        configs.append(str(path))
    yield *configs, *urls
    if request.param == "postgresql":
        for url in urls:
            await postgres._psql(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')


async def db(*words: str, code: int = 0) -> dict:
    command = (sys.executable, "-m", "relayer.cli", "db", *words, "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == code, err.decode()
    assert b"postgresql://strikelock:" not in out + err or b":***@" in out + err  # no password
    return json.loads(out)


async def test_a_backup_goes_from_a_running_party_into_a_new_database(party, tmp_path):
    first, second, source, target = party
    file = str(tmp_path / "backup.db")
    async with await Store.open(source, drive=True) as store:
        await store.add(deal())
        crew = (await db("daemons", "-c", first))["daemons"]
        assert [one["deals"] for one in crew] in ([], [[deal().id]])
        assert (await db("backup", file, "-c", first))["rows"] > 0
        error = (await db("backup", file, "-c", first, code=1))["error"]
        assert error["type"] == "NotEmpty"
    await db("restore", file, "-c", second)
    error = (await db("restore", file, "-c", second, code=1))["error"]
    assert error["type"] == "NotEmpty"
    await db("upgrade", "-c", second)
    async with await Store.open(target, drive=True) as store:
        assert [one.limited for one in await store.deals()] == [True]
