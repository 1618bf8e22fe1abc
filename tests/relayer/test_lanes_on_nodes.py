"""Validators and a relayer in one process, on two nodes: a message crosses, and no liar can stop it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from relayer.messages.relayer import Relayer
from relayer.party import load_seed
from relayer.settings import load
from relayer.testing.lanes import NAME, LaneWorld
from relayer.validator.service import Validator

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def world(anvil_factory, tmp_path):
    return await LaneWorld.make(await anvil_factory(), await anvil_factory(), tmp_path)


@asynccontextmanager
async def validators(world: LaneWorld, places=(0, 1, 2), **changes):
    """Some members of the set, running; their URLs."""
    stop, urls = asyncio.Event(), []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for place in places:
            port = free_port()
            settings = load(world.validator(place, port, **changes))
            validator = await stack.enter_async_context(Validator.open(settings, load_seed(settings)))
            ready = asyncio.Event()
            group.create_task(validator.run(stop, ready))
            await ready.wait()
            urls.append(f"http://127.0.0.1:{port}")
        try:
            yield urls
        finally:
            stop.set()


@asynccontextmanager
async def relayer(world: LaneWorld, urls, name="relayer", **tables):
    settings = load(world.relayer(name, urls, **tables))
    await world.endow(settings)
    async with Relayer.open(settings, load_seed(settings)) as made:
        yield made


@asynccontextmanager
async def carrying(made: Relayer):
    stop = asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def until(check, seconds=60.0):
    async with asyncio.timeout(seconds):
        while True:
            if await check():
                return
            await asyncio.sleep(0.1)


async def test_messages_cross_and_are_settled(world):
    async with validators(world) as urls, relayer(world, urls) as made, carrying(made):
        await world.send(20)
        await world.finalise(world.here)

        async def delivered() -> bool:
            return await world.delivered(20) == 20

        await until(delivered)

        async def settled() -> bool:
            await world.finalise(world.there)
            return made.runners[NAME].state.settled.size == 20

        await until(settled)
    assert made.runners[NAME].counts()["pending"] == 0
