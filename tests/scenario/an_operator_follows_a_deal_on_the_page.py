"""An operator follows deals on the party's web page, in a real browser, with the keyboard and on a phone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, expect

from htlc.terms import LegTerms
from relayer.party import Party
from relayer.testing.actors import Actor, free_port
from relayer.testing.world import World
from tests.browser import chromium, visit

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(240)]

CHAINS = ("bitcoin", "evm")
LIFE = 40 * 3600  # seconds of the world's time
PACE = 0.3
PHONE = {"width": 360, "height": 740}
TOKEN = 10**6


@dataclass
class Shown:
    """A holder with a page, a deal it is in, and the other party."""

    world: World
    holder: Actor
    writer: Actor
    deal: str
    url: str


async def _propose(world: World, writer: Actor, holder: Actor) -> str:
    """The writer proposes a call on BTC; it waits for the holder's word."""
    async with Party.open(writer.settings, drive=False) as party:
        money = LegTerms("evm", world.tokens["evm"], 6000 * TOKEN)
        legs = {
            "collateral": LegTerms("bitcoin", "native", 10**7),
            "premium": replace(money, amount=125 * TOKEN),
            "strike": money,
        }
        times = party.ladder("option", {name: leg.chain for name, leg in legs.items()}, LIFE)
        options = {"kind": "call", "releases": "yes"}
        return (await party.propose("option", "writer", legs, options, times, holder.url)).id


async def _accept(holder: Actor, proposal: str) -> str:
    """As `strikelock deal accept` does; the deal it becomes."""
    async with Party.open(holder.settings, drive=False) as party:
        await party.mailer.send(await party.agreement.accept(proposal))
        deal = await party.agreed(proposal)
        assert deal is not None
        return deal


async def _endow(world: World, actor: Actor) -> None:
    async with Party.open(actor.settings, drive=False) as party:
        for chain, wallet in party.wallets.items():
            await world.endow(chain, wallet.address)


@asynccontextmanager
async def _passing(world: World) -> AsyncIterator[None]:
    """Blocks come while the block is entered."""

    async def pass_() -> None:
        while True:
            await world.step()
            await asyncio.sleep(PACE)

    task = asyncio.create_task(pass_())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="module")
async def shown(world) -> AsyncIterator[Shown]:
    port = free_port()
    explorers = {"bitcoin": {"address": "https://explorer.invalid/address/{address}"}}
    tables = {
        "dashboard": {"listen": f"127.0.0.1:{port}"},
        "explorers": explorers,
        "peer": {"listen": f"127.0.0.1:{free_port()}", "accept": "ask"},
    }
    writer, holder = Actor("page-writer", world, CHAINS), Actor("page-holder", world, CHAINS, tables=tables)
    async with AsyncExitStack() as stack:
        for actor in (writer, holder):
            await _endow(world, actor)
            await actor.start()
            stack.push_async_callback(actor.kill)
        await world.step()
        deal = await _accept(holder, await _propose(world, writer, holder))
        await stack.enter_async_context(_passing(world))
        yield Shown(world, holder, writer, deal, f"http://127.0.0.1:{port}/")


@pytest.fixture(scope="module")
async def browser(tmp_path_factory) -> AsyncIterator[BrowserContext]:
    async with chromium(tmp_path_factory.mktemp("browser"), viewport={"width": 1180, "height": 900}) as context:
        yield context


def _deal(page: Page, shown: Shown):
    return page.locator(f'article[data-key="{shown.deal}"]')


async def test_the_deal_unfolds_before_the_reader(shown, browser):
    async with visit(browser, shown.url) as watched:
        page, deal = watched.page, _deal(watched.page, shown)
        await expect(deal).to_contain_text("we are the holder")
        await expect(page.get_by_role("region", name="Chains and balances")).to_contain_text("TEST")
        await expect(deal.locator(".bar", has_text="collateral · funded")).to_be_visible()
        await expect(deal).to_contain_text("spent by activate")  # the option is live
        link = deal.get_by_role("table", name="Legs").get_by_role("link").first
        assert (await link.get_attribute("href")).startswith("https://explorer.invalid/address/bcrt1")
        expiry = deal.locator(".deadlines li", has_text="expiry").locator("time")
        before = await expiry.inner_text()
        await expect(expiry).not_to_have_text(before)  # it counts down


async def test_all_of_it_can_be_done_with_the_keyboard(shown, browser):
    async with visit(browser, shown.url) as watched:
        page, deal = watched.page, _deal(watched.page, shown)
        await expect(deal).to_be_visible()
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the deals"
        await page.keyboard.press("Enter")
        await _tab_to(page, "Payoff and Greeks")
        await page.keyboard.press("Enter")
        await _tab_to(page, "Spot, TEST for one BTC")
        await page.keyboard.type("61000")
        await _tab_to(page, "Volatility, % per year")
        await page.keyboard.type("60")
        await expect(deal.locator(".greeks")).to_contain_text("delta")
        await _tab_to(page, "Read off at a price")
        reading = await deal.locator("output").inner_text()
        await page.keyboard.press("ArrowRight")
        await expect(deal.locator("output")).not_to_have_text(reading)
        assert await page.evaluate("document.activeElement.type") == "range"  # a new board takes no focus away
        await _shoot(page, "dashboard")


