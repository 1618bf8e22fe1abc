"""Two daemons on real nodes, each with an API, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from relayer.api.asks import PROPOSE, OfferBody, Propose
from relayer.api.client import Client
from relayer.daemon import Daemon
from relayer.testing.actors import Actor, free_port
from relayer.testing.world import World

CHAINS = ("bitcoin", "evm")
STEPS = 400
PACE = 0.25  # real seconds that daemons get for a step
TOKEN = 10**6
LIFE = 40 * 3600  # seconds of the world's time


@dataclass
class Trader:
    """A daemon that runs, and a client at its socket."""

    actor: Actor
    daemon: Daemon
    api: Client

    @property
    def url(self) -> str:
        return f"http://{self.actor.settings.api.listen}"


@dataclass
class Market:
    """A writer and a holder, and the nodes they are on."""

    world: World
    writer: Trader
    holder: Trader

    def leg(self, chain: str, units: int) -> dict[str, str]:
        asset = "native" if chain == "bitcoin" else self.world.tokens["evm"]
        return {"chain": chain, "asset": asset, "units": str(units)}

    def option(self, premium: int, **more: object) -> Propose:
        """What the writer may propose to the holder."""
        legs = {
            "collateral": self.leg("bitcoin", 10**7),
            "premium": self.leg("evm", premium),
            "strike": self.leg("evm", 6000 * TOKEN),
        }
        body = {"protocol": "option", "role": "writer", "kind": "call", "legs": legs, "life": LIFE, **more}
        return PROPOSE.validate_python({"peer": self.holder.actor.url, **body})

    async def offer(self, premium: int = 125 * TOKEN) -> str:
        """The id of a proposal of the writer's that the holder has received."""
        made = await self.writer.api.propose(self.option(premium))

        async def received() -> bool:
            return any(one.id == made.id for one in (await self.holder.api.proposals(state="received")).proposals)

        await until(self.world, received)
        return made.id

    def shelf(self, **more: object) -> OfferBody:
        """An offer that the writer may publish: a call, in parts of a tenth."""
        party, chains = self.writer.daemon.party, {"collateral": "bitcoin", "premium": "evm", "strike": "evm"}
        body = {
            "kind": "call",
            "role": "writer",
            "underlying": self.leg("bitcoin", 10**7),
            "strike": self.leg("evm", 600 * TOKEN),
            "premium": {"units": str(20 * TOKEN)},
            "least": str(10**6),
            "expiry": party.ladder("option", chains, LIFE)["expiry"] + 600,
            "until": int(party.clock.now()) + 600,
        }
        return OfferBody.model_validate({**body, **more})

    async def agree(self, premium: int = 125 * TOKEN) -> str:
        """The id of an option that both have entered."""
        id_ = await self.offer(premium)
        await self.holder.api.decide(id_, "accept")

        async def agreed() -> bool:
            return (await self.writer.api.proposal(id_)).deal is not None

        await until(self.world, agreed)
        return str((await self.writer.api.proposal(id_)).deal)


@asynccontextmanager
async def trading(world: World, name: str, **api: Any) -> AsyncIterator[Trader]:
    """A party with money, run until the block is left."""
    tables = {
        "api": {"listen": f"127.0.0.1:{free_port()}", "socket": "api.sock", "rate": 1000, **api},
        "peer": {"listen": f"127.0.0.1:{free_port()}", "accept": "ask"},
    }
    actor = Actor(name, world, CHAINS, tables=tables)
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(Daemon.open(actor.settings))
        for chain, wallet in daemon.party.wallets.items():
            await world.endow(chain, wallet.address)
        stop, ready = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(daemon.run(stop, ready))
        waiting = asyncio.create_task(ready.wait())
        try:
            async with asyncio.timeout(30):
                await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.is_set():
                await running  # it failed, and says why
            async with Client(actor.folder / "api.sock") as client:
                yield Trader(actor, daemon, client)
        finally:
            waiting.cancel()
            stop.set()
            async with asyncio.timeout(30):
                await running


async def until(world: World, over: Callable[[], Awaitable[bool]]) -> None:
    """Step the world until something holds."""
    for _ in range(STEPS):
        if await over():
            return
        await asyncio.sleep(PACE)
        await world.step()
    raise AssertionError("it does not come to pass")
