"""JSON-RPC to one node over one HTTP session: retries with back-off and jitter, amounts as integers.

What passes (a lost connection, a time-out, a node that warms up or is busy) is tried again for `patience` seconds
and then raised as ChainUnavailable; what the node refuses is raised as RpcError at once.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import count
from typing import Any, Final, TypeAlias

import aiohttp

from chains.bitcoin.params import COIN
from chains.bitcoin.settings import UtxoSettings
from chains.errors import ChainUnavailable, RpcError

# src/rpc/protocol.h
NOT_AVAILABLE: Final = -1  # of getblock: pruned, or not downloaded
INVALID_ADDRESS_OR_KEY: Final = -5
MISC_ERROR: Final = -8  # also "scan already in progress"
DESERIALIZATION_ERROR: Final = -22
VERIFY_ERROR: Final = -25
VERIFY_REJECTED: Final = -26
ALREADY_IN_CHAIN: Final = -27
IN_WARMUP: Final = -28
METHOD_NOT_FOUND: Final = -32601

FIRST_DELAY: Final = 0.1  # seconds before the first retry, doubled each time
MAX_DELAY: Final = 3.0
CONNECTIONS: Final = 4  # a node has four or more RPC threads
IDLE: Final = 2.0  # seconds until an idle connection is closed: a stopping node waits for that (litecoind)
UNAUTHORISED: Final = 401
BUSY: Final = 503  # the node's work queue is full

Call: TypeAlias = tuple[str, Sequence[Any]]


@dataclass(eq=False)
class _Passing(Exception):
    """A fault that may be gone at the next try."""

    reason: str


def satoshi(value: Decimal | int) -> int:
    """An amount in coins, as the node writes it, in its smallest unit. Exact, or ValueError."""
    amount = Decimal(value) * COIN
    if amount != int(amount):
        raise ValueError(f"{value} is no whole number of satoshi")
    return int(amount)


def price(value: Decimal | int) -> int:
    """A fee rate in coins per 1000 vbytes, in satoshi per 1000 vbytes, rounded up."""
    return int((Decimal(value) * COIN).to_integral_value(rounding=ROUND_CEILING))


class Rpc:
    """A node's JSON-RPC. `epoch` grows whenever the connection was lost: the node may be another one since."""

    def __init__(self, chain: str, settings: UtxoSettings) -> None:
        self._chain = chain
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._ids = count(1)
        self.epoch = 0

    async def open(self) -> None:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE)
            self._session = aiohttp.ClientSession(connector=connector)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self, method: str, *params: Any, timeout: float | None = None, patience: float | None = None
    ) -> Any:
        """The result of one call; decimals come as Decimal. Raises RpcError, ChainUnavailable."""
        (answer,) = await self.batch([(method, params)], timeout=timeout, patience=patience)
        if isinstance(answer, RpcError):
            raise answer
        return answer

    async def all(self, calls: Sequence[Call]) -> list[Any]:
        """The results of several calls in one request. Raises the first refusal, or ChainUnavailable."""
        answers = await self.batch(calls)
        for answer in answers:
            if isinstance(answer, RpcError):
                raise answer
        return answers

    async def batch(
        self, calls: Sequence[Call], timeout: float | None = None, patience: float | None = None
    ) -> list[Any]:
        """Several calls in one request: of each its result, or the RpcError it was refused with."""
        if not calls:
            return []
        patience = self._settings.patience if patience is None else patience
        end = time.monotonic() + patience
        delay = FIRST_DELAY
        while True:
            try:
                return await self._post(calls, timeout or self._settings.timeout)
            except _Passing as fault:
                self.epoch += 1
                pause = delay * random.uniform(0.5, 1.5)
                if time.monotonic() + pause > end:
                    raise ChainUnavailable(self._chain, fault.reason) from None
            await asyncio.sleep(pause)
            delay = min(2 * delay, MAX_DELAY)

    async def _post(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        if self._session is None:
            raise ChainUnavailable(self._chain, "the connection is closed")
        first = next(self._ids)
        body = [
            {"jsonrpc": "1.0", "id": first + index, "method": method, "params": list(params)}
            for index, (method, params) in enumerate(calls)
        ]
        for _ in range(len(calls) - 1):
            next(self._ids)
        try:
            async with self._session.post(
                self._settings.endpoint,
                json=body,
                headers=self._headers(),
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                status, text = response.status, await response.text()
        except TimeoutError:
            raise _Passing(f"no answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _Passing(str(error) or type(error).__name__) from None
        return self._read(calls, first, status, text)

    def _headers(self) -> dict[str, str]:
        pair = self._settings.credentials()  # an OSError here is a passing fault: the cookie comes with the node
        if pair is None:
            return {}
        return {"Authorization": "Basic " + b64encode(":".join(pair).encode()).decode()}

    def _read(self, calls: Sequence[Call], first: int, status: int, text: str) -> list[Any]:
        if status == UNAUTHORISED:
            if self._settings.cookie is not None:
                raise _Passing("the node refused the cookie")  # it writes a new one at each start
            raise RpcError(self._chain, calls[0][0], status, "wrong user or password")
        if status == BUSY:
            raise _Passing("the node is busy")
        try:
            answers = json.loads(text, parse_float=Decimal)
        except ValueError:
            raise _Passing(f"no JSON, HTTP status {status}") from None
        if isinstance(answers, dict):
            answers = [answers | {"id": first}]  # a refusal of the whole request
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        return [self._one(method, by_id.get(first + index)) for index, (method, _) in enumerate(calls)]

    def _one(self, method: str, answer: dict[str, Any] | None) -> Any:
        if answer is None:
            raise _Passing("the node left out an answer")
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        code, message = int(error.get("code", 0)), str(error.get("message", ""))
        if code == IN_WARMUP:
            raise _Passing(message)
        return RpcError(self._chain, method, code, message)
