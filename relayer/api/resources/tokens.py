"""/v1/tokens: who may use the API. At the socket only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from relayer.api import models, views
from relayer.api.asks import PageQuery, TokenBody
from relayer.api.operation import AnyOperation, Call, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.api.tokens import Wardens, new_token
from settlement.store.errors import NoSuchToken
from settlement.store.tokens import TokenRecord

if TYPE_CHECKING:
    from relayer.daemon import Daemon


class Tokens:
    """Made, listed and taken back."""

    def __init__(self, daemon: Daemon, wardens: Wardens) -> None:
        self._book = daemon.party.store.tokens
        self._clock = daemon.party.clock
        self._wardens = wardens

    def operations(self) -> tuple[AnyOperation, ...]:
        one, path, admin = "/v1/tokens/{token}", "/v1/tokens", Scope.ADMIN
        return (
            Operation(
                "GET",
                path,
                "listTokens",
                "List tokens.",
                admin,
                models.TokenPage,
                self.all,
                query=PageQuery,
                socket=True,
            ),
            Operation(
                "POST",
                path,
                "newToken",
                "Make a token; its secret is in the answer and nowhere else.",
                admin,
                models.FreshToken,
                self.new,
                body=TypeAdapter(TokenBody),
                status=201,
                socket=True,
            ),
            Operation(
                "DELETE",
                one,
                "revokeToken",
                "Take a token back; again changes nothing.",
                admin,
                models.Token,
                self.revoke,
                problems=(NoSuchToken,),
                socket=True,
            ),
        )

    async def all(self, call: Call[PageQuery, None]) -> models.TokenPage:
        shown, place = views.piece(await self._book.all(), call.query.first, call.query.limit)
        return models.TokenPage(tokens=tuple(token(one) for one in shown), **place)

    async def new(self, call: Call[NoQuery, TokenBody]) -> models.FreshToken:
        body = call.body
        record, secret = new_token(body.name, Scope(body.scope), int(self._clock.now()), body.lasts)
        await self._book.add(record)
        self._wardens.forget()
        return models.FreshToken(token=token(record), secret=secret)

    async def revoke(self, call: Call[NoQuery, None]) -> models.Token:
        id_ = call.params["token"]
        await self._book.revoke(id_, int(self._clock.now()))
        self._wardens.forget()
        return next(token(one) for one in await self._book.all() if one.id == id_)


def token(record: TokenRecord) -> models.Token:
    """A token without its secret."""
    return models.Token.model_validate(
        {
            "id": record.id,
            "name": record.name,
            "scope": record.scope,
            "created_at": record.created_at,
            "expires_at": record.expires_at,
            "revoked_at": record.revoked_at,
        }
    )
