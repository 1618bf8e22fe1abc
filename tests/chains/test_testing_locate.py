"""Which program is run: configuration, PATH, then what the set-up brought."""

from __future__ import annotations

import pytest

from chains.testing import locate
from chains.testing.errors import NodeMissing


def program(folder, name="bitcoind"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no programs at all."""
    monkeypatch.setattr(locate, "ROOT", tmp_path / "clone")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("bitcoind", "anvil"):
        monkeypatch.delenv(locate.variable(name), raising=False)
    return tmp_path


def test_configuration_wins_over_path_over_set_up(machine, monkeypatch):
    brought = program(machine / "clone" / ".nodes" / "bin")
    assert locate.find("bitcoind") == brought
    on_path = program(machine / "bin")
    assert locate.find("bitcoind") == on_path
    configured = program(machine / "own")
    monkeypatch.setenv("STRIKELOCK_BITCOIND", str(configured))
    assert locate.find("bitcoind") == configured


def test_a_missing_program_says_what_to_do(machine):
    with pytest.raises(NodeMissing) as caught:
        locate.find("bitcoind")
    assert str(caught.value) == (
        "bitcoind is missing: run `make setup`, put it on PATH or name it in STRIKELOCK_BITCOIND"
    )


def test_a_wrong_configuration_is_an_error_even_if_path_has_one(machine, monkeypatch):
    program(machine / "bin")
    monkeypatch.setenv("STRIKELOCK_BITCOIND", str(machine / "nowhere"))
    with pytest.raises(NodeMissing, match="nowhere"):
        locate.find("bitcoind")


def test_npm_binaries_are_found(machine, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    folder = machine / "clone" / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin"
    path = program(folder, "anvil")
    assert locate.find("anvil") == path


def test_node_data_of_an_installed_package_goes_to_the_user_cache(machine, monkeypatch):
    monkeypatch.delenv("STRIKELOCK_NODES", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine / "cache"))
    assert locate.nodes_folder() == machine / "cache" / "strikelock" / "nodes"
    (machine / "clone").mkdir()
    (machine / "clone" / "pyproject.toml").touch()
    assert locate.nodes_folder() == machine / "clone" / ".nodes"
    monkeypatch.setenv("STRIKELOCK_NODES", str(machine / "else"))
    assert locate.nodes_folder() == machine / "else"
