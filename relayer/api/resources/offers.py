"""/v1/offers, /v1/takings and /v1/peers: what we offer, what was taken, and what others offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.errors import ChainUnavailable, LegError
from htlc.errors import PeerUnavailable, TermsError
from relayer.api import offering, views
from relayer.api.operation import AnyOperation, Call, Keyed, NoQuery, Operation
from relayer.api.scopes import Scope
from settlement.errors import (
    BadOffer,
    BadSize,
    NoSpot,
    NoSuchOffer,
    NoSuchTaking,
    OfferOver,
    QuoteMismatch,
    RefusedByPeer,
    TakingOver,
    TooDear,
)

if TYPE_CHECKING:
    from relayer.daemon import Daemon

OFFERS, TAKINGS, PEERS = "/v1/offers", "/v1/takings", "/v1/peers"
ASKING = (PeerUnavailable, RefusedByPeer, TermsError, NoSuchOffer)  # what asking another party may come to
ENTERING = (TermsError, LegError, ChainUnavailable)


class Offers:
    """Both sides of offers. What is published or taken is stored at once."""

    def __init__(self, daemon: Daemon) -> None:
        self._party = daemon.party

    def operations(self) -> tuple[AnyOperation, ...]:
        return (*self._ours(), *self._takings(), *self._theirs())

    def _ours(self) -> tuple[AnyOperation, ...]:
        one, missing = OFFERS + "/{offer}", (NoSuchOffer,)
        return (
            Operation(
                "GET",
                OFFERS,
                "listOffers",
                "List our offers, the newest first.",
                Scope.READ,
                offering.OfferPage,
                self.all,
                query=offering.OwnOffersQuery,
            ),
            Operation(
                "GET",
                one,
                "showOffer",
                "Show an offer of ours.",
                Scope.READ,
                offering.OurOffer,
                self.one,
                problems=missing,
            ),
            Operation(
                "POST",
                OFFERS,
                "publish",
                "Publish an offer, which others may take in parts.",
                Scope.TRADE,
                offering.OurOffer,
                self.publish,
                body=offering.PUBLISH,
                status=201,
                keyed=Keyed.MUST,
                problems=(BadOffer, BadSize, OfferOver, NoSpot, *ENTERING),
            ),
            Operation(
                "POST",
                one + "/withdrawal",
                "withdraw",
                "Sell no more of an offer; what was taken stays.",
                Scope.TRADE,
                offering.OurOffer,
                self.withdraw,
                keyed=Keyed.MAY,
                problems=missing,
            ),
            Operation(
                "POST",
                one + "/spot",
                "setSpot",
                "Give the price that an offer is quoted by from now on.",
                Scope.TRADE,
                offering.OurOffer,
                self.set_spot,
                body=offering.SPOT,
                keyed=Keyed.MAY,
                problems=missing,
            ),
        )

    def _takings(self) -> tuple[AnyOperation, ...]:
        one = TAKINGS + "/{taking}"
        return (
            Operation(
                "GET",
                TAKINGS,
                "listTakings",
                "List what was taken of our offers and by us, the newest first.",
                Scope.READ,
                offering.TakingPage,
                self.takings,
                query=offering.TakingsQuery,
            ),
            Operation(
                "GET",
                one,
                "showTaking",
                "Show a taking.",
                Scope.READ,
                offering.Taking,
                self.taking,
                problems=(NoSuchTaking,),
            ),
            Operation(
                "POST",
                TAKINGS,
                "take",
                "Take a part of another party's offer: ask for a quote, take it, and agree on the deal.",
                Scope.TRADE,
                offering.Taking,
                self.take,
                body=offering.TAKE,
                status=201,
                keyed=Keyed.MUST,
                problems=(BadSize, QuoteMismatch, TooDear, TakingOver, *ASKING, *ENTERING),
            ),
        )

    def _theirs(self) -> tuple[AnyOperation, ...]:
        """Asking others makes requests to wherever one says, so it takes more than reading."""
        return (
            Operation(
                "GET",
                PEERS + "/offers",
                "listPeerOffers",
                "List what another party offers.",
                Scope.TRADE,
                offering.PeerOffers,
                self.peer_offers,
                query=offering.PeerOffersQuery,
                problems=ASKING,
            ),
            Operation(
                "POST",
                PEERS + "/quotes",
                "quotePart",
                "Ask what a part of another party's offer costs now. Nothing is bound by it.",
                Scope.TRADE,
                offering.PartQuote,
                self.quote,
                body=offering.PART,
                problems=(BadSize, QuoteMismatch, *ASKING, *ENTERING),
            ),
        )

    # --- ours --------------------------------------------------------------------------------------------

    async def all(self, call: Call[offering.OwnOffersQuery, None]) -> offering.OfferPage:
        query = call.query
        found = await self._party.shop.own(query.state == "all", query.limit + 1, query.first)
        shown, place = views.part(found, query.first, query.limit)
        return offering.OfferPage(offers=tuple(offering.our_offer(own) for own in shown), **place)

    async def one(self, call: Call[NoQuery, None]) -> offering.OurOffer:
        return offering.our_offer(await self._party.shop.offer(call.params["offer"]))

    async def publish(self, call: Call[NoQuery, offering.PublishBody]) -> offering.OurOffer:
        if call.made is not None:  # by this request, before it was cut off
            return offering.our_offer(await self._party.shop.offer(call.made))
        body = call.body
        return offering.our_offer(await self._party.shop.publish(body.conditions(), body.spot, call.key))

    async def withdraw(self, call: Call[NoQuery, None]) -> offering.OurOffer:
        return offering.our_offer(await self._party.shop.withdraw(call.params["offer"]))

    async def set_spot(self, call: Call[NoQuery, offering.SpotBody]) -> offering.OurOffer:
        return offering.our_offer(await self._party.shop.set_spot(call.params["offer"], call.body.spot))

    # --- what was taken ----------------------------------------------------------------------------------

    async def takings(self, call: Call[offering.TakingsQuery, None]) -> offering.TakingPage:
        query = call.query
        found = await self._party.shop.takings(query.offer or None, query.limit + 1, query.first)
        shown, place = views.part(found, query.first, query.limit)
        return offering.TakingPage(takings=tuple(offering.taking(one) for one in shown), **place)

    async def taking(self, call: Call[NoQuery, None]) -> offering.Taking:
        return offering.taking(await self._party.shop.taking(call.params["taking"]))

    async def take(self, call: Call[NoQuery, offering.TakePartBody]) -> offering.Taking:
        party, body = self._party, call.body
        if call.made is not None:  # by this request, before it was cut off
            return offering.taking(await party.taker.resume(call.made))
        maker = await party.peer(body.peer)
        listed = await party.taker.offer(maker, body.offer)
        quoted = await party.taker.quote(maker, listed.offer, int(body.size))
        limit = None if body.limit is None else int(body.limit)
        return offering.taking(await party.taker.take(maker, quoted, limit, call.key))

    # --- theirs ------------------------------------------------------------------------------------------

    async def peer_offers(self, call: Call[offering.PeerOffersQuery, None]) -> offering.PeerOffers:
        maker = await self._party.peer(call.query.peer)
        page = await self._party.taker.offers(maker, call.query.skip)
        shown = tuple(offering.listed(one) for one in page.offers)
        return offering.PeerOffers(maker=maker.identity, url=maker.url, offers=shown, next=page.next or None)

    async def quote(self, call: Call[NoQuery, offering.PartBody]) -> offering.PartQuote:
        maker = await self._party.peer(call.body.peer)
        listed = await self._party.taker.offer(maker, call.body.offer)
        return offering.quote(await self._party.taker.quote(maker, listed.offer, int(call.body.size)))
