"""The disk of a party's database is full in the middle of a deal: it signs nothing that it can't store, its
process lives on, and it goes on by itself when there is space again."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import contextmanager

import pytest

from htlc.protocols.base import Will
from relayer.demo.plot import CHAIN_PAIRS
from tests.matrix import shared
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


# Protocol, chains, whose disk is full, and when: (who, leg, step) was signed.
SHARE = [
    ("option", "bitcoin/evm", 0, (0, "premium", "activate")),
    ("option", "bitcoin/litecoin", 1, (0, "collateral", "fund")),
    ("swap", "litecoin/evm", 1, (1, "y", "fund")),
    ("swap", "evm/evm", 0, (0, "x", "fund")),
]
MOMENTS = {
    "option": ((0, "collateral", "fund"), (1, "strike", "fund"), (0, "premium", "activate")),
    "swap": ((0, "x", "fund"), (1, "y", "fund")),
}
WHOLE = [
    (protocol, pair, who, moment)
    for protocol, moments in MOMENTS.items()
    for pair in CHAIN_PAIRS
    for who in (0, 1)
    for moment in moments
]
ENDS = ("exercised", "expired", "abandoned", "swapped", "refunded")  # by how far it came in time


@pytest.mark.parametrize(("protocol", "pair", "who", "moment"), shared(SHARE, WHOLE))
async def test_it_stops_and_goes_on(world, protocol, pair, who, moment):
    name = f"full-{who}-{moment[1]}-{moment[2]}"
    folder = world.folder / f"{name}-{pair.replace('/', '-')}-{('first', 'second')[who]}"
    with small_disk(folder):
        async with duel(world, name, protocol, pair) as play:
            actor = play.actors[who]
            actor.log = world.folder / f"{folder.name}.log"  # elsewhere, as logs of a service are
            await play.agree()
            await play.parties[1].store.resolve(play.deal, Will(exercise=True))

            async def come() -> bool:
                return await play.signed(*moment)

            await play.until(come)
            filler = folder / "filler"
            fill(filler)
            before = await play.parties[who].store.intents(play.deal)
            for _ in range(FULL_STEPS):
                await asyncio.sleep(PACE)
                await world.step()
            assert actor.running, actor.tail()
            assert await play.parties[who].store.intents(play.deal) == before
            assert "tick failed" in actor.tail(200) or "deal failed" in actor.tail(200)
            filler.unlink()
            assert await play.settle() in ENDS
            assert actor.running


def fill(path) -> None:
    """Take every byte that is left, twice, since files of the party may have shrunk meanwhile."""
    with path.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
