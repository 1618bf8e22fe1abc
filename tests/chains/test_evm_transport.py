"""Requests that are cancelled at any moment leave a connection that works."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chains.evm.client import Client

REQUESTS = 50


async def _answer(request: web.Request) -> web.Response:
    asked = await request.json()
    await asyncio.sleep(0)
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": asked["params"][0]})


@pytest.fixture
async def node():
    app = web.Application()
    app.add_routes([web.post("/", _answer)])
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


@pytest.mark.parametrize("steps", range(12))
async def test_others_are_answered_after_requests_are_cancelled(node, steps):
    one, other = Client("one", node, timeout=5, patience=1), Client("other", node, timeout=5, patience=1)
    await one.open()
    await other.open()
    try:
        tasks = [asyncio.create_task(client.call("echo", n)) for n in range(REQUESTS) for client in (one, other)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.wait(tasks)
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(client.call("echo", 7) for client in (one, other))) == [7, 7]
    finally:
        await one.close()
        await other.close()
