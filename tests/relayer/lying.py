"""A node that lies: JSON-RPC passed on to a real one, with answers changed in the way a test asks for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

Change = Callable[[str, list[Any], Any], Any]  # method, parameters, true result -> what is said


def truth(method: str, params: list[Any], result: Any) -> Any:
    return result


def empty_logs(method: str, params: list[Any], result: Any) -> Any:
    return [] if method == "eth_getLogs" else result


def other_roots(method: str, params: list[Any], result: Any) -> Any:
    """A root that no outbox has, for whoever asks for a checkpoint (64 bytes come back)."""
    if method == "eth_call" and isinstance(result, str) and len(result) == 2 + 128:
        return result[:66] + "ab" * 32
    return result


def other_blocks(method: str, params: list[Any], result: Any) -> Any:
    """Another hash for every block, as on another chain."""
    if method == "eth_getBlockByNumber" and result:
        return {**result, "hash": "0x" + "cd" * 32}
    return result


def made_up(method: str, params: list[Any], result: Any) -> Any:
    """The last byte of every message is another."""
    if method != "eth_getLogs":
        return result
    return [{**log, "data": log["data"][:-2] + "99"} for log in result]


class Lagging:
    """Some blocks behind."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks

    def __call__(self, method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] == "latest":
            return {**result, "number": hex(max(0, int(result["number"], 16) - self.blocks))}
        return result


@asynccontextmanager
async def lying(url: str, change: Change) -> AsyncIterator[Liar]:
    """The address of such a node; `change` may be replaced while it runs."""
    liar = Liar(url, change)
    runner = web.AppRunner(liar.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    liar.url = "http://127.0.0.1:" + str(site._server.sockets[0].getsockname()[1])
    try:
        async with aiohttp.ClientSession() as liar.session:
            yield liar
    finally:
        await runner.cleanup()


class Liar:
    def __init__(self, node: str, change: Change) -> None:
        self.node = node
        self.change = change
        self.url = ""
        self.session: aiohttp.ClientSession | None = None
        self.silent = False

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.add_routes([web.post("/", self.answer)])
        return app

    async def answer(self, request: web.Request) -> web.Response:
        if self.silent:
            return web.Response(status=503)
        body = json.loads(await request.read())
        async with self.session.post(self.node, json=body) as response:
            answer = await response.json(content_type=None)
        if "result" in answer:
            answer["result"] = self.change(body["method"], body["params"], answer["result"])
        return web.json_response(answer)
