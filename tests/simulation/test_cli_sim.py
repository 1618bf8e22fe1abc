"""`strikelock sim`: its documents and exit codes."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from htlc import protocols
from htlc.explorer.faults import ActivatesWithoutStrike
from relayer.cli.main import app

RUNNER = CliRunner()
KEYS = {"deals", "lost_units", "faults", "sometimes", "deals_per_second", "worst_margin_seconds", "failures"}


def test_a_run_prints_one_document() -> None:
    result = RUNNER.invoke(app, ["sim", "run", "--deals", "30", "--seed", "6", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document.keys() >= KEYS
    assert document["deals"] == 30
    assert document["lost_units"] == 0
    assert document["failures"] == []
    assert document["faults"]["crash"] > 0
    assert document["deals_per_second"] > 0


@pytest.fixture
def planted(monkeypatch):
    fault = ActivatesWithoutStrike()
    monkeypatch.setattr(protocols, "PROTOCOLS", {**protocols.PROTOCOLS, fault.name: fault})


def test_a_failure_ends_with_one_and_can_be_replayed(planted) -> None:
    result = RUNNER.invoke(app, ["sim", "run", "--deals", "60", "--seed", "6", "--json"])
    assert result.exit_code == 1
    failure = json.loads(result.stdout)["failures"][0]
    assert failure["invariant"] in ("reveal-guard", "no-loss")
    again = RUNNER.invoke(app, ["sim", "replay", str(failure["seed"]), "--json"])
    assert again.exit_code == 1
    document = json.loads(again.stdout)
    assert failure in document["failures"]
    assert any("writer" in line for line in document["transcript"])


def test_words_name_the_command_that_replays_a_failure(planted) -> None:
    result = RUNNER.invoke(app, ["sim", "run", "--deals", "60", "--seed", "6"])
    assert result.exit_code == 1
    assert "strikelock sim replay 60000000" in result.stdout


def test_a_deal_without_failure_is_replayed_in_words() -> None:
    result = RUNNER.invoke(app, ["sim", "replay", "12000000462"])
    assert result.exit_code == 0
    assert "every invariant held" in result.stdout


def test_the_explorer_says_what_it_found() -> None:
    result = RUNNER.invoke(app, ["sim", "explore", "--only", "swap: s shown a block early", "--json"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["states"] > 0
    assert document["failures"] == []
