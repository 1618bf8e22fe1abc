"""The maker's side of offers: what it publishes, lists, quotes and sells.

A take becomes an ordinary proposal. Whoever makes an offer proposes, in the offer's role: a writer, who funds
first, knows by the acceptance that there is a deal; if the taker is the writer, it waits for the acknowledgement.
The proposal and the reservation of its part are one transaction, so a crash leaves both or neither, and a take
that is sent again finds what it made before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final, Protocol

import structlog

from chains.errors import StrikelockError
from htlc.protocols.option import EXPIRY, PREMIUM
from htlc.terms import LegTerms
from options.amounts import to_units
from options.errors import OptionsError
from options.quoting import Market
from settlement.agreement import Agreement, Offer
from settlement.desk import proposal_body
from settlement.errors import (
    BadOffer,
    NoSpot,
    NotInStock,
    NotOurQuote,
    OfferOver,
    QuoteExpired,
    TakingOver,
    UnexpectedMessage,
    WrongChain,
)
from settlement.examine import NOT_HERE
from settlement.fields import MAX_AMOUNT
from settlement.limits import Demand, Limits, check_customer, check_open, judge
from settlement.messages import Kind, Message, read, seal
from settlement.offers import MILLION, PROTOCOL, Conditions, Place, Priced, sign_offer
from settlement.premium import option_quote
from settlement.proposal import Proposal
from settlement.quotes import (
    MOST_LISTED,
    MOST_SKIPPED,
    AskBody,
    Listed,
    ListingBody,
    OffersBody,
    QuoteBody,
    TakeBody,
)
from settlement.store.offers import OwnOffer, Shelf
from settlement.store.requests import RequestKey
from settlement.takings import Standing, Taking, locked_by

log = structlog.get_logger(__name__)

Ladder = Callable[[str, Mapping[str, str], int, int], dict[str, int]]
ABOUT_OFFERS: Final = frozenset({Kind.LISTING, Kind.ASK, Kind.TAKE})
REHEARSED: Final = 60  # seconds that a rehearsed proposal would be good for


class Prices(Protocol):
    """Where prices of underlyings come from."""

    def price(self, underlying: Place, money: Place) -> float | None:
        """Whole coins of money for a whole coin of the underlying; None where there is no source for the pair.
        Raises NoSpot where there is one that is not fresh."""
        ...


class NoPrices:
    """No source: prices are those that come with an offer."""

    def price(self, underlying: Place, money: Place) -> float | None:
        return None


class Shop:
    """One party's offers. ladder: the shortest safe deadlines of a protocol, from chains by leg, the time now and
    the promised life, with room for a quote to be taken and answered."""

    def __init__(self, agreement: Agreement, limits: Limits, ladder: Ladder, prices: Prices) -> None:
        self._agreement = agreement
        self._desk = agreement.desk
        self._offers = agreement.desk.store.offers
        self._limits = limits
        self._ladder = ladder
        self._prices = prices

    # --- our own offers ------------------------------------------------------------------------------------

    async def publish(
        self, conditions: Conditions, spot: float | None = None, request: RequestKey | None = None
    ) -> OwnOffer:
        """Sign an offer and store it; whoever serves our peers lists it from then on. Assets as the configuration
        names them; the networks are filled in. spot: the price to quote by, where there is no source for it.
        request: that it is made for, if any.

        Raises BadOffer, BadSize, OfferOver if the option can't be set up before it expires, NoSpot, and a
        TermsError or LegError if we would not enter such deals ourselves.
        """
        now = self._desk.now()
        offer = sign_offer(self._desk.identity, self._completed(conditions), now)
        exact = offer.conditions
        times = self._times(exact, offer.id, now)
        for size in {exact.least, exact.size}:
            premium = exact.fixed_premium(size)
            if premium is None:
                own = OwnOffer(offer, exact.size, None, spot, now)
                premium = await self._priced(own, size, times, now)
            await self._agreement.rehearse(_draft(exact, exact.role, exact.legs(size, premium), times, REHEARSED))
        log.info("offer published", offer=offer.id)
        return await self._offers.publish(offer, spot, now, request)

    def _completed(self, conditions: Conditions) -> Conditions:
        """The conditions with canonical assets and our networks. Raises WrongChain, BadAsset."""
        places = []
        for place in (conditions.underlying, conditions.money):
            if place.chain not in self._desk.chains:
                raise WrongChain(place.chain, NOT_HERE, "in the offer")
            places.append(replace(place, asset=self._desk.chains[place.chain].asset(place.asset)))
        networks = {place.chain: self._desk.chains[place.chain].identity for place in places}
        return replace(conditions, underlying=places[0], money=places[1], networks=networks)

    async def withdraw(self, id_: str) -> OwnOffer:
        """Sell no more of an offer; what was taken stays. Raises NoSuchOffer."""
        return await self._offers.withdraw(id_, self._desk.now())

    async def set_spot(self, id_: str, spot: float) -> OwnOffer:
        """The price that an offer is quoted by from now on. Raises NoSuchOffer, BadOffer."""
        if not 0 < spot < float("inf"):
            raise BadOffer(f"{spot} is no price")
        return await self._offers.set_spot(id_, spot, self._desk.now())

    async def own(self, everything: bool = False, limit: int = 100, skip: int = 0) -> tuple[OwnOffer, ...]:
        """Our offers, newest first: those that are open, or all."""
        return await self._offers.offers(self._desk.now(), not everything, limit, skip)

    async def offer(self, id_: str) -> OwnOffer:
        """One of ours. Raises NoSuchOffer."""
        return await self._offers.offer(id_)

    async def takings(self, offer: str | None = None, limit: int = 100, skip: int = 0) -> tuple[Standing, ...]:
        """What was taken of our offers and by us, newest first; of one offer or of all."""
        return await self._offers.takings(self._desk.now(), offer, limit, skip)

    async def taking(self, id_: str) -> Standing:
        """What was taken by a quote. Raises NoSuchTaking."""
        return await self._offers.taking(id_, self._desk.now())

    # --- what peers ask ------------------------------------------------------------------------------------

    async def receive(self, message: Message) -> Message:
        """The signed answer to a listing, an ask or a take; a refusal is one too."""
        try:
            match message.kind:
                case Kind.LISTING:
                    return await self._list(message)
                case Kind.ASK:
                    return await self._quote(message)
                case Kind.TAKE:
                    return await self._sell(message)
                case _:
                    raise UnexpectedMessage(message.kind.value, "about offers")
        except StrikelockError as error:
            log.info("refused", sender=message.sender, kind=message.kind.value, reason=str(error))
            return self._desk.refusal(message.sender, message.id, error)

    async def _list(self, message: Message) -> Message:
        body = ListingBody.parse(message.body)
        check_customer(self._limits, message.sender)
        now = self._desk.now()
        if body.offer:
            own = await self._offers.offer(body.offer)
            check_open(own, now)
            found: tuple[OwnOffer, ...] = (own,)
        else:
            found = await self._offers.offers(now, open_=True, limit=MOST_LISTED + 1, skip=body.skip)
        listed = [
            Listed(own.offer, own.remaining)
            for own in found[:MOST_LISTED]
            if own.remaining >= own.offer.conditions.least
        ]
        after = body.skip + MOST_LISTED
        answer = OffersBody(tuple(listed), after if len(found) > MOST_LISTED and after <= MOST_SKIPPED else 0)
        return self._say(Kind.OFFERS, message, answer.to_json())

    async def _quote(self, message: Message) -> Message:
        """What a part costs, good for a short time. Nothing is reserved by it."""
        body, now = AskBody.parse(message.body), self._desk.now()
        shelf = await self._offers.shelf(body.offer, message.sender, now)
        conditions = shelf.own.offer.conditions
        conditions.check_size(body.size)
        check_open(shelf.own, now)
        times = self._times(conditions, body.offer, now)
        premium = conditions.fixed_premium(body.size)
        if premium is None:
            premium = await self._priced(shelf.own, body.size, times, now)
        demand = _demand(conditions, message.sender, conditions.legs(body.size, premium), body.size, now)
        judge(self._limits, shelf, demand)
        await self._check_stock(shelf, demand)
        until = min(now + self._limits.quote, conditions.until)
        answer = QuoteBody(body.offer, body.size, body.nonce, premium, times, until)
        return self._say(Kind.QUOTE, message, answer.to_json())

    async def _sell(self, message: Message) -> Message:
        """A quote of ours is taken: reserve the part and propose, both at once."""
        body = TakeBody.parse(message.body)
        quote = self._our_quote(body.quote, message.sender)
        now = self._desk.now()
        known = await self._offers.find(quote.id, now)
        if known is None:
            known = await self._reserve(quote, body.url, now)
        if not known.state.holds or known.proposal is None:
            raise TakingOver(quote.id, known.state.value)
        return read((await self._desk.store.book.proposal(known.proposal)).message.encode())

    def _our_quote(self, text: str, taker: str) -> Message:
        quote = read(text.encode())
        if quote.kind is not Kind.QUOTE or quote.sender != self._desk.identity.public:
            raise NotOurQuote(f"it is a {quote.kind.value} of {quote.sender}")
        if quote.recipient != taker:
            raise NotOurQuote(f"it was given to {quote.recipient}")
        return quote

    async def _reserve(self, quote: Message, url: str, now: int) -> Standing:
        body = QuoteBody.parse(quote.body)
        if now > body.until:
            raise QuoteExpired(body.until, now)
        shelf = await self._offers.shelf(body.offer, quote.recipient, now)
        offer = shelf.own.offer
        conditions = offer.conditions
        legs = conditions.legs(body.size, body.premium)
        demand = _demand(conditions, quote.recipient, legs, body.size, now)
        judge(self._limits, shelf, demand)  # before the chains are asked anything
        await self._check_stock(shelf, demand)
        draft = _draft(conditions, conditions.role, legs, body.times, self._limits.answer)
        proposal = await self._agreement.prepare(draft, quote.recipient, url, of=quote.id)
        taking = Taking(
            id=quote.id,
            sent=False,
            offer=offer.id,
            text=offer.text,
            quote=quote.text,
            peer=quote.recipient,
            url=url,
            size=body.size,
            premium=body.premium,
            asset=demand.asset,
            locked=demand.locked,
            created_at=now,
            until=proposal.until,
            due=body.times[PREMIUM],
        )
        return await self._keep(taking, proposal, demand)

    async def _keep(self, taking: Taking, proposal: Proposal, demand: Demand) -> Standing:
        await self._desk.store.book.meet(taking.peer, taking.url, taking.created_at)
        parties = proposal_body(proposal).terms.parties.values()
        standing = await self._offers.reserve(
            taking, proposal, parties, lambda shelf: judge(self._limits, shelf, demand)
        )
        log.info("taken", offer=taking.offer, taking=taking.id, size=taking.size, peer=taking.peer)
        return standing

    # --- prices and deadlines ------------------------------------------------------------------------------

    def _times(self, conditions: Conditions, id_: str, now: int) -> dict[str, int]:
        """The deadlines of a deal that is made now and expires when the offer says. Raises OfferOver."""
        soonest = self._ladder(PROTOCOL, conditions.chains, now, 0)
        life = conditions.expiry - soonest[EXPIRY]
        if life < 0:
            raise OfferOver(id_, f"its option could not be set up before it expires at {conditions.expiry}")
        return self._ladder(PROTOCOL, conditions.chains, now, life)

    async def _priced(self, own: OwnOffer, size: int, times: Mapping[str, int], now: int) -> int:
        """The premium of a part by the offer's volatility: its share of what it all is worth. Raises NoSpot."""
        conditions = own.offer.conditions
        pair = f"{conditions.underlying}:{conditions.money}"
        if not isinstance(conditions.premium, Priced):
            raise NoSpot(pair, "its premium is fixed")
        market = Market(self._spot(own, pair, now), conditions.premium.vol / MILLION)
        spread = conditions.premium.spread / MILLION
        legs = conditions.legs(conditions.size, 1)
        decimals = {name: await self._desk.chains[leg.chain].decimals(leg.asset) for name, leg in legs.items()}
        try:
            fair = option_quote(conditions.kind, legs, decimals, times, now, market).fair
            wanted = fair * max(0.0, 1 + spread if conditions.funded_by_taker(PREMIUM) else 1 - spread)
            part = Fraction(wanted) * Fraction(size, conditions.size)
            premium = to_units(part, decimals[PREMIUM], conditions.rounding(PREMIUM))
        except (OptionsError, OverflowError, ZeroDivisionError) as error:
            raise NoSpot(pair, str(error)) from error
        if not 0 < premium <= MAX_AMOUNT:
            raise NoSpot(pair, "the premium would be less than one unit, or no amount at all")
        return premium

    def _spot(self, own: OwnOffer, pair: str, now: int) -> float:
        conditions = own.offer.conditions
        found = self._prices.price(conditions.underlying, conditions.money)
        if found is not None:
            return found
        if own.spot is None or own.spot_at is None:
            raise NoSpot(pair, "nobody has given one")
        if now - own.spot_at > self._limits.spot_age:
            raise NoSpot(pair, f"it is {now - own.spot_at} seconds old")
        return own.spot

    async def _check_stock(self, shelf: Shelf, demand: Demand) -> None:
        """We hold what we would lock, besides what other takings are about to. Raises NotInStock."""
        chain, _, asset = demand.asset.partition("/")
        promised = sum(
            one.taking.locked
            for one in shelf.standings
            if one.state.unpaid and not one.funded and one.taking.asset == demand.asset
        )
        if await self._desk.wallets[chain].balance(asset) < promised + demand.locked:
            raise NotInStock(demand.asset)

    def _say(self, kind: Kind, message: Message, body: Mapping[str, object]) -> Message:
        return seal(self._desk.identity, kind, message.sender, body, self._desk.now())


def _draft(
    conditions: Conditions, role: str, legs: Mapping[str, LegTerms], times: Mapping[str, int], lasts: int
) -> Offer:
    return Offer(PROTOCOL, role, legs, times, conditions.options, lasts)


def _demand(conditions: Conditions, peer: str, legs: Mapping[str, LegTerms], size: int, now: int) -> Demand:
    asset, locked = locked_by(conditions, conditions.role, legs)
    return Demand(peer, size, asset, locked, now)
