"""What the messages say: one frozen class for each type, with its JSON form and its strict reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from htlc.errors import MalformedTerms
from htlc.terms import Terms, parse_terms
from settlement.errors import MalformedMessage

MAX_URL = 256
MAX_REASON = 500
MAX_CONSENT = 32 * 1024
MAX_TEXT = 16 * 1024  # a script in hex is the longest part of a leg
MAX_TIME = 2**40

LegForm = Mapping[str, str]  # a rebuilt leg, field by field: see settlement.rebuild

_HEX = re.compile(r"[0-9a-f]*")
_WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ProposalBody:
    """terms: with the proposer's contribution alone. role: the proposer's. url: where answers reach it, or "".
    until: UNIX seconds; an acceptance that arrives later is refused."""

    terms: Terms
    role: str
    url: str
    until: int

    def to_json(self) -> dict[str, Any]:
        return {"terms": self.terms.to_json(), "role": self.role, "url": self.url, "until": self.until}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Raises MalformedMessage, MalformedTerms."""
        fields = _object(data, {"terms", "role", "url", "until"})
        role = _word(fields["role"], "role")
        terms = parse_terms(fields["terms"])
        if set(terms.parties) != {role}:
            raise MalformedTerms("parties", "a proposal has the proposer's contribution and no other")
        return cls(terms, role, parse_url(fields["url"]), _time(fields["until"], "until"))


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
        fields = _object(data, {"proposal", "terms", "legs", "url"})
        return cls(
            proposal=_hex(fields["proposal"], "proposal", 32),
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
        fields = _object(data, {"proposal", "deal", "legs"})
        proposal, deal = _hex(fields["proposal"], "proposal", 32), _hex(fields["deal"], "deal", 16)
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
        fields = _object(data, {"of", "code", "reason"})
        reason = _text(fields["reason"], "reason", MAX_REASON)
        return cls(_hex(fields["of"], "of", 32), _word(fields["code"], "code"), reason)


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
        fields = _object(data, {"of", "state"})
        return cls(_hex(fields["of"], "of", 32), _word(fields["state"], "state"))


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
        fields = _object(data, {"deal", "leg", "path", "consent"})
        return cls(
            deal=_hex(fields["deal"], "deal", 16),
            leg=_word(fields["leg"], "leg"),
            path=_word(fields["path"], "path"),
            consent=_text(fields["consent"], "consent", MAX_CONSENT),
        )


def printable(text: str, limit: int = MAX_REASON) -> str:
    """A text as a message may carry it: ASCII, printable, not too long, not empty."""
    ascii_ = text.encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else " " for char in ascii_)[:limit] or "-"


# --- fields ----------------------------------------------------------------------------------------------


def _object(data: Any, names: set[str]) -> Mapping[str, Any]:
    for name in sorted(names - data.keys()):
        raise MalformedMessage(f"body.{name}", "it is missing")
    for name in sorted(data.keys() - names):
        raise MalformedMessage("body", f"there is no field {name[:64]!r}")
    return dict(data)


def _hex(value: Any, where: str, size: int) -> str:
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise MalformedMessage(f"body.{where}", f"it must be {size} bytes in lower-case hex")
    return value


def _word(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise MalformedMessage(f"body.{where}", "a name has 1 to 64 letters, digits, dots, dashes and underscores")
    return value


def _text(value: Any, where: str, limit: int) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or len(value) > limit:
        raise MalformedMessage(
            f"body.{where}", f"it must be a string of at most {limit} printable ASCII characters"
        )
    return value


def _time(value: Any, where: str) -> int:
    if type(value) is not int or not 0 <= value < MAX_TIME:
        raise MalformedMessage(f"body.{where}", "it must be a UNIX time in whole seconds")
    return value


def _legs(value: Any) -> dict[str, LegForm]:
    if not isinstance(value, dict) or not all(isinstance(leg, dict) for leg in value.values()):
        raise MalformedMessage("body.legs", "it must be an object of objects")
    return {
        _word(name, "legs"): {
            _text(field, f"legs.{name}", 256): _text(text, f"legs.{name}", MAX_TEXT) for field, text in leg.items()
        }
        for name, leg in value.items()
    }


def parse_url(value: Any) -> str:
    """Where a party is reached: "" or an http(s) URL without user, query and fragment. Raises MalformedMessage."""
    text = _text(value, "url", MAX_URL)
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
