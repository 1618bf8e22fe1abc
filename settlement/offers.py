"""Signed offers: an option that a maker sells, or buys, in parts, to whoever takes them first.

    {"v": 1, "maker": identity, "at": unix, "protocol": "option", "kind": ..., "role": ..., "networks": {...},
     "underlying": {"chain", "asset"}, "money": {"chain", "asset"}, "size": ..., "least": ..., "step": ...,
     "strike": ..., "premium": {"fixed": ...} or {"vol": ..., "spread": ...}, "releases": ..., "expiry": unix,
     "until": unix, "sig": hex}

The signature is BIP340, over the tagged hash `strikelock/offer/1` of the canonical JSON of everything but "sig";
that hash is the offer's id. Amounts are of the whole offer, in smallest units: a part has its share of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

from htlc.protocols.option import COLLATERAL, EXPIRY, HOLDER, OPTION, PREMIUM, STRIKE, WRITER
from htlc.terms import LegTerms, canonical
from options.amounts import Rounding
from settlement.errors import (
    BadOffer,
    BadSize,
    MalformedMessage,
    UnsignedMessage,
    UnsupportedMessage,
    WrongSignature,
)
from settlement.fields import amount, choice, hex_bytes, line, moment, record, whole, word
from settlement.messages import SIGNATURE, canonical_object, signed_by, tagged
from settlement.seed import Identity

VERSION: Final = 1
TAG: Final = b"strikelock/offer/1"
PROTOCOL: Final = OPTION.name
KINDS: Final = ("call", "put")
ROLES: Final = (WRITER, HOLDER)
MILLION: Final = 10**6  # volatilities and spreads are in millionths
MOST_VOL: Final = 100 * MILLION  # a year; 10,000 %
MOST_SPREAD: Final = 10 * MILLION
MAX_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class Place:
    """An asset on a chain, as the chain's configuration names it."""

    chain: str
    asset: str

    def __str__(self) -> str:
        return f"{self.chain}/{self.asset}"

    def to_json(self) -> dict[str, str]:
        return {"chain": self.chain, "asset": self.asset}


@dataclass(frozen=True, slots=True)
class Fixed:
    """A premium for the whole offer, in smallest units of the asset that the holder pays with."""

    amount: int

    def to_json(self) -> dict[str, Any]:
        return {"fixed": str(self.amount)}


@dataclass(frozen=True, slots=True)
class Priced:
    """A premium that the maker prices at each quote. vol: volatility per year. spread: what the maker adds to the
    fair premium as a writer, or takes off it as a holder. Both in millionths."""

    vol: int
    spread: int

    def to_json(self) -> dict[str, Any]:
        return {"vol": self.vol, "spread": self.spread}


Premium: TypeAlias = Fixed | Priced


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a maker offers. kind: call or put. role: the maker's, writer (it sells) or holder (it buys).

    networks: CAIP-2 identity by chain name. underlying, money: the pair. size: of the underlying, smallest units;
    what is taken is a multiple of `step` and at least `least`. strike: money for all of `size`. expiry: the last
    moment of exercise. until: when the offer ends. Both UNIX seconds. releases: whether money may go back early.
    """

    kind: str
    role: str
    networks: Mapping[str, str]
    underlying: Place
    money: Place
    size: int
    least: int
    step: int
    strike: int
    premium: Premium
    expiry: int
    until: int
    releases: bool = True

    @property
    def taker_role(self) -> str:
        """The role of whoever takes it."""
        return HOLDER if self.role == WRITER else WRITER

    @property
    def options(self) -> dict[str, str]:
        """The switches of the protocol."""
        return {"kind": self.kind, "releases": "yes" if self.releases else "no"}

    @property
    def places(self) -> dict[str, Place]:
        """Where each leg is. The premium is paid in what the holder pays with (`settlement.premium`)."""
        collateral, paid = (self.underlying, self.money) if self.kind == "call" else (self.money, self.underlying)
        return {COLLATERAL: collateral, PREMIUM: paid, STRIKE: paid}

    @property
    def chains(self) -> dict[str, str]:
        """The chain of each leg."""
        return {leg: place.chain for leg, place in self.places.items()}

    def check_size(self, size: int) -> None:
        """Raise BadSize unless so much may be taken at once."""
        if not self.least <= size <= self.size or size % self.step:
            raise BadSize(size, self.least, self.step, self.size)

    def funded_by_taker(self, leg: str) -> bool:
        """Whether the taker pays a leg; if not, it is owed it."""
        return (self.taker_role == WRITER) == (leg == COLLATERAL)

    def legs(self, size: int, premium: int) -> dict[str, LegTerms]:
        """The legs of a part. Raises BadSize also where a share of it is nothing."""
        self.check_size(size)
        money_leg, coin_leg = (STRIKE, COLLATERAL) if self.kind == "call" else (COLLATERAL, STRIKE)
        amounts = {coin_leg: size, money_leg: self.share(self.strike, size, money_leg), PREMIUM: premium}
        if not all(amounts.values()):
            raise BadSize(size, self.least, self.step, self.size)
        return {leg: LegTerms(place.chain, place.asset, amounts[leg]) for leg, place in self.places.items()}

    def fixed_premium(self, size: int) -> int | None:
        """The premium of a part, None if it is priced anew for each quote."""
        return self.share(self.premium.amount, size, PREMIUM) if isinstance(self.premium, Fixed) else None

    def share(self, total: int, size: int, leg: str) -> int:
        """A part's share of what all of it costs, in whole units of a leg."""
        return rounded(Fraction(total * size, self.size), self.rounding(leg))

    def rounding(self, leg: str) -> Rounding:
        """Against the taker, by less than one unit: who takes many small parts must not gain by it."""
        return Rounding.UP if self.funded_by_taker(leg) else Rounding.DOWN


