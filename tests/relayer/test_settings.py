"""The configuration: strict, every problem at once, secrets never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from relayer.cli.config import redact
from relayer.errors import BadConfig, NoConfig
from relayer.settings import load

EXAMPLE = Path(__file__).parent.parent.parent / "configs" / "example.toml"

BITCOIN = {"family": "bitcoin", "coin": "bitcoin", "network": "regtest", "url": "http://127.0.0.1:18443"}
GOOD = {"party": {"folder": "alice"}, "chains": {"bitcoin": BITCOIN}}


def write(tmp_path: Path, document: dict) -> Path:
    file = tmp_path / "strikelock.toml"
    file.write_text(tomli_w.dumps(document))
    return file


def test_the_example_is_fine():
    settings = load(EXAMPLE)
    assert set(settings.chains) == {"bitcoin", "evm"}
    assert settings.party.folder == EXAMPLE.parent.resolve() / "alice"


def test_paths_are_relative_to_the_file(tmp_path):
    settings = load(write(tmp_path, {**GOOD, "testing": {"clock_offset_file": "offset"}}))
    assert settings.party.folder == tmp_path / "alice"
    assert settings.testing.clock_offset_file == tmp_path / "offset"


def test_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("STRIKELOCK_PEER__LISTEN", "127.0.0.1:1234")
    settings = load(write(tmp_path, {**GOOD, "peer": {"listen": "127.0.0.1:1", "accept": "all"}}))
    assert settings.peer.listen == "127.0.0.1:1234"
    assert settings.peer.accept == "all"


@pytest.mark.parametrize(
    ("change", "where", "nearest"),
    [
        ({"pear": {}}, "pear", "peer"),
        ({"peer": {"listn": "x"}}, "peer.listn", "listen"),
        ({"risk": {"outtage": 5}}, "risk.outtage", "outage"),
        ({"chains": {"bitcoin": {**BITCOIN, "urll": "x"}}}, "chains.bitcoin.urll", None),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(tmp_path, change, where, nearest):
    with pytest.raises(BadConfig) as caught:
        load(write(tmp_path, {**GOOD, **change}))
    assert [(problem.where, problem.nearest) for problem in caught.value.problems] == [(where, nearest)]


def test_every_problem_is_said_at_once(tmp_path):
    document = {"party": {}, "risk": {"miss": 2.0, "outage": -1}, "chains": {"bitcoin": BITCOIN}}
    with pytest.raises(BadConfig) as caught:
        load(write(tmp_path, document))
    assert {problem.where for problem in caught.value.problems} == {"party.folder", "risk.miss", "risk.outage"}
    assert str(caught.value).count("\n") == 3


def test_a_family_that_is_not_there(tmp_path):
    with pytest.raises(BadConfig, match="bitcorn"):
        load(write(tmp_path, {**GOOD, "chains": {"x": {"family": "bitcorn"}}}))


def test_no_file(tmp_path):
    with pytest.raises(NoConfig):
        load(tmp_path / "nothing.toml")


def test_no_toml(tmp_path):
    file = tmp_path / "strikelock.toml"
    file.write_text("party = {")
    with pytest.raises(BadConfig, match="no TOML"):
        load(file)


def test_secrets_are_not_shown():
    shown = redact(
        {
            "chains": {"b": {"url": "http://alice:secret@127.0.0.1:1/x", "password": "secret", "cookie": "c"}},
            "party": {"passphrase_file": "file"},
        }
    )
    assert "secret" not in str(shown)
    assert shown["chains"]["b"]["url"] == "http://***@127.0.0.1:1/x"
    assert shown["party"]["passphrase_file"] == "file"
