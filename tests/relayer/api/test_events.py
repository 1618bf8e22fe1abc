"""What changes is told to those who follow and to those who come again, and nobody is waited for."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest

from htlc.protocols.base import Will
from relayer.api import models, news
from relayer.api.client import ApiRefused, ApiUnreachable, Client
from relayer.api.resources import events
from relayer.api.scopes import Scope
from relayer.api.tokens import new_token
from tests.relayer.api.served import ABSENT, Served, problem, served, stored
from tests.relayer.boards import LIVE, deal, report

FIRST, SECOND = f"{1:032x}", f"{2:032x}"


@asynccontextmanager
async def following(folder, **settings):
    """An API whose news are kept, and a client of it."""
    async with served(folder, deals=2, **settings) as api:
        keeper = asyncio.create_task(api.api.run())
        secret = api.bearer["read"]["Authorization"].removeprefix("Bearer ")
        try:
            async with Client(f"http://{api.client.host}:{api.client.port}", secret) as client:
                yield api, client
        finally:
            keeper.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(news, "PACE_SECONDS", 0.01)


def change(api: Served, id_: str, **will: bool) -> None:
    """The driver looks, and the deal is another."""
    api.daemon.reports[id_] = report(deal(id=id_, will=replace(Will(), **will)), LIVE, "a")
    api.daemon.ticks += 1


def close(api: Served, id_: str) -> None:
    """The driver looks, and the deal is not open any more."""
    del api.daemon.reports[id_]
    api.daemon.ticks += 1


async def take(stream, number: int) -> list:
    async with asyncio.timeout(20):
        return [await anext(stream) for _ in range(number)]


async def test_it_begins_with_what_stands(tmp_path):
    async with following(tmp_path) as (_, client), aclosing(client.events()) as stream:
        reset, *deals = await take(stream, 3)
        assert reset.data == models.Reset(reason="new", deals=2)
        assert [event.data.id for event in deals] == [FIRST, SECOND]


async def test_a_change_is_told_and_nothing_else_is(tmp_path):
    async with following(tmp_path) as (api, client), aclosing(client.events()) as stream:
        await take(stream, 3)
        api.daemon.ticks += 1  # a look at which nothing was new
        await asyncio.sleep(0.1)
        change(api, SECOND, stop=True)
        (event,) = await take(stream, 1)
        assert event.data.id == SECOND
        assert event.data.wishes.refund


async def test_one_deal_can_be_followed_to_its_end(tmp_path):
    async with following(tmp_path) as (api, client):
        kept = await stored(api)
        change(api, kept.id)
        async with aclosing(client.events(deal=kept.id)) as stream:
            await take(stream, 2)
            change(api, FIRST, stop=True)
            change(api, kept.id, exercise=True)
            (event,) = await take(stream, 1)
            assert event.data.wishes.exercise
            await api.store.close(kept.id, "exercised", 1)
            close(api, kept.id)
            (event,) = await take(stream, 1)
            assert (event.data.outcome, event.data.look) == ("exercised", None)


async def test_there_is_nothing_to_follow_of_a_deal_that_there_is_not(tmp_path):
    async with following(tmp_path) as (_, client), aclosing(client.events(deal=ABSENT)) as stream:
        with pytest.raises(ApiRefused) as refused:
            await take(stream, 1)
        assert refused.value.status == 404


async def test_who_comes_again_misses_nothing(tmp_path):
    async with following(tmp_path) as (api, client):
        async with aclosing(client._stream("", "")) as stream:
            *_, last = await take(stream, 3)
        change(api, FIRST, stop=True)
        await asyncio.sleep(0.1)
        async with aclosing(client._stream("", last.id)) as stream:
            (event,) = await take(stream, 1)
            assert (event.data.id, event.data.wishes.refund) == (FIRST, True)


@pytest.mark.parametrize("last", ["x", "-", "00000000-1", "0" * 5000, "\u0661-1", "-1", "' OR 1=1 --"])
async def test_who_asks_for_what_is_not_known_is_told_what_stands(tmp_path, last):
    async with following(tmp_path) as (_, client), aclosing(client._stream("", last)) as stream:
        (reset,) = await take(stream, 1)
        assert reset.data.reason == "lost"


async def test_who_was_away_for_too_much_is_told_what_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(news, "KEPT", 2)
    async with following(tmp_path) as (api, client):
        async with aclosing(client._stream("", "")) as stream:
            *_, last = await take(stream, 3)
            for number in range(4):
                change(api, FIRST, stop=bool(number % 2), exercise=True)
                await asyncio.sleep(0.05)
        async with aclosing(client._stream("", last.id)) as stream:
            (reset,) = await take(stream, 1)
            assert reset.data.reason == "lost"


async def test_a_reader_who_takes_nothing_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "WRITE_SECONDS", 0.2)
    async with following(tmp_path, streams=1) as (api, client):
        async with aclosing(client._stream("", "")) as stream:
            (reset,) = await take(stream, 1)
        many = models.Deal.model_construct(id="x" * 300_000)

        async def long(_: str) -> models.Deal:
            return many

        monkeypatch.setattr(api.api._events._deals, "find", long)
        reader, writer = await asyncio.open_connection(api.client.host, api.client.port, limit=1024)
        token = api.bearer["read"]["Authorization"]
        writer.write(f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n\r\n".encode())
        assert b"200" in await reader.readline()  # and not a word more
        await problem(await api.read("/v1/events"), 429)
        async with asyncio.timeout(20):
            for number in range(1000):
                change(api, FIRST, stop=bool(number % 2))
                await asyncio.sleep(0.05)
                if api.api._events._readers.open == 0:
                    break
        assert api.api._events._readers.open == 0
        assert reset.data.deals == 2
        writer.close()


async def test_a_stream_ends_with_its_token(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.05)
    async with following(tmp_path) as (api, client):
        record, secret = new_token("for a while", Scope.READ, 1, 10**10)
        await api.store.tokens.add(record)
        async with Client(client.where, secret) as other, aclosing(other.events(patience=0)) as stream:
            await take(stream, 3)
            await api.store.tokens.revoke(record.id, 1)
            with pytest.raises(ApiRefused) as refused:
                await take(stream, 1)
            assert refused.value.status == 401


async def test_streams_end_with_the_server(tmp_path):
    async with following(tmp_path) as (api, client), aclosing(client.events(patience=0)) as stream:
        await take(stream, 3)
        async with asyncio.timeout(10):
            await api.client.server.close()
        with pytest.raises(ApiUnreachable):
            await take(stream, 1)


async def test_while_nobody_follows_nothing_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(news, "FOLLOWED_SECONDS", 0.0)
    async with following(tmp_path) as (api, client):
        async with aclosing(client._stream("", "")) as stream:
            *_, last = await take(stream, 3)
        await asyncio.sleep(0.1)
        before = api.api._events.news.last
        change(api, FIRST, stop=True)
        await asyncio.sleep(0.1)
        assert api.api._events.news.last == before
        async with aclosing(client._stream("", last.id)) as stream:
            (reset,) = await take(stream, 1)
            assert reset.data.reason == "lost"  # or it would miss the change
