"""The taker's side of offers: what a maker lists, what a part costs, and taking it.

Nothing a maker says is taken on trust: an offer is under its signature, amounts are worked out again from the
offer, and the proposal that answers a take is accepted without asking only if it is, to the unit and the second,
what was quoted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final, TypeVar

from htlc.errors import PeerUnavailable
from htlc.protocols.option import EXPIRY, HOLDER, OPTION, PREMIUM
from settlement.agreement import Agreement, Offer
from settlement.bodies import RefusalBody
from settlement.errors import (
    MessageError,
    NoSuchOffer,
    OfferError,
    QuoteMismatch,
    RefusedByPeer,
    TakingOver,
    TooDear,
    WrongChain,
    WrongParty,
)
from settlement.examine import NOT_HERE
from settlement.mailer import Mailer
from settlement.messages import Kind, Message, seal
from settlement.offers import PROTOCOL, Conditions, SignedOffer
from settlement.post import Post
from settlement.quotes import (
    MOST_ANSWER,
    NONCE_BYTES,
    AskBody,
    Listed,
    ListingBody,
    OffersBody,
    QuoteBody,
    TakeBody,
)
from settlement.store.requests import RequestKey
from settlement.takings import Standing, Taking, TakingState, locked_by

MOST_PAGES: Final = 40  # that are asked for at once, whatever a maker says there is

Body = TypeVar("Body", OffersBody, QuoteBody, RefusalBody)


@dataclass(frozen=True, slots=True)
class Maker:
    """Somebody who makes offers: its identity, and the URL where it is reached."""

    identity: str
    url: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """A maker's quote, checked. message: the signed one. offer: that it is of."""

    offer: SignedOffer
    body: QuoteBody
    message: Message

    @property
    def conditions(self) -> Conditions:
        return self.offer.conditions


