"""Offers and takings in the API: what is asked for, what is said, and from the one to the other."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from relayer.api.asks import Amount, Body, LegBody, PageQuery, Price
from relayer.api.models import DealId, LegWorth, Page, Part, ProposalId, Units
from relayer.api.operation import Query
from settlement.offers import MILLION, Conditions, Fixed, Place, Priced, SignedOffer
from settlement.quotes import MOST_SKIPPED, Listed
from settlement.store.offers import OwnOffer
from settlement.taker import Quoted
from settlement.takings import Standing

OfferId = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["0" * 64])]
TakingId = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Identity = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Role = Literal["writer", "holder"]
Kind = Literal["call", "put"]
State = Literal["asked", "reserved", "agreed", "live", "done", "failed", "withdrawn"]
Peer = Annotated[
    str,
    Field(
        pattern="^([0-9a-f]{64}@)?https?://[A-Za-z0-9.:_\\[\\]-]{1,255}(/[A-Za-z0-9._/-]{0,255})?$",
        description="whose offers: a URL, or IDENTITY@URL",
        examples=["http://127.0.0.1:9955"],
    ),
]
MAX_TIME: Final = 2**31 - 1


# --- what is asked ---------------------------------------------------------------------------------------


class OwnOffersQuery(PageQuery):
    state: Literal["open", "all"] = Field(default="open", description="open: neither withdrawn nor over")


class TakingsQuery(PageQuery):
    offer: str = Field(default="", pattern="^([0-9a-f]{64})?$", description="of that offer alone; empty: all")


class PeerOffersQuery(Query):
    peer: Peer
    skip: int = Field(
        default=0, ge=0, le=MOST_SKIPPED, description="how many to leave out: `next` of a page before"
    )


class FixedPremium(Body):
    """units: for all of the offer, of what the holder pays with."""

    units: Amount


class PricedPremium(Body):
    """Priced anew at each quote. vol: per year; 0.6 is 60 %. spread: ours, on top of the fair premium as a writer,
    off it as a holder."""

    vol: float = Field(ge=1e-4, le=100, allow_inf_nan=False)
    spread: float = Field(default=0.0, ge=0, le=10, allow_inf_nan=False)


class PublishBody(Body):
    """An offer of ours. underlying: its units are the size of all of it. strike: money for all of it. least,
    step: parts are multiples of `step`, at least `least`. expiry: the last moment of exercise; until: of the
    offer. spot: the price to quote by, where the configuration has no source: whole coins of money for one of the
    underlying."""

    kind: Kind
    role: Role
    underlying: LegBody
    strike: LegBody
    premium: FixedPremium | PricedPremium
    least: Amount
    step: Amount
    expiry: int = Field(ge=0, le=MAX_TIME)
    until: int = Field(ge=0, le=MAX_TIME)
    releases: bool = True
    spot: Price | None = None

    def conditions(self) -> Conditions:
        """What is offered; whoever signs it fills in the networks."""
        premium = self.premium
        return Conditions(
            kind=self.kind,
            role=self.role,
            networks={},
            underlying=Place(self.underlying.chain, self.underlying.asset),
            money=Place(self.strike.chain, self.strike.asset),
            size=int(self.underlying.units),
            least=int(self.least),
            step=int(self.step),
            strike=int(self.strike.units),
            premium=Fixed(int(premium.units))
            if isinstance(premium, FixedPremium)
            else Priced(round(premium.vol * MILLION), round(premium.spread * MILLION)),
            expiry=self.expiry,
            until=self.until,
            releases=self.releases,
        )


class SpotBody(Body):
    """spot: whole coins of money for a whole coin of the underlying."""

    spot: Price


class PartBody(Body):
    """A part of another party's offer. size: of the underlying, smallest units."""

    peer: Peer
    offer: OfferId
    size: Amount


class TakePartBody(PartBody):
    """limit: the most we pay as a holder, or the least we sell for as a writer; null: whatever is quoted."""

    limit: Amount | None = None


PUBLISH: Final[TypeAdapter[PublishBody]] = TypeAdapter(PublishBody)
SPOT: Final[TypeAdapter[SpotBody]] = TypeAdapter(SpotBody)
PART: Final[TypeAdapter[PartBody]] = TypeAdapter(PartBody)
TAKE: Final[TypeAdapter[TakePartBody]] = TypeAdapter(TakePartBody)


