"""Two relayers, as processes, share a database: one is stopped between signature and commit for longer than its
lease, wakes up, and takes over when the other one is killed. Each message is delivered once."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from relayer.loading import load
from relayer.settings import SEED_FILE
from relayer.testing.lanes import LaneWorld
from settlement.store import Store
from settlement.store.leases import LANE
from tests.relayer.test_lanes_on_nodes import is_delivered, until
from tests.relayer.test_shared_database_on_nodes import check_nonces
from tests.scenario.messages_cross_with_a_liar_among_signers_and_nodes import indexes, process, validators

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

STOPPING = str(Path(__file__).parent.parent / "stopping_relayer.py")
LEASE = 2  # seconds that a relayer may be silent


@pytest.fixture
async def world(anvil_factory, tmp_path):
    return await LaneWorld.make(await anvil_factory(), await anvil_factory(), tmp_path)


async def two_relayers(world: LaneWorld, urls, database: str) -> list[str]:
    """Configurations of two relayers with one seed."""
    party = {"folder": ".", "passphrase_file": "passphrase", "lease": LEASE}
    tables = {"party": party, "relay": {"database": database}}
    one, other = (world.relayer(name, urls, **tables) for name in ("one", "other"))
    shutil.copy2(one.parent / SEED_FILE, other.parent / SEED_FILE)
    await world.endow(load(one))
    return [str(one), str(other)]


async def test_a_relayer_that_overslept_sends_nothing_and_takes_over_when_the_other_is_killed(world, postgres):
    database = await postgres.create_database("overslept")
    async with validators(world, (0, 1, 2)) as urls, await Store.open(database) as store:
        one, other = await two_relayers(world, urls, database)
        start = ("relayer", "start", "--config")
        sleeping = process(*start, one, program=(STOPPING,), log=world.folder / "one.log")
        async with sleeping as first, process(*start, other, log=world.folder / "other.log") as second:

            async def fenced() -> bool:
                return "is not ours to drive any more" in first.log.read_text()

            def holds(which):
                async def check() -> bool:
                    for member in await store.leases.crew():
                        if member.left > 0 and (LANE, world.lane.id.hex()) in member.held:
                            return int(member.label.rpartition(":")[2]) == which.process.pid
                    return False

                return check

            await first.start()
            await second.start()
            await until(holds(first))
            await world.send(2)
            await world.finalise(world.here)
            await until(holds(second))  # the first one stopped with what it had signed
            await until(lambda: is_delivered(world, 2))
            first.signal(signal.SIGCONT)
            await world.send(2)
            await world.finalise(world.here)
            await until(lambda: is_delivered(world, 4))
            await until(fenced)
            assert await holds(second)()
            await second.kill()
            await world.send(2)
            await world.finalise(world.here)
            await until(lambda: is_delivered(world, 6))
            assert await holds(first)()
            assert first.process.returncode is None
    assert await indexes(world) == list(range(6))
    await check_nonces(database)
