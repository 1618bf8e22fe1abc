"""The web page in a real browser, on boards made for it: many deals, hostile words, a server that refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import BrowserContext, expect

from relayer.dashboard import pages
from relayer.dashboard.board import BoardMaker
from relayer.dashboard.lanes import LaneWatch
from relayer.dashboard.models import Lane, Lanes
from relayer.dashboard.steering import Steering
from tests.browser import Watched, chromium, visit
from tests.relayer.boards import Running, many

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
async def browser(tmp_path_factory) -> AsyncIterator[BrowserContext]:
    async with chromium(tmp_path_factory.mktemp("browser")) as context:
        yield context


@asynccontextmanager
async def shown(browser: BrowserContext, daemon: Running, relayer: Lanes | None = None) -> AsyncIterator[Watched]:
    lanes = None if relayer is None else LaneWatch("http://127.0.0.1:1/")
    if lanes is not None:
        lanes.last = relayer
    app = pages.application(BoardMaker(daemon, lanes), Steering(daemon, daemon, "token"))
    async with TestServer(app) as server, visit(browser, str(server.make_url("/"))) as watched:
        yield watched


async def test_many_deals_are_turned_over_like_pages(browser):
    async with shown(browser, many(45)) as watched:
        page, cards = watched.page, watched.page.locator("article.deal")
        await expect(page.get_by_role("heading", name="Open deals (45)")).to_be_visible()
        await expect(cards).to_have_count(20)
        pager = page.get_by_role("navigation", name="Pages of deals")
        await expect(pager.get_by_role("button", name="More urgent")).to_be_disabled()
        first = await cards.first.get_attribute("data-key")
        for text, number in (("21–40 of 45", 20), ("41–45 of 45", 5)):
            await pager.get_by_role("button", name="Less urgent").press("Enter")
            await expect(pager).to_contain_text(text)
            await expect(cards).to_have_count(number)
        await expect(pager.get_by_role("button", name="Less urgent")).to_be_disabled()
        for text in ("21–40 of 45", "1–20 of 45"):
            await pager.get_by_role("button", name="More urgent").press("Enter")
            await expect(pager).to_contain_text(text)
        assert await cards.first.get_attribute("data-key") == first


async def test_what_others_write_is_only_text(browser):
    daemon = many(1)
    daemon.reports = {name: replace(one, troubles=(MARKUP,)) for name, one in daemon.reports.items()}
    lane = Lane(name=MARKUP, source="a", destination="b", state="halted", backlog=1234, delivered=0, detail=MARKUP)
    async with shown(browser, daemon, Lanes(trouble=None, lanes=(lane,))) as watched:
        page = watched.page
        await expect(page.get_by_role("alert")).to_have_text(MARKUP)
        await expect(page.get_by_role("table", name="Lanes")).to_contain_text("1,234")
        await expect(page.get_by_role("table", name="Lanes")).to_contain_text(MARKUP)
        assert await page.locator("img").count() == 0


async def test_a_relayer_that_does_not_answer_is_said_to(browser):
    async with shown(browser, many(0), Lanes(trouble="no answer: refused", lanes=())) as watched:
        await expect(watched.page.get_by_role("region", name="Relayer")).to_contain_text("no answer: refused")


async def test_a_reader_keeps_the_focus_while_deals_change_places(browser):
    daemon = many(3)
    async with shown(browser, daemon) as watched:
        page, cards = watched.page, watched.page.locator("article.deal")
        await expect(cards).to_have_count(3)
        last = cards.nth(2)
        name = await last.get_attribute("data-key")
        await page.locator(f"article[data-key='{name}'] summary").first.focus()
        daemon.due = name  # it becomes the most urgent one
        daemon.ticks += 1
        await expect(cards.first).to_have_attribute("data-key", name)
        script = "document.activeElement.closest('article')?.dataset.key"
        assert await page.evaluate(script) == name


async def test_it_goes_on_by_asking_where_there_is_no_stream(browser, monkeypatch):
    monkeypatch.setattr("relayer.dashboard.stream.MAX_STREAMS", 0)
    async with shown(browser, many(2)) as watched:
        watched.refusals.add(503)
        await expect(watched.page.locator("article.deal")).to_have_count(2)
