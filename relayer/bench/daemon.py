"""What a daemon, or several on one database, carry: deals a minute, deals open at once, answers meanwhile, memory,
processor, a restart.

Both parties are processes as an operator runs them, on real nodes with a block a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from chains.errors import StrikelockError
from htlc.ports import Deal
from options.bench.machine import describe
from relayer.bench.arena import Arena, Shape, api_urls, board_url, ready_url
from relayer.bench.filling import fill
from relayer.bench.probe import Reads, cpu_seconds, peak_mb, resident_mb
from relayer.party import Party
from relayer.settings import database_url
from settlement.proposal import Proposal

LOOK_SECONDS: Final = 0.5  # between two looks at the parties' databases
READ_PAUSE: Final = 0.05  # between two reads of the API
PAGE_PAUSE: Final = 1.0  # between two reads of the page's whole document, as one page that is open makes them
WAIT_SECONDS: Final = 1800.0  # for anything here
UNDECIDED: Final = 40  # proposals that wait for an answer, at most
BATCH: Final = 8  # proposals at once


@dataclass(eq=False)
class BenchStuck(StrikelockError):
    """What was measured did not come about."""

    wanted: str
    seconds: float
    log: str
    template = "after {seconds:.0f} s still waiting for {wanted}; the end of the maker's log:\n{log}"


@dataclass(frozen=True, slots=True)
class Sizes:
    """deals: open at once. stored: in the database when the daemon is started again. seconds: of each window.
    flying: swaps under way at once where deals a minute are counted."""

    deals: int = 1000
    stored: int = 10_000
    seconds: float = 60.0
    flying: int = 60


@dataclass(slots=True)
class Followed:
    """Deals of one party as its database shows them: those ever seen, and those open now."""

    party: Party
    seen: set[str] = field(default_factory=set)
    open: dict[str, Deal] = field(default_factory=dict)

    async def look(self) -> None:
        self.open = {deal.id: deal for deal in await self.party.store.deals()}
        self.seen |= self.open.keys()

    @property
    def closed(self) -> set[str]:
        return self.seen - self.open.keys()

    def live(self) -> int:
        """Open options whose activation secret is public."""
        return sum(bool(deal.preimages) for deal in self.open.values())


async def measure(sizes: Sizes, shape: Shape, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Every figure. Raises BenchStuck, and what nodes and parties raise."""
    async with Arena.open(folder, sizes.deals + 20 * sizes.flying, shape) as arena:
        async with arena.look_at(arena.maker) as maker, arena.look_at(arena.taker) as taker:
            stage = Stage(arena, Followed(maker), Followed(taker), sizes, say)
            found = stage.told(await stage.deals_per_minute())
            found |= stage.told(await stage.open_deals())
            found |= stage.told(await stage.window())
        found |= stage.told(await _restart(arena, sizes, say))
    flags = f"--deals {sizes.deals} --stored {sizes.stored} --seconds {sizes.seconds:g} --flying {sizes.flying}"
    if shape.postgres:
        flags += f" --postgres --daemons {shape.daemons}"
    return {
        "command": f"strikelock bench daemon {flags}",
        "seed": "none: nothing is drawn but keys",
        "database": "PostgreSQL" if shape.postgres else "SQLite",
        "daemons": shape.daemons,
        **found,
        "machine": describe(),
    }


