"""PostgreSQL for real."""

from __future__ import annotations

import subprocess

import pytest

from chains.testing.errors import NodeRefused
from chains.testing.locate import find

pytestmark = pytest.mark.node


def query(url: str, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(find("psql")), url, "-Atc", text], capture_output=True, text=True, timeout=30, check=False
    )


async def test_databases_are_separate_and_loopback_only(postgres):
    one, two = await postgres.create_database("one"), await postgres.create_database("two")
    assert query(one, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").returncode == 0
    assert query(one, "SELECT n FROM t").stdout.strip() == "7"
    assert "does not exist" in query(two, "SELECT n FROM t").stderr
    assert query(one, "SHOW listen_addresses").stdout.strip() == "127.0.0.1"


async def test_a_wrong_password_is_refused(postgres):
    assert (
        "authentication failed"
        in query(postgres.url.replace(":", ":x", 2).replace(":x//", "://"), "SELECT 1").stderr
    )


async def test_data_outlives_restart_and_kill(postgres):
    url = await postgres.create_database("kept")
    assert query(url, "CREATE TABLE t (n int)").returncode == 0
    await postgres.restart()
    assert query(url, "INSERT INTO t VALUES (1); CHECKPOINT").returncode == 0
    await postgres.kill()
    await postgres.start()
    assert query(url, "SELECT n FROM t").stdout.strip() == "1"


async def test_a_refusal_says_why(postgres):
    await postgres.create_database("twice")
    with pytest.raises(NodeRefused, match="already exists"):
        await postgres.create_database("twice")
