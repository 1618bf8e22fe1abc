"""Failures as problem documents (RFC 9457): one type for each class of error, with its fields beside the words."""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from chains.errors import ChainError, StrikelockError
from htlc.errors import NoSuchDeal
from relayer.api.errors import ApiError, TooManyRequests, TooManyStreams
from relayer.errors import NoSuchLane, NoSuchMessage, error_fields
from settlement.errors import NoSuchOffer, NoSuchTaking
from settlement.store.errors import NoSuchProposal, NoSuchToken, StoreError, StoreUnavailable

CONTENT_TYPE: Final = "application/problem+json"
PREFIX: Final = "urn:strikelock:problem:"
BUSY_SECONDS: Final = 1  # that a client waits where the server is not ready

NOT_FOUND = (NoSuchDeal, NoSuchProposal, NoSuchOffer, NoSuchTaking, NoSuchToken, NoSuchLane, NoSuchMessage)
RESERVED: Final = frozenset({"type", "title", "status", "detail", "instance"})


class Problem(BaseModel):
    """What went wrong. `type` tells programs, `detail` people; further members are those of the type."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(pattern="^urn:strikelock:problem:[a-z0-9-]+$", examples=[PREFIX + "no-such-deal"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str


def type_of(kind: type[StrikelockError]) -> str:
    """The URN of a class of errors."""
    return PREFIX + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def status_of(kind: type[StrikelockError]) -> int:
    """400: the request is not of the shape that the document says. 409: it is, and as things stand the answer is
    no. 503: not now."""
    if issubclass(kind, ApiError):
        return kind.status
    if issubclass(kind, NOT_FOUND):
        return 404
    if issubclass(kind, StoreUnavailable | ChainError):
        return 503
    return 500 if issubclass(kind, StoreError) else 409


def problem(error: StrikelockError) -> Problem:
    """The document of an error."""
    more: dict[str, Any] = {k: v for k, v in error_fields(error).items() if k not in RESERVED}
    kind = type(error)
    return Problem(
        type=type_of(kind),
        title=title_of(kind),
        status=status_of(kind),
        detail=str(error) or title_of(kind),
        **more,
    )


def title_of(kind: type[StrikelockError]) -> str:
    """What the docstring of an error says first."""
    return " ".join((kind.__doc__ or kind.__name__).split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def refusal(error: StrikelockError) -> web.Response:
    """The answer to a request that failed."""
    found = problem(error)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(int(error.wait) + 1)
    elif found.status == 503 or isinstance(error, TooManyStreams):
        headers["Retry-After"] = str(BUSY_SECONDS)
    elif found.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        text=found.model_dump_json(), status=found.status, content_type=CONTENT_TYPE, headers=headers
    )
