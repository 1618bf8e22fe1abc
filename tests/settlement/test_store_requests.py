"""A key is taken once, whoever asks, and what a process that is gone was working on is somebody's."""

from __future__ import annotations

import pytest

from settlement.store import Store
from settlement.store.requests import KEPT_SECONDS, RequestKey

KEY = RequestKey("token 1", "a-key-of-ours")
ASKED = b"\x01" * 32
NOW = 1_000_000


async def test_a_key_is_taken_answered_and_let_go(store):
    book = store.requests
    assert await book.claim(KEY, ASKED, NOW) is None
    known = await book.claim(KEY, ASKED, NOW)
    assert (known.status, known.made, known.busy) == (None, None, False)  # it is ourselves who work on it
    await book.release(KEY)
    assert await book.find(KEY) is None
    assert await book.claim(KEY, ASKED, NOW) is None
    await book.answer(KEY, 201, "{}")
    await book.release(KEY)  # too late: it has its answer
    assert (await book.claim(KEY, ASKED, NOW)).answer == "{}"
    assert await book.claim(KEY, ASKED, NOW + KEPT_SECONDS) is None


async def test_what_a_dead_process_worked_on_is_gone_on_with(url):
    async with await Store.open(url, drive=True) as store:
        assert await store.requests.claim(KEY, ASKED, NOW) is None
    async with await Store.open(url, drive=True) as store:
        known = await store.requests.claim(KEY, ASKED, NOW)
        assert (known.status, known.busy) == (None, False)


@pytest.mark.node
async def test_what_another_process_works_on_is_waited_for(postgres_url):
    async with await Store.open(postgres_url, drive=True) as one:
        async with await Store.open(postgres_url, drive=True) as two:
            assert await one.requests.claim(KEY, ASKED, NOW) is None
            assert (await two.requests.claim(KEY, ASKED, NOW)).busy
            await one.requests.answer(KEY, 200, "{}")
            assert (await two.requests.claim(KEY, ASKED, NOW)).status == 200
            other = RequestKey("token 1", "another-key")
            assert await two.requests.claim(other, ASKED, NOW) is None
        assert not (await one.requests.claim(other, ASKED, NOW)).busy  # whoever had it is gone
