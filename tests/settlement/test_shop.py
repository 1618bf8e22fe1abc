"""Offers between two parties: listed, quoted, taken in parts; what was not offered or quoted is not agreed to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chains.errors import Dust
from htlc.errors import PeerUnavailable
from settlement.bodies import RefusalBody
from settlement.errors import BadOffer, OfferOver, QuoteMismatch, RefusedByPeer, TakingOver, TooDear, WrongChain
from settlement.limits import Limits
from settlement.messages import Kind, read, seal
from settlement.offers import Place, Priced
from settlement.post import Post
from settlement.quotes import AskBody, ListingBody, QuoteBody, TakeBody
from settlement.store import Store
from settlement.takings import TakingState
from tests.settlement import parties
from tests.settlement.parties import conditions
from tests.settlement.samples import AT, digest

NONCE = "ab" * 16


async def refusal(maker, taker, kind, body) -> str:
    """The code by which a maker refuses a request."""
    message = seal(taker.seed.identity(), kind, maker.identity, body, AT)
    answer = await maker.shop.receive(message)
    assert answer.kind is Kind.REFUSAL, answer
    return RefusalBody.parse(answer.body).code


async def quoted(maker, taker, offer, size=10**6, **changes):
    """A quote, by messages alone."""
    ask = AskBody(offer.id, size, changes.pop("nonce", NONCE)).to_json()
    return await maker.shop.receive(seal(taker.seed.identity(), Kind.ASK, maker.identity, ask, AT))


async def taken(maker, taker, quote):
    """The answer to a take."""
    body = TakeBody(quote.text, taker.url).to_json()
    return await maker.shop.receive(seal(taker.seed.identity(), Kind.TAKE, maker.identity, body, AT))


@pytest.mark.parametrize("role", ["writer", "holder"])
@pytest.mark.parametrize("kind", ["call", "put"])
async def test_an_offer_is_taken_in_parts_and_each_is_a_deal(tmp_path, role, kind):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions(role=role, kind=kind))
        page = await bob.taker.offers(alice.maker)
        assert [(one.offer, one.remaining, page.next) for one in page.offers] == [(own.offer, 10**8, 0)]
        for number, size in enumerate((10**6, 3 * 10**7), 1):
            quote = await bob.taker.quote(alice.maker, own.offer, size)
            standing = await bob.taker.take(alice.maker, quote)
            assert standing.state is TakingState.AGREED
            ours, theirs = [await party.store.deal(standing.deal) for party in (alice, bob)]
            assert ours.terms == theirs.terms
            assert (ours.role, theirs.role) == (role, own.offer.conditions.taker_role)
            assert dict(ours.terms.legs) == own.offer.conditions.legs(size, quote.body.premium)
            assert dict(ours.terms.times) == dict(quote.body.times)
            assert ours.terms.times["expiry"] == own.offer.conditions.expiry
            assert len(await alice.store.deals()) == len(await bob.store.deals()) == number
        left = await bob.taker.offer(alice.maker, own.offer.id)
        assert left.remaining == 10**8 - 10**6 - 3 * 10**7 == (await alice.shop.offer(own.offer.id)).remaining
        assert len(await alice.shop.takings(own.offer.id)) == 2
        assert not any(taking.taking.sent for taking in await alice.shop.takings())
        assert all(taking.taking.sent for taking in await bob.shop.takings())


async def test_a_priced_offer_is_quoted_by_its_volatility_and_only_by_a_fresh_price(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        wanted = conditions(premium=Priced(600_000, 50_000), strike=60_000 * 10**18)
        with pytest.raises(Exception, match="nobody has given one"):
            await alice.shop.publish(wanted)
        own = await alice.shop.publish(wanted, spot=60_000.0)
        quote = await bob.taker.quote(alice.maker, own.offer, 10**7)
        whole = await bob.taker.quote(alice.maker, own.offer, 10**8)
        assert 0 < quote.body.premium < 10**7 * 60_000 * 10**10
        assert abs(whole.body.premium - 10 * quote.body.premium) <= 10
        bid = await alice.shop.publish(replace(wanted, role="holder"), spot=60_000.0)
        lower = await bob.taker.quote(alice.maker, bid.offer, 10**7)
        assert lower.body.premium < quote.body.premium * 95 // 100  # the spread is the maker's on both sides
        alice.clock.time = AT + alice.limits.spot_age + 1
        with pytest.raises(RefusedByPeer) as caught:
            await bob.taker.quote(alice.maker, own.offer, 10**7)
        assert caught.value.code == "NoSpot"
        await alice.shop.set_spot(own.offer.id, 70_000.0)
        assert (await bob.taker.quote(alice.maker, own.offer, 10**7)).body.premium > quote.body.premium


async def test_a_taker_names_its_price(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        sold, bought = [await alice.shop.publish(conditions(role=role)) for role in ("writer", "holder")]
        for own, limit in ((sold, 10**16 - 1), (bought, 10**16 + 1)):
            quote = await bob.taker.quote(alice.maker, own.offer, 10**6)
            with pytest.raises(TooDear):
                await bob.taker.take(alice.maker, quote, limit)
        assert not await bob.shop.takings()
        assert (await bob.taker.take(alice.maker, quote, 10**16)).state is TakingState.AGREED


async def test_nobody_publishes_what_it_would_not_enter(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, _):
        for changes, error in (
            ({"least": 100, "step": 100}, Dust),
            ({"expiry": AT + 600, "until": AT + 60}, OfferOver),
            ({"until": AT}, BadOffer),
            ({"money": Place("dogecoin", "native")}, WrongChain),
        ):
            with pytest.raises(error):
                await alice.shop.publish(conditions(**changes))
        assert not await alice.shop.own(everything=True)


async def test_a_taking_that_nobody_answers_is_free_again(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        own = await alice.shop.publish(conditions())
        quote = await quoted(alice, bob, own.offer, 10**8)
        proposal = await taken(alice, bob, quote)
        assert proposal.kind is Kind.PROPOSAL
        assert (await alice.shop.offer(own.offer.id)).remaining == 0
        assert await refusal(alice, bob, Kind.ASK, AskBody(own.offer.id, 10**6, NONCE).to_json()) == "SoldOut"
        alice.clock.time += alice.limits.answer + 1
        await alice.agreement.lapse()
        assert (await alice.shop.offer(own.offer.id)).remaining == 10**8
        (standing,) = await alice.shop.takings()
        assert standing.state is TakingState.FAILED
        assert await alice.agreement.receive(read((await taken(alice, bob, quote)).text.encode()))
        assert RefusalBody.parse((await taken(alice, bob, quote)).body).code == "TakingOver"


async def test_a_refused_taking_is_free_again(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions())
        quote = await bob.taker.quote(alice.maker, own.offer, 10**8)
        bob.chains["bitcoin"].price = 10**7  # by now it would cost more than it is worth
        with pytest.raises(TakingOver):
            await bob.taker.take(alice.maker, quote)
        assert (await alice.shop.offer(own.offer.id)).remaining == 10**8
        assert not await alice.store.deals()
        assert not await bob.store.deals()


@pytest.mark.parametrize(
    ("outcome", "left", "state"),
    [("expired", 9 * 10**7, TakingState.DONE), ("unfunded", 10**8, TakingState.FAILED)],
)
async def test_a_deal_that_nobody_funds_gives_the_part_back(tmp_path, outcome, left, state):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions())
        standing = await bob.taker.take(alice.maker, await bob.taker.quote(alice.maker, own.offer, 10**7))
        await alice.store.deals()  # whoever drives a deal closes it
        await alice.store.close(standing.deal, outcome, AT + 5)
        assert (await alice.shop.offer(own.offer.id)).remaining == left
        (taking,) = await alice.shop.takings()
        assert (taking.state, taking.failed_at) == (state, None)  # we never funded: it was not the taker's doing


async def test_a_live_option_is_paid_for(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions())
        standing = await bob.taker.take(alice.maker, await bob.taker.quote(alice.maker, own.offer, 10**7))
        deal = await alice.store.deal(standing.deal)
        secret = alice.seed.secret(deal.nonce, "a")
        await alice.store.deals()
        await alice.store.learn(deal.id, {deal.terms.hash("writer", "a"): secret})
        assert (await alice.shop.takings())[0].state is TakingState.LIVE
        alice.clock.time = deal.terms.times["premium"] + 1
        assert (await alice.shop.takings())[0].failed_at is None


async def test_a_withdrawn_offer_and_an_old_quote_are_not_sold(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        own, other = [await alice.shop.publish(conditions(strike=strike)) for strike in (10**20, 10**21)]
        quote, late = [await bob.taker.quote(alice.maker, one.offer, 10**6) for one in (own, other)]
        await alice.shop.withdraw(own.offer.id)
        with pytest.raises(RefusedByPeer) as caught:
            await bob.taker.take(alice.maker, quote)
        assert caught.value.code == "OfferOver"
        assert [one.offer.id for one in (await bob.taker.offers(alice.maker)).offers] == [other.offer.id]
        alice.clock.time += alice.limits.quote + 1
        with pytest.raises(RefusedByPeer) as caught:
            await bob.taker.take(alice.maker, late)
        assert caught.value.code == "QuoteExpired"
        assert [one.offer.id for one in await alice.shop.own()] == [other.offer.id]
        assert len(await alice.shop.own(everything=True)) == 2
        alice.clock.time = other.offer.conditions.until + 1
        assert not (await bob.taker.offers(alice.maker)).offers


async def test_many_offers_come_in_pages(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        published = [(await alice.shop.publish(conditions(strike=10**20 + n))).offer.id for n in range(30)]
        assert (await bob.taker.offers(alice.maker)).next == 24
        found = [one.offer.id for one in await bob.taker.every_offer(alice.maker)]
        assert found == published[::-1]
        bob.clock.time += 1
        quote = await bob.taker.quote(
            alice.maker, (await bob.taker.offer(alice.maker, published[-1])).offer, 10**8
        )
        await bob.taker.take(alice.maker, quote)
        found = [one.offer.id for one in await bob.taker.every_offer(alice.maker)]
        assert found == published[-2::-1]  # what is sold is not listed, and none of the others is lost


# --- nobody is taken at its word -------------------------------------------------------------------------


async def test_what_was_not_quoted_is_not_accepted(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        own = await alice.shop.publish(conditions())
        quote = await quoted(alice, bob, own.offer)
        taking = bob.taker._taking(alice.maker, _quoted(own.offer, quote))
        await bob.store.offers.want(taking)
        body = QuoteBody.parse(quote.body)
        legs = own.offer.conditions.legs(body.size, body.premium)
        good = parties.Offer("option", "writer", legs, body.times, own.offer.conditions.options, 60)
        dearer = {**legs, "premium": replace(legs["premium"], amount=legs["premium"].amount + 1)}
        later = {**body.times, "premium": body.times["premium"] + 1}
        for changes, field in (
            ({"legs": dearer}, "legs.premium"),
            ({"times": later}, "times"),
            ({"options": {"kind": "call", "releases": "no"}}, "options"),
            ({"lasts": 3600}, "until"),
        ):
            answer = await _answered(alice, bob, replace(good, **changes), quote.id)
            refused = RefusalBody.parse(answer.body)
            assert (refused.code, refused.reason.partition(" ")[0]) == (QuoteMismatch.__name__, field)
        answer = await _answered(alice, bob, good, digest("another").hex())
        assert RefusalBody.parse(answer.body).code == "NoSuchTaking"
        assert not await bob.store.book.proposals()
        assert (await _answered(alice, bob, good, quote.id)).kind is Kind.ACCEPTANCE
        again = await _answered(alice, bob, good, quote.id)  # another proposal, of the same quote
        assert RefusalBody.parse(again.body).code == "TakingOver"
        assert len(await bob.store.book.proposals()) == 1


async def test_a_maker_can_not_answer_for_another(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        async with await Store.open(str(tmp_path / "mallory.db"), drive=True) as store:
            mallory = parties.make("mallory", store, alice.clock)
            own = await alice.shop.publish(conditions())
            quote = await quoted(alice, bob, own.offer)
            await bob.store.offers.want(bob.taker._taking(alice.maker, _quoted(own.offer, quote)))
            body = QuoteBody.parse(quote.body)
            legs = own.offer.conditions.legs(body.size, body.premium)
            good = parties.Offer("option", "writer", legs, body.times, own.offer.conditions.options, 60)
            answer = await _answered(mallory, bob, good, quote.id)
            assert RefusalBody.parse(answer.body).code == "NoSuchTaking"


async def _answered(maker, taker, offer, of):
    """What a taker answers to a proposal that is said to be made of a quote."""
    proposal = await maker.agreement.prepare(offer, taker.identity, "", of)
    return await taker.agreement.receive(read(proposal.message.encode()))


def _quoted(offer, quote):
    from settlement.taker import Quoted

    return Quoted(offer, QuoteBody.parse(quote.body), quote)


async def test_a_quote_that_differs_from_the_offer_is_refused(tmp_path, monkeypatch):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions())
        to_json = QuoteBody.to_json
        for changes, field in (
            ({"premium": str(10**16 + 1)}, "premium"),
            ({"size": str(2 * 10**6)}, "size"),
            ({"nonce": NONCE}, "nonce"),
            ({"times": {"expiry": own.offer.conditions.expiry}}, "times"),
        ):
            monkeypatch.setattr(QuoteBody, "to_json", lambda self, c=changes: {**to_json(self), **c})
            with pytest.raises(QuoteMismatch) as caught:
                await bob.taker.quote(alice.maker, own.offer, 10**6)
            assert caught.value.field == field
        monkeypatch.setattr(QuoteBody, "to_json", lambda self: {**to_json(self), "extra": 1})
        with pytest.raises(PeerUnavailable, match="not good"):
            await bob.taker.quote(alice.maker, own.offer, 10**6)


async def test_offers_of_other_networks_are_not_for_us(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions())
        bob.chains["evm"].identity = "paper:other"
        with pytest.raises(WrongChain):
            await bob.taker.quote(alice.maker, own.offer, 10**6)


async def test_bad_requests_get_typed_refusals(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        own = await alice.shop.publish(conditions())
        quote = await quoted(alice, bob, own.offer)
        async with await Store.open(str(tmp_path / "mallory.db"), drive=True) as store:
            mallory = parties.make("mallory", store, alice.clock)
            stolen = TakeBody(quote.text, "").to_json()
            assert await refusal(alice, mallory, Kind.TAKE, stolen) == "NotOurQuote"
            forged = seal(bob.seed.identity(), Kind.QUOTE, alice.identity, quote.body, AT)
            assert await refusal(alice, bob, Kind.TAKE, TakeBody(forged.text, "").to_json()) == "NotOurQuote"
        ask = AskBody(own.offer.id, 10**6, NONCE).to_json()
        cases = {
            "NoSuchOffer": (Kind.ASK, {**ask, "offer": "00" * 32}),
            "BadSize": (Kind.ASK, {**ask, "size": str(10**6 + 1)}),
            "MalformedMessage": (Kind.ASK, {**ask, "size": "-1"}),
            "UnexpectedMessage": (Kind.QUOTE, dict(quote.body)),
        }
        for code, (kind, body) in cases.items():
            assert await refusal(alice, bob, kind, body) == code
        for body in ({**ask, "nonce": "ab"}, {**ask, "extra": 1}, {"offer": own.offer.id}, {**ask, "size": 10**6}):
            assert await refusal(alice, bob, Kind.ASK, body) == "MalformedMessage"
        for body in ({"skip": -1, "offer": ""}, {"skip": 10**9, "offer": ""}, {"skip": 0, "offer": 7}, {}):
            assert await refusal(alice, bob, Kind.LISTING, body) == "MalformedMessage"
        for body in ({"quote": "x", "url": ""}, {"quote": quote.text + " ", "url": ""}, {"quote": quote.text}):
            assert await refusal(alice, bob, Kind.TAKE, body) == "MalformedMessage"
        assert not await alice.shop.takings()


async def test_who_makes_no_offers_says_so(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        listing = seal(bob.seed.identity(), Kind.LISTING, alice.identity, ListingBody().to_json(), AT)
        answer = await alice.agreement.receive(listing)
        assert RefusalBody.parse(answer.body).code == "UnexpectedMessage"


# --- lost and repeated messages, and dying ---------------------------------------------------------------


async def test_a_take_that_is_sent_again_finds_the_same_proposal(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        own = await alice.shop.publish(conditions())
        quote = await quoted(alice, bob, own.offer)
        answers = await asyncio.gather(*(taken(alice, bob, quote) for _ in range(5)))
        assert len({answer.text for answer in answers}) == 1
        alice.build()
        assert (await taken(alice, bob, quote)).text == answers[0].text
        assert (await alice.shop.offer(own.offer.id)).remaining == 10**8 - 10**6
        assert len(await alice.store.book.proposals()) == 1


async def test_the_makers_mailer_finishes_what_the_taker_lost(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions())
        quote = await bob.taker.quote(alice.maker, own.offer, 10**6)
        await bob.store.offers.want(bob.taker._taking(alice.maker, quote))
        await taken(alice, bob, quote.message)  # the answer is lost
        (waiting,) = await alice.store.book.pending()
        assert (await alice.mailer.send(waiting)).stage.name == "agreed"
        assert (await bob.store.offers.taking(quote.message.id, AT)).state is TakingState.AGREED
        assert len(await bob.store.deals()) == 1


async def test_a_taking_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    async with parties.two(tmp_path) as (alice, bob):
        own, send = await alice.shop.publish(conditions()), Post.send
        quote = await bob.taker.quote(alice.maker, own.offer, 10**6)

        async def lost(self, url, message):
            raise PeerUnavailable(url, "the cable is out")

        monkeypatch.setattr(Post, "send", lost)
        with pytest.raises(PeerUnavailable):
            await bob.taker.take(alice.maker, quote)
        assert (await bob.shop.taking(quote.message.id)).state is TakingState.ASKED
        monkeypatch.setattr(Post, "send", send)
        resumed = await bob.taker.resume(quote.message.id)
        assert resumed.state is TakingState.AGREED
        assert await bob.taker.resume(quote.message.id) == resumed
        assert len(await alice.shop.takings()) == 1


async def test_two_takers_of_the_last_part_get_it_once(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        own = await alice.shop.publish(conditions())
        quotes = [await quoted(alice, bob, own.offer, 6 * 10**7, nonce=f"{n:032x}") for n in range(2)]
        answers = await asyncio.gather(*(taken(alice, bob, quote) for quote in quotes))
        assert sorted(answer.kind.value for answer in answers) == ["proposal", "refusal"]
        assert (await alice.shop.offer(own.offer.id)).remaining == 4 * 10**7


async def test_an_old_copy_of_the_database_sells_nothing_more(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        own = await alice.shop.publish(conditions())
        copy = tmp_path / "copy.db"
        import sqlite3

        with sqlite3.connect(alice.store.name) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        await taken(alice, bob, await quoted(alice, bob, own.offer))
        async with await Store.open(str(copy), drive=True) as store:
            assert store.restored
            assert (await store.offers.offer(own.offer.id)).withdrawn_at is not None


# --- limits ----------------------------------------------------------------------------------------------


async def test_a_peer_that_never_answers_locks_little_and_waits_longer_each_time(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        alice.limits = Limits(per_peer=2, cooldown=100)
        alice.build()
        own = await alice.shop.publish(conditions())
        quotes = [await quoted(alice, bob, own.offer, nonce=f"{n:032x}") for n in range(3)]
        answers = [await taken(alice, bob, quote) for quote in quotes]
        assert [answer.kind for answer in answers] == [Kind.PROPOSAL, Kind.PROPOSAL, Kind.REFUSAL]
        assert RefusalBody.parse(answers[2].body).code == "TooManyTakings"
        failed = alice.clock.time + alice.limits.answer
        alice.clock.time = failed + 1
        await alice.agreement.lapse()
        ask = AskBody(own.offer.id, 10**6, NONCE).to_json()
        assert await refusal(alice, bob, Kind.ASK, ask) == "CoolingDown"
        alice.clock.time = failed + 199  # two failures: twice the wait
        assert await refusal(alice, bob, Kind.ASK, ask) == "CoolingDown"
        alice.clock.time = failed + 200
        assert (await quoted(alice, bob, own.offer)).kind is Kind.QUOTE


async def test_a_peer_that_agrees_and_never_pays_cools_down(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions(role="holder"))
        standing = await bob.taker.take(alice.maker, await bob.taker.quote(alice.maker, own.offer, 10**6))
        deal = await alice.store.deal(standing.deal)
        alice.clock.time = deal.terms.times["premium"] + 1
        (overdue,) = await alice.shop.takings()
        assert (overdue.state, overdue.failed_at) == (TakingState.AGREED, deal.terms.times["premium"])
        with pytest.raises(RefusedByPeer) as caught:
            await bob.taker.quote(alice.maker, own.offer, 10**6)
        assert caught.value.code == "CoolingDown"


async def test_what_takers_lock_is_bounded_for_each_and_for_all(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        async with await Store.open(str(tmp_path / "carol.db"), drive=True) as store:
            carol = parties.make("carol", store, alice.clock)
            asset = "bitcoin/native"
            alice.limits = Limits(locked_per_peer={asset: 2 * 10**7}, locked={asset: 3 * 10**7}, per_peer=9)
            alice.build()
            own = await alice.shop.publish(conditions())
            for taker, size, code in (
                (bob, 2 * 10**7 + 10**5, "TooMuchLocked"),
                (bob, 2 * 10**7, None),
                (bob, 10**6, "TooMuchLocked"),
                (carol, 10**7 + 10**5, "TooMuchLocked"),
                (carol, 10**7, None),
            ):
                if code is None:
                    quote = await quoted(alice, taker, own.offer, size)
                    assert (await taken(alice, taker, quote)).kind is Kind.PROPOSAL
                else:
                    ask = AskBody(own.offer.id, size, NONCE).to_json()
                    assert await refusal(alice, taker, Kind.ASK, ask) == code


async def test_only_customers_are_served_where_there_are_some(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        own = await alice.shop.publish(conditions())
        alice.limits = Limits(peers=frozenset({"11" * 32}))
        alice.build()
        for kind, body in (
            (Kind.LISTING, ListingBody().to_json()),
            (Kind.ASK, AskBody(own.offer.id, 10**6, NONCE).to_json()),
        ):
            assert await refusal(alice, bob, kind, body) == "NotACustomer"
        alice.limits = Limits(peers=frozenset({bob.identity}))
        alice.build()
        assert (await quoted(alice, bob, own.offer)).kind is Kind.QUOTE


async def test_nobody_sells_what_it_does_not_hold(tmp_path):
    async with parties.two(tmp_path, serve=False) as (alice, bob):
        alice.wallets["bitcoin"].held = 3 * 10**6
        own = await alice.shop.publish(conditions())
        first, second = [await quoted(alice, bob, own.offer, 2 * 10**6, nonce=f"{n:032x}") for n in range(2)]
        assert (await taken(alice, bob, first)).kind is Kind.PROPOSAL
        assert RefusalBody.parse((await taken(alice, bob, second)).body).code == "NotInStock"
