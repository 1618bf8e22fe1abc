"""The plugin as another project's test suite sees it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.node


def run_suite(folder, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a suite of one file in a process of its own, without any of our settings."""
    (folder / "test_theirs.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), **variables}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_fixtures_work_in_a_suite_with_plain_settings(tmp_path):
    done = run_suite(
        tmp_path,
        "import pytest\n"
        "@pytest.mark.asyncio\n"
        "async def test_height(bitcoind, anvil):\n"
        "    assert await bitcoind.height() > 200\n"
        "    assert await anvil.height() == 0\n"
        "@pytest.mark.asyncio\n"
        "async def test_same_node(bitcoind, anvil_factory):\n"
        "    await bitcoind.mine()\n"
        "    node = await anvil_factory(mining='manual')\n"
        "    await node.mine(2)\n",
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert not list(tmp_path.glob("strikelock-*"))


def test_folders_stay_and_are_named_when_a_test_fails(tmp_path):
    done = run_suite(
        tmp_path,
        "import pytest\n"
        "@pytest.mark.asyncio\n"
        "async def test_fails(anvil):\n"
        "    assert await anvil.height() == 1\n",
    )
    assert done.returncode == 1
    (kept,) = tmp_path.glob("strikelock-anvil-*")
    assert f"anvil: data folder kept: {kept}" in done.stdout
    assert (kept / "anvil.log").exists()


@pytest.mark.parametrize(("skip", "word"), [("0", "1 error"), ("1", "1 skipped")])
def test_a_missing_node_fails_the_test_unless_skipping_is_asked_for(tmp_path, skip, word):
    done = run_suite(
        tmp_path,
        "import pytest\n@pytest.mark.asyncio\nasync def test_height(bitcoind):\n    pass\n",
        STRIKELOCK_BITCOIND="/nowhere/bitcoind",
        STRIKELOCK_SKIP_MISSING_NODES=skip,
    )
    assert word in done.stdout
    assert (done.returncode == 0) == (skip == "1")
    if skip == "0":
        assert "bitcoind is missing: run `make setup`" in done.stdout


def test_the_plugin_loads_no_heavy_library():
    heavy = ("aiohttp", "web3", "eth_abi", "bitcoinlib", "sqlalchemy", "chains.testing.anvil")
    code = f"import sys, chains.testing.plugin; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
