"""JSON-RPC to one node: retries what may pass, raises what will not, and says which is which."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chains.errors import ChainUnavailable, RpcError
from chains.evm.errors import Reverted, TransportFailed

if TYPE_CHECKING:
    from chains.evm.transport import Transport

FIRST_PAUSE = 0.05  # seconds before the second try; doubled each time, with jitter
LONGEST_PAUSE = 2.0
REVERTED = 3  # the code of a revert with its data, on all nodes but a few that still send the data
PASSING_CODES = frozenset({429, -32002, -32005})  # rate limits and "resource unavailable" (EIP-1474)


class Client:
    """A connection that survives its node's restarts.

    `call` gives the result of a request. A transport failure or a passing error is tried again with growing,
    jittered pauses until `patience` seconds have gone by; then it raises ChainUnavailable.
    """

    def __init__(self, name: str, url: str, timeout: float, patience: float) -> None:
        self.name = name
        self.url = url
        self.timeout = timeout
        self.patience = patience
        self._transport: Transport | None = None

    async def open(self) -> None:
        """Prepare the transport; it connects with the first request."""
        if self._transport is None:
            self._transport = _make_transport(self.url, self.timeout)

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.disconnect()

    def on_block(self, announced: Callable[[], None]) -> bool:
        """Have `announced` called when the node announces a block; False where it can't (HTTP)."""
        return self._transport is not None and self._transport.on_block(announced)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one request. Raises RpcError (Reverted for a simulation), ChainUnavailable."""
        deadline = time.monotonic() + self.patience
        pause = FIRST_PAUSE
        while True:
            reason, result = await self._once(method, params)
            if reason is None:
                return result
            if time.monotonic() + pause > deadline:
                raise ChainUnavailable(self.name, reason)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self, method: str, params: tuple[Any, ...]) -> tuple[str | None, Any]:
        """(why to try again, None), or (None, result)."""
        if self._transport is None:
            raise ChainUnavailable(self.name, "the connection is not open")
        try:
            answer = await self._transport.ask(method, params)
        except TransportFailed as failure:
            return str(failure), None
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            return "the answer is not JSON-RPC", None
        error = answer.get("error")
        if error is None:
            return None, answer["result"]
        if not isinstance(error, dict):
            return f"the answer is not JSON-RPC: {error}", None
        if error.get("code") in PASSING_CODES:
            return str(error.get("message")), None
        raise _refusal(self.name, method, error)


def _refusal(chain: str, method: str, error: dict[str, Any]) -> RpcError:
    code = error.get("code")
    number = code if isinstance(code, int) else 0
    message = str(error.get("message", "no reason given"))
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data")
    returned = _from_hex(data)
    if method in ("eth_call", "eth_estimateGas") and (number == REVERTED or returned is not None):
        return Reverted(chain, method, number, message, returned or b"")
    return RpcError(chain, method, number, message)


def _from_hex(data: Any) -> bytes | None:
    if not isinstance(data, str) or not data.startswith("0x"):
        return None
    try:
        return bytes.fromhex(data[2:])
    except ValueError:
        return None


def _make_transport(url: str, timeout: float) -> Transport:
    from chains.evm.transport import HttpTransport, SocketTransport

    kind = SocketTransport if url.startswith(("ws://", "wss://")) else HttpTransport
    return kind(url, timeout)
