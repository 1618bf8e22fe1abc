"""The web page's server: what it says of a deal and of an option, and whom it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import aiohttp
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from htlc.errors import NoSuchDeal
from htlc.ports import Deal
from htlc.protocols.base import Will
from options.quoting import Market
from relayer.dashboard import pages, steering, stream
from relayer.dashboard.board import WINDOW, BoardMaker
from relayer.dashboard.cards import deal_card, urgency
from relayer.dashboard.lanes import LaneWatch
from relayer.dashboard.models import Board, Coin, Lane, Lanes, Profile
from relayer.dashboard.option import POINTS, profile
from relayer.dashboard.steering import Steering, page_token
from settlement.errors import AlreadyAnswered
from settlement.premium import option_quote
from settlement.store.errors import NoSuchProposal
from tests.htlc.deals import GUARDS, NOW, funded, make_terms, spent
from tests.relayer.boards import EXPLORERS, LIVE, deal, many, report

TOKEN = "a token of play money"
STATIC = files("relayer.dashboard").joinpath("static")
YEAR = 365 * 86_400


# --- cards -----------------------------------------------------------------------------------------------


def test_a_live_option_as_a_card():
    card = deal_card(report(deal(), LIVE, "a"), 42, EXPLORERS)
    states = {leg.name: (leg.state, leg.path, leg.depth >= leg.need) for leg in card.legs}
    assert states == {
        "collateral": ("funded", None, True),
        "premium": ("spent", "activate", True),
        "strike": ("funded", None, True),
    }
    assert [(line.name, line.chain, line.over) for line in card.deadlines] == [
        ("premium", "evm", True),
        ("expiry", "bitcoin", False),
        ("collateral", "bitcoin", False),
        ("strike", "evm", False),
    ]
    assert card.legs[0].link == "https://explorer.invalid/a/address%20of%20collateral?x=1"
    assert card.legs[1].link is None
    assert card.may == ("exercise", "let_go", "stop")
    assert (card.margin, card.will) == (42, ())


@pytest.mark.parametrize(
    ("change", "facts", "may"),
    [
        ({"role": "writer"}, LIVE, ("let_go", "stop")),
        ({"will": Will(exercise=True)}, LIVE, ("let_go", "stop")),
        ({"limited": True}, LIVE, ()),
        ({}, {**LIVE, "collateral": spent("collateral", "refund")}, ("let_go", "stop")),
        ({"will": Will(let_go=True, stop=True)}, {}, ()),
    ],
)
def test_only_what_makes_sense_can_be_asked_for(change, facts, may):
    shown = ("a",) if facts else ()
    assert deal_card(report(deal(**change), facts, *shown), None, {}).may == may


def test_a_swap_as_a_card():
    terms = make_terms("swap")
    card = deal_card(report(Deal(terms.id, terms, "initiator", GUARDS, {}, NOW), {"x": funded("x", 1)}), None, {})
    assert (card.option, card.kind, card.may) == (False, None, ("stop",))
    assert [(line.name, line.chain) for line in card.deadlines] == [("y", "evm"), ("x", "bitcoin")]
    assert [(leg.name, leg.state, leg.depth) for leg in card.legs] == [("x", "funded", 1), ("y", "absent", 0)]


def test_what_is_due_comes_first():
    found = report(deal(), LIVE, "a")
    assert urgency(found, 5) < urgency(found, None)


# --- the board -------------------------------------------------------------------------------------------


async def test_a_board_shows_the_most_urgent_of_many_deals():
    daemon = many(50)
    board = await BoardMaker(daemon).board()
    assert (board.open, len(board.deals)) == (50, WINDOW)
    assert (board.deals[0].id, board.deals[0].margin) == ("0031", 5)
    assert not board.ready  # a chain is down
    assert [(chain.name, chain.well) for chain in board.chains] == [("bitcoin", True), ("evm", False)]
    assert board.holdings[0].units == "7"
    assert [one.outcome for one in board.closed] == ["expired"]
    assert board.relayer is None
    assert Board.model_validate_json(board.model_dump_json()) == board


async def test_every_deal_is_on_one_page():
    maker = BoardMaker(many(50))
    pages_ = [await maker.board(first) for first in (0, 20, 40, 60)]
    shown = [card.id for board in pages_ for card in board.deals]
    assert len(shown) == len(set(shown)) == 50


async def test_a_board_is_made_once_for_each_look():
    daemon = many(3)
    maker = BoardMaker(daemon)
    first, second = await maker.board(), await maker.board(20)
    assert await maker.board() is first
    assert await maker.board(20) is second
    daemon.ticks += 1
    assert await maker.board() is not first
    assert daemon.histories == 1  # no deal was closed meanwhile
    assert daemon.asked == ["bitcoin"]  # decimals don't change, and a chain that is down is not asked


async def test_coins_are_unknown_until_their_chain_is_seen():
    daemon = many(1)
    maker = BoardMaker(daemon)
    assert (await maker.board()).coins == {
        "bitcoin/native": Coin(symbol="BTC", decimals=8),
        "evm/native": Coin(symbol="evm coin", decimals=None),
    }
    assert await maker.profile("0000", None) is None
    daemon.live = frozenset({"bitcoin", "evm"})
    assert (await maker.profile("0000", None)).kind == "call"
    assert await maker.profile("ffff", None) is None


async def test_a_thousand_deals_fit():
    board = await BoardMaker(many(1000)).board()
    assert board.open == 1000
    assert len(board.model_dump_json()) < 100_000


async def test_lanes_are_shown_where_there_is_a_relayer():
    lane = Lane(name="a-b", source="a", destination="b", state="halted", backlog=3, delivered=10**6, oldest=9)
    said = [json.dumps([lane.model_dump()]).encode()]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=said[-1])

    app = web.Application()
    app.add_routes([web.get("/lanes", answer)])
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        watch = LaneWatch(str(server.make_url("/lanes")))
        watch.last = await watch._ask(session)
        assert (await BoardMaker(many(0), watch).board()).relayer == Lanes(trouble=None, lanes=(lane,))
        for bad in (b"", b"{}", b"[1]", b"[" * 10**6, b"[" + b" " * 10**6 + b"]", b"\xff"):
            said.append(bad)
            found = await watch._ask(session)
            assert "no list of lanes" in found.trouble
    watch.last = Lanes(trouble=None, lanes=(lane,))
    async with aiohttp.ClientSession() as session:
        gone = await watch._ask(session)
    assert "no answer" in gone.trouble
    assert gone.lanes == (lane,)  # what it said last


# --- options ---------------------------------------------------------------------------------------------

COINS = {"bitcoin/native": Coin(symbol="BTC", decimals=6), "evm/native": Coin(symbol="ETH", decimals=3)}
# Of a call: 0.1 BTC for 6 ETH, so a strike of 60; its premium is 0.5 ETH.


def position(role: str = "holder", kind: str = "call", market: Market | None = None) -> Profile:
    return profile(deal(role, kind), COINS, NOW, market)


def at_expiry(found: Profile, spot: float) -> float:
    """Off the picture, between two of its points."""
    for left, right in zip(found.points, found.points[1:], strict=False):
        if left.spot <= spot <= right.spot:
            share = (spot - left.spot) / (right.spot - left.spot)
            return left.expiry + share * (right.expiry - left.expiry)
    raise AssertionError(spot)


def test_a_call_pays_above_its_strike_and_costs_its_premium():
    found = position()
    assert (found.side, found.size, found.strike, found.premium) == ("long", 0.1, 60.0, 0.5)
    assert found.breakeven == pytest.approx(65.0)
    assert at_expiry(found, 50.0) == pytest.approx(-0.5)
    assert at_expiry(found, 70.0) == pytest.approx(0.1 * 10 - 0.5)
    assert at_expiry(found, found.breakeven) == pytest.approx(0.0, abs=1e-9)
    assert 60.0 in [point.spot for point in found.points]
    assert len(found.points) >= POINTS
    assert all(point.today is None for point in found.points)
    assert found.delta is None


def test_a_put_whose_premium_is_paid_in_the_underlying():
    # Collateral 0.1 "BTC" is the money here, the strike of 6 ETH the underlying; the premium is 0.5 ETH.
    found = position(kind="put")
    assert (found.size, found.strike) == (6.0, pytest.approx(0.1 / 6))
    assert found.breakeven == pytest.approx(0.1 / 6.5)
    spot = found.breakeven
    assert max(0.0, 0.1 - 6.0 * spot) - 0.5 * spot == pytest.approx(0.0, abs=1e-9)
    assert at_expiry(found, found.strike) == pytest.approx(-0.5 * found.strike)


@pytest.mark.parametrize("kind", ["call", "put"])
def test_what_one_side_gains_the_other_loses(kind):
    market = Market(spot=61.0 if kind == "call" else 0.017, vol=0.6)
    long, short = position("holder", kind, market), position("writer", kind, market)
    for one, other in zip(long.points, short.points, strict=True):
        assert one.expiry == pytest.approx(-other.expiry)
        assert one.today == pytest.approx(-other.today)
    for name in ("value", "delta", "gamma", "vega", "theta"):
        assert getattr(long, name) == pytest.approx(-getattr(short, name))


def test_it_agrees_with_the_quote_of_the_premium():
    agreed = deal()
    terms, market = agreed.terms, Market(spot=61.0, vol=0.6)
    decimals = {"collateral": 6, "strike": 3}
    quoted = option_quote("call", terms.legs, decimals, terms.times, NOW, market)
    found = profile(agreed, COINS, NOW, market)
    assert found.value == pytest.approx(quoted.fair)
    assert found.delta == pytest.approx(quoted.delta)
    assert found.vega == pytest.approx(quoted.vega / 100)
    assert found.theta == pytest.approx(quoted.theta)


def test_after_its_expiry_nothing_is_worth_anything_today():
    found = profile(deal(), COINS, NOW + YEAR, Market(60.0, 0.6))
    assert found.years == 0
    assert found.value is None
    assert all(point.today is None for point in found.points)


# --- who is answered -------------------------------------------------------------------------------------


class Maker:
    """Makes a new board when told to."""

    def __init__(self) -> None:
        self.turn()

    def turn(self, now: int = 0) -> None:
        self.made = Board.model_construct(now=now, deals=(), open=0)

    async def board(self, first: int = 0) -> Board:
        return self.made.model_copy(update={"first": first}) if first else self.made

    async def profile(self, deal: str, market: Market | None) -> Profile | None:
        return position(market=market) if deal == "ab" else None


class Book:
    """A journal of one open deal and one that is over; proposals get their word."""

    def __init__(self) -> None:
        self.deals = {"ab": deal(), "cd": deal(outcome="expired")}
        self.said: list[str] = []

    async def deal(self, id_: str) -> Deal:
        if id_ not in self.deals:
            raise NoSuchDeal(id_)
        return self.deals[id_]

    async def resolve(self, id_: str, will: Will) -> None:
        self.deals[id_] = replace(self.deals[id_], will=will)

    async def accept(self, id_: str) -> None:
        raise NoSuchProposal(id_)

    async def refuse(self, id_: str) -> None:
        raise AlreadyAnswered(id_, "agreed")


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Maker, TestClient]]:
    maker = Maker()
    maker.book = Book()
    app = pages.application(maker, Steering(maker.book, maker.book, TOKEN))
    async with TestClient(TestServer(app)) as client:
        yield maker, client


def assert_guarded(answer: ClientResponse) -> None:
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_every_file_is_served_under_the_policy_and_checked_by_its_tag():
    async with served() as (_, client):
        for file in STATIC.iterdir():
            path = "/" if file.name == "index.html" else f"/{file.name}"
            answer = await client.get(path)
            assert answer.status == 200, path
            assert await answer.read() == file.read_bytes()
            assert_guarded(answer)
            again = await client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
            assert again.status == 304


@pytest.mark.parametrize(
    "path",
    ["/none", "/..%2fpages.py", "/%2e%2e/pages.py", "/index.html", "/board/options/%27", "/board/options/ac"],
)
async def test_nothing_else_is_there(path):
    async with served() as (_, client):
        answer = await client.get(path)
        assert answer.status == 404
        assert_guarded(answer)


@pytest.mark.parametrize(
    "query",
    ["first=-1", "first=1e9", "first=x", "first=99999999", "more=1", "first=" + "9" * 400],
)
async def test_bad_questions_for_the_board_are_refused(query):
    async with served() as (_, client):
        for path in ("/board", "/board/events"):
            assert (await client.get(f"{path}?{query}")).status == 400


@pytest.mark.parametrize(
    "query", ["spot=nan&vol=1", "spot=1e400&vol=1", "spot=-1&vol=1", "spot=1&vol=0", "spot=1", "vol=1", "x=1"]
)
async def test_bad_markets_are_refused(query):
    async with served() as (_, client):
        assert (await client.get(f"/board/options/ab?{query}")).status == 400


async def test_an_option_at_a_market():
    async with served() as (_, client):
        found = Profile.model_validate(await (await client.get("/board/options/ab?spot=61&vol=0.6")).json())
        assert found.delta > 0
        bare = Profile.model_validate(await (await client.get("/board/options/ab")).json())
        assert bare.delta is None


async def test_a_name_that_was_rebound_to_this_machine_gets_nothing():
    async with served() as (_, client):
        for path in ("/", "/board", "/board/events"):
            answer = await client.get(path, headers={"Host": "evil.example"})
            assert answer.status == 403
            assert_guarded(answer)


WILL = "/board/deals/ab/will"
WISH = b'{"wish": "exercise"}'
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def test_a_wish_is_noted_once_and_again():
    async with served() as (maker, client):
        for wish in ("exercise", "exercise", "stop"):
            answer = await client.post(WILL, json={"wish": wish}, headers=BEARER)
            assert answer.status == 200
            assert_guarded(answer)
        assert maker.book.deals["ab"].will == Will(exercise=True, stop=True)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": f"token={TOKEN}"},
        {"Authorization": "Bearer \u00e9"},
    ],
)
async def test_without_the_token_nothing_changes(headers):
    async with served() as (maker, client):
        answer = await client.post(WILL, data=WISH, headers=headers)
        assert answer.status == 401
        assert maker.book.deals["ab"].will == Will()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"wish": "all"}',
        b'{"wish": "exercise", "more": 1}',
        b'{"wish": ["exercise"]}',
        b"\xff",
        b"[" * 5000,
        b'{"wish": "exercise"}' + b" " * 5000,
        b'{"wish": NaN}',
    ],
)
async def test_bad_wishes_are_refused(body):
    async with served() as (maker, client):
        assert (await client.post(WILL, data=body, headers=BEARER)).status in (400, 413)
        assert maker.book.deals["ab"].will == Will()


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(steering, "BODY_SECONDS", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    async with served() as (_, client), asyncio.timeout(10):
        assert (await client.post(WILL, data=never(), headers=BEARER)).status == 408


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/board/deals/cd/will", {"wish": "stop"}, 409),
        ("/board/deals/ef/will", {"wish": "stop"}, 404),
        ("/board/proposals/ef", {"decision": "accept"}, 404),
        ("/board/proposals/ef", {"decision": "refuse"}, 409),
    ],
)
async def test_what_cannot_be_asked_for(path, body, status):
    async with served() as (_, client):
        answer = await client.post(path, json=body, headers=BEARER)
        assert answer.status == status
        assert await answer.text()


async def test_nothing_else_can_be_changed():
    async with served() as (_, client):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await client.request(method, "/board", headers=BEARER)).status == 405


def test_the_token_is_made_once_and_is_for_the_user_alone(tmp_path):
    token = page_token(tmp_path)
    assert len(token) >= 43  # 256 bits
    assert page_token(tmp_path) == token
    assert (tmp_path / "page-token").stat().st_mode & 0o777 == 0o600


async def event(answer: ClientResponse) -> dict:
    async with asyncio.timeout(10):
        while not (line := await answer.content.readline()).startswith(b"data: "):
            assert line, "the stream ended"
    return json.loads(line[6:])


async def test_a_stream_sends_what_is_new(monkeypatch):
    monkeypatch.setattr(stream, "PACE_SECONDS", 0.01)
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.05)
    async with served() as (maker, client), client.get("/board/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert_guarded(answer)
        assert (await event(answer))["now"] == 0
        async with asyncio.timeout(10):
            while not (await answer.content.readline()).startswith(b":"):
                pass  # the same board is not sent again, but we hear that the line is good
        maker.turn(now=7)
        assert (await event(answer))["now"] == 7


async def test_streams_are_counted_and_end_with_the_server(monkeypatch):
    monkeypatch.setattr(stream, "MAX_STREAMS", 2)
    async with served() as (_, client):
        answers = [await client.get("/board/events") for _ in range(2)]
        refused = await client.get("/board/events")
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) > 0
        async with asyncio.timeout(10):
            await client.server.close()
            for answer in answers:
                await answer.release()


async def test_a_reader_who_takes_nothing_is_let_go(monkeypatch):
    monkeypatch.setattr(stream, "MAX_STREAMS", 1)
    monkeypatch.setattr(stream, "PACE_SECONDS", 0.001)
    monkeypatch.setattr(stream, "WRITE_SECONDS", 0.2)
    async with served() as (maker, client):

        async def always_new(first: int) -> Board:
            return Board.model_construct(identity="x" * 500_000)

        maker.board = always_new
        reader, writer = await asyncio.open_connection(client.server.host, client.server.port, limit=1024)
        writer.write(b"GET /board/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"200" in await reader.readline()  # and not a word more
        assert (await client.get("/board/events")).status == 503
        async with asyncio.timeout(20):
            while (await client.get("/board/events")).status == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        writer.close()


async def test_a_stream_is_not_opened_by_asking_for_its_head():
    async with served() as (_, client):
        assert (await client.head("/board/events")).status == 405


class References(HTMLParser):
    """What a page refers to, and what it holds inline."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [given[name] or "" for name in ("src", "href") if name in given]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


def test_the_page_holds_nothing_inline_and_refers_to_nothing_outside():
    parser = References()
    parser.feed(STATIC.joinpath("index.html").read_text())
    assert parser.inline == []
    assert all(ref.startswith(("/", "#")) and not ref.startswith("//") for ref in parser.found)
    for file in STATIC.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text.replace('startsWith("http")', ""), file.name
