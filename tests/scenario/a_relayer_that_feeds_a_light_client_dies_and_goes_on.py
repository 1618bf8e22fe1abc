"""A relayer process brings Bitcoin's headers and a proof; it is killed around a transaction, Bitcoin reorganises
meanwhile, and the collateral is on record all the same."""

from __future__ import annotations

import signal
from contextlib import suppress
from functools import partial

import pytest

from relayer.loading import load
from relayer.testing.feeds import CONFIRMATIONS, FEED, feed_world
from tests.relayer.test_lanes_on_nodes import until
from tests.scenario.messages_cross_with_a_liar_among_signers_and_nodes import DYING, ask, process

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

AMOUNT = 2_000_000


@pytest.fixture
async def world(bitcoind_factory, anvil_factory, tmp_path):
    async with feed_world(await bitcoind_factory(), await anvil_factory(), tmp_path) as made:
        yield made


@pytest.mark.parametrize("where", ["before-stored", "after-stored", "before-sent", "after-sent"])
async def test_a_relayer_dies_around_a_transaction_and_bitcoin_reorganises(world, where):
    config = str(world.relayer("relayer", batch=3))
    await world.endow(load(world.folder / "relayer" / "strikelock.toml"))
    words = ("relayer", "start", "--config", config)
    await world.bitcoind.mine(4)
    async with process(where, *words, program=(DYING,), log=world.folder / "dying.log") as first:
        with suppress(AssertionError):  # it may die before it is ready
            await first.start()
        assert await first.wait() == -signal.SIGKILL
    txid, output = await world.lock(AMOUNT)
    raw = await world.bitcoind.rpc("getrawtransaction", txid, False, await world.best())
    await world.bitcoind.reorg(3)
    await world.bitcoind.rpc("sendrawtransaction", raw)  # not final for a moment (it is locked to its height)
    await world.bitcoind.mine(CONFIRMATIONS)
    asked = await ask("relayer", "prove", FEED, f"{txid}:{output}", config=config)
    assert asked["asked"]
    async with process(*words, log=world.folder / "again.log") as second:
        await second.start()
        await until(partial(world.stands, txid, output))
        await until(world.knows_best)
    lanes = await ask("query", "lanes", config=config)
    assert lanes[FEED]["trouble"] is None
    assert (await ask("query", "feeds", config=config))[FEED]["behind"] == 0
    assert (await ask("query", "proofs", config=config))[f"{txid}:{output}"]["state"] == "registered"
    assert (await ask("relayer", "health-check", config=config))["checks"][f"feed {FEED}"]["ok"]
    wrong = await ask("relayer", "prove", "nowhere", f"{txid}:{output}", config=config, code=1)
    assert wrong["error"]["type"] == "NoSuchFeed"
    wrong = await ask("relayer", "prove", FEED, "nonsense", config=config, code=1)
    assert wrong["error"]["type"] == "BadRequest"
