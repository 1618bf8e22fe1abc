"""Nodes that are gone, slow, silent, stale, on another chain or without our contract."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from chains.errors import ChainUnavailable, RpcError, StaleTip, UnsupportedChain, WrongNetwork
from chains.evm.adapter import EvmChain
from chains.evm.family import FAMILY
from chains.testing.anvil import Anvil
from tests.chains.evm_proxy import Proxy, proxy
from tests.chains.evm_world import World, world

pytestmark = pytest.mark.node

AnvilFactory = Callable[..., Awaitable[Anvil]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def here() -> AsyncIterator[World]:
    async with Anvil() as node, world(node) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def between(here: World) -> AsyncIterator[Proxy]:
    async with proxy(here.node.port) as made:
        yield made


@pytest.fixture(params=["http", "ws"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(here: World, **changes: Any) -> EvmChain:
    return FAMILY.make("evm", {**here.settings, **changes})


# --- what is refused at the start


async def test_a_node_of_another_chain(here: World) -> None:
    with pytest.raises(WrongNetwork) as found:
        await make(here, chain_id=1).open()
    assert (found.value.expected, found.value.found) == ("eip155:1", f"eip155:{here.node.chain_id}")


async def test_a_factory_that_is_not_there_or_not_ours(here: World) -> None:
    with pytest.raises(UnsupportedChain, match="no contract"):
        await make(here, factory="0x" + "77" * 20).open()
    with pytest.raises(UnsupportedChain, match="pinned"):
        await make(here, factory=here.token, tokens={}).open()
    with pytest.raises(UnsupportedChain, match="pinned"):
        await make(here, code_hash="0x" + "00" * 32).open()


async def test_a_chain_whose_rules_vaults_can_not_stand_on(anvil_factory: AnvilFactory, here: World) -> None:
    node = await anvil_factory(hardfork="shanghai", chain_id=here.node.chain_id)
    code = await here.node.rpc("eth_getCode", here.factory, "latest")
    await node.rpc("anvil_setCode", here.factory, code)
    with pytest.raises(UnsupportedChain, match="simulated spend 1"):
        await make(here, url=node.url).open()


async def test_a_chain_whose_vaults_stay_after_their_transaction(here: World, monkeypatch: Any) -> None:
    """The second lock and spend is what shows it; a chain that fails it alone is refused."""
    chain = make(here)
    await chain.client.open()
    once = chain.client.call

    async def failing(method: str, *params: Any) -> Any:
        answer = await once(method, *params)
        if method == "eth_simulateV1":
            assert [[call["status"] for call in block["calls"]] for block in answer] == [["0x1"] * 2] * 2
            answer[1]["calls"][1] = {"status": "0x0", "error": {"message": "create collision"}}
        return answer

    monkeypatch.setattr(chain.client, "call", failing)
    with pytest.raises(UnsupportedChain, match="simulated spend 2 failed: create collision"):
        await chain.open()


async def test_a_node_without_simulations_is_asked_by_a_call(here: World, monkeypatch: Any) -> None:
    chain = make(here)
    await chain.client.open()
    once = chain.client.call
    methods: list[str] = []

    async def without(method: str, *params: Any) -> Any:
        methods.append(method)
        if method == "eth_simulateV1":
            raise RpcError("evm", method, -32601, "the method does not exist")
        return await once(method, *params)

    monkeypatch.setattr(chain.client, "call", without)
    await chain.open()
    assert methods[-1] == "eth_call"
    await chain.close()


@pytest.mark.parametrize("method", ["eth_getTransactionCount", "eth_getLogs", "eth_call"])
async def test_a_node_that_knows_no_block_hashes(here: World, monkeypatch: Any, method: str) -> None:
    chain = make(here)
    await chain.client.open()
    once = chain.client.call

    async def without(name: str, *params: Any) -> Any:
        if name == method and "blockHash" in str(params):
            raise RpcError("evm", name, -32602, "invalid block tag")
        return await once(name, *params)

    monkeypatch.setattr(chain.client, "call", without)
    with pytest.raises(UnsupportedChain, match=method):
        await chain.open()


async def test_a_node_that_lags_behind_another_is_asked_again(here: World, monkeypatch: Any) -> None:
    """Behind one address there are often several nodes: one announced a block, another does not know it yet."""
    chain = make(here)
    await chain.open()
    wallet = await here.wallet(chain)
    swap = await here.swap_leg("native", 10**9, wallet, wallet)
    await chain.watch(swap.leg, 0)
    await chain.look()
    await here.lock(wallet, swap.leg)
    once, lags = chain.client.call, iter(range(3))

    async def lagging(name: str, *params: Any) -> Any:
        if name == "eth_getLogs" and next(lags, None) is not None:
            raise RpcError("evm", name, -32000, "unknown block")
        return await once(name, *params)

    monkeypatch.setattr(chain.client, "call", lagging)
    assert (await chain.look()).legs[here.vault(swap.leg)].full == 1
    await chain.close()


async def test_a_node_that_is_not_there(here: World, scheme: str) -> None:
    async with proxy(here.node.port) as gone:
        gone.refusing = True
        chain = make(here, url=f"{scheme}://127.0.0.1:{gone.port}", patience=0.3)
        started = time.monotonic()
        with pytest.raises(ChainUnavailable):
            await chain.open()
        assert 0.1 < time.monotonic() - started < 3
        assert gone.connections >= 3  # it tried again


@pytest.mark.parametrize(
    "bad",
    [
        {"unknown": 1},
        {"url": "ftp://127.0.0.1"},
        {"factory": "0x12"},
        {"factory": "0x" + "Ab" * 20},
        {"chain_id": 0},
        {"code_hash": "0x12"},
        {"tokens": {"native": "0x" + "11" * 20}},
        {"tokens": {"T": "here"}},
        {"timing": {"unknown": 1}},
        {"preset": "moon"},
    ],
)
async def test_bad_settings(here: World, bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make(here, **bad)


# --- what goes wrong later


async def test_a_stale_tip_is_refused_by_the_clock_given(here: World) -> None:
    stamp = await here.node.clock()
    now = float(stamp)
    chain = FAMILY.make("evm", {**here.settings, "timing": {"stale_after": 60}}, clock=lambda: now)
    await chain.open()
    now = stamp + 60
    await chain.look()
    now = stamp + 61
    with pytest.raises(StaleTip) as found:
        await chain.look()
    assert (found.value.age, found.value.limit) == (61, 60)
    await chain.close()


async def test_a_node_that_changes_its_chain(here: World, anvil_factory: AnvilFactory) -> None:
    other = await anvil_factory()
    async with proxy(here.node.port) as between:
        chain = make(here, url=f"http://127.0.0.1:{between.port}")
        await chain.open()
        await chain.look()
        between.target = other.port
        between.drop()
        for _ in range(2):
            with pytest.raises(WrongNetwork):
                await chain.look()
        between.target = here.node.port
        between.drop()
        await chain.look()
        await chain.close()


async def test_dropped_connections_are_survived(here: World, between: Proxy, scheme: str) -> None:
    chain = make(here, url=f"{scheme}://127.0.0.1:{between.port}")
    await chain.open()
    wallet = await here.wallet(chain)
    swap = await here.swap_leg("native", 10**9, wallet, wallet)
    await chain.watch(swap.leg, 0)
    for _ in range(3):
        between.drop()
        tip = (await chain.look()).tip
        await here.node.mine()
        between.drop()
        await asyncio.wait_for(chain.wait(tip.hash, 20), 15)
        assert (await chain.look()).tip.height == tip.height + 1
    # Dropped while requests are under way.
    looks = [asyncio.create_task(chain.look()) for _ in range(5)]
    await asyncio.sleep(0)
    between.drop()
    assert len(await asyncio.gather(*looks)) == 5
    await chain.close()


async def test_a_node_that_falls_silent_is_unavailable_and_then_back(
    here: World, between: Proxy, scheme: str
) -> None:
    chain = make(here, url=f"{scheme}://127.0.0.1:{between.port}", timeout=0.3, patience=0.5)
    await chain.open()
    tip = (await chain.look()).tip
    between.speaking.clear()
    started = time.monotonic()
    with pytest.raises(ChainUnavailable):
        await chain.look()
    await chain.wait(tip.hash, 0.5)  # returns for its time-out
    assert time.monotonic() - started < 5
    between.speaking.set()
    await here.node.mine()
    await chain.wait(tip.hash, 10)
    assert (await chain.look()).tip.height == tip.height + 1
    await chain.close()


async def test_a_restart_of_the_node_is_survived(anvil_factory: AnvilFactory, scheme: str) -> None:
    async with world(await anvil_factory(), socket=scheme == "ws", patience=20.0) as here:
        writer, holder = await here.wallet(), await here.wallet()
        swap = await here.swap_leg("native", 10**9, holder, writer)
        await here.lock(writer, swap.leg)
        assert (await here.facts(swap.leg)).full == 1
        await here.node.kill()
        looking = asyncio.create_task(here.chain.look())
        await asyncio.sleep(0.2)
        assert not looking.done()
        await here.node.start()
        assert (await asyncio.wait_for(looking, 20)).legs[here.vault(swap.leg)].held == 10**9
        await here.node.rpc("evm_setAutomine", False)
        await here.spend(holder, swap.leg, "claim", swap.preimage)
        await here.node.mine()
        assert (await here.facts(swap.leg)).held == 0


# --- waiting


async def test_waiting_ends_with_a_block_or_with_the_time_given(here: World, scheme: str) -> None:
    chain = make(here, url=f"{scheme}://127.0.0.1:{here.node.port}", poll=0.05)
    await chain.open()
    tip = (await chain.look()).tip
    started = time.monotonic()
    await chain.wait(tip.hash, 0.3)
    assert 0.25 < time.monotonic() - started < 2
    waiting = asyncio.create_task(chain.wait(tip.hash, 30))
    await asyncio.sleep(0.1)
    await here.node.mine()
    await asyncio.wait_for(waiting, 5)
    await chain.wait(tip.hash, 30)  # it has moved already
    await chain.close()


async def test_an_announcement_ends_the_wait_before_the_next_poll(here: World) -> None:
    chain = make(here, url=here.node.ws_url, timing={"interval": 60})
    await chain.open()
    tip = (await chain.look()).tip
    waiting = asyncio.create_task(chain.wait(tip.hash, 50))
    await asyncio.sleep(0.2)
    started = time.monotonic()
    await here.node.mine()
    await asyncio.wait_for(waiting, 20)
    assert time.monotonic() - started < 10
    await chain.close()


async def test_a_socket_that_announces_nothing_is_polled(here: World, between: Proxy) -> None:
    chain = make(here, url=f"ws://127.0.0.1:{between.port}", timing={"interval": 0.3})
    await chain.open()
    tip = (await chain.look()).tip
    chain.client.on_block(lambda: None)  # its announcements are lost
    waiting = asyncio.create_task(chain.wait(tip.hash, 30))
    await here.node.mine()
    await asyncio.wait_for(waiting, 5)
    await chain.close()


async def test_an_answer_does_not_wait_behind_an_announcement(here: World) -> None:
    """A kernel that holds back the acknowledgement of an announcement makes the node hold back its answer, by
    40 ms each time."""
    chain = make(here, url=here.node.ws_url)
    await chain.open()
    slowest = []
    for _ in range(12):
        await asyncio.sleep(0.05)  # a kernel acknowledges at once what comes close together
        announcement = chain.announcement
        assert announcement is not None
        mining = asyncio.create_task(here.node.mine())
        took = [0.0]
        while not (mining.done() and announcement.is_set()):
            started = time.monotonic()
            await chain.client.call("eth_blockNumber")
            took.append(time.monotonic() - started)
        await mining
        slowest.append(max(took))
    assert sorted(slowest)[3] < 0.03
    await chain.close()


async def test_a_closed_chain_says_so(here: World) -> None:
    chain = make(here)
    with pytest.raises(ChainUnavailable, match="not open"):
        await chain.look()
    await chain.open()
    await chain.close()
    await chain.close()
    with pytest.raises(ChainUnavailable, match="not open"):
        await chain.wallet(secrets.token_bytes(64)).balance("native")


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_getLogs", "eth_feeHistory"])
async def test_answers_that_make_no_sense_are_as_good_as_none(here: World, monkeypatch: Any, method: str) -> None:
    chain = make(here)
    await chain.open()
    wallet = await here.wallet(chain)
    swap = await here.swap_leg("native", 10**9, wallet, wallet)
    await chain.watch(swap.leg, 0)
    once = chain.client.call

    async def garbled(name: str, *params: Any) -> Any:
        return {"number": "twelve"} if name == method else await once(name, *params)

    monkeypatch.setattr(chain.client, "call", garbled)
    with pytest.raises(ChainUnavailable, match="no sense"):
        await (chain.fees() if method == "eth_feeHistory" else chain.look())
    monkeypatch.setattr(chain.client, "call", once)
    assert here.vault(swap.leg) in (await chain.look()).legs
    await chain.close()


async def test_an_error_never_shows_the_url_which_may_have_a_key_in_it(here: World) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for scheme in ("http", "ws"):
        chain = make(here, url=f"{scheme}://127.0.0.1:{port}/v3/topsecret", patience=0.2)
        with pytest.raises(ChainUnavailable, match="429") as found:
            await chain.open()
        assert "topsecret" not in str(found.value)
    server.close()
