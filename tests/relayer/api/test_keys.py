"""A request with a key is done once, whatever happens to the answer or to the process."""

from __future__ import annotations

import asyncio

import pytest

from relayer.api.errors import KeyBusy, KeyReused
from relayer.api.keys import Keys, Reply
from settlement.store import Store
from settlement.store.errors import StoreBusy
from settlement.store.requests import KEPT_SECONDS, RequestKey
from tests.relayer.api.served import problem, served, stored

KEY = RequestKey("token 1", "a-key-of-ours")
ASKED, OTHER = b"\x01" * 32, b"\x02" * 32


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
async def store(tmp_path):
    async with await Store.open(str(tmp_path / "keys.db"), drive=True) as store:
        yield store


class Work:
    """Counts how often it is done."""

    def __init__(self, *replies: Reply | Exception) -> None:
        self.replies, self.done, self.made = list(replies) or [Reply(200, "{}")], 0, []

    async def __call__(self, made: str | None) -> Reply:
        self.made.append(made)
        self.done += 1
        await asyncio.sleep(0)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


async def test_the_same_request_gets_the_same_answer(store):
    keys, work = Keys(store.requests, Clock().now), Work(Reply(201, '{"n": 1}'), Reply(201, '{"n": 2}'))
    first = await keys.once(KEY, ASKED, work)
    again = await keys.once(KEY, ASKED, work)
    assert (first.text, again.text, work.done) == ('{"n": 1}', '{"n": 1}', 1)
    assert (first.again, again.again) == (False, True)


async def test_a_refusal_is_an_answer_too(store):
    keys, work = Keys(store.requests, Clock().now), Work(Reply(409, "no"), Reply(200, "yes"))
    assert [(await keys.once(KEY, ASKED, work)).status for _ in range(2)] == [409, 409]


async def test_another_request_under_the_same_key_is_refused(store):
    keys, work = Keys(store.requests, Clock().now), Work()
    await keys.once(KEY, ASKED, work)
    with pytest.raises(KeyReused):
        await keys.once(KEY, OTHER, work)
    await keys.once(RequestKey("token 2", KEY.key), OTHER, work)  # another caller's key is another key
    assert work.done == 2


async def test_answers_survive_a_restart(tmp_path):
    clock, work = Clock(), Work()
    for again in (False, True):
        async with await Store.open(str(tmp_path / "restart.db"), drive=True) as store:
            assert (await Keys(store.requests, clock.now).once(KEY, ASKED, work)).again is again
    assert work.done == 1


async def test_a_key_is_free_again_after_the_time_that_is_stated(store):
    clock, work = Clock(), Work()
    keys = Keys(store.requests, clock.now)
    await keys.once(KEY, ASKED, work)
    clock.time += KEPT_SECONDS - 1
    assert (await keys.once(KEY, ASKED, work)).again
    clock.time += 1
    assert not (await keys.once(KEY, OTHER, work)).again
    assert work.done == 2


async def test_what_came_to_nothing_may_be_tried_again(store):
    keys = Keys(store.requests, Clock().now)
    work = Work(StoreBusy("db", "busy"), Reply(503, "later"), Reply(200, "done"))
    with pytest.raises(StoreBusy):
        await keys.once(KEY, ASKED, work)
    assert [(await keys.once(KEY, ASKED, work)).status for _ in range(2)] == [503, 200]


async def test_two_at_once_are_not_two(store):
    keys, gate = Keys(store.requests, Clock().now), asyncio.Event()

    async def slow(_: str | None) -> Reply:
        await gate.wait()
        return Reply(200, "slow")

    first = asyncio.create_task(keys.once(KEY, ASKED, slow))
    await asyncio.sleep(0)
    with pytest.raises(KeyBusy):
        await keys.once(KEY, ASKED, slow)
    gate.set()
    assert (await first).text == "slow"


async def test_it_is_finished_although_who_asked_has_gone(store):
    keys, gate, over = Keys(store.requests, Clock().now), asyncio.Event(), asyncio.Event()

    async def slow(_: str | None) -> Reply:
        await gate.wait()
        over.set()
        return Reply(200, "done all the same")

    first = asyncio.create_task(keys.once(KEY, ASKED, slow))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    async with asyncio.timeout(10):
        await over.wait()
        while True:
            try:
                found = await keys.once(KEY, ASKED, slow)
                break
            except KeyBusy:
                await asyncio.sleep(0.01)
    assert (found.text, found.again) == ("done all the same", True)


async def test_after_a_crash_in_between_the_work_learns_what_was_made(store):
    assert await store.requests.claim(KEY, ASKED, 1_000_000) is None  # and the process ends here
    keys, work = Keys(store.requests, Clock().now), Work()
    await keys.once(KEY, ASKED, work)
    assert work.made == [None]


# --- through the door ------------------------------------------------------------------------------------


async def test_a_wish_with_a_key_is_answered_once(tmp_path):
    async with served(tmp_path) as api:
        kept = await stored(api)
        path = f"/v1/deals/{kept.id}/wishes"
        first = await api.trade(path, {"wish": "refund"}, **{"Idempotency-Key": "key-0001"})
        again = await api.trade(path, {"wish": "refund"}, **{"Idempotency-Key": '"key-0001"'})
        assert await first.json() == await again.json() == {"exercise": False, "release": False, "refund": True}
        assert again.headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first.headers
        other = await api.trade(path, {"wish": "exercise"}, **{"Idempotency-Key": "key-0001"})
        assert (await problem(other, 409)).type == "urn:strikelock:problem:key-reused"
        assert not (await api.store.deal(kept.id)).will.exercise


@pytest.mark.parametrize("key", ["short", "x" * 65, "a key with spaces", "key';--xxxx", "é" * 10, '"'])
async def test_what_is_no_key_is_refused(tmp_path, key):
    async with served(tmp_path) as api:
        kept = await stored(api)
        answer = await api.trade(f"/v1/deals/{kept.id}/wishes", {"wish": "refund"}, **{"Idempotency-Key": key})
        assert (await problem(answer, 400)).type == "urn:strikelock:problem:invalid-request"


async def test_a_proposal_needs_a_key(tmp_path):
    async with served(tmp_path) as api:
        leg = {"chain": "bitcoin", "asset": "native", "units": "1000"}
        body = {
            "protocol": "swap",
            "role": "initiator",
            "legs": {"x": leg, "y": leg},
            "peer": "http://127.0.0.1:1",
        }
        found = await problem(await api.trade("/v1/proposals", body), 400)
        assert found.model_extra["field"] == "Idempotency-Key"
