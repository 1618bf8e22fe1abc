"""The way to counterparties over HTTP: one signed message there, one signed answer back.

Every message may be sent again, so whatever fails on the way is tried again, a few times here and for as long
as it matters by those who call. Nothing that the network does can lose money; it can only cost time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from types import TracebackType
from typing import Self

import aiohttp

from htlc.errors import PeerUnavailable
from settlement.errors import MessageError, UnexpectedSender
from settlement.messages import MAX_BYTES, Message, unseal

MESSAGES = "/v1/messages"
IDENTITY = "/v1/identity"
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0  # a counterparty's node may be asked before it answers
ATTEMPTS = 3
FIRST_PAUSE = 0.25  # seconds; doubles with each attempt, times a half to one and a half at random
HTTP_OK, HTTP_EMPTY = 200, 204
RETRIED = {408, 425, 429, 500, 502, 503, 504}


class Post:
    """Sends messages of the party `us`. Made outside or inside the event loop; `close` it, or use `async with`."""

    def __init__(self, us: str, attempts: int = ATTEMPTS) -> None:
        self._us = us
        self._attempts = attempts
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, url: str, message: Message) -> Message:
        """Deliver a message; the recipient's signed answer. Raises PeerUnavailable, whatever went wrong."""
        if not url:
            raise PeerUnavailable(message.recipient, "it did not say where it can be reached")
        for attempt in range(1, self._attempts + 1):
            try:
                return await self._send_once(url, message)
            except _Passing as fault:
                if attempt == self._attempts:
                    raise PeerUnavailable(url, str(fault)) from fault
            await asyncio.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
        raise PeerUnavailable(url, "no attempt was made")

    async def _send_once(self, url: str, message: Message) -> Message:
        raw = await self._request("POST", url.rstrip("/") + MESSAGES, message.text.encode())
        try:
            answer = unseal(raw, self._us)
            if answer.sender != message.recipient:
                raise UnexpectedSender(answer.sender)
        except MessageError as error:
            raise PeerUnavailable(url, f"its answer is not good: {error}") from error
        return answer

    async def tell(self, url: str, message: Message) -> None:
        """Deliver a receipt, once, if it can be done: what it confirms would be sent again anyway."""
        with contextlib.suppress(_Passing, PeerUnavailable):
            await self._request("POST", url.rstrip("/") + MESSAGES, message.text.encode())

    async def identity(self, url: str) -> str:
        """The identity that the party at `url` says it has: to be confirmed by people before money depends on it.
        Raises PeerUnavailable."""
        try:
            raw = await self._request("GET", url.rstrip("/") + IDENTITY, None)
        except _Passing as fault:
            raise PeerUnavailable(url, str(fault)) from fault
        text = raw.decode("ascii", "replace").strip()
        if len(text) != 64 or set(text) - set("0123456789abcdef"):
            raise PeerUnavailable(url, "it does not say who it is")
        return text

    async def _request(self, method: str, url: str, data: bytes | None) -> bytes:
        """The body of a good answer. Raises _Passing where it may be tried again, else PeerUnavailable."""
        try:
            async with self._open().request(method, url, data=data, allow_redirects=False) as response:
                if response.status in RETRIED:
                    raise _Passing(f"it answered {response.status}")
                body = await response.content.read(MAX_BYTES + 1)
                while len(body) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
                    body += more
                if response.status not in (HTTP_OK, HTTP_EMPTY):
                    raise PeerUnavailable(url, f"it answered {response.status}: {_words(body)}")
                return body
        except TimeoutError as error:
            raise _Passing("it did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _Passing(str(error) or type(error).__name__) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, headers={"Content-Type": "application/json"})
        return self._session


class _Passing(Exception):
    """A fault of the network or the peer that may be gone at the next attempt."""


def _words(body: bytes) -> str:
    """What an error page says, as far as it can be shown."""
    return "".join(char if char.isprintable() else " " for char in body[:300].decode("ascii", "replace"))