@dataclass(slots=True)
class Stage:
    """The parts that are played with both parties running."""

    arena: Arena
    maker: Followed
    taker: Followed
    sizes: Sizes
    say: Callable[[str], None]
    proposals: list[Proposal] = field(default_factory=list)

    def told(self, figures: dict[str, Any]) -> dict[str, Any]:
        """Figures, said as soon as they are there: the whole takes long."""
        self.say(", ".join(f"{name} {value}" for name, value in figures.items()))
        return figures

    # --- settled deals a minute

    async def deals_per_minute(self) -> dict[str, Any]:
        """Swaps from proposal to the closing on both sides, with always as many under way. Counted from the first
        one that ends."""
        self.say(f"swaps, {self.sizes.flying} at once")
        loop = asyncio.get_running_loop()
        began: float | None = None
        before = 0
        give_up = loop.time() + WAIT_SECONDS
        while began is None or loop.time() < began + self.sizes.seconds:
            await self._look()
            settled = len(self.maker.closed & self.taker.closed)
            if began is None and settled:
                began, before = loop.time(), settled
            await self._propose(self.sizes.flying - (len(self.proposals) - settled), self.arena.swap)
            self._bound(loop.time() < give_up, "the first swap to settle")
        seconds = loop.time() - began
        settled = len(self.maker.closed & self.taker.closed) - before
        self.say(f"{settled} swaps in {seconds:.0f} s")
        await self._until(lambda: not self.maker.open and not self.taker.open, "the last swaps to settle")
        return {"deals_per_minute": round(settled / seconds * 60, 1), "settled": settled, "deals": "swaps"}

    # --- deals open at once

    async def open_deals(self) -> dict[str, Any]:
        """Puts that are funded on both sides, and live."""
        self.say(f"opening {self.sizes.deals} options")
        self.proposals.clear()
        began = time.monotonic()
        give_up = began + WAIT_SECONDS
        said = began
        while min(self.maker.live(), self.taker.live()) < self.sizes.deals:
            agreed = len(self.maker.open)
            room = min(UNDECIDED - (len(self.proposals) - agreed), self.sizes.deals - len(self.proposals))
            await self._propose(room, self.arena.put)
            await self._look()
            if time.monotonic() - said > 10:
                said = time.monotonic()
                self.say(f"{len(self.proposals)} proposed, {agreed} agreed, {self.maker.live()} live")
            self._bound(time.monotonic() < give_up, "every option to be live")
        took = time.monotonic() - began
        return {"open_deals": len(self.maker.open), "opening_s": round(took, 1)}

    async def window(self) -> dict[str, Any]:
        """Nothing happens but blocks: what the maker's processes use, and how quickly the first one answers."""
        settings, pids = self.arena.maker.settings, [maker.pid for maker in self.arena.makers]
        self.say(f"reading for {self.sizes.seconds:.0f} s")
        await asyncio.sleep(3 * LOOK_SECONDS)
        reads = Reads(api_urls(settings, next(iter(self.maker.open))), READ_PAUSE)
        page = Reads((board_url(settings),), PAGE_PAUSE)
        used, blocks = sum(map(cpu_seconds, pids)), self.arena.blocks
        until = asyncio.get_running_loop().time() + self.sizes.seconds
        await asyncio.gather(reads.run(until), page.run(until))
        used, blocks = sum(map(cpu_seconds, pids)) - used, self.arena.blocks - blocks
        await self._look()
        still = len(self.maker.open)
        self._bound(still == self.sizes.deals, f"{self.sizes.deals} deals that stay open, not {still}")
        return {
            "read_p50_ms": reads.quantile_ms(0.5),
            "read_p99_ms": reads.quantile_ms(0.99),
            "reads": len(reads.seconds),
            "page_p50_ms": page.quantile_ms(0.5),
            "page_p99_ms": page.quantile_ms(0.99),
            "resident_mb": round(max(map(resident_mb, pids)), 1),
            "peak_resident_mb": round(max(map(peak_mb, pids)), 1),
            "cpu_ms_per_deal_and_block": round(used * 1000 / (self.sizes.deals * max(blocks, 1)), 3),
            "blocks": blocks,
        }

    # --- inside

    async def _propose(self, wanted: int, make: Callable[[Party], Coroutine[Any, Any, Proposal]]) -> None:
        for _ in range(min(wanted, BATCH)):
            self.proposals.append(await make(self.maker.party))

    async def _look(self) -> None:
        await asyncio.gather(self.maker.look(), self.taker.look(), asyncio.sleep(LOOK_SECONDS))

    async def _until(self, done: Callable[[], bool], wanted: str) -> None:
        give_up = time.monotonic() + WAIT_SECONDS
        while not done():
            await self._look()
            self._bound(time.monotonic() < give_up, wanted)

    def _bound(self, well: bool, wanted: str) -> None:
        if not well:
            raise BenchStuck(wanted, WAIT_SECONDS, self.arena.maker.tail())


async def _restart(arena: Arena, sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """From the start of the process until /ready says yes, with closed deals besides the open ones."""
    await asyncio.gather(*(maker.stop() for maker in arena.makers))
    stored = await fill(database_url(arena.maker.settings), sizes.stored)
    say(f"starting again with {stored} deals stored")
    began = time.monotonic()
    async with asyncio.timeout(WAIT_SECONDS):
        await arena.maker.start()
        listening = time.monotonic() - began
        await _ready(ready_url(arena.maker.settings))
    return {
        "restart_to_ready_s": round(time.monotonic() - began, 2),
        "restart_to_listening_s": round(listening, 2),
        "stored_deals": stored,
    }


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as response:
                if response.ok:
                    return
            await asyncio.sleep(0.02)
