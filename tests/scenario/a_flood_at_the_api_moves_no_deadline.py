"""Strangers open ten thousand connections to a party's API, drip half requests, and send what no client should,
all the while an option is agreed, funded, activated and exercised: it ends as its parties will, no deadline comes
near, and the party's own user is answered throughout."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from htlc.terms import LegTerms
from relayer.api.asks import TokenBody
from relayer.api.client import Client
from relayer.party import Party
from relayer.testing.actors import Actor, free_port
from relayer.testing.world import World

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(420)]

CHAINS = ("bitcoin", "evm")
CONNECTIONS = 10_000
REQUESTS = 200  # of the attack, at least
PACE = 0.5
STEPS = 400
LIFE = 600  # seconds of the world's time
TOKEN = 10**6
FLOOD = Path(__file__).parent.parent / "flooding.py"
# What an attack may get: an answer that says no, or a closed door. 503 would be a server in need.
CLEAR = {"closed", *(f"status {status}" for status in (400, 401, 403, 404, 408, 413, 414, 421, 429, 431))}


async def _endow(world: World, actor: Actor) -> None:
    async with Party.open(actor.settings, drive=False) as party:
        for chain, wallet in party.wallets.items():
            await world.endow(chain, wallet.address)


async def _agree(world: World, writer: Actor, holder: Actor) -> str:
    """The writer proposes a call, and the holder takes it."""
    async with Party.open(writer.settings, drive=False) as party:
        money = LegTerms("evm", world.tokens["evm"], 6000 * TOKEN)
        premium = LegTerms("evm", world.tokens["evm"], 125 * TOKEN)
        legs = {"collateral": LegTerms("bitcoin", "native", 10**7), "premium": premium, "strike": money}
        times = party.ladder("option", {name: leg.chain for name, leg in legs.items()}, LIFE)
        options = {"kind": "call", "releases": "no"}
        made = await party.propose("option", "writer", legs, options, times, holder.url)
        return str(await party.agreed(made.id))


@asynccontextmanager
async def _flood(port: int, token: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The attack runs while the block is entered."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(FLOOD), "127.0.0.1", str(port), str(CONNECTIONS), token),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _end(process: asyncio.subprocess.Process) -> dict[str, int]:
    """Stop the attack, once it has been one; what became of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    async with asyncio.timeout(60):
        return dict(json.loads(await process.stdout.readline()))


async def test_a_deal_is_settled_in_a_flood(world):
    port = free_port()
    tables = {"api": {"listen": f"127.0.0.1:{port}", "socket": "api.sock"}}
    writer, holder = Actor("flood-writer", world, CHAINS), Actor("flood-holder", world, CHAINS, tables=tables)
    async with AsyncExitStack() as stack:
        for actor in (writer, holder):
            await _endow(world, actor)
            await actor.start()
            stack.push_async_callback(actor.kill)
        await world.step()
        api = await stack.enter_async_context(Client(holder.folder / "api.sock"))
        token = (await api.new_token(TokenBody(name="stolen", scope="trade"))).secret
        flood = await stack.enter_async_context(_flood(port, token))

        deal = await _agree(world, writer, holder)
        await api.wish(deal, "exercise")
        margins, outcome = await _play(world, api, deal)
        assert outcome == "exercised", (writer.tail(), holder.tail())
        assert all(margin > 0 for margin in margins)

        assert flood.stdout is not None
        async with asyncio.timeout(120):
            assert await flood.stdout.readline() == b"opened\n"  # all ten thousand of them
            await asyncio.sleep(5)  # of requests, should the deal have been over before
        counts = await _end(flood)
        assert counts["opened"] + counts.get("refused", 0) == CONNECTIONS
        answers = {what: number for what, number in counts.items() if what not in ("opened", "refused")}
        assert sum(answers.values()) >= REQUESTS, counts
        assert set(answers) <= CLEAR, counts
        assert (await api.party()).ready


async def _play(world: World, api: Client, deal: str) -> tuple[list[int], str | None]:
    """Step until the deal is closed; the margins there were, and its outcome."""
    margins: list[int] = []
    for _ in range(STEPS):
        async with asyncio.timeout(10):  # the party's own user is answered
            seen = await api.deal(deal)
        if seen.outcome is not None:
            return margins, seen.outcome
        if seen.margin is not None:
            margins.append(seen.margin)
        await asyncio.sleep(PACE)
        await world.step()
    return margins, None
