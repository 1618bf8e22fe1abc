"""What the messages say: one frozen class for each type, with its JSON form and its strict reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from htlc.errors import MalformedTerms
from htlc.terms import Terms, parse_terms
from settlement.errors import MalformedMessage
from settlement.fields import hex_bytes, line, moment, record, word

MAX_URL = 256
MAX_REASON = 500
MAX_CONSENT = 32 * 1024
MAX_TEXT = 16 * 1024  # a script in hex is the longest part of a leg

LegForm = Mapping[str, str]  # a rebuilt leg, field by field: see settlement.rebuild


@dataclass(frozen=True, slots=True)
class ProposalBody:
    """terms: with the proposer's contribution alone. role: the proposer's. url: where answers reach it, or "".
    until: UNIX seconds; an acceptance that arrives later is refused. of: the quote whose taking this answers, or
    "" for a proposal that nobody asked for."""

    terms: Terms
    role: str
    url: str
    until: int
    of: str = ""

    def to_json(self) -> dict[str, Any]:
        form = {"terms": self.terms.to_json(), "role": self.role, "url": self.url, "until": self.until}
        return {**form, "of": self.of} if self.of else form

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage, MalformedTerms."""
        fields = record(data, {"terms", "role", "url", "until"} | ({"of"} & data.keys()))
        role = word(fields["role"], "role")
        terms = parse_terms(fields["terms"])
        if set(terms.parties) != {role}:
            raise MalformedTerms("parties", "a proposal has the proposer's contribution and no other")
        of = hex_bytes(fields["of"], "of", 32) if "of" in fields else ""
        return cls(terms, role, parse_url(fields["url"]), moment(fields["until"], "until"), of)


@dataclass(frozen=True, slots=True)
class AcceptanceBody:
    """proposal: id of the message that is accepted. terms: complete. legs: each as the acceptor rebuilt it."""

    proposal: str
    terms: Terms
    legs: Mapping[str, LegForm]
    url: str

    def to_json(self) -> dict[str, Any]:
        return {
            "proposal": self.proposal,
            "terms": self.terms.to_json(),
            "legs": {name: dict(leg) for name, leg in self.legs.items()},
            "url": self.url,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage, MalformedTerms."""
        fields = record(data, {"proposal", "terms", "legs", "url"})
        return cls(
            proposal=hex_bytes(fields["proposal"], "proposal", 32),
            terms=parse_terms(fields["terms"]),
            legs=_legs(fields["legs"]),
            url=parse_url(fields["url"]),
        )


@dataclass(frozen=True, slots=True)
class AcknowledgementBody:
    """The proposer has stored the complete terms. deal: their id. legs: each as the proposer rebuilt it."""

    proposal: str
    deal: str
    legs: Mapping[str, LegForm]

    def to_json(self) -> dict[str, Any]:
        legs = {name: dict(leg) for name, leg in self.legs.items()}
        return {"proposal": self.proposal, "deal": self.deal, "legs": legs}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"proposal", "deal", "legs"})
        proposal, deal = hex_bytes(fields["proposal"], "proposal", 32), hex_bytes(fields["deal"], "deal", 16)
        return cls(proposal, deal, _legs(fields["legs"]))


@dataclass(frozen=True, slots=True)
class RefusalBody:
    """of: id of the message that is refused. code: name of the error. reason: for people."""

    of: str
    code: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"of": self.of, "code": self.code, "reason": self.reason}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"of", "code", "reason"})
        reason = line(fields["reason"], "reason", MAX_REASON)
        return cls(hex_bytes(fields["of"], "of", 32), word(fields["code"], "code"), reason)


@dataclass(frozen=True, slots=True)
class ReceiptBody:
    """of: id of the message that was received and stored. state: what became of what it is about."""

    of: str
    state: str

    def to_json(self) -> dict[str, Any]:
        return {"of": self.of, "state": self.state}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"of", "state"})
        return cls(hex_bytes(fields["of"], "of", 32), word(fields["state"], "state"))


@dataclass(frozen=True, slots=True)
class ReleaseBody:
    """A release signature for a leg of a deal, as `Wallet.consent` gave it."""

    deal: str
    leg: str
    path: str
    consent: str

    def to_json(self) -> dict[str, Any]:
        return {"deal": self.deal, "leg": self.leg, "path": self.path, "consent": self.consent}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage."""
        fields = record(data, {"deal", "leg", "path", "consent"})
        return cls(
            deal=hex_bytes(fields["deal"], "deal", 16),
            leg=word(fields["leg"], "leg"),
            path=word(fields["path"], "path"),
            consent=line(fields["consent"], "consent", MAX_CONSENT),
        )


def printable(text: str, limit: int = MAX_REASON) -> str:
    """A text as a message may carry it: ASCII, printable, not too long, not empty."""
    ascii_ = text.encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else " " for char in ascii_)[:limit] or "-"


def _legs(value: Any) -> dict[str, LegForm]:
    if not isinstance(value, dict) or not all(isinstance(leg, dict) for leg in value.values()):
        raise MalformedMessage("body.legs", "it must be an object of objects")
    return {
        word(name, "legs"): {
            line(field, f"legs.{name}", 256): line(text, f"legs.{name}", MAX_TEXT) for field, text in leg.items()
        }
        for name, leg in value.items()
    }


def parse_url(value: Any) -> str:
    """Where a party is reached: "" or an http(s) URL without user, query and fragment. Raises MalformedMessage."""
    text = line(value, "url", MAX_URL)
    if not text:
        return text
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise MalformedMessage("body.url", "it is not a URL") from error
    plain = not (parts.username or parts.password or parts.query or parts.fragment) and " " not in text
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise MalformedMessage("body.url", "it must be an http(s) URL without user, query and fragment")
    return text
