"""Serving an application at an address, with a bound on connections.

A process has so many file descriptors, and its database, its nodes and its deals need them: whoever opens
connections to us by the thousand must not get them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final, cast

from aiohttp import web

MOST_CONNECTIONS: Final = 128  # to one address at once; more are closed as they come
# A connection on which nothing is asked for so long is closed; longer than our own clients keep one (15 s).
SILENT_SECONDS: Final = 30.0


class _Refusal(asyncio.Protocol):
    """Closes a connection as it comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


async def listen(stack: AsyncExitStack, app: web.Application, address: str, most: int = MOST_CONNECTIONS) -> None:
    """Serve an application at HOST:PORT until the stack unwinds. Raises OSError where the address is taken."""
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=SILENT_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, _, port = address.rpartition(":")
    protocols = _bounded(cast("web.Server", runner.server), most)  # there is one once it is set up
    server = await asyncio.get_running_loop().create_server(protocols, host.strip("[]"), int(port))
    stack.callback(server.close)


def _bounded(server: web.Server, most: int) -> Callable[[], asyncio.BaseProtocol]:
    """A factory of protocols that refuses while so many connections are open."""

    def protocol() -> asyncio.BaseProtocol:
        return server() if len(server.connections) < most else _Refusal()

    return protocol
