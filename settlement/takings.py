"""A taking: a part of an offer that somebody took, from the take to what became of its deal.

How one stands is never stored: it is read off its proposal and its deal, so it can't differ from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from htlc.protocols.option import COLLATERAL, PREMIUM, STRIKE, WRITER
from htlc.terms import LegTerms
from settlement.bodies import ProposalBody
from settlement.errors import QuoteMismatch
from settlement.messages import read
from settlement.offers import PROTOCOL, Conditions, read_offer
from settlement.quotes import QuoteBody

MEMORY_SECONDS: Final = 30 * 24 * 3600  # for how long it counts that a taking fell through


class TakingState(StrEnum):
    """How a taking stands."""

    ASKED = "asked"  # ours: the maker's proposal is not here yet
    RESERVED = "reserved"  # proposed, and not accepted yet
    AGREED = "agreed"  # a deal; the premium is not taken yet
    LIVE = "live"  # the premium is taken: an option
    DONE = "done"  # the option was exercised, or expired
    FAILED = "failed"  # the proposal was refused or not answered, or nobody paid
    WITHDRAWN = "withdrawn"  # the maker took the proposal back

    @property
    def holds(self) -> bool:
        """Whether its size is not for others any more."""
        return self in (TakingState.RESERVED, TakingState.AGREED, TakingState.LIVE, TakingState.DONE)

    @property
    def unpaid(self) -> bool:
        """Whether it holds a size, and perhaps locks money, that nothing was paid for yet."""
        return self in (TakingState.RESERVED, TakingState.AGREED)


@dataclass(frozen=True, slots=True)
class Taking:
    """What was taken. id: of the quote. sent: we took it; if not, it is of an offer of ours. offer: its id; text:
    the signed offer. quote: the signed quote. peer, url: the other party, and where it is reached.

    size: of the underlying. asset, locked: what we lock by it, "chain/asset" and smallest units. until: the last
    moment at which its proposal is answered; due: at which the premium is taken. UNIX seconds, like created_at.
    """

    id: str
    sent: bool
    offer: str
    text: str
    quote: str
    peer: str
    url: str
    size: int
    premium: int
    asset: str
    locked: int
    created_at: int
    until: int
    due: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a taking stands now. proposal, deal: ids, once there are any. failed_at: when it fell through by the
    other party's doing. funded: whether we have signed for what we lock."""

    taking: Taking
    state: TakingState
    proposal: str | None = None
    deal: str | None = None
    outcome: str | None = None
    failed_at: int | None = None
    funded: bool = False


def locked_by(conditions: Conditions, role: str, legs: Mapping[str, LegTerms]) -> tuple[str, int]:
    """What a role locks in a deal of these legs: "chain/asset", and smallest units."""
    if role == WRITER:
        return str(conditions.places[COLLATERAL]), legs[COLLATERAL].amount
    return str(conditions.places[STRIKE]), legs[STRIKE].amount + legs[PREMIUM].amount


def check_answer(taking: Taking, body: ProposalBody) -> None:
    """Raise QuoteMismatch unless a proposal is exactly what was quoted, so that nobody need be asked again."""
    conditions = read_offer(taking.text.encode()).conditions
    quote = QuoteBody.parse(read(taking.quote.encode()).body)
    legs = conditions.legs(quote.size, quote.premium)
    for field, expected, found in _pairs(conditions, quote, legs, body):
        if expected != found:
            raise QuoteMismatch(field, str(expected), str(found))
    if body.until > taking.until:
        raise QuoteMismatch("until", f"at most {taking.until}", str(body.until))


def _pairs(
    conditions: Conditions, quote: QuoteBody, legs: Mapping[str, LegTerms], body: ProposalBody
) -> Iterator[tuple[str, object, object]]:
    """What must be the same, field by field."""
    yield "protocol", PROTOCOL, body.terms.protocol
    yield "role", conditions.role, body.role
    yield "options", conditions.options, dict(body.terms.options)
    yield "networks", dict(conditions.networks), dict(body.terms.networks)
    yield "legs", sorted(legs), sorted(body.terms.legs)
    for leg, terms in legs.items():
        yield f"legs.{leg}", terms, body.terms.legs[leg]
    yield "times", dict(quote.times), dict(body.terms.times)
    yield "quorum", None, body.terms.quorum
