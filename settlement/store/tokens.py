"""Who may use the API: tokens, stored as digests. Part of a `Store`; every call is one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from settlement.store.database import Transact
from settlement.store.errors import NoSuchToken
from settlement.store.tables import tokens


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """digest: SHA-256 of the secret. scope: a word of the API's. Times are UNIX seconds."""

    id: str
    name: str
    scope: str
    digest: bytes
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None

    def good(self, now: float) -> bool:
        """Whether it may be used at a time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class TokenBook:
    """See the module."""

    def __init__(self, read: Transact, write: Transact) -> None:
        self._read = read
        self._write = write

    async def add(self, token: TokenRecord) -> None:
        """Store a new token."""
        row = {
            "id": token.id,
            "name": token.name,
            "scope": token.scope,
            "digest": token.digest,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
        }
        await self._write(lambda connection: connection.execute(insert(tokens), row) and None)

    async def all(self) -> tuple[TokenRecord, ...]:
        """Every token there ever was, oldest first."""
        query = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
        return await self._read(
            lambda connection: tuple(TokenRecord(**row) for row in connection.execute(query).mappings())
        )

    async def revoke(self, id_: str, at: int) -> None:
        """Take a token back; again changes nothing. Raises NoSuchToken."""
        found = select(tokens.c.id).where(tokens.c.id == id_)
        query = update(tokens).where(tokens.c.id == id_, tokens.c.revoked_at.is_(None)).values(revoked_at=at)
        known = await self._write(
            lambda connection: (connection.execute(query), connection.execute(found).scalar_one_or_none())[1]
        )
        if known is None:
            raise NoSuchToken(id_)


def revoke_all(connection: Connection, at: int) -> None:
    """Take every token back: an older copy of the database does not know which were taken back since."""
    connection.execute(update(tokens).where(tokens.c.revoked_at.is_(None)).values(revoked_at=at))
