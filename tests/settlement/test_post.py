"""Over HTTP: bounded, limited, tried again, and nothing believed that is not signed by the right party."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from htlc.errors import PeerUnavailable
from settlement.gate import Gate, Limiter, Rate
from settlement.messages import MAX_BYTES, Kind, seal
from settlement.post import Post
from settlement.seed import Identity
from tests.settlement import parties
from tests.settlement.samples import AT

US, THEY, OTHER = (Identity(bytes([number]) * 32) for number in (1, 2, 3))


def message(recipient: str = THEY.public):
    return seal(US, Kind.RECEIPT, recipient, {"of": "00" * 32, "state": "x"}, AT)


async def serve(stack: AsyncExitStack, *answers) -> tuple[str, list[bytes]]:
    """A server that gives these answers one after the other (the last for ever); what it was sent."""
    seen: list[bytes] = []
    queue = list(answers)

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(await request.read())
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        return await answer(request) if callable(answer) else answer()

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handle)
    return await listen(stack, application), seen


async def listen(stack: AsyncExitStack, application: web.Application) -> str:
    runner = web.AppRunner(application)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


def text(content: str, status: int = 200):
    async def answer(_request):
        return web.Response(text=content, status=status)

    return answer


def signed(by: Identity = THEY, to: Identity = US) -> str:
    return seal(by, Kind.RECEIPT, to.public, {"of": "00" * 32, "state": "x"}, AT).text


async def test_a_passing_fault_is_tried_again(monkeypatch):
    monkeypatch.setattr("settlement.post.FIRST_PAUSE", 0.01)
    async with AsyncExitStack() as stack:
        url, seen = await serve(stack, text("busy", 503), text("slow down", 429), text(signed()))
        post = await stack.enter_async_context(Post(US.public))
        ours = message()
        answer = await post.send(url, ours)
        assert answer.sender == THEY.public
        assert seen == [ours.text.encode()] * 3


async def endless(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(64):
        await response.write(b"x" * 65_536)
    return response


async def redirect(_request):
    raise web.HTTPFound("http://127.0.0.1:1/")


BAD_ANSWERS = {
    "garbage": (text("hello"), "not good"),
    "signed by another": (text(signed(OTHER)), "no part in this"),
    "for another": (text(signed(THEY, OTHER)), "not good"),
    "our own words": (text(signed(US, US)), "not good"),
    "nothing": (text("", 204), "not good"),
    "a refusal to read": (text(json.dumps({"code": "NotForUs", "reason": "why"}), 400), "why"),
    "an escape sequence": (text("\x1b[2Jred", 400), " [2Jred"),
    "a redirect": (redirect, "302"),
    "more than we read": (endless, "has"),
    "an error each time": (text("no", 500), "500"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
async def test_a_bad_answer_is_a_peer_that_is_not_there(case, monkeypatch):
    monkeypatch.setattr("settlement.post.FIRST_PAUSE", 0.01)
    answer, reason = BAD_ANSWERS[case]
    async with AsyncExitStack() as stack:
        url, _ = await serve(stack, answer)
        post = await stack.enter_async_context(Post(US.public, attempts=2))
        with pytest.raises(PeerUnavailable) as caught:
            await post.send(url, message())
        assert reason in str(caught.value)
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:1", "nonsense", "http://", "ftp://127.0.0.1/", "http://[::1"]
)
async def test_a_peer_that_is_nowhere_is_unavailable(url, monkeypatch):
    monkeypatch.setattr("settlement.post.FIRST_PAUSE", 0.01)
    async with Post(US.public, attempts=2) as post:
        with pytest.raises(PeerUnavailable):
            await post.send(url, message())
        with pytest.raises(PeerUnavailable):
            await post.identity(url)


async def test_a_peer_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr("settlement.post.TOTAL_SECONDS", 0.2)

    async def silent(_request):
        await asyncio.sleep(1)
        return web.Response()

    async with AsyncExitStack() as stack:
        url, _ = await serve(stack, silent)
        post = await stack.enter_async_context(Post(US.public, attempts=1))
        with pytest.raises(PeerUnavailable, match="in time"):
            await post.send(url, message())


async def test_a_party_says_who_it_is(tmp_path):
    async with parties.two(tmp_path) as (alice, bob):
        assert await alice.post.identity(bob.url) == bob.identity


# --- the gate --------------------------------------------------------------------------------------------


async def post(url: str, data) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url + "/v1/messages", data=data) as response:
        return response.status, await response.text()


async def chunks(total: int):
    for _ in range(0, total, 4096):
        yield b"x" * 4096


BODIES = {
    "garbage": (b"hello", 400, "MalformedMessage"),
    "nothing": (b"", 400, "MalformedMessage"),
    "for somebody else": (message(OTHER.public).text.encode(), 400, "NotForUs"),
    "too long": (b"x" * (MAX_BYTES + 1), 413, "OversizedMessage"),
    "deep": (b"[" * 60_000, 400, "MalformedMessage"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_what_is_no_message_to_us_gets_a_reason(tmp_path, case):
    data, status, code = BODIES[case]
    async with parties.two(tmp_path) as (_, bob):
        answered, body = await post(bob.url, data)
        assert (answered, json.loads(body)["code"]) == (status, code)


async def test_a_body_without_a_length_is_bounded_too(tmp_path):
    async with parties.two(tmp_path) as (_, bob):
        assert (await post(bob.url, chunks(10 * MAX_BYTES)))[0] == 413


async def drip():
    while True:
        yield b"x"
        await asyncio.sleep(0.02)


async def test_a_slow_client_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("settlement.gate.BODY_SECONDS", 0.2)
    async with parties.two(tmp_path) as (_, bob):
        assert (await post(bob.url, drip()))[0] == 408


async def test_whoever_sends_too_much_is_slowed_down(tmp_path):
    async with AsyncExitStack() as stack:
        alice, bob = await stack.enter_async_context(parties.two(tmp_path, serve=False))
        gate = Gate(bob.agreement, bob.releases, per_sender=Rate(0.001, 3))
        url = await listen(stack, gate.application())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        identity = alice.seed.identity()
        raw = seal(identity, Kind.RECEIPT, bob.identity, {"of": "00" * 32, "state": "x"}, AT).text
        statuses = []
        for _ in range(5):
            async with session.post(url + "/v1/messages", data=raw) as response:
                statuses.append(response.status)
        assert statuses == [204, 204, 204, 429, 429]
        assert int(response.headers["Retry-After"]) > 0
        other = seal(OTHER, Kind.RECEIPT, bob.identity, {"of": "00" * 32, "state": "x"}, AT).text
        async with session.post(url + "/v1/messages", data=other) as response:
            assert response.status == 204  # others are not slowed down


def test_a_limiter_fills_again_and_forgets():
    limiter = Limiter(Rate(2, 1), callers=2)
    assert limiter.wait("a", 0.0) == 0
    assert limiter.wait("a", 0.0) == pytest.approx(0.5)
    assert limiter.wait("a", 0.5) == 0
    for caller in "bc":
        limiter.wait(caller, 0.5)
    assert len(limiter._buckets) == 2
    assert limiter.wait("a", 0.5) == 0  # forgotten


# --- releases --------------------------------------------------------------------------------------------


async def agreed_option(alice, bob):
    await alice.mailer.send(await alice.agreement.propose(parties.option(), bob.identity, bob.url))
    (deal,) = await alice.store.deals()
    return deal


async def test_a_release_is_checked_before_it_is_held(tmp_path):
    async with parties.two(tmp_path, auto=True) as (alice, bob):
        deal = await agreed_option(alice, bob)  # alice writes; she signs the release of bob's strike
        signer = deal.terms.parties["writer"].keys["strike.signer"]
        good = f"release by {signer}"
        for _ in range(2):
            await alice.mailer.send_consent(deal, "strike", "release", good)
            assert (await bob.store.deal(deal.id)).consents_held == {("strike", "release"): good}
        held = await bob.store.deal(deal.id)
        for leg, path, consent in (
            ("strike", "release", "release by somebody"),
            ("strike", "exercise", good),
            ("collateral", "release", good),
            ("nothing", "release", good),
            ("strike", "refund", "refund by " + signer),
        ):
            with pytest.raises(PeerUnavailable, match="not good"):
                await alice.mailer.send_consent(deal, leg, path, consent)
        assert await bob.store.deal(deal.id) == held


async def test_a_release_by_a_stranger_or_for_no_deal_is_refused(tmp_path):
    async with parties.two(tmp_path, auto=True) as (alice, bob):
        deal = await agreed_option(alice, bob)
        alice.releases._identity = OTHER
        alice.mailer._post = Post(OTHER.public, attempts=1)
        with pytest.raises(PeerUnavailable, match="no part"):
            await alice.mailer.send_consent(deal, "strike", "release", "x")
        bob.store.deal = _no_deal(bob.store.deal)
        with pytest.raises(PeerUnavailable, match="no deal"):
            await alice.mailer.send_consent(deal, "strike", "release", "x")
        await alice.mailer._post.close()


async def until(look) -> None:
    for _ in range(1000):
        if await look():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never comes")


async def _nothing_pending(party) -> bool:
    return not await party.store.book.pending()


def _no_deal(deal):
    return lambda _: deal("0" * 32)


async def test_the_mailer_delivers_what_is_pending_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("settlement.mailer.DECISION_PAUSE", 0.05)
    monkeypatch.setattr("settlement.mailer.ROUND_SECONDS", 0.02)
    async with parties.two(tmp_path) as (alice, bob):
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for party in (alice, bob):
                group.create_task(party.mailer.run(stop))
            proposal = await alice.agreement.propose(parties.swap(), bob.identity, bob.url)
            alice.mailer.poke()
            await until(lambda: bob.store.book.proposals("received"))
            await bob.agreement.accept(proposal.id)
            await until(alice.store.deals)
            await until(bob.store.deals)
            for party in (alice, bob):
                await until(lambda party=party: _nothing_pending(party))
            stop.set()
