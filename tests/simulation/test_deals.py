"""Deals on simulated chains: nothing is lost, everything ends, and the troubles really came."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from relayer.simulation.judge import SOMETIMES
from relayer.simulation.run import SHARE, Stage, run, run_shared, seeds

DEALS = 1000
RARE = {  # a nightly run sees them; one of this size may not
    "a claim was mined in the last blocks before the deadline",
    "a restored party forfeited something",
    "a vow was sworn",
    "a bid was raised after an outage",
}


@pytest.fixture(scope="module")
def tally():
    return run(1, DEALS)


@pytest.mark.slow
def test_every_invariant_holds(tally) -> None:
    told = [f"strikelock sim replay {one.seed}  # {one.invariant}: {one.detail}" for one in tally.failures]
    assert not told, "\n".join(told)
    assert tally.lost_units == 0
    assert tally.deals == DEALS


@pytest.mark.slow
def test_the_troubles_really_came(tally) -> None:
    assert [event for event in SOMETIMES if not tally.sometimes[event] and event not in RARE] == []
    assert set(tally.sometimes) <= set(SOMETIMES)
    for kind in ("crash", "dark", "dark one", "lag", "flaky", "stuck", "reorganisation", "censored", "fee spike"):
        assert tally.faults[kind] > 0, kind
    for step in ("sign", "broadcast", "learn", "settle", "close"):
        for when in ("before", "after"):
            assert tally.faults[f"death {when} {step}"] > 0, (when, step)


def test_the_same_seed_is_the_same_run() -> None:
    stage = Stage()
    for seed in seeds(2, 25):
        assert stage.play(seed, transcript=True).transcript == stage.play(seed, transcript=True).transcript


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    """Sets of texts have another order there."""
    code = (
        "import hashlib\nfrom relayer.simulation.run import Stage, seeds\nstage = Stage()\n"
        "text = '\\n'.join(line for s in seeds(2, 25) for line in stage.play(s, transcript=True).transcript)\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(found) == 1


def _restored(plan) -> None:
    """Every party loses its files in the middle of the deal."""
    for party in plan.parties:
        party.deaths, party.restore = {7: True, 9: False}, 3


def test_the_journal_in_memory_does_what_the_database_does() -> None:
    """Every deal goes the same way on both, restarts and restored backups included."""
    stage = Stage()
    deaths = restored = 0
    for seed in seeds(3, 40):
        how = _restored if seed % 2 else None
        memory, disk = (stage.play(seed, transcript=True, alter=how, disk=disk) for disk in (False, True))
        assert sorted(memory.transcript) == sorted(disk.transcript), seed
        assert not disk.failures
        deaths += disk.sometimes["restart in the middle of a deal"]
        restored += disk.sometimes["a stale backup was restored"]
    assert deaths > 10
    assert restored > 0


@pytest.mark.slow
def test_processes_share_the_work_and_change_nothing() -> None:
    deals = SHARE + 10
    alone, shared = run(4, deals), run_shared(4, deals, 2)
    assert shared.workers == 2
    for key in ("deals", "lost_units", "faults", "sometimes", "worst_margin_seconds", "failures"):
        assert alone.to_json()[key] == shared.to_json()[key], key