async def _tab_to(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until the focus is on what a reader would call by that name."""
    script = """() => {
        const at = document.activeElement;
        return [at.textContent, at.getAttribute('aria-label'), ...[...(at.labels ?? [])].map((l) => l.textContent)]
            .filter(Boolean).map((text) => text.trim());
    }"""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if name in await page.evaluate(script):
            return
    raise AssertionError(f"{name!r} is not reached by Tab")


async def _shoot(page: Page, name: str) -> None:
    """Keep a picture for the documentation, where STRIKELOCK_SCREENSHOTS names a folder."""
    if folder := os.environ.get("STRIKELOCK_SCREENSHOTS"):
        await page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


async def test_it_fits_a_phone_and_can_be_touched(shown, browser):
    async with visit(browser, shown.url) as watched:
        page, deal = watched.page, _deal(watched.page, shown)
        await page.set_viewport_size(PHONE)
        await expect(deal).to_be_visible()
        await deal.get_by_text("Payoff and Greeks").click()
        await expect(deal.locator(".payoff svg")).to_be_visible()
        await deal.locator("summary", has_text="Transactions we signed").click()
        await _shoot(page, "phone")
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        small = await page.evaluate(
            """() => [...document.querySelectorAll('button, summary')].map((one) => one.getBoundingClientRect())
                .filter((box) => box.height && (box.height < 44 || box.width < 44)).length"""
        )
        assert small == 0


CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgb = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = (node) => {
        for (; node; node = node.parentElement) {
            const data = rgb(getComputedStyle(node).backgroundColor);
            if (data[3] === 255) return data;
        }
        return [255, 255, 255];
    };
    const poor = [];
    for (const node of document.querySelectorAll('#page *')) {
        const text = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!text || node.closest('svg, .bar.shallow')) continue;
        const [one, other] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort();
        if ((other + 0.05) / (one + 0.05) < 4.5) poor.push(node.outerHTML.slice(0, 120));
    }
    return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_can_be_read_in_the_light_and_in_the_dark(shown, browser, scheme):
    async with visit(browser, shown.url) as watched:
        page = watched.page
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no colour half-way to another
        await expect(_deal(page, shown)).to_be_visible()
        assert await page.evaluate(CONTRAST) == []  # WCAG 2.2, 1.4.3
        button = page.get_by_role("button", name="Theme: auto")
        await button.click()
        await expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
        await page.reload()
        await page.get_by_role("button", name="Theme: light").click()  # it was remembered
        await page.get_by_role("button", name="Theme: dark").click()
        await expect(button).to_be_visible()


async def test_a_party_that_stops_is_missed_and_found_again(shown, browser):
    context = browser
    page = await context.new_page()
    await page.goto(shown.url)
    await expect(_deal(page, shown)).to_be_visible()
    await shown.holder.stop()
    await expect(page.get_by_role("alert").first).to_contain_text("What is shown is")
    await expect(page.locator(".pill", has_text="no connection")).to_be_visible()
    await shown.holder.start()
    await expect(page.locator(".pill", has_text="no connection")).to_have_count(0)
    await expect(_deal(page, shown)).to_be_visible()
    await page.close()


async def _confirm(page: Page, shown: Shown, button: str) -> None:
    """In the dialog that is open: a wrong token is refused, the right one is taken."""
    dialog = page.get_by_role("dialog")
    token = dialog.get_by_label("The page's token")
    if not await token.input_value():
        await token.fill("not the token")
        await dialog.get_by_role("button", name=button).click()
        await expect(dialog.get_by_role("alert")).to_have_text("the token is missing or wrong")
        await token.fill((shown.holder.folder / "page-token").read_text().strip())
    await dialog.get_by_role("button", name=button).click()
    await expect(dialog).to_have_count(0)


async def test_a_proposal_is_taken_and_an_option_exercised_on_the_page(shown, browser):
    await _propose(shown.world, shown.writer, shown.holder)
    async with visit(browser, shown.url) as watched:
        page, deal = watched.page, _deal(watched.page, shown)
        watched.refusals.add(401)
        proposals = page.get_by_role("table", name="Proposals")
        await proposals.get_by_role("button", name="Accept").click()
        await page.keyboard.press("Escape")  # second thoughts
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await proposals.get_by_role("button", name="Accept").click()
        await _confirm(page, shown, "Accept")
        await expect(page.locator("article.deal")).to_have_count(2)

        await expect(deal).to_contain_text("spent by activate")
        await deal.get_by_role("button", name="Exercise").click()
        await _confirm(page, shown, "Exercise")
        await expect(deal).to_contain_text("exercise is wanted")
        closed = page.get_by_role("table", name="Closed deals")
        await expect(closed).to_contain_text("exercised", timeout=120_000)
        await expect(deal).to_have_count(0)
