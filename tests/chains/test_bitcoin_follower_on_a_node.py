"""What the follower says when the chain, the node or the clock turn against it."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chains.bitcoin.family import FAMILY
from chains.errors import (
    ChainUnavailable,
    NothingToSpend,
    RpcError,
    StaleTip,
    UnsupportedChain,
    WouldFail,
    WrongNetwork,
)
from chains.legs import Leg
from chains.port import TxPhase
from chains.testing.bitcoind import Bitcoind
from chains.testing.plugin import BitcoindFactory
from tests.chains.bitcoin_world import AMOUNT, COIN, PLENTY, PRICE, Party, World, preimage, world

pytestmark = pytest.mark.node


@pytest.fixture(params=["bitcoind", "litecoind"])
def node(request: pytest.FixtureRequest) -> Bitcoind:
    return request.getfixturevalue(request.param)


@pytest_asyncio.fixture
async def here(node: Bitcoind) -> AsyncIterator[World]:
    async with world(node) as made:
        yield made


@pytest_asyncio.fixture(params=["bitcoin", "litecoin"])
async def alone(request: pytest.FixtureRequest, bitcoind_factory: BitcoindFactory) -> AsyncIterator[World]:
    """On a node of this test's own: it is restarted, or its clock is moved."""
    async with world(await bitcoind_factory(request.param)) as made:
        yield made


async def claim(here: World, payee: Party, leg: Leg, price: int = PRICE):
    return await payee.wallet.spend(leg, "claim", payee.key("to"), [preimage("s")], [], price, PLENTY, [])


# --- reorganisations


