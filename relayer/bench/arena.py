"""Two parties in processes of their own on real nodes with a block a second: what the daemon is measured in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from chains.legs import NATIVE
from chains.testing.bitcoind import Bitcoind
from chains.testing.processes import free_port
from htlc.terms import LegTerms
from relayer.party import Party
from relayer.settings import Settings
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


class Arena:
    """maker writes options and begins swaps, taker takes whatever is safe; both are read from outside."""

    def __init__(self, world: World, maker: Actor, taker: Actor) -> None:
        self.world = world
        self.maker = maker
        self.taker = taker
        self.blocks = 0  # on each chain
        self._taker = ""  # its identity

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, deals: int) -> AsyncIterator[Arena]:
        """Nodes and both processes, with money for so many deals."""
        async with World(CHAINS, folder) as world:
            maker, taker = (cls._actor(role, world) for role in ("maker", "taker"))
            arena = cls(world, maker, taker)
            async with arena.look_at(maker) as one, arena.look_at(taker) as other:
                await arena._endow((one, other), deals)
            try:
                await asyncio.gather(maker.start(), taker.start())
                async with arena._pace():
                    yield arena
            finally:
                await asyncio.gather(maker.stop(), taker.stop())

    @staticmethod
    def _actor(role: str, world: World) -> Actor:
        chains = {name: {**world.settings(name), "timing": dict(TIMING)} for name in CHAINS}
        tables: dict[str, dict[str, Any]] = {
            "chains": chains,
            "testing": {},  # the machine's clock is the world's
            "risk": {"outage": OUTAGE_SECONDS},
            "backup": {"mode": "none"},
            "log": {"level": "warning"},
            "ops": {"listen": f"127.0.0.1:{free_port()}", "margin": 0},
            "dashboard": {"listen": f"127.0.0.1:{free_port()}"},
        }
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


def ready_url(settings: Settings) -> str:
    """Where a party says whether it may be relied on."""
    return f"http://{settings.ops.listen}/ready"
