"""forge's own tests: each finding, random policies, and invariants over random histories."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chains.testing.locate import find

CONTRACTS = Path(__file__).resolve().parents[2] / "chains" / "evm" / "contracts"
TIMEOUT = 1200  # seconds; ten thousand runs of each property take about a minute of one idle core
LEAST = {
    "Batch": 10,
    "Consent": 9,
    "Fuzz": 4,
    "Invariant": 1,
    "Spend": 21,
    "Token": 19,
    "Messages": 23,
    "MessagesFuzz": 2,
    "MessagesInvariant": 1,
    "Quorum": 14,
    "Herald": 4,
    "Headers": 29,
    "Proofs": 20,
}


def run_forge() -> dict[str, Any]:
    """Suites by name, each with its tests. Ten thousand runs in continuous integration, fewer elsewhere."""
    environment = {**os.environ, "FOUNDRY_PROFILE": "ci" if os.environ.get("CI") else "default"}
    command = [str(find("forge")), "test", "--json"]
    done = subprocess.run(
        command, cwd=CONTRACTS, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stdout + done.stderr
    return dict(json.loads(lines[-1]))


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT + 60)
def test_forge_finds_nothing() -> None:
    suites = {name.rsplit(":", 1)[-1].removesuffix("Test"): suite for name, suite in run_forge().items()}
    failed = {
        f"{name}.{test}": result["reason"]
        for name, suite in suites.items()
        for test, result in suite["test_results"].items()
        if result["status"] != "Success"
    }
    assert not failed
    counts = {name: len(suite["test_results"]) for name, suite in suites.items()}
    assert {name: counts.get(name, 0) for name in LEAST if counts.get(name, 0) < LEAST[name]} == {}
    runs = 10_000 if os.environ.get("CI") else 1
    for test, result in suites["Fuzz"]["test_results"].items():
        assert result["kind"]["Fuzz"]["runs"] >= runs, test
    for test, result in suites["Invariant"]["test_results"].items():
        assert result["kind"]["Invariant"]["runs"] >= runs, test
        assert result["kind"]["Invariant"]["reverts"] == 0, test