class Taker:
    """One party's view of other parties' offers."""

    def __init__(self, agreement: Agreement, post: Post, mailer: Mailer) -> None:
        self._agreement = agreement
        self._desk = agreement.desk
        self._post = post
        self._mailer = mailer

    # --- looking -------------------------------------------------------------------------------------------

    async def offers(self, maker: Maker, skip: int = 0, offer: str = "") -> OffersBody:
        """A page of what a maker offers, or one offer of it; signatures are checked. Raises PeerUnavailable,
        RefusedByPeer, WrongParty."""
        answer = await self._request(maker, Kind.LISTING, ListingBody(skip, offer).to_json(), Kind.OFFERS)
        body = self._parsed(maker, OffersBody, answer)
        for listed in body.offers:
            if listed.offer.maker != maker.identity:
                raise WrongParty("maker", maker.identity, listed.offer.maker)
        return body

    async def every_offer(self, maker: Maker, pages: int = MOST_PAGES) -> tuple[Listed, ...]:
        """A maker's offers, page after page, but of no more pages than that. Raises as `offers`."""
        found: list[Listed] = []
        skip = 0
        for _ in range(pages):
            page = await self.offers(maker, skip)
            found += page.offers
            skip = page.next
            if skip == 0:
                break
        return tuple(found)

    async def offer(self, maker: Maker, id_: str) -> Listed:
        """One of a maker's offers, and how much of it is left. Raises NoSuchOffer, and as `offers`."""
        for listed in (await self.offers(maker, offer=id_)).offers:
            if listed.offer.id == id_:
                return listed
        raise NoSuchOffer(id_)

    async def quote(self, maker: Maker, offer: SignedOffer, size: int) -> Quoted:
        """What a part of an offer costs now, and whether we would enter such a deal. Nothing is bound by it.

        Raises BadSize, WrongChain, QuoteMismatch, PeerUnavailable, RefusedByPeer, and a TermsError or LegError if
        the deal would not be safe for us.
        """
        offer.conditions.check_size(size)
        self._check_networks(offer)
        ask = AskBody(offer.id, size, secrets.token_hex(NONCE_BYTES))
        answer = await self._request(maker, Kind.ASK, ask.to_json(), Kind.QUOTE)
        quoted = Quoted(offer, self._parsed(maker, QuoteBody, answer), answer)
        _check_quote(quoted, ask)
        await self._agreement.rehearse(self._draft(quoted))
        return quoted

    # --- taking --------------------------------------------------------------------------------------------

    async def take(
        self, maker: Maker, quoted: Quoted, limit: int | None = None, request: RequestKey | None = None
    ) -> Standing:
        """Take what was quoted, and agree on the deal. limit: the most we pay for the option, or the least we sell
        it for. request: that we take it for, if any. That we want it is stored first: the maker's proposal is
        accepted whenever it comes in time.

        Raises TooDear, PeerUnavailable, RefusedByPeer, TakingOver.
        """
        conditions, body = quoted.conditions, quoted.body
        if limit is not None and _worse(conditions, body.premium, limit):
            raise TooDear(body.premium, limit)
        taking = self._taking(maker, quoted)
        await self._desk.store.book.meet(maker.identity, maker.url, taking.created_at)
        return await self._claim(await self._desk.store.offers.want(taking, request))

    async def resume(self, id_: str) -> Standing:
        """Go on with a taking of ours that was cut off before the maker's proposal was here; one that is further
        stays as it is. Raises NoSuchTaking, and as `take`."""
        standing = await self._desk.store.offers.taking(id_, self._desk.now())
        return await self._claim(standing) if standing.state is TakingState.ASKED else standing

    async def _claim(self, standing: Standing) -> Standing:
        """Tell the maker, and agree on the proposal that it answers with."""
        taking = standing.taking
        maker = Maker(taking.peer, taking.url)
        take = TakeBody(taking.quote, self._desk.url).to_json()
        proposal = await self._request(maker, Kind.TAKE, take, Kind.PROPOSAL)
        answer = await self._agreement.receive(proposal)
        if answer is not None and answer.kind is Kind.REFUSAL:
            await self._post.tell(maker.url, answer)
            refused = RefusalBody.parse(answer.body)
            raise TakingOver(taking.id, f"refused by ourselves ({refused.code}: {refused.reason})")
        await self._mailer.send(await self._desk.store.book.proposal(proposal.id))
        return await self._desk.store.offers.taking(taking.id, self._desk.now())

    def _taking(self, maker: Maker, quoted: Quoted) -> Taking:
        conditions, body = quoted.conditions, quoted.body
        legs = conditions.legs(body.size, body.premium)
        asset, locked = locked_by(conditions, conditions.taker_role, legs)
        return Taking(
            id=quoted.message.id,
            sent=True,
            offer=quoted.offer.id,
            text=quoted.offer.text,
            quote=quoted.message.text,
            peer=maker.identity,
            url=maker.url,
            size=body.size,
            premium=body.premium,
            asset=asset,
            locked=locked,
            created_at=self._desk.now(),
            until=body.until + MOST_ANSWER,
            due=body.times[PREMIUM],
        )

    def _draft(self, quoted: Quoted) -> Offer:
        """The deal as we would enter it."""
        conditions, body = quoted.conditions, quoted.body
        legs = conditions.legs(body.size, body.premium)
        return Offer(PROTOCOL, conditions.taker_role, legs, body.times, conditions.options)

    def _check_networks(self, offer: SignedOffer) -> None:
        """The offer's chains are ours. Raises WrongChain."""
        for name, theirs in offer.conditions.networks.items():
            ours = self._desk.chains[name].identity if name in self._desk.chains else NOT_HERE
            if ours != theirs:
                raise WrongChain(name, ours, theirs)

    # --- talking -------------------------------------------------------------------------------------------

    async def _request(self, maker: Maker, kind: Kind, body: dict[str, object], wanted: Kind) -> Message:
        """The maker's answer to a request. Raises PeerUnavailable, RefusedByPeer."""
        request = seal(self._desk.identity, kind, maker.identity, body, self._desk.now())
        answer = await self._post.send(maker.url, request)
        if answer.kind is Kind.REFUSAL:
            refusal = self._parsed(maker, RefusalBody, answer)
            raise RefusedByPeer(refusal.code, refusal.reason)
        if answer.kind is not wanted:
            raise PeerUnavailable(maker.url, f"it answered with {answer.kind.value}")
        return answer

    def _parsed(self, maker: Maker, form: type[Body], answer: Message) -> Body:
        try:
            return form.parse(answer.body)
        except (MessageError, OfferError) as error:
            raise PeerUnavailable(maker.url, f"its answer is not good: {error}") from error


def _worse(conditions: Conditions, premium: int, limit: int) -> bool:
    """Whether a premium is worse for a taker than a limit."""
    return premium > limit if conditions.taker_role == HOLDER else premium < limit


def _check_quote(quoted: Quoted, ask: AskBody) -> None:
    """Raise QuoteMismatch unless a quote is of what was asked, and of the offer."""
    body, conditions = quoted.body, quoted.conditions
    pairs: list[tuple[str, object, object]] = [
        ("offer", ask.offer, body.offer),
        ("size", ask.size, body.size),
        ("nonce", ask.nonce, body.nonce),
        ("premium", conditions.fixed_premium(body.size) or body.premium, body.premium),
        ("times", sorted(OPTION.times), sorted(body.times)),
    ]
    for field, expected, found in pairs:
        if expected != found:
            raise QuoteMismatch(field, str(expected), str(found))
    if body.times[EXPIRY] != conditions.expiry:
        raise QuoteMismatch(EXPIRY, str(conditions.expiry), str(body.times[EXPIRY]))
