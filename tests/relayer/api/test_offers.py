"""Offers at the API, of a party on paper: what is published and taken once stays once, whatever is cut off."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from htlc.errors import PeerUnavailable
from settlement.post import Post
from tests.relayer.api.served import problem, served
from tests.settlement import parties
from tests.settlement.samples import AT, digest

OFFER = {
    "kind": "call",
    "role": "writer",
    "underlying": {"chain": "bitcoin", "asset": "native", "units": "100000000"},
    "strike": {"chain": "evm", "asset": "token", "units": str(10**20)},
    "premium": {"units": str(10**18)},
    "least": str(10**6),
    "step": str(10**5),
    "expiry": AT + 2 * 86_400,
    "until": AT + 86_400,
}
KEY = {"Idempotency-Key": "the-only-one"}


@asynccontextmanager
async def shops(folder):
    """A maker and a taker on paper, and the API of each."""
    async with parties.two(folder) as (alice, bob):
        async with served(folder, trader=alice) as maker, served(folder, trader=bob) as taker:
            yield alice, maker, taker


def part(alice, offer: str, **more) -> dict:
    return {"peer": alice.url, "offer": offer, "size": str(10**6), **more}


async def published(maker, key: str = "some-offer-1", **changes) -> dict:
    answer = await maker.trade("/v1/offers", {**OFFER, **changes}, **{"Idempotency-Key": key})
    assert answer.status == 201, await answer.text()
    return await answer.json()


async def test_both_sides_see_what_is_left_and_what_was_taken(tmp_path):
    async with shops(tmp_path) as (alice, maker, taker):
        own = await published(maker)
        assert (own["remaining"], own["premium"], own["withdrawn_at"]) == (str(10**8), str(10**18), None)
        listing = f"/v1/peers/offers?peer={alice.url}"
        assert (await taker.read(listing)).status == 403  # it makes us ask elsewhere
        page = await (await taker.client.get(listing, headers=taker.bearer["trade"])).json()
        assert (page["maker"], page["next"]) == (alice.identity, None)
        assert [one["id"] for one in page["offers"]] == [own["id"]]
        quote = await (await taker.trade("/v1/peers/quotes", part(alice, own["id"]))).json()
        assert (quote["premium"], quote["legs"]["strike"]["units"]) == (str(10**16), str(10**18))
        taken = await taker.trade("/v1/takings", part(alice, own["id"], limit=str(10**16)), **KEY)
        taking = await taken.json()
        assert (taken.status, taking["state"], taking["ours"]) == (201, "agreed", True)
        sold = await (await maker.read(f"/v1/takings?offer={own['id']}")).json()
        assert [(one["id"], one["ours"]) for one in sold["takings"]] == [(taking["id"], False)]
        assert (await (await maker.read(f"/v1/offers/{own['id']}")).json())["remaining"] == str(10**8 - 10**6)
        assert (await (await taker.read(f"/v1/takings/{taking['id']}")).json())["deal"] == taking["deal"]
        await maker.trade(f"/v1/offers/{own['id']}/withdrawal", None)
        assert (await (await maker.read("/v1/offers")).json())["offers"] == []
        assert len((await (await maker.read("/v1/offers?state=all")).json())["offers"]) == 1


async def test_a_publishing_that_is_cut_off_is_found_again(tmp_path, monkeypatch):
    async with shops(tmp_path) as (alice, maker, _):
        answer = maker.store.requests.answer

        monkeypatch.setattr(maker.store.requests, "answer", lambda *_: 1 / 0)  # stored, and nobody hears of it
        assert (await maker.trade("/v1/offers", OFFER, **KEY)).status == 500
        monkeypatch.setattr(maker.store.requests, "answer", answer)
        again = await maker.trade("/v1/offers", OFFER, **KEY)
        assert again.status == 201
        assert [own.offer.id for own in await alice.shop.own()] == [(await again.json())["id"]]


async def test_a_taking_that_is_cut_off_goes_on(tmp_path, monkeypatch):
    async with shops(tmp_path) as (alice, maker, taker):
        own, send = await published(maker), Post.send

        async def lost(self, url, message):
            if message.kind.value == "take":
                raise PeerUnavailable(url, "the cable is out")
            return await send(self, url, message)

        monkeypatch.setattr(Post, "send", lost)
        answer = await taker.trade("/v1/takings", part(alice, own["id"]), **KEY)
        assert (await problem(answer, 409)).type.endswith("peer-unavailable")
        monkeypatch.setattr(Post, "send", send)
        (asked,) = (await (await taker.read("/v1/takings")).json())["takings"]
        assert asked["state"] == "asked"
        resumed = await taker.daemon.taker.resume(asked["id"])
        assert resumed.state.value == "agreed"
        assert (await taker.daemon.taker.resume(asked["id"])) == resumed
        assert len(await alice.shop.takings()) == 1


@pytest.fixture(scope="module")
async def desk(tmp_path_factory):
    """An API at which nothing comes of what is asked."""
    async with shops(tmp_path_factory.mktemp("desk")) as (_, maker, _):
        yield maker


@pytest.mark.parametrize(
    ("change", "status", "name"),
    [
        ({"step": "3"}, 409, "bad-offer"),
        ({"until": 1}, 409, "bad-offer"),
        ({"premium": {"vol": 0.6}}, 409, "no-spot"),
        ({"least": "100", "step": "100"}, 409, "dust"),
        ({"expiry": AT + 900, "until": AT + 60}, 409, "offer-over"),
        ({"strike": {**OFFER["strike"], "chain": "moon"}}, 409, "wrong-chain"),
        ({"strike": {**OFFER["strike"], "asset": "gold"}}, 409, "bad-asset"),
        ({"premium": {"units": "1", "vol": 0.6}}, 400, "invalid-request"),
        ({"premium": {"vol": 0}}, 400, "invalid-request"),
        ({"least": "0"}, 400, "invalid-request"),
        ({"least": 5}, 400, "invalid-request"),
        ({"extra": 1}, 400, "invalid-request"),
        ({"expiry": 2**31}, 400, "invalid-request"),
        ({"spot": -1}, 400, "invalid-request"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_type(desk, change, status, name):
    answer = await desk.trade("/v1/offers", {**OFFER, **change}, **{"Idempotency-Key": digest(change).hex()})
    assert (await problem(answer, status)).type == f"urn:strikelock:problem:{name}"
    assert (await (await desk.read("/v1/offers?state=all")).json())["offers"] == []