async def test_three_block_reorganisation_of_a_funding(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    funding = await here.fund(payer, leg)
    await here.node.mine(2)
    assert (await here.facts(leg)).full == 3
    balance = await payer.wallet.balance("native")

    await here.node.reorg(3)
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (None, 0)
    assert (await here.trace(funding)).phase is TxPhase.PENDING
    assert await payer.wallet.balance("native") == COIN

    await here.node.mine()
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (1, AMOUNT)
    assert (await here.trace(funding)).depth == 1
    assert await payer.wallet.balance("native") == balance


async def test_three_block_reorganisation_of_a_claim(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    await here.fund(payer, leg)
    first = await claim(here, payee, leg)
    await here.mine(first)
    await here.node.mine(2)
    assert (await here.facts(leg)).spends[0].depth == 3

    await here.node.reorg(3)
    facts = await here.facts(leg)
    (spend,) = facts.spends
    assert (spend.depth, spend.path, spend.preimages) == (0, "claim", (preimage("s"),))
    assert (facts.full, facts.held) == (5, AMOUNT)
    assert await payee.wallet.balance("native") == 0

    # its replacement is mined instead
    again = await payee.wallet.spend(
        leg, "claim", payee.key("to"), [preimage("s")], [], 5 * PRICE, PLENTY, [first], first
    )
    await here.mine(again)
    assert (await here.trace(first)).phase is TxPhase.DISPLACED
    assert (await here.facts(leg)).spends[0].txid == again.txid
    assert await payee.wallet.balance("native") == AMOUNT - again.fee


async def test_reorganisation_that_never_brings_a_funding_back(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    funding = await here.fund(payer, leg)
    await here.node.reorg(1)
    await here.chain.look()
    cancel = await payer.wallet.cancel(funding, 5 * PRICE, [funding])
    await here.mine(cancel)
    state = await here.trace(funding)
    assert (state.phase, state.depth) == (TxPhase.DISPLACED, 1)
    facts = await here.facts(leg)
    assert (facts.full, facts.held, facts.spends) == (None, 0, ())


async def test_reorganisation_deeper_than_all_we_saw(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    await here.node.mine(4)
    leg = await here.swap(payer, payee)
    await here.chain.look()
    fresh = await here.another()  # knows the tip alone
    await fresh.watch(leg, await here.node.height())
    balance = (await here.party(chain=fresh)).wallet
    assert await balance.balance("native") == 0
    funding = await here.fund(payer, leg)
    assert (await here.facts(leg, fresh)).full == 1
    await here.node.reorg(4)
    assert (await here.facts(leg, fresh)).full is None
    await here.node.mine()
    assert (await here.facts(leg, fresh)).full == 1
    assert (await here.trace(funding)).depth == 1


async def test_coin_spent_before_the_wallet_was_opened_is_back_after_a_reorganisation(here: World) -> None:
    seed = secrets.token_bytes(64)
    payer, payee = await here.party(COIN, seed=seed), await here.party()
    leg = await here.swap(payer, payee)
    await here.fund(payer, leg)
    later = await here.another()
    wallet = later.wallet(seed)
    before = await wallet.balance("native")
    assert before < COIN - AMOUNT + 1
    await here.node.reorg(1)
    assert await wallet.balance("native") == COIN
    await here.node.mine()
    assert await wallet.balance("native") == before


# --- restarts of ours


async def test_restarted_party_knows_what_happened_meanwhile(here: World) -> None:
    seed = secrets.token_bytes(64)
    payer, payee = await here.party(COIN, seed=seed), await here.party()
    since = await here.node.height()
    leg = await here.swap(payer, payee)
    first = await payer.wallet.fund(leg, PRICE, PLENTY, [])
    second = await payer.wallet.fund(leg, 4 * PRICE, PLENTY, [first], first)
    await here.mine(second)
    spend = await claim(here, payee, leg)
    await here.mine(spend)
    await here.node.mine(2)

    # without the leg: from the coins alone
    fresh = await here.another()
    wallet = fresh.wallet(seed)
    assert (await here.trace(second, fresh, since)).depth == 4
    state = await here.trace(first, fresh, since)
    assert (state.phase, state.depth) == (TxPhase.DISPLACED, 4)
    assert (await here.trace(spend, fresh, since)).depth == 3
    await fresh.watch(leg, since)
    facts = await here.facts(leg, fresh)
    assert facts == await here.facts(leg)
    assert (facts.full, facts.spends[0].depth, facts.spends[0].preimages) == (4, 3, (preimage("s"),))
    assert await wallet.balance("native") == await payer.wallet.balance("native")

    # a height too late finds nothing, and claims nothing
    blind = await here.another()
    assert (await here.trace(first, blind, await here.node.height())).phase is TxPhase.UNSEEN


async def test_many_legs_are_looked_for_in_one_pass(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payer, payee = await here.party(), await here.party()
    since = await here.node.height()
    clock = await here.node.clock()
    legs = [await here.swap(payer, payee, after=clock + wait) for wait in range(20)]
    for leg in legs[:3]:
        await here.node.fund(here.address(leg), AMOUNT)
    fresh = await here.another()
    for leg in legs:
        await fresh.watch(leg, since)
    asked = []
    blocks = fresh._node.blocks

    async def counted(hashes):
        asked.extend(hashes)
        return await blocks(hashes)

    monkeypatch.setattr(fresh._node, "blocks", counted)
    snapshot = await fresh.look()
    assert len(asked) == len(set(asked)) == 4
    assert [snapshot.legs[here.address(leg)].full for leg in legs[:4]] == [3, 2, 1, None]
    await here.node.mine(2)
    await fresh.look()
    assert len(asked) == 6


# --- the node


async def test_node_restarts_between_and_during_calls(alone: World) -> None:
    payer, payee = await alone.party(COIN), await alone.party()
    leg = await alone.swap(payer, payee)
    await alone.fund(payer, leg)
    await alone.node.flush()
    await alone.node.stop()
    short = await asyncio.gather(alone.chain.look(), return_exceptions=True)
    assert isinstance(short[0], ChainUnavailable)
    looking = asyncio.create_task(alone.chain.look())
    await alone.node.start()
    snapshot = await asyncio.wait_for(looking, 30)
    assert snapshot.legs[alone.address(leg)].held == AMOUNT
    spend = await claim(alone, payee, leg)
    await alone.mine(spend)
    assert (await alone.facts(leg)).spends[0].path == "claim"


async def test_dropped_connections_are_survived(here: World) -> None:
    """A relay in front of the node cuts every other connection in the middle of the answer."""
    cut = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal cut
        cut += 1
        doomed = cut % 2 == 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", here.node.port)
        tasks = [
            asyncio.create_task(_pump(reader, up_writer, None)),
            asyncio.create_task(_pump(up_reader, writer, 40 if doomed else None)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        writer.close()
        up_writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = here.node.url.replace(f":{here.node.port}", f":{port}")
    chain = await here.another(url=url, patience=20)
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    await chain.watch(leg, await here.node.height())
    await here.fund(payer, leg)
    for _ in range(5):
        assert (await here.facts(leg, chain)).held == AMOUNT
        await here.node.mine()
    assert cut > 1
    server.close()
    await chain.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
    while data := await reader.read(limit or 65536):
        writer.write(data[:limit])
        await writer.drain()
        if limit:
            return


async def test_node_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        chain = FAMILY.make("x", {"network": "regtest", "url": url, "patience": 0.3})
        started = time.monotonic()
        with pytest.raises(ChainUnavailable):
            await chain.open()
    assert time.monotonic() - started < 5


async def test_node_that_hangs() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    chain = FAMILY.make("x", {"network": "regtest", "url": url, "patience": 0.5, "timeout": 0.2})
    with pytest.raises(ChainUnavailable, match="no answer within"):
        await asyncio.wait_for(chain.open(), 10)
    server.close()


async def test_wrong_network_and_wrong_password(here: World) -> None:
    other = "litecoin" if here.node.params.name == "bitcoin" else "bitcoin"
    for changes in ({"coin": other}, {"network": "mainnet"}, {"network": "testnet"}):
        with pytest.raises(WrongNetwork) as caught:
            await here.another(**changes)
        assert caught.value.found == here.chain.identity
    with pytest.raises(RpcError, match="wrong user or password"):
        await here.another(url=f"http://nobody:nothing@127.0.0.1:{here.node.port}")


async def test_another_network_behind_the_same_address(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await here.chain.look()
    monkeypatch.setattr(
        here.chain._follower, "_network", FAMILY.make("x", here.settings(network="mainnet")).network
    )
    with pytest.raises(WrongNetwork):
        await here.chain.look()


async def test_cookie_file_is_read_anew(here: World, tmp_path) -> None:
    cookie = tmp_path / ".cookie"
    user, _, password = here.node.url.removeprefix("http://").partition("@")[0].partition(":")
    settings = here.settings(url=f"http://127.0.0.1:{here.node.port}", cookie=str(cookie), patience=0.2)
    chain = FAMILY.make("x", settings)
    here.others.append(chain)
    with pytest.raises(ChainUnavailable):
        await chain.open()
    cookie.write_text("__cookie__:old")
    with pytest.raises(ChainUnavailable, match="cookie"):
        await chain.open()
    cookie.write_text(f"{user}:{password}\n")
    await chain.open()
    assert (await chain.look()).tip.height == await here.node.height()


async def test_rules_must_bind(bitcoind_factory: BitcoindFactory) -> None:
    """On litecoind's regtest CLTV binds from block 1351 on: below, a refund would be open to its key at once."""
    node = await bitcoind_factory("litecoin")
    await node.rpc("invalidateblock", await node.rpc("getblockhash", 1300))
    with pytest.raises(UnsupportedChain, match="CHECKLOCKTIMEVERIFY binds from block 1351"):
        async with world(node):
            pass


async def test_pruned_blocks_are_said_to_be_missing(bitcoind_factory: BitcoindFactory) -> None:
    node = await bitcoind_factory("bitcoin", extra=["prune=1", "fastprune=1"])
    for _ in range(6):
        await node.mine(100, to="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
    pruned = await node.rpc("pruneblockchain", 400)
    assert pruned > 100
    async with world(node) as here:
        payer, payee = await here.party(), await here.party()
        leg = await here.swap(payer, payee)
        assert (await here.facts(leg)).full is None
        await here.chain.watch(leg, pruned - 5)
        with pytest.raises(UnsupportedChain, match="pruned"):
            await here.chain.look()


# --- time


async def test_refund_opens_one_second_after_its_time(alone: World) -> None:
    payer, payee = await alone.party(COIN), await alone.party()
    deadline = await alone.node.clock() + 7200
    leg = await alone.swap(payer, payee, after=deadline)
    await alone.fund(payer, leg)
    key = payer.key("back")
    await alone.node.advance_to(deadline)
    while (await alone.chain.look()).tip.time < deadline:
        await alone.node.mine()
    assert (await alone.chain.look()).tip.time == deadline
    with pytest.raises(WouldFail):
        await payer.wallet.spend(leg, "refund", key, [], [], PRICE, PLENTY, [])
    await alone.node.advance_to(deadline + 1)
    refund = await payer.wallet.spend(leg, "refund", key, [], [], PRICE, PLENTY, [])
    await alone.mine(refund)
    assert (await alone.facts(leg)).spends[0].path == "refund"
    assert (await alone.facts(leg)).held == 0


async def test_stale_tip_by_the_clock_it_is_given(here: World) -> None:
    stamp = (await here.chain.look()).tip.stamp
    now = stamp + 100.0
    chain = FAMILY.make(here.node.params.name, here.settings(timing={"stale_after": 100}), lambda: now)
    here.others.append(chain)
    await chain.open()
    await chain.look()
    now += 1
    with pytest.raises(StaleTip) as caught:
        await chain.look()
    assert (caught.value.age, caught.value.limit) == (101, 100)
    now = stamp - 5000.0  # a node ahead of us is not stale
    await chain.look()


async def test_wait_returns_on_a_block_or_a_spend(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    await here.fund(payer, leg)
    seen = (await here.chain.look()).tip.hash
    started = time.monotonic()
    await here.chain.wait(seen, 0.3)
    assert 0.25 < time.monotonic() - started < 3

    waiting = asyncio.create_task(here.chain.wait(seen, 30))
    await asyncio.sleep(0)
    spend = await claim(here, payee, leg)
    await here.chain.broadcast(spend)
    await asyncio.wait_for(waiting, 10)
    assert (await here.facts(leg)).spends[0].depth == 0

    waiting = asyncio.create_task(here.chain.wait(seen, 30))
    await here.node.mine()
    await asyncio.wait_for(waiting, 10)
    await asyncio.wait_for(here.chain.wait(seen, 30), 1)  # at once: it moved already


# --- prices


async def test_fees(alone: World) -> None:
    fees = await alone.chain.fees()
    assert 0 < fees.floor <= fees.economical <= fees.urgent
    pinned = await alone.another(fallback_economical=7_000, fallback_urgent=9_000, max_price=8_000)
    assert (await pinned.fees()).economical == 7_000
    assert (await pinned.fees()).urgent == 8_000


async def test_leg_is_not_full_by_a_block_reward_before_it_can_be_spent(here: World) -> None:
    """A writer who mines could else show collateral that nobody can exercise in time."""
    payer, payee = await here.party(), await here.party()
    leg = await here.swap(payer, payee, amount=10_000)
    await here.node.mine(1, to=here.address(leg))
    await here.node.mine(98)
    facts = await here.facts(leg)
    assert (facts.full, facts.held) == (None, 0)
    with pytest.raises(NothingToSpend):
        await claim(here, payee, leg)
    await here.node.mine()
    facts = await here.facts(leg)
    assert facts.full == 100
    assert facts.held > 0
    if facts.held > PRICE:
        await here.mine(await claim(here, payee, leg))
        assert (await here.facts(leg)).held == 0


async def test_block_rewards_count_when_they_can_be_spent(here: World) -> None:
    seed = hashlib.sha512(b"miner").digest()
    wallet = here.chain.wallet(seed)
    await here.node.mine(1, to=wallet.address)
    assert await wallet.balance("native") == 0
    assert await (await here.another()).wallet(seed).balance("native") == 0
    await here.node.mine(99)
    assert await wallet.balance("native") > 0
    assert await (await here.another()).wallet(seed).balance("native") == await wallet.balance("native")


async def test_a_slow_scan_of_the_utxo_set_holds_up_nothing_else(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On mainnet it takes minutes, in which deadlines must be met."""
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    await here.fund(payer, leg)
    slow = here.chain.wallet(secrets.token_bytes(64))
    await here.node.send(slow.address, COIN)
    release = asyncio.Event()
    scan = here.chain._node.scan

    async def waiting(*arguments):
        found = await scan(*arguments)
        await release.wait()
        return found

    monkeypatch.setattr(here.chain._node, "scan", waiting)
    balance = asyncio.create_task(slow.balance("native"))
    await here.mine(await claim(here, payee, leg))  # mines the deposit as well, which the scan has not seen
    assert (await here.facts(leg)).spends[0].depth == 1
    assert not balance.done()
    release.set()
    assert await asyncio.wait_for(balance, 10) == COIN


async def test_wait_does_not_miss_what_a_wallet_saw_first(here: World) -> None:
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee)
    await here.fund(payer, leg)
    seen = (await here.chain.look()).tip.hash
    await here.chain.broadcast(await claim(here, payee, leg))
    await payer.wallet.balance("native")  # follows the node, but shows nobody a snapshot
    await asyncio.wait_for(here.chain.wait(seen, 30), 5)


async def test_mined_and_spent_is_still_success_when_sent_again(here: World) -> None:
    payer, payee = await here.party(), await here.party()
    leg = await here.swap(payer, payee)
    await here.node.fund(here.address(leg), AMOUNT)
    spend = await claim(here, payee, leg)
    await here.mine(spend)
    onward = await here.swap(payee, payer, amount=AMOUNT - 2_000)
    await here.fund(payee, onward)  # spends the claim's only output
    await here.chain.look()
    await here.chain.broadcast(spend)
