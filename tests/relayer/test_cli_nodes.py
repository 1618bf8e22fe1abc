"""`strikelock nodes`: nodes in the background, for real, by the command line."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from chains.testing import running
from chains.testing.rpc import JsonRpc

pytestmark = pytest.mark.node

PROGRAM = "from relayer.cli.nodes import app; app()"


def nodes(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `strikelock nodes ...` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
        check=False,
    )


def document(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path):
    """A folder whose nodes end with the test."""
    yield tmp_path / "run"
    nodes("down", "--folder", str(tmp_path / "run"))


async def test_up_status_down(folder):
    where = ("--folder", str(folder), "--json")
    started = document(nodes("up", *where))
    assert set(started["nodes"]) == {"bitcoin", "litecoin", "evm"}
    assert started["missing"] == {}
    assert stat.S_IMODE((folder / running.STATE).stat().st_mode) == 0o600
    for chain in ("bitcoin", "litecoin"):
        node = started["nodes"][chain]
        assert await JsonRpc(chain, node["url"]).call("getblockcount") > 200
        assert await JsonRpc(chain, node["wallet"]).call("getbalance") > 1000
    evm = started["nodes"]["evm"]
    assert int(await JsonRpc("evm", evm["url"]).call("eth_chainId"), 16) == evm["chain_id"]

    assert document(nodes("status", *where))["nodes"] == started["nodes"]
    assert document(nodes("up", *where))["nodes"] == started["nodes"]  # they run: left alone
    assert document(nodes("down", *where))["ended"] == ["bitcoin", "litecoin", "evm"]
    assert document(nodes("status", *where))["nodes"] == {}
    assert document(nodes("down", *where))["ended"] == []
    for node in started["nodes"].values():
        assert running.birth(node["pid"]) is None


async def test_a_chain_goes_on_where_it_was(folder):
    where = ("--folder", str(folder), "--only", "evm", "--json")
    first = document(nodes("up", *where))["nodes"]["evm"]
    await JsonRpc("evm", first["url"]).call("anvil_mine", "0x7")
    document(nodes("down", *where))
    second = document(nodes("up", *where))["nodes"]["evm"]
    assert second["chain_id"] == first["chain_id"]
    assert int(await JsonRpc("evm", second["url"]).call("eth_blockNumber"), 16) == 7


def test_a_node_that_was_killed_is_started_again(folder):
    where = ("--folder", str(folder), "--only", "bitcoin", "--json")
    first = document(nodes("up", *where))["nodes"]["bitcoin"]
    os.kill(first["pid"], signal.SIGKILL)
    assert document(nodes("up", *where))["nodes"]["bitcoin"]["pid"] != first["pid"]


def test_down_leaves_a_stranger_with_the_same_process_id_alone(folder):
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        born = running.birth(stranger.pid)
        old = running.Running("evm", stranger.pid, born - 1, 1, "", str(folder), "")
        running.write(folder, {"evm": old})
        assert document(nodes("down", "--folder", str(folder), "--json"))["ended"] == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_missing_node_is_named_and_the_others_start(folder):
    where = ("--folder", str(folder), "--only", "bitcoin", "--only", "evm")
    done = nodes("up", *where, "--json", STRIKELOCK_BITCOIND="/nowhere/bitcoind")
    started = document(done)
    assert set(started["nodes"]) == {"evm"}
    assert "bitcoind is missing: run `make setup`" in started["missing"]["bitcoin"]
    assert "no bitcoin: bitcoind is missing" in done.stderr


def test_no_node_at_all_is_a_failure(folder):
    done = nodes("up", "--folder", str(folder), "--only", "bitcoin", STRIKELOCK_BITCOIND="/nowhere/bitcoind")
    assert done.returncode == 1


def test_words_for_people(folder):
    assert "no node is running" in nodes("status", "--folder", str(folder)).stdout
    assert "no node was running" in nodes("down", "--folder", str(folder)).stdout
    shown = nodes("up", "--folder", str(folder), "--only", "evm", COLUMNS="200").stdout
    assert "http://127.0.0.1:" in shown
