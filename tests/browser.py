"""Debian's Chromium, driven by Playwright, with a profile of its own and nothing to say to the outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, async_playwright, expect

from chains.testing.locate import find
from chains.testing.plugin import available

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60_000  # ms for anything to appear, on a busy machine

expect.set_options(timeout=PATIENCE)


@dataclass
class Watched:
    """A page and what went wrong on it: errors, refusals by its policy, requests to elsewhere. refusals: answers
    of the server that are expected, which the console calls errors."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)
    refusals: set[int] = field(default_factory=set)

    def listen(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        expected = any(f"status of {status}" in message.text for status in self.refusals)
        if message.type == "error" and not expected:
            self.faults.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(self.origin):
            self.faults.append(f"request to {request.url}")


@asynccontextmanager
async def chromium(folder: Path, **options: object) -> AsyncIterator[BrowserContext]:
    """A browser whose windows forget everything. options: of Playwright's context, such as viewport."""
    with available():
        program = str(find("chromium"))
    async with async_playwright() as driver:
        context = await driver.chromium.launch_persistent_context(
            str(folder), executable_path=program, headless=True, args=list(FLAGS), **options
        )
        context.set_default_timeout(PATIENCE)
        try:
            yield context
        finally:
            await context.close()


@asynccontextmanager
async def visit(context: BrowserContext, url: str, path: str = "") -> AsyncIterator[Watched]:
    """A fresh page at an address, or at a path under it. Whatever went wrong on it fails the test in the end."""
    watched = Watched(await context.new_page(), url)
    watched.listen()
    await watched.page.goto(url + path)
    yield watched
    await watched.page.close()
    assert not watched.faults, watched.faults
