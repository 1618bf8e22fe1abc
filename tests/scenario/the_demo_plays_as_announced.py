"""`strikelock demo`: its document, its exit code, and the sums in it."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

CASES = [
    ("option", "exercised", "bitcoin/evm", ["--kind", "call"]),
    ("option", "expired", "litecoin/evm", ["--kind", "put"]),
    ("option", "exercised", "bitcoin/evm", ["--exercise", "attested"]),
    ("swap", "exercised", "bitcoin/litecoin", []),
]


@pytest.mark.parametrize(("protocol", "outcome", "pair", "more"), CASES)
async def test_demo(tmp_path, protocol, outcome, pair, more):
    words = [
        "demo",
        protocol,
        "--outcome",
        outcome,
        "--chains",
        pair,
        "--folder",
        str(tmp_path / "d"),
        "--json",
        *more,
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relayer.cli", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 500)
    assert process.returncode == 0, err.decode()
    document = json.loads(out)
    assert document["outcome"] == outcome
    assert set(document) == {"outcome", "verdict", "deal", "parties", "transactions", "seconds"}
    assert len(document["parties"]) == 2
    moved: dict[str, int] = {}
    for account in document["parties"].values():
        assert set(account) == {"before", "after", "fees"}
        for key, before in account["before"].items():
            moved[key] = moved.get(key, 0) + account["after"][key] - before + account["fees"].get(key, 0)
    assert moved == dict.fromkeys(moved, 0), "what one pays the other gets, but for the fees"
    for row in document["transactions"]:
        assert {"chain", "leg", "step", "txid"} <= set(row)
        assert row["gas" if row["chain"].startswith("evm") else "vbytes"] > 0
