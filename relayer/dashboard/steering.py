"""What a reader of the page may ask for, with the token that stands in a file only the party's user can read.

The token comes in a header, which no page from elsewhere can send here. What is asked for is stored as
`strikelock deal exercise` and its like store it; whether and when it is safe is the plan's to say.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from chains.errors import StrikelockError
from htlc.errors import NoSuchDeal
from htlc.ports import Deal
from htlc.protocols.base import Will
from relayer.errors import DealOver
from settlement.proposal import Proposal
from settlement.store.errors import NoSuchProposal

TOKEN_FILE: Final = "page-token"  # noqa: S105 - its name
FILE_MODE: Final = 0o600
BODY_SECONDS: Final = 5.0  # a sender who takes longer is let go


class Wish(StrEnum):
    """Of a deal of ours."""

    EXERCISE = "exercise"
    LET_GO = "let_go"
    STOP = "stop"


class Decision(StrEnum):
    """On a proposal."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


B = TypeVar("B", bound=_Body)


class WishBody(_Body):
    wish: Wish


class DecisionBody(_Body):
    decision: Decision


class Journal(Protocol):
    """What is needed of the store."""

    async def deal(self, deal: str) -> Deal: ...

    async def resolve(self, deal: str, will: Will) -> None: ...


class Agreement(Protocol):
    """What is needed of the agreement."""

    async def accept(self, id_: str) -> Proposal: ...

    async def refuse(self, id_: str) -> Proposal: ...


def page_token(folder: Path) -> str:
    """The token of a party's page; made at the first call. Raises OSError."""
    file = folder / TOKEN_FILE
    try:
        made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(made, "w") as out:
        token = secrets.token_urlsafe(32)
        out.write(token + "\n")
    return token


class Steering:
    """Takes requests that change what the party does."""

    def __init__(self, journal: Journal, agreement: Agreement, token: str) -> None:
        self._journal = journal
        self._agreement = agreement
        self._token = token

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/board/deals/{deal:[0-9a-f]{1,64}}/will", self._wish),
            web.post("/board/proposals/{proposal:[0-9a-f]{1,64}}", self._decide),
        ]

    async def _wish(self, request: web.Request) -> web.Response:
        wish = (await self._body(request, WishBody)).wish
        deal = request.match_info["deal"]
        try:
            found = await self._journal.deal(deal)
            if found.outcome is not None:
                raise DealOver(deal, found.outcome)
            await self._journal.resolve(deal, replace(found.will, **{wish.value: True}))
        except StrikelockError as error:
            raise _refusal(error) from error
        return web.json_response({"deal": deal, "wish": wish})

    async def _decide(self, request: web.Request) -> web.Response:
        decision = (await self._body(request, DecisionBody)).decision
        decide = self._agreement.accept if decision is Decision.ACCEPT else self._agreement.refuse
        try:
            proposal = await decide(request.match_info["proposal"])
        except StrikelockError as error:
            raise _refusal(error) from error
        return web.json_response({"proposal": proposal.id, "state": proposal.stage.name})

    async def _body(self, request: web.Request, model: type[B]) -> B:
        """The body of a request that shows the token. Raises HTTPUnauthorized, HTTPRequestTimeout or
        HTTPBadRequest."""
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not hmac.compare_digest(shown.encode(), self._token.encode()):
            challenge = {"WWW-Authenticate": "Bearer"}
            raise web.HTTPUnauthorized(text="the token is missing or wrong", headers=challenge)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return model.model_validate_json(await request.read())
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the body takes too long") from None
        except ValidationError as error:
            raise web.HTTPBadRequest(text=error.errors()[0]["msg"]) from None


def _refusal(error: StrikelockError) -> web.HTTPException:
    if isinstance(error, NoSuchDeal | NoSuchProposal):
        return web.HTTPNotFound(text=str(error))
    return web.HTTPConflict(text=str(error))
