"""Tokens: made once, shown once, known afterwards by their digest alone.

A token is `slk_ID_SECRET`. The secret has 256 bits from the system's source of randomness, so one round of SHA-256
keeps it as well as a slow hash would, and costs nothing at each request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

from relayer.api.errors import TokenNeeded
from relayer.api.scopes import Caller, Scope
from settlement.store.tokens import TokenBook, TokenRecord

PREFIX: Final = "slk"
SHOWN: Final = re.compile(r"slk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
FRESH_SECONDS: Final = 1.0  # so long is believed what the store said: a revoked token is good for no longer
NOBODY: Final = TokenRecord("", "", Scope.READ, bytes(32), 0, revoked_at=0)  # compared with where there is no such


def new_token(name: str, scope: Scope, now: int, lasts: int | None) -> tuple[TokenRecord, str]:
    """A fresh token: what is stored of it, and what is shown. lasts: seconds, None for ever."""
    id_, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    record = TokenRecord(id_, name, scope.value, _digest(secret), now, None if lasts is None else now + lasts)
    return record, f"{PREFIX}_{id_}_{secret}"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Wardens:
    """Knows whose token it is that somebody shows. `clock` gives UNIX seconds."""

    def __init__(self, book: TokenBook, clock: Callable[[], float]) -> None:
        self._book = book
        self._clock = clock
        self._known: dict[str, TokenRecord] = {}
        self._read_at: float | None = None

    async def caller(self, authorization: str | None) -> Caller | None:
        """Whoever shows this in an Authorization header; None without one. Raises TokenNeeded where it is no good
        token, StoreUnavailable."""
        if authorization is None:
            return None
        kind, _, shown = authorization.partition(" ")
        found = SHOWN.fullmatch(shown.strip())
        if kind.lower() != "bearer" or found is None:
            raise TokenNeeded("this is no token of ours")
        id_, secret = found.groups()
        record = (await self._records()).get(id_, NOBODY)
        same = hmac.compare_digest(record.digest, _digest(secret))
        if not (same and record.good(self._clock())):
            raise TokenNeeded("the token is unknown, expired or revoked")
        return Caller(f"token {record.id}", Scope(record.scope))

    def forget(self) -> None:
        """Ask the store again at the next request."""
        self._read_at = None

    async def _records(self) -> dict[str, TokenRecord]:
        now = self._clock()
        if self._read_at is None or not self._read_at <= now < self._read_at + FRESH_SECONDS:
            self._known = {record.id: record for record in await self._book.all()}
            self._read_at = now
        return self._known
