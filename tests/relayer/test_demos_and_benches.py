"""Commands of the README that no scenario runs: each says what it announces, at a small size."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]


async def command(*words: str) -> dict:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relayer.cli", *words, "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


@pytest.mark.parametrize("shape", [(), ("--postgres", "--daemons", "2")], ids=["SQLite", "PostgreSQL"])
async def test_bench_daemon_prints_every_figure(shape):
    sizes = ("--deals", "3", "--stored", "50", "--seconds", "5", "--flying", "2", *shape)
    found = await command("bench", "daemon", *sizes)
    assert found["command"] == f"strikelock bench daemon {' '.join(sizes)}"
    assert (found["database"], found["daemons"]) == (("PostgreSQL", 2) if shape else ("SQLite", 1))
    assert found["open_deals"] == 3
    assert found["stored_deals"] == 50
    assert found["blocks"] >= 2
    assert found["reads"] == 100
    assert 0 < found["read_p50_ms"] <= found["read_p99_ms"]
    assert 0 < found["page_p50_ms"] <= found["page_p99_ms"]
    assert 50 < found["resident_mb"] <= found["peak_resident_mb"] < 300
    assert found["cpu_ms_per_deal_and_block"] > 0
    assert 0 < found["restart_to_listening_s"] <= found["restart_to_ready_s"] < 60
    assert found["deals_per_minute"] >= 0
    assert {"seed", "machine"} <= set(found)


async def test_demo_relay_makes_two_facts_known(tmp_path):
    found = await command("demo", "relay", "--folder", str(tmp_path / "relay"))
    assert found["premium"]["amount"] == 10**16
    assert found["collateral"]["amount"] == 10**7
    assert found["collateral"]["gas"] > 0


async def test_bench_costs_measures_every_step():
    found = await command("bench", "costs")
    for chain in ("bitcoin", "litecoin"):
        assert {"fund_vbytes", "claim_vbytes", "refund_vbytes", "release_vbytes"} == set(found[chain])
    assert all(cost > 0 for steps in found.values() for cost in steps.values())
