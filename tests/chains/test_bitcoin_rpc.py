"""The JSON-RPC client against a server that misbehaves in every way a node does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.node import Node
from chains.bitcoin.rpc import Rpc, price, satoshi
from chains.bitcoin.settings import UtxoSettings
from chains.errors import ChainUnavailable, Rejected, RpcError

Answer = Callable[[list[dict[str, Any]]], web.Response]


def good(requests: list[dict[str, Any]]) -> web.Response:
    """Answers each call with its method, in reverse order, which JSON-RPC allows."""
    answers = [{"id": one["id"], "result": one["method"], "error": None} for one in requests]
    return web.json_response(answers[::-1])


def refusal(code: int, message: str = "no") -> Answer:
    def answer(requests: list[dict[str, Any]]) -> web.Response:
        error = {"code": code, "message": message}
        return web.json_response([{"id": one["id"], "result": None, "error": error} for one in requests])

    return answer


class Server:
    """Gives the planned answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.plan: list[Answer] = [good]
        self.seen = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        requests = json.loads(await request.text())
        answer = self.plan[min(self.seen, len(self.plan) - 1)]
        self.seen += 1
        return answer(requests)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_post("/", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def rpc(server: Server) -> AsyncIterator[Rpc]:
    made = Rpc("x", UtxoSettings(network="regtest", url=server.url, patience=2))
    await made.open()
    yield made
    await made.close()


async def test_batches_are_matched_by_id(rpc: Rpc) -> None:
    assert await rpc.all([("a", ()), ("b", (1,)), ("c", ())]) == ["a", "b", "c"]
    assert await rpc.all([]) == []


@pytest.mark.parametrize(
    "fault",
    [
        refusal(-28, "Loading block index..."),
        lambda _: web.Response(status=503, text="Work queue depth exceeded"),
        lambda _: web.Response(status=500, text="<html>"),
        lambda _: web.Response(status=200, text=""),
        lambda _: web.json_response([]),
    ],
    ids=["warm-up", "busy", "no JSON", "empty", "an answer left out"],
)
async def test_passing_faults_are_tried_again(rpc: Rpc, server: Server, fault: Answer) -> None:
    server.plan = [fault, fault, good]
    assert await rpc.call("getblockcount") == "getblockcount"
    assert server.seen == 3


async def test_a_fault_that_stays_is_raised(server: Server) -> None:
    rpc = Rpc("x", UtxoSettings(network="regtest", url=server.url, patience=0.5))
    await rpc.open()
    server.plan = [refusal(-28, "Loading wallet...")]
    with pytest.raises(ChainUnavailable, match=r"Loading wallet\.\.\."):
        await rpc.call("getblockcount")
    assert 2 <= server.seen < 10
    await rpc.close()
    with pytest.raises(ChainUnavailable, match="closed"):
        await rpc.call("getblockcount")


async def test_refusals_are_not_tried_again(rpc: Rpc, server: Server) -> None:
    server.plan = [refusal(-8, "Block height out of range")]
    with pytest.raises(RpcError) as caught:
        await rpc.call("getblockhash", 99)
    assert (caught.value.method, caught.value.code) == ("getblockhash", -8)
    assert server.seen == 1
    answers = await rpc.batch([("a", ()), ("b", ())])
    assert all(isinstance(one, RpcError) for one in answers)


async def test_cancelling_leaves_nothing_behind(rpc: Rpc, server: Server) -> None:
    server.plan = [refusal(-28)]
    task = asyncio.create_task(rpc.call("x"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.plan = [good]
    assert await rpc.call("y") == "y"


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (-27, "Transaction outputs already in utxo set", None),
        (-26, "txn-mempool-conflict", Rejected),
        (-25, "bad-txns-inputs-missingorspent", Rejected),
        (-22, "TX decode failed", Rejected),
        (-4, "something else", RpcError),
    ],
)
async def test_answers_to_a_broadcast(
    rpc: Rpc, server: Server, code: int, message: str, error: type[Exception] | None
) -> None:
    server.plan = [refusal(code, message)]
    node = Node("x", rpc)
    if error is None:
        await node.send("ab" * 32, b"raw")
        return
    with pytest.raises(error, match=message):
        await node.send("ab" * 32, b"raw")


async def test_busy_with_another_scan(rpc: Rpc, server: Server) -> None:
    def found(requests: list[dict[str, Any]]) -> web.Response:
        (one,) = requests
        coin = {"txid": "11" * 32, "vout": 3, "amount": 0.5, "height": 7, "coinbase": True}
        coin["scriptPubKey"] = "0014" + "22" * 20
        result = {"height": 9, "bestblock": "33" * 32, "unspents": [coin]}
        return web.json_response([{"id": one["id"], "result": result, "error": None}])

    server.plan = [refusal(-8, "Scan already in progress"), refusal(-8, "Scan already in progress"), found]
    scanned = await Node("x", rpc).scan([b"\x00\x14" + b"\x22" * 20], timeout=5)
    (coin,) = scanned.coins
    assert (scanned.height, coin.amount, coin.maturity, coin.height) == (9, 50_000_000, 100, 7)


@given(st.integers(0, 84 * 10**14))
def test_amounts_are_exact(amount: int) -> None:
    text = f"{amount // 10**8}.{amount % 10**8:08d}"
    assert satoshi(json.loads(text, parse_float=Decimal)) == amount


def test_parts_of_a_satoshi_are_no_amount() -> None:
    with pytest.raises(ValueError, match="no whole number"):
        satoshi(Decimal("0.000000001"))
    assert price(Decimal("0.000010001")) == 1001  # a fee rate is rounded up
