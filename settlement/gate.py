"""The door for other parties' messages: `POST /v1/messages`, `GET /v1/identity`, as aiohttp routes.

Whoever signs a message gets a signed answer. What is not even a signed message to us gets a plain refusal, with
its reason as JSON. Bodies and rates are bounded before anything costs us work.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass

from aiohttp import web

from settlement.agreement import Agreement
from settlement.errors import MessageError, OversizedMessage
from settlement.messages import MAX_BYTES, Kind, Message, unseal
from settlement.post import IDENTITY, MESSAGES
from settlement.releases import Releases
from settlement.shop import ABOUT_OFFERS, Shop

MAX_CALLERS = 4096  # whose recent rate is remembered
BODY_SECONDS = 15.0  # for 64 KiB
BAD_REQUEST, TOO_SLOW, TOO_LARGE, TOO_MANY = 400, 408, 413, 429


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages a second in the long run, and how many may come at once."""

    per_second: float
    burst: float


PER_ADDRESS = Rate(50, 200)  # several parties may share an address
PER_SENDER = Rate(10, 100)


class Limiter:
    """A bucket of tokens for each caller. Forgets those it heard of longest ago, whose buckets are full anyway."""

    def __init__(self, rate: Rate, callers: int = MAX_CALLERS) -> None:
        self._rate = rate
        self._callers = callers
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when

    def wait(self, caller: str, now: float) -> float:
        """Take a token: 0 if there was one, else seconds until there is one."""
        tokens, then = self._buckets.pop(caller, (self._rate.burst, now))
        tokens = min(self._rate.burst, tokens + (now - then) * self._rate.per_second)
        granted = tokens >= 1
        self._buckets[caller] = (tokens - granted, now)
        while len(self._buckets) > self._callers:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - tokens) / self._rate.per_second


class Gate:
    """Handlers for one party. `routes` go into any aiohttp application. shop: ours, if we make offers."""

    def __init__(
        self,
        agreement: Agreement,
        releases: Releases,
        per_address: Rate = PER_ADDRESS,
        per_sender: Rate = PER_SENDER,
        shop: Shop | None = None,
    ) -> None:
        self._agreement = agreement
        self._releases = releases
        self._shop = shop
        self._addresses = Limiter(per_address)
        self._senders = Limiter(per_sender)

    def routes(self) -> list[web.RouteDef]:
        return [web.post(MESSAGES, self.receive), web.get(IDENTITY, self.identity)]

    def application(self) -> web.Application:
        """An application with nothing but these routes."""
        application = web.Application(client_max_size=MAX_BYTES)
        application.add_routes(self.routes())
        return application

    async def identity(self, _request: web.Request) -> web.Response:
        """Who we are, as plain text."""
        return web.Response(text=self._agreement.identity.public + "\n")

    async def receive(self, request: web.Request) -> web.Response:
        """A message; the signed answer to it."""
        pause = self._addresses.wait(request.remote or "", time.monotonic())
        if pause:
            return _later(pause)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await _body(request)
            message = unseal(raw, self._agreement.identity.public)
        except TimeoutError:
            return _problem(TOO_SLOW, "TooSlow", f"a message has to be here within {BODY_SECONDS:.0f} seconds")
        except MessageError as error:
            status = TOO_LARGE if isinstance(error, OversizedMessage) else BAD_REQUEST
            return _problem(status, type(error).__name__, str(error))
        pause = self._senders.wait(message.sender, time.monotonic())
        if pause:
            return _later(pause)
        answer = await self._act(message)
        if answer is None:
            return web.Response(status=204)
        return web.Response(text=answer.text, content_type="application/json")

    async def _act(self, message: Message) -> Message | None:
        if message.kind is Kind.RELEASE:
            return await self._releases.receive(message)
        if self._shop is not None and message.kind in ABOUT_OFFERS:
            return await self._shop.receive(message)
        return await self._agreement.receive(message)


async def _body(request: web.Request) -> bytes:
    """The body, as far as we read it. Raises OversizedMessage."""
    if (request.content_length or 0) > MAX_BYTES:
        raise OversizedMessage(request.content_length or 0, MAX_BYTES)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise OversizedMessage(len(body), MAX_BYTES)
    return bytes(body)


def _problem(status: int, code: str, reason: str) -> web.Response:
    text = json.dumps({"code": code, "reason": reason})
    return web.Response(status=status, text=text, content_type="application/problem+json")


def _later(seconds: float) -> web.Response:
    response = _problem(TOO_MANY, "TooManyMessages", "slow down")
    response.headers["Retry-After"] = str(int(seconds) + 1)
    return response
