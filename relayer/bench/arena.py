"""Two parties in processes of their own on real nodes with a block a second: what the daemon is measured in."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chains.legs import NATIVE
from chains.testing.bitcoind import Bitcoind
from chains.testing.postgres import Postgres
from chains.testing.processes import free_port
from htlc.terms import LegTerms
from relayer.party import Party
from relayer.settings import SEED_FILE, Settings
from relayer.testing.actors import Actor
from relayer.testing.world import World
from settlement.agreement import Offer
from settlement.proposal import Proposal

BLOCK_SECONDS: Final = 1
CHAINS: Final = ("bitcoin", "evm")
OUTAGE_SECONDS: Final = 3600  # locks of hours: none of them opens while we measure
LIFE_SECONDS: Final = 12 * 3600  # of an option
COINS: Final = 100  # of a wallet: a coin that pays is whole again a block later
WEI: Final = 100 * 10**18
TOKEN: Final = 10**6
SATOSHIS: Final = 100_000  # of a leg
PAY_TOGETHER: Final = 20  # payments of the miner's between two blocks

TIMING: Final = {
    "interval": float(BLOCK_SECONDS),
    "inclusion": 3,
    "depth": 3,
    "clock_error": 2,
    "stale_after": 3600,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What is measured. daemons: of the maker, on one database. postgres: that is on a PostgreSQL server, as it
    must be for several."""

    daemons: int = 1
    postgres: bool = False


class Arena:
    """makers, daemons of one party, write options and begin swaps; taker takes whatever is safe. Both parties are
    read from outside."""

    def __init__(self, world: World, makers: Sequence[Actor], taker: Actor) -> None:
        self.world = world
        self.makers = tuple(makers)
        self.maker = self.makers[0]
        self.taker = taker
        self.blocks = 0  # on each chain
        self._taker = ""  # its identity

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, deals: int, shape: Shape) -> AsyncIterator[Arena]:
        """Nodes and both parties' processes, with money for so many deals."""
        async with AsyncExitStack() as stack:
            world = await stack.enter_async_context(World(CHAINS, folder))
            database = ""
            if shape.postgres:
                database = (await stack.enter_async_context(Postgres())).url
            makers = [cls._actor(f"maker-{number + 1}", world, database) for number in range(shape.daemons)]
            for maker in makers[1:]:
                shutil.copy(makers[0].folder / SEED_FILE, maker.folder / SEED_FILE)
            taker = cls._actor("taker", world, "")
            arena = cls(world, makers, taker)
            async with arena.look_at(makers[0]) as one, arena.look_at(taker) as other:
                await arena._endow((one, other), deals)
            try:
                await asyncio.gather(*(actor.start() for actor in (*makers, taker)))
                async with arena._pace():
                    yield arena
            finally:
                await asyncio.gather(*(actor.stop() for actor in (*makers, taker)))

    @staticmethod
    def _actor(role: str, world: World, database: str) -> Actor:
        chains = {name: {**world.settings(name), "timing": dict(TIMING)} for name in CHAINS}
        tables: dict[str, dict[str, Any]] = {
            "chains": chains,
            "testing": {},  # the machine's clock is the world's
            "risk": {"outage": OUTAGE_SECONDS},
            "backup": {"mode": "none"},
            "log": {"level": "warning"},
            "ops": {"listen": f"127.0.0.1:{free_port()}", "margin": 0},
            "dashboard": {"listen": f"127.0.0.1:{free_port()}"},
            "api": {"listen": f"127.0.0.1:{free_port()}", "auth": False},
        }
        if database:
            tables["party"] = {"folder": ".", "passphrase_file": "passphrase", "database": database}
        return Actor(role, world, CHAINS, tables=tables)

    @asynccontextmanager
    async def look_at(self, actor: Actor) -> AsyncIterator[Party]:
        """A party from outside its process, as a command does it."""
        async with Party.open(actor.settings, drive=False) as party:
            yield party

    # --- blocks

    @asynccontextmanager
    async def _pace(self) -> AsyncIterator[None]:
        """A block on each chain every BLOCK_SECONDS."""
        mining = asyncio.create_task(self._mine())
        try:
            yield
        finally:
            mining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await mining

    async def _mine(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self.world.step(max(BLOCK_SECONDS, int(time.time()) - self.world.time))
            self.blocks += 1
            due = max(due + BLOCK_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())

    # --- money

    async def _endow(self, parties: Iterable[Party], deals: int) -> None:
        """Coins on both chains and tokens, for so many deals and their fees."""
        world, node = self.world, self.world.nodes["bitcoin"]
        assert isinstance(node, Bitcoind)  # noqa: S101 - bitcoin is one
        coin = 4 * SATOSHIS * (1 + deals // COINS) + 10 * SATOSHIS
        for party in parties:
            address = party.wallets["evm"].address
            await world.pay("evm", NATIVE, address, WEI)
            await world.pay("evm", world.tokens["evm"], address, (deals + 1000) * 100 * TOKEN)
            for number in range(COINS):
                await node.send(party.wallets["bitcoin"].address, coin)
                if number % PAY_TOGETHER == PAY_TOGETHER - 1:
                    await world.step()
        await world.step()

    # --- proposing

    async def put(self, maker: Party) -> Proposal:
        """The maker writes a put that lives for hours: tokens are locked, premium and strike are in bitcoin."""
        legs = {
            "collateral": LegTerms("evm", self.world.tokens["evm"], 60 * TOKEN),
            "premium": LegTerms("bitcoin", NATIVE, SATOSHIS // 2),
            "strike": LegTerms("bitcoin", NATIVE, SATOSHIS),
        }
        options = {"kind": "put", "releases": "yes"}
        return await self._propose(maker, "option", "writer", legs, options, LIFE_SECONDS)

    async def swap(self, maker: Party) -> Proposal:
        """The maker gives tokens for bitcoin."""
        legs = {
            "x": LegTerms("evm", self.world.tokens["evm"], 60 * TOKEN),
            "y": LegTerms("bitcoin", NATIVE, SATOSHIS),
        }
        return await self._propose(maker, "swap", "initiator", legs, {}, 0)

    async def _propose(
        self,
        maker: Party,
        name: str,
        role: str,
        legs: dict[str, LegTerms],
        options: dict[str, str],
        life: int,
    ) -> Proposal:
        """Sign and store a proposal; the maker's process finds it and carries it to the taker's."""
        times = maker.ladder(name, {leg: terms.chain for leg, terms in legs.items()}, life)
        if not self._taker:
            self._taker = await maker.post.identity(self.taker.url)
        return await maker.agreement.propose(Offer(name, role, legs, times, options), self._taker, self.taker.url)


def board_url(settings: Settings) -> str:
    """The document behind a party's web page."""
    return f"http://{settings.dashboard.listen}/board"


def api_urls(settings: Settings, deal: str) -> tuple[str, ...]:
    """What programs ask most: how the party is, its deals, one of them, what stands at legs."""
    paths = ("party", "deals?state=open", f"deals/{deal}", "legs")
    return tuple(f"http://{settings.api.listen}/v1/{path}" for path in paths)


def ready_url(settings: Settings) -> str:
    """Where a party says whether it may be relied on."""
    return f"http://{settings.ops.listen}/ready"
