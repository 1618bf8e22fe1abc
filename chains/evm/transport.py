"""How JSON-RPC requests reach the node, over HTTP or WebSocket (why not by web3: docs/decisions/).

Every request has a future of its own, a time-out is the end of a connection, a silent peer is noticed by
heartbeats, and subscription events go to a callback.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket as sockets
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import aiohttp

from chains.evm.errors import TransportFailed

HEARTBEAT = 15.0  # seconds between pings; a peer that does not answer within half of it is gone
CLOSING = 1.0  # seconds for a farewell to a connection that is given up
JSON = {"Content-Type": "application/json"}
MAX_MESSAGE = 64 * 2**20  # bytes; a block's logs fit with room to spare
QUICK_ACK = getattr(sockets, "TCP_QUICKACK", None)  # on Linux


class Transport(Protocol):
    """One connection, or pool of them, to one node. After TransportFailed the next request connects anew."""

    async def ask(self, method: str, params: Sequence[Any]) -> Any:
        """The node's answer to one request, whatever JSON it is. Raises TransportFailed."""
        ...

    def on_block(self, announced: Callable[[], None]) -> bool:
        """Have `announced` called when the node announces a block, and when a connection ends. False where this
        transport can't; it is a hint in any case, never the only way to learn of a block."""
        ...

    async def disconnect(self) -> None: ...


class HttpTransport:
    """JSON-RPC by POST over one aiohttp session that keeps its connections."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self._limits = aiohttp.ClientTimeout(total=timeout)
        self._numbers = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, method: str, params: Sequence[Any]) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._limits, headers=JSON)
        data = request(next(self._numbers), method, params)
        try:
            async with self._session.post(self.url, data=data) as response:
                response.raise_for_status()
                return json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise TransportFailed(_words(error)) from error

    def on_block(self, announced: Callable[[], None]) -> bool:
        return False

    async def disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class SocketTransport:
    """JSON-RPC over one WebSocket, connected when first needed."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self.timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._listener: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._announced: Callable[[], None] = lambda: None
        self._connecting = asyncio.Lock()

    async def ask(self, method: str, params: Sequence[Any]) -> Any:
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        socket = None
        try:
            async with asyncio.timeout(self.timeout):
                socket = await self._connected()
                self._waiting[number] = answer
                await socket.send_bytes(request(number, method, params))
                return await answer
        except TimeoutError as error:
            await self._drop(socket)
            raise TransportFailed(f"no answer within {self.timeout:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            await self._drop(socket)
            raise TransportFailed(_words(error)) from error
        finally:
            self._waiting.pop(number, None)

    def on_block(self, announced: Callable[[], None]) -> bool:
        self._announced = announced
        return True

    async def disconnect(self) -> None:
        await self._drop(self._socket)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _connected(self) -> aiohttp.ClientWebSocketResponse:
        async with self._connecting:
            if self._socket is None or self._socket.closed:
                if self._session is None:
                    self._session = aiohttp.ClientSession()
                self._socket = await self._session.ws_connect(
                    self.url, heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE
                )
                self._listener = asyncio.create_task(self._read(self._socket))
                subscription = request(next(self._numbers), "eth_subscribe", ["newHeads"])
                await self._socket.send_bytes(subscription)  # its answer is of no interest
            return self._socket

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        reason = "the connection was closed"
        try:
            async for message in socket:
                if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    _acknowledge(socket)
                    self._take(json.loads(message.data))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = _words(error)
        finally:
            if self._socket is socket:
                self._socket = None
                self._fail(reason)
            self._announced()  # whoever waits for a block finds out by asking

    def _take(self, message: Any) -> None:
        if not isinstance(message, dict):
            return
        if message.get("method") == "eth_subscription":
            self._announced()
            return
        future = self._waiting.get(message.get("id", -1))
        if future is not None and not future.done():
            future.set_result(message)

    def _fail(self, reason: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(aiohttp.ClientConnectionError(reason))

    async def _drop(self, socket: aiohttp.ClientWebSocketResponse | None) -> None:
        """Give up this connection, unless a newer one has taken its place."""
        if socket is None or socket is not self._socket:
            return
        self._socket = None
        listener, self._listener = self._listener, None
        self._fail("the connection was dropped")
        if listener is not None:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSING):
                await socket.close()


def request(number: int, method: str, params: Sequence[Any]) -> bytes:
    """A request of JSON-RPC 2.0."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}).encode()


def _acknowledge(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Have what came acknowledged at once. An announcement is not answered, so the kernel would hold its
    acknowledgement back for 40 ms, and a node with Nagle's algorithm on every answer until then."""
    raw = socket.get_extra_info("socket")
    if QUICK_ACK is not None and raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(sockets.IPPROTO_TCP, QUICK_ACK, 1)


def _words(error: BaseException) -> str:
    """What went wrong. Never the URL, which may have a key in it."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP status {error.status}: {error.message}"
    if isinstance(error, aiohttp.InvalidURL):
        return "the URL is not valid"
    return str(error) or type(error).__name__
