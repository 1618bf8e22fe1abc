"""A market on real nodes, for the files that need one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from relayer.testing.world import World
from tests.relayer.api.trading import Market, trading


@pytest.fixture(scope="module")
async def market(tmp_path_factory) -> AsyncIterator[Market]:
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("world")
        world = await stack.enter_async_context(World(("bitcoin", "evm"), folder))
        writer = await stack.enter_async_context(trading(world, "api-writer"))
        holder = await stack.enter_async_context(trading(world, "api-holder"))
        await world.step()
        yield Market(world, writer, holder)
