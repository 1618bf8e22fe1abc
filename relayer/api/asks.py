"""What the API can be asked for: parameters and bodies."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from chains.legs import MAX_TIME, MIN_TIME
from relayer.api.models import OfferId, WishName
from relayer.api.operation import WORD, Query

MOST: Final = 100  # of anything on one page
MAX_FIRST: Final = 10**9
MAX_LIFE: Final = 10 * 365 * 86_400

Name = Annotated[str, Field(pattern=WORD)]
Amount = Annotated[str, Field(pattern="^[1-9][0-9]{0,76}$", examples=["100000"])]  # 77 digits are below 2**256
Asset = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$", examples=["native"])]
Attester = Annotated[str, Field(pattern="^0[23][0-9a-f]{64}$")]
BackupMode = Literal["file", "chain", "none"]


def _whole(value: object) -> object:
    """In JSON 230.0 is a whole number, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seconds = Annotated[int, Field(ge=1, le=MAX_LIFE), BeforeValidator(_whole)]


# --- queries ---------------------------------------------------------------------------------------------


class PageQuery(Query):
    """Which piece of a list."""

    first: int = Field(default=0, ge=0, le=MAX_FIRST, description="how many to leave out")
    limit: int = Field(default=50, ge=1, le=MOST, description="how many at the most")


class DealsQuery(PageQuery):
    state: Literal["open", "closed"] = Field(
        default="open", description="open: the latest first; closed: likewise"
    )


class ProposalsQuery(PageQuery):
    state: Literal["", "offered", "received", "accepted", "agreed", "refused", "lapsed"] = Field(
        default="", description="only those; empty: all"
    )


class LegsQuery(PageQuery):
    chain: str = Field(
        default="", pattern="^([a-z0-9][a-z0-9._-]{0,63})?$", description="on that chain; empty: any"
    )
    state: Literal["", "absent", "funded", "spent"] = Field(default="", description="only those; empty: all")


class OffersQuery(PageQuery):
    state: Literal["open", "all"] = Field(default="open", description="open: neither over nor withdrawn")


class TakingsQuery(PageQuery):
    offer: str = Field(default="", pattern="^([0-9a-f]{64})?$", description="of that offer; empty: of all")


class EventsQuery(Query):
    deal: str = Field(default="", pattern="^([0-9a-f]{32})?$", description="of that deal alone; empty: of all")


# --- bodies ----------------------------------------------------------------------------------------------


class Body(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WishBody(Body):
    """exercise: use the option. release: let the other party's money go early. refund: go no further. A wish is
    not taken back."""

    wish: WishName


class DecisionBody(Body):
    """On a proposal that was sent to us; one of ours is withdrawn by `refuse`. backup: how the deal is backed up,
    None as configured."""

    decision: Literal["accept", "refuse"]
    backup: BackupMode | None = None


class LegBody(Body):
    """units: of the asset's smallest unit."""

    chain: Name
    asset: Asset
    units: Amount


class OptionLegs(Body):
    collateral: LegBody
    premium: LegBody
    strike: LegBody


class SwapLegs(Body):
    """x: what the initiator pays. y: what the participant pays."""

    x: LegBody
    y: LegBody


Peer = Annotated[
    str,
    Field(
        pattern="^([0-9a-f]{64}@)?https?://[A-Za-z0-9.:_\\[\\]-]{1,255}(/[A-Za-z0-9._/-]{0,255})?$",
        description="where the other party is: its URL, or IDENTITY@URL",
        examples=["http://127.0.0.1:9955"],
    ),
]


class _Proposing(Body):
    peer: Peer
    backup: BackupMode | None = Field(default=None, description="how the deal is backed up; null: as configured")


class ProposeOption(_Proposing):
    """A covered option whose strike is locked from the start."""

    protocol: Literal["option"]
    role: Literal["writer", "holder"]
    kind: Literal["call", "put"]
    legs: OptionLegs
    life: Seconds = Field(description="how long it can be exercised once it is live, seconds")
    releases: bool = Field(default=True, description="let money go back early by agreement")


class ProposeAttested(_Proposing):
    """An option whose strike is locked when it is used, as attesters see it."""

    protocol: Literal["attested"]
    role: Literal["writer", "holder"]
    kind: Literal["call", "put"]
    legs: OptionLegs
    life: Seconds = Field(description="how long it can be exercised once it is live, seconds")
    quorum: tuple[Attester, ...] = Field(
        default=(), max_length=32, description="the attesters' keys; none: all of the configuration"
    )


class ProposeSwap(_Proposing):
    """An atomic swap."""

    protocol: Literal["swap"]
    role: Literal["initiator", "participant"]
    legs: SwapLegs


Propose = ProposeOption | ProposeAttested | ProposeSwap
PROPOSE: Final[TypeAdapter[Propose]] = TypeAdapter(Annotated[Propose, Field(discriminator="protocol")])

Price = Annotated[float, Field(ge=1e-12, le=1e15, allow_inf_nan=False)]


class QuoteBody(Body):
    """spot: whole strike coins (of a put: collateral coins) for one whole underlying. vol: per year; 0.6 is 60 %.
    rate, dividend: per year, earned on the money and on the underlying. spread: on top of the fair premium."""

    kind: Literal["call", "put"]
    collateral: LegBody
    strike: LegBody
    life: Seconds = Field(description="how long it can be exercised once it is live, seconds")
    spot: Price
    vol: float = Field(ge=1e-4, le=10, allow_inf_nan=False)
    rate: float = Field(default=0.0, ge=-1, le=10, allow_inf_nan=False)
    dividend: float = Field(default=0.0, ge=-1, le=10, allow_inf_nan=False)
    spread: float = Field(default=0.0, ge=0, le=10, allow_inf_nan=False)


Moment = Annotated[int, Field(ge=MIN_TIME, le=MAX_TIME), BeforeValidator(_whole)]


class FixedPremium(Body):
    """For the whole offer, in smallest units of what the holder pays with."""

    units: Amount


class PricedPremium(Body):
    """Priced anew for each quote. vol: per year. spread: ours, on the fair premium."""

    vol: float = Field(ge=1e-4, le=100, allow_inf_nan=False)
    spread: float = Field(default=0.0, ge=0, le=10, allow_inf_nan=False)


class OfferBody(Body):
    """An option to be taken in parts. underlying: what it is on, all of it. strike: what all of it costs at
    exercise. least: that is taken at once; null for all of it. step: parts are multiples of it; null for `least`.
    expiry: the last moment of exercise; until: when the offer ends. spot: a price to quote by, where there is no
    source of it."""

    kind: Literal["call", "put"]
    role: Literal["writer", "holder"]
    underlying: LegBody
    strike: LegBody
    premium: FixedPremium | PricedPremium
    least: Amount | None = None
    step: Amount | None = None
    expiry: Moment
    until: Moment
    spot: Price | None = None
    releases: bool = True


class SpotBody(Body):
    """spot: whole coins of money for a whole coin of the underlying."""

    spot: Price


class ListingBody(Body):
    """skip: offers of theirs to leave out; as the last answer said."""

    peer: Peer
    skip: int = Field(default=0, ge=0, le=10_000)


class PartBody(Body):
    """size: of the underlying, smallest units."""

    peer: Peer
    offer: OfferId
    size: Amount


class TakeBody(PartBody):
    """limit: the most we pay as a holder, or the least we sell for as a writer; null for no limit."""

    limit: Amount | None = None


class TokenBody(Body):
    """lasts: seconds; null for ever."""

    name: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$")
    scope: Literal["read", "trade", "admin"]
    lasts: Seconds | None = None
