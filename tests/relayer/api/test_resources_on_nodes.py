"""A deal from quote to exercise through nothing but the API, on real nodes; and what else it says of a party."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from contextlib import AsyncExitStack, aclosing

import pytest
from pydantic import TypeAdapter

from htlc.terms import LegTerms, parse_terms
from relayer.api import app, models
from relayer.api.asks import PROPOSE, OfferBody, QuoteBody, TokenBody
from relayer.api.client import ApiRefused, ApiUnreachable, Client
from relayer.api.keys import fingerprint
from relayer.api.resources.offers import _conditions
from relayer.daemon import Daemon
from relayer.errors import CannotListen
from settlement.backup import read_descriptor
from settlement.store.requests import RequestKey
from tests.relayer.api.trading import LIFE, TOKEN, until

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(240)]


async def until_one(stream, wanted):
    """Events up to the first whose data are wanted."""
    async for event in stream:
        yield event
        if wanted(event.data):
            return


async def test_who_answers_and_what_it_stands_on(market):
    api = market.writer.api
    party = await api.party()
    assert party.identity == market.writer.daemon.party.identity

    async def counted() -> bool:
        return all(account.balances for account in (await api.accounts()).accounts)

    await until(market.world, counted)
    chains = {chain.name: chain for chain in (await api.chains()).chains}
    assert set(chains) == {"bitcoin", "evm"}
    assert (await api.chain("evm")).identity == chains["evm"].identity
    assert all(chain.well and chain.height for chain in chains.values())
    assert chains["bitcoin"].timing.median_span == 11
    fees = {fee.chain: fee for fee in (await api.fees()).fees}
    assert fees["bitcoin"].unit == "sat/kvB"
    assert int(fees["bitcoin"].prices.urgent) >= int(fees["bitcoin"].prices.floor) > 0
    account = await api.account("evm")
    held = {balance.symbol: balance for balance in account.balances}
    assert held["TEST"].decimals == 6
    assert int(held["TEST"].units) == 10_000 * TOKEN
    assert account.address == market.writer.daemon.party.wallets["evm"].address


async def test_what_is_not_there_is_told_by_its_type(market):
    api = market.writer.api
    for ask, kind in (
        (api.deal("0" * 32), "no-such-deal"),
        (api.terms("0" * 32), "no-such-deal"),
        (api.proposal("0" * 64), "no-such-proposal"),
        (api.chain("none"), "no-such-chain"),
        (api.lane("none"), "no-such-lane"),
        (api.message("0" * 64), "no-such-message"),
        (api.leg("0" * 32, "x"), "no-such-deal"),
        (api.decide("0" * 64, "accept"), "no-such-proposal"),
        (api.wish("0" * 32, "refund"), "no-such-deal"),
        (api.revoke_token("0" * 16), "no-such-token"),
    ):
        with pytest.raises(ApiRefused) as refused:
            await ask
        assert refused.value.problem == f"urn:strikelock:problem:{kind}"
        assert refused.value.status == 404
    assert (await api.lanes()).lanes == ()


async def test_terms_that_no_party_should_enter_are_refused(market):
    api, before = market.writer.api, len((await market.writer.api.proposals()).proposals)
    good = market.option(125 * TOKEN).model_dump()
    dust = {**good, "legs": {**good["legs"], "collateral": market.leg("bitcoin", 1)}}
    elsewhere = {**good, "legs": {**good["legs"], "collateral": {**market.leg("bitcoin", 1), "chain": "moon"}}}
    nobody = {**good, "peer": "http://127.0.0.1:1"}
    for body, kind in ((dust, "dust"), (elsewhere, "bad-request"), (nobody, "peer-unavailable")):
        with pytest.raises(ApiRefused) as refused:
            await api.propose(PROPOSE.validate_python(body))
        assert (refused.value.status, refused.value.problem) == (409, f"urn:strikelock:problem:{kind}")
    assert len((await api.proposals()).proposals) == before


async def test_an_option_from_quote_to_exercise(market):
    writer, holder, world = market.writer.api, market.holder.api, market.world
    quote = await writer.quote(
        QuoteBody.model_validate(
            {
                "kind": "call",
                "collateral": market.leg("bitcoin", 10**7),
                "strike": market.leg("evm", 6000 * TOKEN),
                "life": LIFE,
                "spot": 60_000.0,
                "vol": 0.6,
            }
        )
    )
    assert quote.coin == f"evm/{world.tokens['evm']}"
    assert quote.fair * TOKEN <= int(quote.premium) <= quote.fair * TOKEN + 1

    body = market.option(int(quote.premium))
    made = await writer.propose(body, key="the-first-option")
    assert (made.state, made.sent, made.legs["premium"].units) == ("offered", True, quote.premium)
    assert (await writer.propose(body, key="the-first-option")).id == made.id
    with pytest.raises(ApiRefused) as refused:
        await writer.propose(market.option(1 + int(quote.premium)), key="the-first-option")
    assert refused.value.problem == "urn:strikelock:problem:key-reused"

    async def received() -> bool:
        return any(one.id == made.id for one in (await holder.proposals(state="received")).proposals)

    await until(world, received)
    taken = await holder.decide(made.id, "accept")
    assert taken.state in ("accepted", "agreed")

    async def agreed() -> bool:
        return (await writer.proposal(made.id)).deal is not None

    await until(world, agreed)
    id_ = (await writer.proposal(made.id)).deal

    async def funded() -> bool:
        return {one.name for one in (await holder.legs(state="funded")).legs} >= {"collateral", "strike"}

    await until(world, funded)
    assert [deal.id for deal in (await holder.deals()).deals] == [id_]
    deal = await holder.deal(id_)
    assert deal.role == "holder"
    assert {leg.name: leg.state for leg in deal.look.legs}["collateral"] == "funded"
    assert (await holder.leg(id_, "strike")).units == str(6000 * TOKEN)
    assert {sent.step for sent in deal.transactions} == {"fund"}
    for wish in ("release", "exercise"):
        if wish == "exercise":
            with pytest.raises(ApiRefused) as refused:
                await writer.wish(id_, wish)
            assert refused.value.problem == "urn:strikelock:problem:senseless-wish"
    assert (await holder.wish(id_, "exercise")) == models.Wishes(exercise=True, release=False, refund=False)

    async def over() -> bool:
        found = [await api.deal(id_) for api in (writer, holder)]
        return all(one.outcome is not None for one in found)

    await until(world, over)
    closed = await writer.deal(id_)
    assert (closed.outcome, closed.look) == ("exercised", None)
    assert {sent.phase for sent in closed.transactions} <= {"mined", "displaced"}
    assert [one.id for one in (await writer.deals(state="closed")).deals] == [id_]
    assert (await writer.legs()).legs == ()
    with pytest.raises(ApiRefused) as refused:
        await holder.wish(id_, "refund")
    assert refused.value.problem == "urn:strikelock:problem:deal-over"

    exported = await holder.terms(id_)
    terms = parse_terms(json.loads(json.dumps(exported.terms)))
    assert (terms.id, terms.digest.hex()) == (id_, exported.digest)
    assert read_descriptor(exported.descriptor.encode()).deal.id == id_


async def test_a_proposal_that_was_made_before_a_crash_is_not_made_again(market):
    party, api = market.writer.daemon.party, market.writer.api
    body = market.option(77 * TOKEN)
    key = RequestKey(f"user {os.geteuid()}", "cut-off-in-between")
    digest = fingerprint("POST", "/v1/proposals", PROPOSE.dump_json(body))
    assert await party.store.requests.claim(key, digest, int(party.clock.now())) is None
    parts = {name: getattr(body.legs, name) for name in ("collateral", "premium", "strike")}
    legs = {name: LegTerms(leg.chain, leg.asset, int(leg.units)) for name, leg in parts.items()}
    times = party.ladder("option", {name: leg.chain for name, leg in legs.items()}, LIFE)
    options = {"kind": "call", "releases": "yes"}
    made = await party.draft("option", "writer", legs, options, times, market.holder.actor.url, request=key)
    before = len((await api.proposals()).proposals)  # and here the process ends, before it answers

    again = await api.propose(body, key="cut-off-in-between")
    assert again.id == made.id
    assert len((await api.proposals()).proposals) == before
    assert (await api.decide(made.id, "refuse")).state == "lapsed"


async def test_a_proposal_that_comes_is_news(market):
    api = market.holder.api
    async with aclosing(api.events()) as stream, asyncio.timeout(60):
        assert isinstance((await anext(stream)).data, models.Reset)
        made = await market.offer(33 * TOKEN)
        async for event in stream:
            if isinstance(event.data, models.Proposal) and event.data.id == made:
                break
        assert event.data.state == "received"
        assert event.data.legs["premium"].units == str(33 * TOKEN)
        await api.decide(event.data.id, "refuse")
        async for event in stream:
            if isinstance(event.data, models.Proposal) and event.data.state == "refused":
                break


async def test_tokens_are_made_and_taken_back_at_the_socket(market):
    api, url = market.writer.api, market.writer.url
    mode = (market.writer.actor.folder / "api.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    fresh = await api.new_token(TokenBody(name="a reader", scope="read", lasts=3600))
    assert fresh.token.expires_at == fresh.token.created_at + 3600
    async with Client(url, fresh.secret) as reader:
        assert (await reader.party()).identity == market.writer.daemon.party.identity
        with pytest.raises(ApiRefused) as refused:
            await reader.wish("0" * 32, "refund")
        assert refused.value.problem == "urn:strikelock:problem:scope-too-small"
        with pytest.raises(ApiRefused) as refused:
            await reader.tokens()
        assert refused.value.status == 404
        assert (await api.revoke_token(fresh.token.id)).revoked_at is not None
        with pytest.raises(ApiRefused) as refused:
            await reader.party()
        assert refused.value.status == 401
    async with Client(url) as stranger:
        with pytest.raises(ApiRefused) as refused:
            await stranger.party()
        assert refused.value.problem == "urn:strikelock:problem:token-needed"
    listed = [token for token in (await api.tokens()).tokens if token.id == fresh.token.id]
    assert listed[0].name == "a reader"
    assert fresh.secret.encode() not in (market.writer.actor.folder / "strikelock.db").read_bytes()


async def test_another_user_at_the_socket_needs_a_token(market, monkeypatch):
    path, ours = market.writer.actor.folder / "api.sock", market.writer.api
    admin = await ours.new_token(TokenBody(name="another user", scope="admin"))
    reader = await ours.new_token(TokenBody(name="a reader", scope="read"))
    monkeypatch.setattr(app.os, "geteuid", lambda: 12_345)
    for token, problem in ((None, "token-needed"), (reader.secret, "scope-too-small")):
        async with Client(path, token) as other:
            with pytest.raises(ApiRefused) as refused:
                await other.tokens()
            assert refused.value.problem == f"urn:strikelock:problem:{problem}"
    async with Client(path, admin.secret) as other:
        assert (await other.tokens()).tokens


async def test_a_socket_that_another_process_has_is_not_taken(market):
    other = Daemon(market.writer.daemon.party, market.writer.daemon.driver)
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotListen):
            await other._open_api(stack)
    assert (await market.writer.api.party()).live


async def test_where_nobody_is_the_client_says_so(tmp_path):
    for where in (tmp_path / "none.sock", "http://127.0.0.1:1"):
        async with Client(where) as api:
            with pytest.raises(ApiUnreachable):
                await api.party()


async def test_an_offer_is_published_quoted_taken_and_withdrawn(market):
    maker, taker, world = market.writer.api, market.holder.api, market.world
    party = market.writer.daemon.party
    body = market.shelf()
    made = await maker.publish(body, key="an-offer-of-ours")
    assert (made.remaining, made.step, made.premium) == (str(10**7), str(10**6), str(20 * TOKEN))
    assert (await maker.publish(body, key="an-offer-of-ours")).id == made.id
    assert [one.id for one in (await maker.offers()).offers] == [made.id]

    peer = f"{party.identity}@{market.writer.actor.url}"
    (seen,) = (await taker.their_offers(peer)).offers
    assert (seen.id, seen.spot) == (made.id, None)
    quoted = await taker.ask(peer, made.id, 3 * 10**6)
    assert quoted.premium == str(6 * TOKEN)
    for size, limit, kind in ((15 * 10**5, None, "bad-size"), (3 * 10**6, TOKEN, "too-dear")):
        with pytest.raises(ApiRefused) as refused:
            await taker.take(peer, made.id, size, limit)
        assert refused.value.problem == f"urn:strikelock:problem:{kind}"
    async with aclosing(maker.events()) as stream, asyncio.timeout(60):
        assert isinstance((await anext(stream)).data, models.Reset)
        taken = await taker.take(peer, made.id, 3 * 10**6, 6 * TOKEN, key="a-part-of-theirs")
        news = [event.data async for event in until_one(stream, lambda data: isinstance(data, models.Taking))]
    assert (news[-1].id, news[-1].offer, news[-1].ours) == (taken.id, made.id, False)
    assert (await taker.take(peer, made.id, 3 * 10**6, 6 * TOKEN, key="a-part-of-theirs")).id == taken.id
    assert taken.ours
    assert taken.deal is not None
    assert (await maker.offer(made.id)).remaining == str(7 * 10**6)
    (sold,) = (await maker.takings(offer=made.id)).takings
    assert (sold.id, sold.ours, sold.deal) == (taken.id, False, taken.deal)
    assert (await maker.taking(taken.id)).state == sold.state

    assert (await maker.withdraw(made.id)).withdrawn_at is not None
    assert (await maker.offers()).offers == ()
    for ask in (maker.offer("0" * 64), maker.withdraw("0" * 64), maker.taking("0" * 64)):
        with pytest.raises(ApiRefused) as refused:
            await ask
        assert refused.value.status == 404
    await world.step()


async def test_what_was_published_and_taken_before_a_crash_is_not_again(market):
    party, api = market.writer.daemon.party, market.writer.api
    strike = market.leg("evm", 60 * TOKEN)
    body = market.shelf(kind="put", role="holder", strike=strike, premium={"vol": 0.6}, spot=60.0)
    key = RequestKey(f"user {os.geteuid()}", "an-offer-cut-off")
    digest = fingerprint("POST", "/v1/offers", TypeAdapter(OfferBody).dump_json(body))
    assert await party.store.requests.claim(key, digest, int(party.clock.now())) is None
    made = await party.shop.publish(_conditions(body), body.spot, key)  # and here the process ends
    assert (await api.publish(body, key=key.key)).id == made.offer.id
    assert (await api.set_spot(made.offer.id, 61.5)).spot == 61.5
    assert len([one for one in (await api.offers()).offers if one.kind == "put"]) == 1
