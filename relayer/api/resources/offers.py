"""/v1/offers, /v1/market and /v1/takings: options of ours that others take in parts, and parts of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from chains.errors import LegError
from htlc.errors import PeerUnavailable, TermsError
from relayer.api import models, views
from relayer.api.asks import (
    FixedPremium,
    ListingBody,
    OfferBody,
    OffersQuery,
    PartBody,
    SpotBody,
    TakeBody,
    TakingsQuery,
)
from relayer.api.operation import AnyOperation, Call, Keyed, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.offer_report import offer_document, own_document, quote_document, taking_document
from settlement.errors import NoSuchOffer, NoSuchTaking, OfferError
from settlement.offers import MILLION, Conditions, Fixed, Place, Premium, Priced
from settlement.store.offers import OwnOffer
from settlement.taker import Maker, Quoted
from settlement.takings import Standing

if TYPE_CHECKING:
    from relayer.daemon import Daemon

UNITS: Final = ("size", "least", "step", "remaining", "strike", "premium")
REFUSED: Final = (OfferError, TermsError, LegError)
AWAY: Final = (PeerUnavailable, *REFUSED)


class Offers:
    """The shop, and what the taker does in others'."""

    def __init__(self, daemon: Daemon) -> None:
        self._party = daemon.party
        self._shop = daemon.party.shop
        self._taker = daemon.party.taker

    def operations(self) -> tuple[AnyOperation, ...]:
        trade, page = Scope.TRADE, models.OfferPage
        path, one, taking = "/v1/offers", "/v1/offers/{offer}", "/v1/takings/{taking}"
        offer, missing = models.Offer, (NoSuchOffer,)
        publish, spot = TypeAdapter(OfferBody), TypeAdapter(SpotBody)
        listing, part, take = TypeAdapter(ListingBody), TypeAdapter(PartBody), TypeAdapter(TakeBody)
        must, made = Keyed.MUST, 201
        return (
            _get(path, "listOffers", "List offers of ours, the newest first.", page, self.all, query=OffersQuery),
            _get(one, "showOffer", "Show an offer of ours.", offer, self.one, problems=missing),
            Operation(
                *("POST", path, "publishOffer", "Publish an offer: sign it, and serve it from then on."),
                *(trade, offer, self.publish),
                body=publish,
                status=made,
                keyed=must,
                problems=REFUSED,
            ),
            Operation(
                *("DELETE", one, "withdrawOffer", "Sell no more of an offer; what was taken stays."),
                *(trade, offer, self.withdraw),
                problems=missing,
            ),
            Operation(
                *("POST", one + "/spot", "setSpot", "Give the price that an offer is quoted by from now on."),
                *(trade, offer, self.set_spot),
                body=spot,
                problems=(NoSuchOffer, OfferError),
            ),
            Operation(
                *("POST", "/v1/market/offers", "listTheirOffers", "Ask another party for its offers."),
                *(trade, page, self.theirs),
                body=listing,
                problems=AWAY,
            ),
            Operation(
                *("POST", "/v1/market/quotes", "askForQuote", "Ask another party what a part of its offer costs."),
                *(trade, models.PartQuote, self.ask),
                body=part,
                problems=AWAY,
            ),
            _get(
                *("/v1/takings", "listTakings", "List what was taken of our offers and by us."),
                *(models.TakingPage, self.takings),
                query=TakingsQuery,
            ),
            _get(taking, "showTaking", "Show a taking.", models.Taking, self.taking, problems=(NoSuchTaking,)),
            Operation(
                *("POST", "/v1/takings", "take", "Take a part of another's offer at its quote, within a limit."),
                *(Scope.TRADE, models.Taking, self.take),
                body=take,
                status=made,
                keyed=must,
                problems=AWAY,
            ),
        )

    # --- ours --------------------------------------------------------------------------------------------

    async def all(self, call: Call[OffersQuery, None]) -> models.OfferPage:
        query = call.query
        found = await self._shop.own(query.state == "all", query.limit + 1, query.first)
        shown, place = views.part(found, query.first, query.limit)
        return models.OfferPage(offers=tuple(_own(one) for one in shown), **place)

    async def one(self, call: Call[NoQuery, None]) -> models.Offer:
        return _own(await self._shop.offer(call.params["offer"]))

    async def publish(self, call: Call[NoQuery, OfferBody]) -> models.Offer:
        if call.made is not None:  # by this request, before it was cut off
            return _own(await self._shop.offer(call.made))
        return _own(await self._shop.publish(_conditions(call.body), call.body.spot, call.key))

    async def withdraw(self, call: Call[NoQuery, None]) -> models.Offer:
        return _own(await self._shop.withdraw(call.params["offer"]))

    async def set_spot(self, call: Call[NoQuery, SpotBody]) -> models.Offer:
        return _own(await self._shop.set_spot(call.params["offer"], call.body.spot))

    async def takings(self, call: Call[TakingsQuery, None]) -> models.TakingPage:
        query = call.query
        found = await self._shop.takings(query.offer or None, query.limit + 1, query.first)
        shown, place = views.part(found, query.first, query.limit)
        return models.TakingPage(takings=tuple(_taking(one) for one in shown), **place)

    async def taking(self, call: Call[NoQuery, None]) -> models.Taking:
        return await self.find_taking(call.params["taking"])

    async def find_taking(self, id_: str) -> models.Taking:
        """A taking as it stands. Raises NoSuchTaking."""
        return _taking(await self._shop.taking(id_))

    # --- theirs ------------------------------------------------------------------------------------------

    async def theirs(self, call: Call[NoQuery, ListingBody]) -> models.OfferPage:
        body = await self._taker.offers(await self._party.peer(call.body.peer), call.body.skip)
        offers = tuple(_offer(offer_document(one.offer, one.remaining)) for one in body.offers)
        return models.OfferPage(offers=offers, first=call.body.skip, total=None, next=body.next or None)

    async def ask(self, call: Call[NoQuery, PartBody]) -> models.PartQuote:
        return _quote((await self._quoted(call.body))[1])

    async def take(self, call: Call[NoQuery, TakeBody]) -> models.Taking:
        if call.made is not None:  # by this request, before it was cut off
            return _taking(await self._taker.resume(call.made))
        limit = None if call.body.limit is None else int(call.body.limit)
        return _taking(await self._taker.take(*await self._quoted(call.body), limit, call.key))

    async def _quoted(self, body: PartBody) -> tuple[Maker, Quoted]:
        maker = await self._party.peer(body.peer)
        listed = await self._taker.offer(maker, body.offer)
        return maker, await self._taker.quote(maker, listed.offer, int(body.size))


