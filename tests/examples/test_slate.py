"""The example of `docs/adding-a-chain.md`: built and installed as a package, found by its entry point, and put
through the checks of the port."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from chains.port import Chain
from chains.registry import families, make_chain
from chains.testing.conformance import CHECKS

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "strikelock-slate"
BUILD = "import setuptools.build_meta as build; print(build.build_wheel('wheel'))"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as an installer leaves it: its wheel, built by its own build system, unpacked on the path."""
    folder = tmp_path_factory.mktemp("slate")
    source = shutil.copytree(EXAMPLE, folder / "source")
    built = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=source, capture_output=True, text=True, timeout=120, check=True
    )
    wheel = source / "wheel" / built.stdout.splitlines()[-1]
    zipfile.ZipFile(wheel).extractall(folder / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "site"))
        yield


class SlateGround:
    """A file, and who mines it."""

    amount = 10**6
    chain: Chain

    def __init__(self, file: Path) -> None:
        from slate.ledger import Ledger

        self.section = {"family": "slate", "file": file, "network": file.stem}
        self.time = int(time.time())
        self._ledger = Ledger(file)
        self._ledger.mine(self.time)

    def now(self) -> float:
        return self.time

    async def endow(self, address: str, amount: int) -> None:
        self.time += 1
        self._ledger.mint(address, amount, self.time)

    async def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.time += 1
            self._ledger.mine(self.time)

    async def pass_time(self, moment: int) -> None:
        self.time = moment + 1
        await self.mine()

    async def reorganise(self, depth: int) -> None:
        self.time += 1
        self._ledger.reorganise(depth, self.time)

    async def again(self) -> Chain:
        chain = make_chain("slate", self.section, self.now)
        await chain.open()
        return chain


@pytest.fixture
async def ground(installed, tmp_path):
    ground = SlateGround(tmp_path / "play.slate")
    ground.chain = await ground.again()
    yield ground
    await ground.chain.close()


def test_its_entry_point_is_found(installed):
    assert families()["slate"].value == "slate.family:FAMILY"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_port(ground, check):
    await check(ground)