@dataclass(frozen=True, slots=True)
class SignedOffer:
    """An offer under its maker's signature. id: hex of the hash that is signed. at: UNIX seconds, the maker's
    clock. text: canonical JSON, as it is sent."""

    id: str
    maker: str
    at: int
    conditions: Conditions
    text: str


def rounded(value: Fraction, rounding: Rounding) -> int:
    """A fraction of smallest units as whole ones: the only rounding of parts of offers."""
    down, rest = divmod(value.numerator, value.denominator)
    return int(down) + (1 if rest and rounding is Rounding.UP else 0)


# --- the document ----------------------------------------------------------------------------------------


def sign_offer(identity: Identity, conditions: Conditions, at: int) -> SignedOffer:
    """Sign an offer. Raises BadOffer if it contradicts itself."""
    check_conditions(conditions, at)
    content = {"v": VERSION, "maker": identity.public, "at": at, **_content(conditions)}
    digest = tagged(TAG, content)
    text = canonical({**content, "sig": identity.sign(digest).hex()}).decode()
    return SignedOffer(digest.hex(), identity.public, at, conditions, text)


def read_offer(raw: bytes) -> SignedOffer:
    """An offer, its signature checked. Any bytes may be given.

    Raises OversizedMessage, MalformedMessage, UnsupportedMessage, UnsignedMessage, WrongSignature, BadOffer.
    """
    data = canonical_object(raw)
    signature = data.pop("sig", None)
    if signature is None:
        raise UnsignedMessage
    fields = record(data, _FIELDS, "offer")
    if type(fields["v"]) is not int or fields["v"] != VERSION or fields["protocol"] != PROTOCOL:
        version = fields["v"] if type(fields["v"]) is int else 0
        raise UnsupportedMessage(version, f"offer of {str(fields['protocol'])[:32]}")
    maker, at = hex_bytes(fields["maker"], "maker", 32), moment(fields["at"], "at")
    if not isinstance(signature, str) or not SIGNATURE.fullmatch(signature):
        raise MalformedMessage("sig", "it must be 64 bytes in lower-case hex")
    digest = tagged(TAG, data)
    if not signed_by(maker, signature, digest):
        raise WrongSignature(maker)
    conditions = _conditions(fields)
    check_conditions(conditions, at)
    return SignedOffer(digest.hex(), maker, at, conditions, raw.decode())


def check_conditions(conditions: Conditions, at: int) -> None:
    """Raise BadOffer unless an offer makes sense by itself."""
    if not conditions.step <= conditions.least <= conditions.size or conditions.least % conditions.step:
        raise BadOffer("the least is a multiple of the step, and not above the size")
    if conditions.size % conditions.step:
        raise BadOffer("the size is a multiple of the step")
    if not at < conditions.until < conditions.expiry:
        raise BadOffer("it ends after it was made, and before the option expires")
    if set(conditions.networks) != set(conditions.chains.values()):
        raise BadOffer("it names the network of each of its chains, and no other")
    if conditions.underlying == conditions.money:
        raise BadOffer("underlying and money are the same")
    try:
        conditions.legs(conditions.least, conditions.fixed_premium(conditions.least) or 1)
    except BadSize as error:
        raise BadOffer("a share of the least part is less than one unit") from error


_FIELDS = {
    "v",
    "maker",
    "at",
    "protocol",
    "kind",
    "role",
    "networks",
    "underlying",
    "money",
    "size",
    "least",
    "step",
    "strike",
    "premium",
    "releases",
    "expiry",
    "until",
}


def _content(conditions: Conditions) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "kind": conditions.kind,
        "role": conditions.role,
        "networks": dict(conditions.networks),
        "underlying": conditions.underlying.to_json(),
        "money": conditions.money.to_json(),
        "size": str(conditions.size),
        "least": str(conditions.least),
        "step": str(conditions.step),
        "strike": str(conditions.strike),
        "premium": conditions.premium.to_json(),
        "releases": conditions.options["releases"],
        EXPIRY: conditions.expiry,
        "until": conditions.until,
    }


def _conditions(fields: Mapping[str, Any]) -> Conditions:
    networks = fields["networks"]
    if not isinstance(networks, dict):
        raise MalformedMessage("body.networks", "it must be an object")
    return Conditions(
        kind=choice(fields["kind"], "kind", KINDS),
        role=choice(fields["role"], "role", ROLES),
        networks={word(name, "networks"): line(value, "networks", MAX_NAME) for name, value in networks.items()},
        underlying=_place(fields["underlying"], "underlying"),
        money=_place(fields["money"], "money"),
        size=amount(fields["size"], "size"),
        least=amount(fields["least"], "least"),
        step=amount(fields["step"], "step"),
        strike=amount(fields["strike"], "strike"),
        premium=_premium(fields["premium"]),
        expiry=moment(fields["expiry"], "expiry"),
        until=moment(fields["until"], "until"),
        releases=choice(fields["releases"], "releases", ("yes", "no")) == "yes",
    )


def _place(value: Any, where: str) -> Place:
    fields = record(value, {"chain", "asset"}, where)
    return Place(word(fields["chain"], where), line(fields["asset"], where, MAX_NAME))


def _premium(value: Any) -> Premium:
    if isinstance(value, dict) and "fixed" in value:
        return Fixed(amount(record(value, {"fixed"}, "premium")["fixed"], "premium"))
    fields = record(value, {"vol", "spread"}, "premium")
    return Priced(
        whole(fields["vol"], "premium.vol", 1, MOST_VOL), whole(fields["spread"], "premium.spread", 0, MOST_SPREAD)
    )
