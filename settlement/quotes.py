"""What parties say to each other around offers: a listing, an ask, a quote, and that it is taken.

    taker                                    maker
    listing  -- which offers? ---------->
             <------------ offers --------   signed offers and what is left of each
    ask      -- so much of one? -------->
             <------------- quote --------   the premium and the deadlines, good until a moment
    take     -- that quote ------------->    so much is reserved
             <---------- proposal --------   an ordinary one, of exactly what was quoted

A quote is a signed message of the maker's, and comes back with the take: the maker remembers none of those that
nobody takes. Its id names the taking, so a take that is sent again finds the proposal that it made before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from settlement.bodies import parse_url
from settlement.errors import MalformedMessage
from settlement.fields import amount, hex_bytes, line, moment, record, whole, word
from settlement.messages import MAX_BYTES
from settlement.offers import SignedOffer, read_offer

NONCE_BYTES: Final = 16  # so that two asks of one second are two
MOST_LISTED: Final = 24  # offers in one answer: of two KiB at most each, as a message holds 64
MOST_SKIPPED: Final = 10_000
MOST_ANSWER: Final = 300  # seconds from a quote's end within which the proposal made of it must be over


@dataclass(frozen=True, slots=True)
class ListingBody:
    """Which offers there are. skip: so many that the asker knows. offer: the id of the only one that is wanted, or
    ""."""

    skip: int = 0
    offer: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"skip": self.skip, "offer": self.offer}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"skip", "offer"})
        offer = fields["offer"] and hex_bytes(fields["offer"], "offer", 32)
        return cls(whole(fields["skip"], "skip", 0, MOST_SKIPPED), line(offer, "offer", 64))


@dataclass(frozen=True, slots=True)
class Listed:
    """An offer, and how much of it is left."""

    offer: SignedOffer
    remaining: int


@dataclass(frozen=True, slots=True)
class OffersBody:
    """The answer to a listing. next: what to skip for those after these, 0 if there are none."""

    offers: tuple[Listed, ...]
    next: int

    def to_json(self) -> dict[str, Any]:
        listed = [{"offer": one.offer.text, "remaining": str(one.remaining)} for one in self.offers]
        return {"offers": listed, "next": self.next}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage, and what `read_offer` raises."""
        fields = record(data, {"offers", "next"})
        items = fields["offers"]
        if not isinstance(items, list) or len(items) > MOST_LISTED:
            raise MalformedMessage("body.offers", f"it must be a list of at most {MOST_LISTED}")
        return cls(tuple(_listed(item) for item in items), whole(fields["next"], "next", 0, MOST_SKIPPED))


def _listed(item: Any) -> Listed:
    fields = record(item, {"offer", "remaining"}, "offers")
    offer = read_offer(line(fields["offer"], "offers", MAX_BYTES).encode())
    return Listed(offer, amount(fields["remaining"], "remaining"))


@dataclass(frozen=True, slots=True)
class AskBody:
    """What does so much of an offer cost? size: of the underlying, smallest units. nonce: of the asker's, hex."""

    offer: str
    size: int
    nonce: str

    def to_json(self) -> dict[str, Any]:
        return {"offer": self.offer, "size": str(self.size), "nonce": self.nonce}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"offer", "size", "nonce"})
        return cls(
            hex_bytes(fields["offer"], "offer", 32),
            amount(fields["size"], "size"),
            hex_bytes(fields["nonce"], "nonce", NONCE_BYTES),
        )


@dataclass(frozen=True, slots=True)
class QuoteBody:
    """What it costs. premium: in smallest units. times: the deadlines that the deal will have. until: UNIX
    seconds; a take that arrives later is refused."""

    offer: str
    size: int
    nonce: str
    premium: int
    times: Mapping[str, int]
    until: int

    def to_json(self) -> dict[str, Any]:
        return {
            "offer": self.offer,
            "size": str(self.size),
            "nonce": self.nonce,
            "premium": str(self.premium),
            "times": dict(self.times),
            "until": self.until,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"offer", "size", "nonce", "premium", "times", "until"})
        times = fields["times"]
        if not isinstance(times, dict):
            raise MalformedMessage("body.times", "it must be an object")
        return cls(
            offer=hex_bytes(fields["offer"], "offer", 32),
            size=amount(fields["size"], "size"),
            nonce=hex_bytes(fields["nonce"], "nonce", NONCE_BYTES),
            premium=amount(fields["premium"], "premium"),
            times={word(name, "times"): moment(time, "times") for name, time in times.items()},
            until=moment(fields["until"], "until"),
        )


@dataclass(frozen=True, slots=True)
class TakeBody:
    """A quote is taken. quote: the signed message. url: where its taker is reached."""

    quote: str
    url: str

    def to_json(self) -> dict[str, Any]:
        return {"quote": self.quote, "url": self.url}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"quote", "url"})
        return cls(line(fields["quote"], "quote", MAX_BYTES), parse_url(fields["url"]))
