"""docs/two-daemons.md, typed from start to end: an option is offered, taken in parts, exercised by a command and
on the page, watched by Prometheus, and one of the maker's two daemons is killed midway."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from chains.testing.locate import find
from chains.testing.plugin import available
from tests.browser import chromium, visit
from tests.docs.blocks import DOCS, blocks, files, normal
from tests.docs.shell import Shell

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]

DOCUMENT = DOCS / "two-daemons.md"
PAGE = "http://127.0.0.1:9964/"
PROMETHEUS = "http://127.0.0.1:9965"
DOWN = "StrikelockDown"
PATIENCE = 240  # seconds until both deals are over, on a busy machine


@pytest.fixture
def shell(tmp_path):
    with available():
        for program in ("postgres", "prometheus"):
            find(program)
    shell = Shell(tmp_path, holder="taker.toml")
    yield shell
    shell.close()


async def press_exercise(shell: Shell, folder) -> None:
    """What the text says of the page, at the deal that no command exercises."""
    token = (shell.folder / "taker" / "page-token").read_text().strip()
    async with (
        chromium(folder) as browser,
        visit(browser, shell.address(PAGE)) as watched,
    ):
        page = watched.page
        await page.get_by_role("button", name="Exercise").first.click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("The page's token").fill(token)
        await dialog.get_by_role("button", name="Exercise").click()
        await expect(dialog).to_have_count(0)


def deals(shell: Shell, config: str) -> dict[str, str | None]:
    """The outcome of each deal."""
    listed = json.loads(shell._bash(f"strikelock deal list --all -c {config} --json").stdout)
    return {one["deal"]: one["outcome"] for one in listed["deals"]}


def alerts(shell: Shell) -> set[str]:
    """The names of those whose condition holds."""
    with urllib.request.urlopen(shell.address(PROMETHEUS) + "/api/v1/alerts", timeout=10) as answer:
        return {one["labels"]["alertname"] for one in json.load(answer)["data"]["alerts"]}


async def come(what: Callable[[], bool]) -> None:
    """Wait for something that others bring about."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110
            await asyncio.sleep(1)


async def test_what_an_operator_reads_is_what_happens(shell, tmp_path_factory):
    for name, text in files(DOCUMENT).items():
        (shell.folder / name).write_text(shell.address(text))
    typed = [command for block in blocks(DOCUMENT) if block.mark is None for command in block.commands]
    for command in typed:
        if command.startswith("kill -9"):
            await come(lambda: DOWN not in alerts(shell))  # a busy machine may have been late with an answer
            await press_exercise(shell, tmp_path_factory.mktemp("browser"))
        if command.startswith("strikelock deal list --all"):
            await come(lambda: set(deals(shell, "maker.toml").values()) == {"exercised"})
            assert DOWN in alerts(shell)
        shell.type(command)
    assert [normal(command) for command in shell.ran] == [normal(command) for command in typed]
    maker, taker = deals(shell, "maker.toml"), deals(shell, "taker.toml")
    assert maker == taker
    assert len(maker) == 2
