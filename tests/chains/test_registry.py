"""Chain families come from entry points: a third party's needs nothing but to be installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from chains.registry import (
    AmbiguousFamily,
    BrokenFamily,
    UnknownFamily,
    families,
    load_family,
    make_chain,
)

MODULE = '''
from chains.port import BlockProcess, Timing


from pydantic import BaseModel


class PaperSettings(BaseModel):
    family: str
    ink: str


class PaperChain:
    """As much of a chain as a leg on paper needs."""

    family = "paper"
    identity = "paper:1"
    ordered = False

    def __init__(self, name, ink):
        self.name, self.ink = name, ink


class PaperFamily:
    name = "paper"
    settings = PaperSettings

    def make(self, name, settings, clock=None):
        return PaperChain(name, settings["ink"])


FAMILY = PaperFamily()
NOTHING = object()
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a distribution with entry points of our group, the way an installer leaves it on disk."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(package: str, **entries: str) -> None:
        folder = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
        (folder / "entry_points.txt").write_text(f"[strikelock.chains]\n{lines}")
        (tmp_path / "paper_chain.py").write_text(MODULE)

    yield put
    sys.modules.pop("paper_chain", None)


def test_ours_are_found() -> None:
    assert {"bitcoin", "evm"} <= families().keys()
    assert load_family("bitcoin").name == "bitcoin"


def test_a_third_party_adds_a_chain(install) -> None:
    with pytest.raises(UnknownFamily):
        load_family("paper")
    install("strikelock-paper", paper="paper_chain:FAMILY")
    made = make_chain("note", {"family": "paper", "ink": "blue"})
    assert (made.name, made.family, made.identity) == ("note", "paper", "paper:1")
    assert {"bitcoin", "evm", "paper"} <= families().keys()


def test_unknown_family_names_those_there_are() -> None:
    for section in ({"family": "gold"}, {}):
        with pytest.raises(UnknownFamily, match="bitcoin, evm"):
            make_chain("x", section)


@pytest.mark.parametrize("value", ["no_such_module:FAMILY", "paper_chain:MISSING", "paper_chain:NOTHING"])
def test_broken_families_say_whose_they_are(install, value: str) -> None:
    install("strikelock-paper", paper=value)
    with pytest.raises(BrokenFamily, match="strikelock-paper"):
        load_family("paper")


def test_two_packages_may_not_provide_one_name(install) -> None:
    install("strikelock-paper", paper="paper_chain:FAMILY")
    install("strikelock-other", paper="other_chain:FAMILY")
    with pytest.raises(AmbiguousFamily, match="strikelock-other"):
        load_family("paper")


def test_settings_are_checked_by_the_family() -> None:
    with pytest.raises(ValidationError):
        make_chain("btc", {"family": "bitcoin", "network": "regtest", "url": "http://127.0.0.1", "colour": "red"})


def test_families_are_not_imported_before_they_are_needed() -> None:
    program = "import sys, chains.registry as r; r.families(); print([m for m in sys.modules if 'chains' in m])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "chains.bitcoin" not in done.stdout
    program = "import sys; from chains.bitcoin.family import FAMILY; print('bitcoinlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
