"""The disk of a party's database is full in the middle of an option: it signs nothing that it can't store, its
process lives on, and it goes on by itself when there is space again."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import contextmanager

import pytest

from htlc.protocols.base import Will
from tests.processes import PACE, duel

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

MEGABYTES = 8
FULL_STEPS = 10


@contextmanager
def small_disk(folder):
    """A file system of a few megabytes at `folder`, which takes rights that not every machine gives."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("moment", [(0, "collateral", "fund"), (0, "premium", "activate")], ids=["early", "late"])
async def test_it_stops_and_goes_on(world, moment):
    name = f"full-{moment[1]}"
    folder = world.folder / f"{name}-first"
    with small_disk(folder):
        async with duel(world, name, "option") as play:
            play.actors[0].log = world.folder / f"{name}.log"  # elsewhere, as logs of a service are
            await play.agree()
            await play.parties[1].store.resolve(play.deal, Will(exercise=True))

            async def come() -> bool:
                return await play.signed(*moment)

            await play.until(come)
            filler = folder / "filler"
            fill(filler)
            before = await play.parties[0].store.intents(play.deal)
            for _ in range(FULL_STEPS):
                await asyncio.sleep(PACE)
                await world.step()
            assert play.actors[0].running, play.actors[0].tail()
            assert await play.parties[0].store.intents(play.deal) == before
            assert "tick failed" in play.actors[0].tail(200) or "deal failed" in play.actors[0].tail(200)
            filler.unlink()
            assert await play.settle() in ("exercised", "expired", "abandoned")
            assert play.actors[0].running


def fill(path) -> None:
    """Take every byte that is left, twice, since files of the party may have shrunk meanwhile."""
    with path.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
