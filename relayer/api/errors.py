"""What can be wrong with a request to the API, before anybody looks at what it is about.

Each class is one type of problem; `status` is its HTTP status. What its docstring says first is the title.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chains.errors import StrikelockError


@dataclass(eq=False)
class ApiError(StrikelockError):
    """A request that is not served."""

    status: ClassVar[int] = 400


@dataclass(eq=False)
class NotServedHere(ApiError):
    """A Host header that does not name this server."""

    host: str
    template = "this server is not {host!r}"
    status = 421


@dataclass(eq=False)
class CrossSite(ApiError):
    """A page of another site asks."""

    template = "pages of other sites get nothing here"
    status = 403


@dataclass(eq=False)
class TokenNeeded(ApiError):
    """No token, or none that is good."""

    reason: str
    template = "{reason}"
    status = 401


@dataclass(eq=False)
class ScopeTooSmall(ApiError):
    """A token that is not good for this."""

    needed: str
    found: str
    template = "this needs the scope {needed!r}; the token has {found!r}"
    status = 403


@dataclass(eq=False)
class TooManyRequests(ApiError):
    """More requests than one caller is answered."""

    wait: float
    template = "slow down: try again in {wait:.1f} seconds"
    status = 429


@dataclass(eq=False)
class TooManyStreams(ApiError):
    """More streams of events than are served at once."""

    most: int
    template = "{most} streams of events are open already"
    status = 429


@dataclass(eq=False)
class NoSuchPath(ApiError):
    """Nothing is served at that path."""

    path: str
    template = "there is nothing at {path}"
    status = 404


@dataclass(eq=False)
class WrongMethod(ApiError):
    """A method that the path does not have."""

    method: str
    allowed: str
    template = "{method} is not served here; {allowed} is"
    status = 405


@dataclass(eq=False)
class InvalidRequest(ApiError):
    """A parameter or a field that is missing, unknown or not of its shape."""

    field: str
    reason: str
    template = "{field}: {reason}"


@dataclass(eq=False)
class InvalidJson(ApiError):
    """A body that is no JSON, or none that is read here: too deeply nested, NaN, a name that occurs twice."""

    reason: str
    template = "the body is not read: {reason}"


@dataclass(eq=False)
class NotJson(ApiError):
    """A body of another content type."""

    found: str
    template = "the body must be application/json, not {found!r}"
    status = 415


@dataclass(eq=False)
class BodyTooLarge(ApiError):
    """A body with more bytes than are read."""

    limit: int
    template = "a body has at most {limit} bytes"
    status = 413


@dataclass(eq=False)
class BodyTooSlow(ApiError):
    """A body that does not arrive in time."""

    seconds: float
    template = "a body has to be here within {seconds:.0f} seconds"
    status = 408


@dataclass(eq=False)
class KeyReused(ApiError):
    """An idempotency key that was used for another request."""

    key: str
    template = "the key {key!r} was used for another request"
    status = 409


@dataclass(eq=False)
class KeyBusy(ApiError):
    """An idempotency key of a request that is being worked on."""

    key: str
    template = "the request with the key {key!r} is being worked on: ask again"
    status = 409


@dataclass(eq=False)
class Broken(ApiError):
    """A fault of this server. It is in its log."""

    template = "something went wrong here; the log says what"
    status = 500


@dataclass(eq=False)
class SenselessWish(ApiError):
    """A wish that the deal can never fulfil."""

    deal: str
    wish: str
    reason: str
    template = "{wish} makes no sense for deal {deal}: {reason}"
    status = 409


@dataclass(eq=False)
class NoSuchChain(ApiError):
    """A chain that the configuration does not have."""

    chain: str
    template = "there is no chain {chain!r} here"
    status = 404


@dataclass(eq=False)
class NoSuchLeg(ApiError):
    """A leg that the deal does not have."""

    deal: str
    leg: str
    template = "deal {deal} has no leg {leg!r}"
    status = 404


@dataclass(eq=False)
class NotKnownYet(ApiError):
    """Something that no chain was asked for yet, such as the decimals of a token."""

    what: str
    template = "{what} not known yet: try again when its chain is seen"
    status = 503


@dataclass(eq=False)
class NoPrice(ApiError):
    """An option or a market for which there is no price."""

    reason: str
    template = "there is no price: {reason}"
    status = 409
