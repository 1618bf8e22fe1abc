"""Relayers with one seed share a database on PostgreSQL: lanes and feeds go from one to the other, the account's
nonces have one purpose each, and who overslept does nothing."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from chains.evm import deploy
from chains.evm.messaging import calls
from chains.testing.postgres import Postgres
from relayer.errors import BadConfig
from relayer.loading import load
from relayer.messages.relayer import Relayer
from relayer.party import load_seed
from relayer.settings import SEED_FILE
from relayer.testing.feeds import FEED, feed_world
from relayer.testing.lanes import NAME, LaneWorld, key
from settlement.store import Store, forms
from settlement.store.leases import LANE
from settlement.store.tables import daemons, pushes
from tests.relayer.test_lanes_on_nodes import carrying, free_port, is_delivered, signing, until, validators

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]

BACKLOG = 600
SECOND = "second"  # the name of another lane


@pytest.fixture
async def world(anvil_factory, tmp_path):
    return await LaneWorld.make(await anvil_factory(), await anvil_factory(), tmp_path)


@pytest.fixture
async def database(postgres):
    url = await postgres.create_database("relayers")
    yield url
    await postgres._psql(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')


@asynccontextmanager
async def relayers(first: Path, second: Path):
    """One seed, and two configurations; the first relayer holds everything."""
    settings = load(first)
    words = settings.party.folder / SEED_FILE
    (second.parent / SEED_FILE).unlink()
    (second.parent / SEED_FILE).hardlink_to(words)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Relayer.open(one, load_seed(one))) for one in (settings, load(second))
        ]


async def silence(made: Relayer) -> None:
    """As if it had been stopped for longer than its lease lasts."""
    made.store.leases._beating.cancel()
    leaving = update(daemons).where(daemons.c.id == made.store.leases.me).values(until=0)
    await made.store._database.touch(leaving)


def carries(made: Relayer, id_: bytes):
    async def check() -> bool:
        return made.store.messages.carries(id_)

    return check


async def check_nonces(database: str) -> None:
    """Every nonce of the account has one purpose, and was used."""
    purposes: dict[str, set[tuple[bytes, int, int]]] = {}
    async with await Store.open(database) as store:
        for push in await store.messages._read(lambda one: one.execute(select(pushes)).all()):
            for claim in forms.load_claims(push.claims):
                purposes.setdefault(claim, set()).add((push.lane, push.first, push.end))
    assert purposes
    assert all(len(found) == 1 for found in purposes.values()), purposes


async def check_deliveries(world: LaneWorld, count: int) -> None:
    """Each message was delivered once."""
    query = {"address": world.inbox, "topics": [calls.DELIVERED], "fromBlock": "0x0", "toBlock": "latest"}
    logs = await world.there.rpc("eth_getLogs", query)
    assert sorted(calls.read_delivered(log).index for log in logs) == list(range(count))


async def test_a_lane_goes_to_another_relayer_in_the_midst_of_a_backlog(world, database):
    tables = {"relay": {"database": database}}
    async with validators(world) as urls:
        files = [world.relayer(name, urls, **tables) for name in ("one", "other")]
        await world.endow(load(files[0]))
        async with relayers(*files) as (one, other):
            lane = world.lane.id
            assert [made.store.messages.lease(lane) for made in (one, other)] == [1, None]

            async def begun() -> bool:
                return await world.delivered(BACKLOG) > 0

            await world.flood(BACKLOG, gas=100_000)
            await world.finalise(world.here)
            async with carrying(one), carrying(other):
                await until(begun)
                await silence(one)
                await until(carries(other, lane))
                await one.store.leases._renew()
                await until(lambda: is_delivered(world, BACKLOG))

                async def settled() -> bool:
                    await world.finalise(world.there)
                    return other.runners[NAME].state.settled.size == BACKLOG

                await until(settled)
                await until(lambda: forgotten(one))
                await silence(other)  # and back
                await until(carries(one, lane))
                await world.send(3)
                await world.finalise(world.here)
                await until(lambda: is_delivered(world, BACKLOG + 3))
                assert one.runners[NAME].state.settled.size == BACKLOG
                assert other.store.messages.lease(lane) is None
    await check_deliveries(world, BACKLOG + 3)
    await check_nonces(database)


async def forgotten(made: Relayer) -> bool:
    """Whether it knows that nothing flies any more, though another one has settled it."""
    pusher = made.pushers["there"]
    return not pusher.flying and not pusher.waiting


async def test_two_relayers_sign_for_one_account_at_once(world, database):
    second = await another_lane(world)
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(two_lanes_signed(world, second))
        lanes = {NAME: world.section(urls), SECOND: second.section(urls)}
        tables = {"relay": {"database": database, "flights": 16, "gas": 1_000_000}, "lanes": lanes}
        files = [world.configure(name, world.members[0], **tables) for name in ("one", "other")]
        await world.endow(load(files[0]))
        one, other = await stack.enter_async_context(relayers(*files))
        await one.store.leases._hand_over(LANE, [second.lane.id.hex()])
        await other.store.messages.share([second.lane.id])
        held = [made.store.leases.names(LANE) for made in (one, other)]
        assert held == [{world.lane.id.hex()}, {second.lane.id.hex()}]
        for lane in (world, second):
            await lane.flood(BACKLOG // 4, gas=100_000)
        await world.finalise(world.here)
        await world.there.rpc("evm_setIntervalMining", 1)  # so that several fly at once
        async with carrying(one), carrying(other):
            for lane in (world, second):
                await until(lambda lane=lane: is_delivered(lane, BACKLOG // 4))
            assert [made.store.leases.names(LANE) for made in (one, other)] == held
    for lane in (world, second):
        await check_deliveries(lane, BACKLOG // 4)
    await check_nonces(database)


async def another_lane(world: LaneWorld) -> LaneWorld:
    """Contracts of a second lane between the same chains, with the same validators."""
    here, there = world.here, world.there
    outbox = (await deploy.deploy_outbox(here.url, key(here))).address
    guardian, origins = next(iter(there.accounts)), [(here.chain_id, outbox)]
    inbox = (await deploy.deploy_inbox(there.url, key(there), world.quorum, guardian, origins)).address
    recipient = (await deploy.deploy_test_recipient(there.url, key(there), inbox)).address
    return replace(world, outbox=outbox, inbox=inbox, recipient=recipient, sender="")


@asynccontextmanager
async def two_lanes_signed(world: LaneWorld, second: LaneWorld):
    """Validators of both lanes; their URLs."""
    lanes = {NAME: world.section(), SECOND: second.section()}
    common = {"folder": "signatures", "endpoints": {"here": [world.here.url] * 3}}
    files = []
    for place, words in enumerate(world.members):
        section = {"listen": f"127.0.0.1:{free_port()}", **common}
        files.append(world.configure(f"validator-{place}", words, validator=section, lanes=lanes))
    async with signing(files) as urls:
        yield urls


async def test_a_feed_goes_to_another_relayer_and_back(bitcoind_factory, anvil_factory, tmp_path, database):
    async with feed_world(await bitcoind_factory(), await anvil_factory(), tmp_path) as world:
        files = [world.relayer(name, batch=4) for name in ("one", "other")]
        for file in files:
            file.write_text(f'{file.read_text()}\n[relay]\ndatabase = "{database}"\n')
        await world.endow(load(files[0]))
        async with relayers(*files) as (one, other), carrying(one), carrying(other):
            id_ = one.feeds[FEED].id
            for holder, heir in ((one, other), (other, one), (one, other)):
                await until(carries(holder, id_))
                await world.bitcoind.mine(6)
                await until(world.knows_best)
                await silence(holder)
                await until(carries(heir, id_))
                await holder.store.leases._renew()
                await world.bitcoind.mine(6)
                await until(world.knows_best)
                assert holder.store.messages.lease(id_) is None
    await check_nonces(database)


def test_a_relayer_does_not_work_on_its_partys_database(tmp_path):
    file = tmp_path / "strikelock.toml"
    url = "postgresql://ours:words@localhost/ours"
    file.write_text(f'[party]\nfolder = "."\ndatabase = "{url}"\n[chains]\n[relay]\ndatabase = "{url}"\n')
    with pytest.raises(BadConfig, match="a database of its own"):
        load(file)


async def test_a_relayer_waits_for_a_server_that_is_away(world):
    async with Postgres() as server, validators(world) as urls:
        settings = load(world.relayer("one", urls, relay={"database": server.url}))
        await world.endow(settings)
        async with Relayer.open(settings, load_seed(settings)) as made, carrying(made):
            await world.flood(3)
            await world.finalise(world.here)
            await until(lambda: is_delivered(world, 3))
            await server.stop()
            await world.flood(3)
            await world.finalise(world.here)

            async def troubled() -> bool:
                return made.runners[NAME].state.trouble is not None

            await until(troubled)
            await server.start()
            await until(lambda: is_delivered(world, 6))
            await check_deliveries(world, 6)
