"""Idempotency: a request with a key is done once, and asking again gives the first answer.

The key is claimed on disk before anything is done, and what is made for it is noted with what is made. After a
crash in between, the same request finds what it had made and goes on from there; wishes and decisions are
the same when they are stored again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from htlc.terms import canonical
from relayer.api.errors import InvalidRequest, KeyBusy, KeyReused
from relayer.api.scopes import Caller
from settlement.store.errors import StoreError
from settlement.store.requests import KEPT_SECONDS, RequestBook, RequestKey

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
PATTERN: Final = "^[A-Za-z0-9._~-]{8,64}$"
UNANSWERED: Final = (
    500  # answers from here on are not kept: nothing came of the request, and it may be tried again
)

__all__ = ["HEADER", "KEPT_SECONDS", "PATTERN", "REPLAYED", "Keys", "Reply", "fingerprint", "read_key"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered: status and JSON. again: it was answered before."""

    status: int
    text: str
    again: bool = False


Work = Callable[[str | None], Awaitable[Reply]]  # given what an earlier try has made


def read_key(request: web.Request, caller: Caller) -> RequestKey | None:
    """The key of a request, if it has one. Raises InvalidRequest."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    plain = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not re.fullmatch(PATTERN.strip("^$"), plain):
        raise InvalidRequest(HEADER, "it has 8 to 64 characters of A-Z, a-z, 0-9 and ._~-")
    return RequestKey(caller.name, plain)


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """Of what a request asks for. body: as we write it, however it was written by who asks."""
    return hashlib.sha256(canonical([method, path, body.decode()])).digest()


class Keys:
    """The keys of one server."""

    def __init__(self, book: RequestBook, now: Callable[[], float]) -> None:
        self._book = book
        self._now = now
        self._working: set[RequestKey] = set()

    async def once(self, key: RequestKey, digest: bytes, work: Work) -> Reply:
        """Do `work`, or give the answer that it had. It is finished even if its caller goes away. Raises
        KeyReused, KeyBusy, StoreUnavailable."""
        if key in self._working:
            raise KeyBusy(key.key)
        self._working.add(key)
        task = asyncio.create_task(self._once(key, digest, work))
        task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    def _over(self, key: RequestKey, done: asyncio.Task[Reply]) -> None:
        self._working.discard(key)
        if not done.cancelled():
            done.exception()  # whoever waits has it; if nobody does, nobody wants it

    async def _once(self, key: RequestKey, digest: bytes, work: Work) -> Reply:
        known = await self._book.claim(key, digest, int(self._now()))
        if known is not None and known.digest != digest:
            raise KeyReused(key.key)
        if known is not None and known.busy:
            raise KeyBusy(key.key)
        if known is not None and known.status is not None:
            return Reply(known.status, known.answer or "", again=True)
        try:
            reply = await work(known.made if known is not None else None)
        except BaseException:
            with suppress(StoreError):
                await self._book.release(key)
            raise
        if reply.status < UNANSWERED:
            await self._book.answer(key, reply.status, reply.text)
        else:
            await self._book.release(key)
        return reply
