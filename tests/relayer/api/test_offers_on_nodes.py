"""Offers through nothing but the API, on real nodes: published, looked at, quoted, taken, withdrawn."""

from __future__ import annotations

import pytest

from relayer.api.client import ApiRefused
from relayer.api.offering import PartBody, TakePartBody
from tests.relayer.api.trading import TOKEN, until

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(240)]

PART = 3 * 10**6


def kind(name: str) -> str:
    return f"urn:strikelock:problem:{name}"


async def test_an_offer_is_published_once_and_taken_once(market):
    writer, holder = market.writer.api, market.holder.api
    body = market.part()
    own = await writer.publish(body, key="the-first-offer")
    assert (await writer.publish(body, key="the-first-offer")).id == own.id
    assert (own.remaining, own.premium, own.vol, own.spot) == (str(10**7), None, 0.6, 60_000.0)
    assert [one.id for one in (await writer.offers()).offers] == [own.id]
    theirs = await holder.peer_offers(market.writer.actor.url)
    assert theirs.maker == market.writer.daemon.party.identity
    assert [(one.id, one.remaining) for one in theirs.offers] == [(own.id, own.remaining)]

    part = {"peer": market.writer.actor.url, "offer": own.id, "size": str(PART)}
    quote = await holder.part_quote(PartBody.model_validate(part))
    assert quote.legs["collateral"].units == str(PART)
    assert quote.legs["strike"].units == str(6000 * TOKEN * 3 // 10)
    assert int(quote.premium) > 0
    with pytest.raises(ApiRefused) as refused:
        await holder.take(TakePartBody.model_validate({**part, "limit": "1"}))
    assert (refused.value.status, refused.value.type) == (409, kind("too-dear"))
    wanted = TakePartBody.model_validate({**part, "limit": str(2 * int(quote.premium))})
    taking = await holder.take(wanted, key="the-first-part")
    assert (taking.ours, taking.size, taking.state) == (True, str(PART), "agreed")
    assert (await holder.take(wanted, key="the-first-part")).id == taking.id
    assert (await writer.offer(own.id)).remaining == str(10**7 - PART)
    (sold,) = (await writer.takings(offer=own.id)).takings
    assert (sold.id, sold.ours, sold.deal) == (taking.id, False, taking.deal)

    async def driven() -> bool:
        return taking.deal in [deal.id for deal in (await holder.deals()).deals]

    await until(market.world, driven)
    assert (await holder.taking(taking.id)).deal == taking.deal
    assert (await writer.withdraw(own.id)).withdrawn_at is not None
    assert (await writer.offers()).offers == ()
    assert len((await writer.offers(state="all")).offers) == 1
    with pytest.raises(ApiRefused) as refused:
        await holder.take(wanted)
    assert refused.value.type == kind("refused-by-peer")


async def test_what_makes_no_sense_is_refused_by_its_type(market):
    api = market.writer.api
    nobody = {"peer": "http://127.0.0.1:1", "offer": "0" * 64, "size": "1"}
    for ask, status, name in (
        (api.offer("0" * 64), 404, "no-such-offer"),
        (api.withdraw("0" * 64), 404, "no-such-offer"),
        (api.set_spot("0" * 64, 1.0), 404, "no-such-offer"),
        (api.taking("0" * 64), 404, "no-such-taking"),
        (api.peer_offers("http://127.0.0.1:1"), 409, "peer-unavailable"),
        (api.part_quote(PartBody.model_validate(nobody)), 409, "peer-unavailable"),
        (api.take(TakePartBody.model_validate(nobody)), 409, "peer-unavailable"),
        (api.publish(market.part(step="3")), 409, "bad-offer"),
        (api.publish(market.part(until=1)), 409, "bad-offer"),
        (api.publish(market.part(spot=None)), 409, "no-spot"),
        (api.publish(market.part(least="1", step="1")), 409, "dust"),
        (
            api.publish(market.part(underlying={**market.leg("bitcoin", 10**7), "chain": "moon"})),
            409,
            "wrong-chain",
        ),
    ):
        with pytest.raises(ApiRefused) as refused:
            await ask
        assert (refused.value.status, refused.value.type) == (status, kind(name))