# --- what is said ----------------------------------------------------------------------------------------


class Offer(Part):
    """An option that a maker sells, or buys, in parts. role: the maker's. underlying, money, premium_coin: coins.
    size, least, step, remaining: of the underlying. strike and premium are for all of `size`; premium is null
    where it is priced by vol and spread at each quote."""

    id: OfferId
    maker: Identity
    kind: Kind
    role: Role
    underlying: str
    money: str
    premium_coin: str
    size: Units
    least: Units
    step: Units
    remaining: Units
    strike: Units
    premium: Units | None
    vol: float | None
    spread: float | None
    releases: bool
    expiry: int
    until: int
    made_at: int


class OurOffer(Offer):
    """An offer of ours, with what nobody else is told. spot: the price that it is quoted by, if we gave one."""

    withdrawn_at: int | None
    spot: float | None
    spot_at: int | None


class OfferPage(Page):
    """Offers of ours."""

    offers: tuple[OurOffer, ...]


class PeerOffers(Part):
    """What another party offers. next: what to skip for the next page, null at the end."""

    maker: Identity
    url: str
    offers: tuple[Offer, ...]
    next: int | None


class PartQuote(Part):
    """What a part costs, good until a moment. Nothing is bound by it."""

    id: TakingId
    offer: OfferId
    size: Units
    premium: Units
    legs: dict[str, LegWorth]
    times: dict[str, int]
    until: int


class Taking(Part):
    """A part of an offer that was taken. ours: by us; else it is of an offer of ours. failed_at: when it fell
    through by the other party's doing."""

    id: TakingId
    offer: OfferId
    ours: bool
    peer: Identity
    size: Units
    premium: Units
    state: State
    proposal: ProposalId | None
    deal: DealId | None
    outcome: str | None
    taken_at: int
    failed_at: int | None


class TakingPage(Page):
    """Takings."""

    takings: tuple[Taking, ...]


# --- from what there is to what is said ------------------------------------------------------------------


def offer(found: SignedOffer, remaining: int) -> Offer:
    """An offer of anybody."""
    return Offer.model_validate(_offer(found, remaining))


def listed(found: Listed) -> Offer:
    return offer(found.offer, found.remaining)


def our_offer(own: OwnOffer) -> OurOffer:
    """An offer of ours."""
    more = {"withdrawn_at": own.withdrawn_at, "spot": own.spot, "spot_at": own.spot_at}
    return OurOffer.model_validate({**_offer(own.offer, own.remaining), **more})


def _offer(found: SignedOffer, remaining: int) -> dict[str, object]:
    conditions, premium = found.conditions, found.conditions.premium
    return {
        "id": found.id,
        "maker": found.maker,
        "kind": conditions.kind,
        "role": conditions.role,
        "underlying": str(conditions.underlying),
        "money": str(conditions.money),
        "premium_coin": str(conditions.places["premium"]),
        "size": str(conditions.size),
        "least": str(conditions.least),
        "step": str(conditions.step),
        "remaining": str(remaining),
        "strike": str(conditions.strike),
        "premium": str(premium.amount) if isinstance(premium, Fixed) else None,
        "vol": premium.vol / MILLION if isinstance(premium, Priced) else None,
        "spread": premium.spread / MILLION if isinstance(premium, Priced) else None,
        "releases": conditions.releases,
        "expiry": conditions.expiry,
        "until": conditions.until,
        "made_at": found.at,
    }


def quote(found: Quoted) -> PartQuote:
    """A maker's quote."""
    body = found.body
    legs = found.conditions.legs(body.size, body.premium)
    return PartQuote(
        id=found.message.id,
        offer=body.offer,
        size=str(body.size),
        premium=str(body.premium),
        legs={
            name: LegWorth(chain=leg.chain, asset=leg.asset, units=str(leg.amount), state=None)
            for name, leg in legs.items()
        },
        times=dict(body.times),
        until=body.until,
    )


def taking(standing: Standing) -> Taking:
    """A taking as it stands."""
    found = standing.taking
    return Taking(
        id=found.id,
        offer=found.offer,
        ours=found.sent,
        peer=found.peer,
        size=str(found.size),
        premium=str(found.premium),
        state=standing.state.value,
        proposal=standing.proposal,
        deal=standing.deal,
        outcome=standing.outcome,
        taken_at=found.created_at,
        failed_at=standing.failed_at,
    )
