"""Serving an application at an address, with a bound on connections.

A process has so many file descriptors, and its database, its nodes and its deals need them: whoever opens
connections to us by the thousand must not get them all.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from relayer.addresses import host_part
from relayer.errors import CannotListen

# What is no HTTP is answered with 400 and is nobody's fault here: strangers must not write our log.
logging.getLogger("aiohttp.server").addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)

MOST_CONNECTIONS: Final = 128  # to one address at once; more are closed as they come
# A connection on which no whole request came for so long is closed, however many bytes drip in; longer than our
# own clients keep one (15 s).
SILENT_SECONDS: Final = 30.0
SOCKET_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Bounds:
    """most: connections at once. each: of one peer's address, None for no bound of its own."""

    most: int = MOST_CONNECTIONS
    each: int | None = None


class _Admission(asyncio.Protocol):
    """Hands a connection on to the server, or closes it as it comes where there are too many."""

    def __init__(self, server: web.Server, bounds: Bounds) -> None:
        self._server = server
        self._bounds = bounds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast("asyncio.Transport", transport)
        if not self._room(_peer(made)):
            made.abort()
            return
        handler = self._server()
        made.set_protocol(handler)
        handler.connection_made(made)

    def _room(self, peer: str) -> bool:
        others = self._server.connections
        if len(others) >= self._bounds.most:
            return False
        return self._bounds.each is None or sum(_peer(o.transport) == peer for o in others) < self._bounds.each


def _peer(transport: asyncio.BaseTransport | None) -> str:
    """The address at the other end; "" at a UNIX socket, and where there is none any more."""
    name = transport.get_extra_info("peername") if transport is not None else None
    return str(name[0]) if name else ""


async def listen(
    stack: AsyncExitStack, section: str, app: web.Application, address: str, bounds: Bounds | None = None
) -> int:
    """Serve an application at HOST:PORT until the stack unwinds; returns the port, which the system chooses for 0.
    section: of the configuration. Raises CannotListen where the address is taken or not ours."""
    port = int(address.rpartition(":")[2])
    protocols = await _protocols(stack, app, bounds or Bounds())
    try:
        server = await asyncio.get_running_loop().create_server(protocols, host_part(address), port)
    except OSError as error:
        raise CannotListen(section, f"{address}: {os.strerror(error.errno) if error.errno else error}") from error
    stack.callback(server.close)
    return int(server.sockets[0].getsockname()[1])


async def listen_at_socket(
    stack: AsyncExitStack, section: str, app: web.Application, path: Path, bounds: Bounds | None = None
) -> None:
    """Serve an application at a UNIX socket that only its owner can open. One that a dead process left is
    replaced. Raises CannotListen, also where something else stands at the path or another process listens."""
    try:
        bound = _bind(path)
    except OSError as error:
        raise CannotListen(section, str(error)) from error
    stack.callback(path.unlink, missing_ok=True)
    protocols = await _protocols(stack, app, bounds or Bounds())
    server = await asyncio.get_running_loop().create_unix_server(protocols, sock=bound)
    stack.callback(server.close)


def _bind(path: Path) -> socket.socket:
    _clear(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~SOCKET_MODE)  # else others could connect before its mode is set
    try:
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(before)
    return bound


def _clear(path: Path) -> None:
    """Remove a socket at which nobody listens any more. Raises OSError."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} is there, and it is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise FileExistsError(f"another process listens at {path}")


async def _protocols(
    stack: AsyncExitStack, app: web.Application, bounds: Bounds
) -> Callable[[], asyncio.BaseProtocol]:
    """A factory of protocols for an application, within the bounds."""
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=SILENT_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    server = cast("web.Server", runner.server)  # there is one once it is set up
    return lambda: _Admission(server, bounds)
