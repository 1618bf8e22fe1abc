"""A duel whose first party runs as two daemons, on machines of their own as far as they can tell, that share a
database."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from chains.testing.postgres import Postgres
from htlc.ports import Intent
from relayer.demo.plot import CHAIN_PAIRS
from relayer.party import Party
from relayer.settings import SEED_FILE
from relayer.testing.actors import Actor
from relayer.testing.world import World
from settlement.store.leases import DEAL
from tests.processes import Duel, balances

LEASE = 2  # seconds that a daemon may be silent
COINS = 4  # that a party's wallets begin with, so that deals need not wait for change


@dataclass
class SharedDuel(Duel):
    """A duel with a second daemon of the first party."""

    second: Actor = None  # type: ignore[assignment]

    @property
    def daemons(self) -> tuple[Actor, Actor]:
        """The first party's."""
        return self.actors[0], self.second

    async def holder(self) -> Actor | None:
        """The daemon that drives the deal, if one that runs does."""
        for member in await self.parties[0].store.leases.crew():
            if (DEAL, self.deal) in member.held and member.left > 0:
                pid = int(member.label.rpartition(":")[2])
                return next((one for one in self.daemons if one.running and one._process.pid == pid), None)
        return None

    async def held_by(self, daemon: Actor) -> bool:
        return await self.holder() is daemon

    async def intents(self) -> tuple[Intent, ...]:
        """What the first party signed for the deal."""
        return await self.parties[0].store.intents(self.deal)


def pause(daemon: Actor) -> None:
    os.kill(daemon._process.pid, signal.SIGSTOP)


def resume(daemon: Actor) -> None:
    os.kill(daemon._process.pid, signal.SIGCONT)


@asynccontextmanager
async def shared_duel(
    world: World, postgres: Postgres, name: str, protocol: str, pair: str
) -> AsyncIterator[SharedDuel]:
    """Three processes with money, not started yet; ended however the test ends."""
    async with AsyncExitStack() as stack:
        name = f"{name}-{pair.replace('/', '-')}"
        database = await postgres.create_database(name)
        chains = CHAIN_PAIRS[pair]
        table = {"folder": ".", "passphrase_file": "passphrase", "database": database, "lease": LEASE}
        one, two = (Actor(f"{name}-{who}", world, chains, tables={"party": table}) for who in ("one", "two"))
        shutil.copy(one.folder / SEED_FILE, two.folder / SEED_FILE)
        other = Actor(f"{name}-other", world, chains)
        parties = []
        for actor in (one, other):
            party = await stack.enter_async_context(Party.open(actor.settings, drive=False))
            parties.append(party)
            for chain, wallet in party.wallets.items():
                for _ in range(COINS):
                    await world.endow(chain, wallet.address)
        for actor in (one, two, other):
            stack.push_async_callback(actor.kill)
        await world.step()
        both = (parties[0], parties[1])
        yield SharedDuel(world, (one, other), both, await balances(both), protocol, pair, second=two)
