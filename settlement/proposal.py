"""A proposal on its way to a deal: one frozen class for each stage, holding what is true in it.

we propose:      Offered -> Agreed | Refused | Lapsed
they propose:    Received -> Accepted -> Agreed,  Received -> Refused | Lapsed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from htlc.protocols.base import Guards


@dataclass(frozen=True, slots=True)
class Offered:
    """We sent it and wait for an answer. guards: our own, as checked. since: heights before any funding."""

    guards: Guards
    since: Mapping[str, int]
    name: ClassVar[str] = "offered"


@dataclass(frozen=True, slots=True)
class Received:
    """They sent it, it was checked, and our user decides."""

    name: ClassVar[str] = "received"


@dataclass(frozen=True, slots=True)
class Accepted:
    """We signed `answer` and wait for the acknowledgement. deal: the id the terms have."""

    answer: str
    deal: str
    guards: Guards
    since: Mapping[str, int]
    name: ClassVar[str] = "accepted"


@dataclass(frozen=True, slots=True)
class Agreed:
    """Both sides hold the complete terms; the deal is open."""

    answer: str
    acknowledgement: str
    deal: str
    name: ClassVar[str] = "agreed"


@dataclass(frozen=True, slots=True)
class Refused:
    """One side said no. answer: the signed refusal, if one was sent or received. code: the error's name."""

    code: str
    reason: str
    answer: str
    name: ClassVar[str] = "refused"


WITHDRAWN = "withdrawn"  # why a proposal of ours lapsed that we took back


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Nobody answered in time, or we withdrew it."""

    reason: str
    name: ClassVar[str] = "lapsed"


Stage: TypeAlias = Offered | Received | Accepted | Agreed | Refused | Lapsed


@dataclass(frozen=True, slots=True)
class Proposal:
    """One exchange, ours (`sent`) or theirs.

    id: hash of the signed message, hex. peer: the other's identity. url: where it is reached, or "". role: ours.
    message: the signed proposal, canonical JSON. until, created_at: UNIX seconds. pending: our last message
    was not confirmed by the other side yet, so it is sent again.
    """

    id: str
    sent: bool
    protocol: str
    role: str
    peer: str
    url: str
    message: str
    until: int
    created_at: int
    stage: Stage
    pending: bool