def _get(path: str, name: str, about: str, answer: Any, answers: Any, **more: Any) -> AnyOperation:
    return Operation("GET", path, name, about, Scope.READ, answer, answers, **more)


def _conditions(body: OfferBody) -> Conditions:
    size = int(body.underlying.units)
    least = size if body.least is None else int(body.least)
    return Conditions(
        kind=body.kind,
        role=body.role,
        networks={},
        underlying=Place(body.underlying.chain, body.underlying.asset),
        money=Place(body.strike.chain, body.strike.asset),
        size=size,
        least=least,
        step=least if body.step is None else int(body.step),
        strike=int(body.strike.units),
        premium=_premium(body),
        expiry=body.expiry,
        until=body.until,
        releases=body.releases,
    )


def _premium(body: OfferBody) -> Premium:
    if isinstance(body.premium, FixedPremium):
        return Fixed(int(body.premium.units))
    return Priced(round(body.premium.vol * MILLION), round(body.premium.spread * MILLION))


def _own(own: OwnOffer) -> models.Offer:
    return _offer(own_document(own))


def _offer(document: dict[str, Any]) -> models.Offer:
    amounts = {name: None if document[name] is None else str(document[name]) for name in UNITS}
    secret = {name: document.get(name) for name in ("withdrawn_at", "spot", "spot_at")}
    return models.Offer.model_validate(
        {
            **{key: value for key, value in document.items() if key not in ("offer", "premium_asset")},
            **amounts,
            **secret,
            "id": document["offer"],
            "premium_coin": document["premium_asset"],
        }
    )


def _quote(quoted: Quoted) -> models.PartQuote:
    found = quote_document(quoted)
    legs = {
        name: {"chain": leg["chain"], "asset": leg["asset"], "units": str(leg["amount"]), "state": None}
        for name, leg in found["legs"].items()
    }
    return models.PartQuote.model_validate(
        {
            "id": found["quote"],
            "offer": found["offer"],
            "size": str(found["size"]),
            "premium": str(found["premium"]),
            "premium_coin": found["premium_asset"],
            "legs": legs,
            "times": found["times"],
            "until": found["until"],
        }
    )


def _taking(standing: Standing) -> models.Taking:
    found = taking_document(standing)
    return models.Taking.model_validate(
        {
            **{key: value for key, value in found.items() if key != "taking"},
            "id": found["taking"],
            "size": str(found["size"]),
            "premium": str(found["premium"]),
        }
    )
