"""What the API can be asked: an operation is data, from which routes, checks and the OpenAPI document follow.

A resource adds operations by a method of its own; nothing else must be touched.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter

from chains.errors import StrikelockError
from relayer.api.scopes import Caller, Scope
from settlement.store.requests import RequestKey

Q = TypeVar("Q", bound="Query")
B = TypeVar("B")


class Query(BaseModel):
    """Parameters behind the question mark. Unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """There are none."""


@dataclass(frozen=True, slots=True)
class Param:
    """A part of a path that names something. Nothing of another shape gets past the door."""

    pattern: str
    about: str
    example: str

    def fits(self, value: str) -> bool:
        return re.fullmatch(self.pattern.strip("^$"), value) is not None


WORD: Final = "^[a-z0-9][a-z0-9._-]{0,63}$"
PARAMS: Final[Mapping[str, Param]] = {
    "deal": Param("^[0-9a-f]{32}$", "A deal's id.", "0" * 32),
    "proposal": Param("^[0-9a-f]{64}$", "A proposal's id.", "0" * 64),
    "offer": Param("^[0-9a-f]{64}$", "An offer's id.", "0" * 64),
    "taking": Param("^[0-9a-f]{64}$", "The id of a taking: of the quote that was taken.", "0" * 64),
    "chain": Param(WORD, "A chain's name in the configuration.", "bitcoin"),
    "leg": Param(WORD, "A leg's name in its protocol.", "collateral"),
    "lane": Param(WORD, "A lane's name in the configuration.", "there"),
    "message": Param("^[0-9a-f]{64}$", "A message's id.", "0" * 64),
    "token": Param("^[0-9a-f]{16}$", "A token's id.", "0" * 16),
}


class Keyed(Enum):
    """Whether an operation takes an Idempotency-Key."""

    NO = "no"
    MAY = "may"
    MUST = "must"  # without one, asking twice would do it twice


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request, checked. params: by name in the path. key: of its idempotency, if it came with one. made: the
    id of what an earlier try of the same request has made before it was cut off."""

    caller: Caller
    request: web.Request
    params: Mapping[str, str]
    query: Q
    body: B
    key: RequestKey | None = None
    made: str | None = None


Answers = Callable[[Call[Q, B]], Awaitable[BaseModel]]
Streams = Callable[[Call[Q, B]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation(Generic[Q, B]):
    """about: one sentence. answer: what it gives. problems: what it may refuse with, besides what the door does.
    socket: served at the UNIX socket only. An operation either answers or streams."""

    method: str
    path: str
    name: str
    about: str
    scope: Scope
    answer: type[BaseModel]
    answers: Answers[Q, B] | None
    query: type[Query] = NoQuery
    body: TypeAdapter[Any] | None = None
    status: int = 200
    keyed: Keyed = Keyed.NO
    problems: tuple[type[StrikelockError], ...] = ()
    socket: bool = False
    streams: Streams[Q, B] | None = None

    @property
    def params(self) -> tuple[str, ...]:
        """Names in the path."""
        return tuple(re.findall(r"\{([a-z]+)\}", self.path))

    @property
    def tag(self) -> str:
        """The resource it belongs to."""
        return self.path.split("/")[2]


AnyOperation = Operation[Any, Any]


class Resource(Protocol):
    """Something there is under /v1."""

    def operations(self) -> tuple[AnyOperation, ...]: ...
