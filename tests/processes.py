"""Parties in processes of their own, on one deal, driven by a world that steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from relayer.party import Party
from relayer.testing.actors import Actor
from relayer.testing.world import BLOCK_SECONDS, World
from tests.stage import LIFE, fees_of, flows, fold

PACE = 0.4  # real seconds that processes get for a step
STEPS = 500
SHRINK = 20


@dataclass
class Duel:
    """Two actors and a reader for each. The first proposes."""

    world: World
    actors: tuple[Actor, Actor]
    parties: tuple[Party, Party]
    before: dict[str, dict[str, int]]
    protocol: str
    pair: str
    deal: str = ""

    async def agree(self) -> None:
        """Both start, and enter the deal."""
        await asyncio.gather(*(actor.start() for actor in self.actors))
        self.deal = await self.propose()

    async def propose(self) -> str:
        """Enter one more deal of this kind; its id."""
        legs = plot(self.protocol, Outcome.EXERCISED, "call", self.pair, self.world.tokens).legs
        small = {name: type(leg)(leg.chain, leg.asset, leg.amount // SHRINK) for name, leg in legs.items()}
        options = {"kind": "call", "releases": "no"} if self.protocol == "option" else {}
        first = self.parties[0]
        times = first.ladder(self.protocol, {name: leg.chain for name, leg in small.items()}, LIFE)
        role = "writer" if self.protocol == "option" else "initiator"
        proposal = await first.propose(self.protocol, role, small, options, times, self.actors[1].url)
        return str(await first.agreed(proposal.id))

    async def until(self, over: Callable[[], Awaitable[bool]], seconds: int = BLOCK_SECONDS) -> None:
        """Step at the processes' pace, by so much of the world's time, until something holds."""
        for _ in range(STEPS):
            if await over():
                return
            await asyncio.sleep(PACE)
            await self.world.step(seconds)
        raise AssertionError(f"still waiting: {[actor.tail() for actor in self.actors]}")

    async def signed(self, who: int, leg: str, step: str) -> bool:
        """A party has signed for a step."""
        intents = await self.parties[who].store.intents(self.deal)
        return any((intent.leg, intent.step) == (leg, step) for intent in intents)

    async def closed(self) -> bool:
        return None not in [(await party.store.deal(self.deal)).outcome for party in self.parties]

    async def settle(self) -> str:
        """Step until both have closed; every unit is where the outcome says, but for fees. The outcome."""
        await self.until(self.closed)
        await self.world.step()
        outcomes = {(await party.store.deal(self.deal)).outcome for party in self.parties}
        (outcome,) = outcomes
        terms = (await self.parties[0].store.deal(self.deal)).terms
        after = await balances(self.parties)
        for party in self.parties:
            deal = await party.store.deal(self.deal)
            fees = fees_of(await party.store.intents(self.deal))
            gains = flows(terms, str(outcome))[deal.role]
            assert fold(after[party.identity], minus=self.before[party.identity]) == fold(gains, minus=fees)
        return str(outcome)


@asynccontextmanager
async def duel(
    world: World, name: str, protocol: str, pair: str = "bitcoin/evm", backup: str = "file"
) -> AsyncIterator[Duel]:
    """Two processes with money, not started yet; ended however the test ends."""
    async with AsyncExitStack() as stack:
        name = f"{name}-{pair.replace('/', '-')}"
        chains = CHAIN_PAIRS[pair]
        actors = tuple(Actor(f"{name}-{who}", world, chains, backup=backup) for who in ("first", "second"))
        parties = []
        for actor in actors:
            party = await stack.enter_async_context(Party.open(actor.settings, drive=False))
            parties.append(party)
            for chain, wallet in party.wallets.items():
                await world.endow(chain, wallet.address)
            stack.push_async_callback(actor.kill)
        await world.step()
        both = (parties[0], parties[1])
        yield Duel(world, (actors[0], actors[1]), both, await balances(both), protocol, pair)


async def balances(parties: tuple[Party, Party]) -> dict[str, dict[str, int]]:
    """Confirmed holdings, by identity and "chain/asset"."""
    for party in parties:
        await party.look()
    return {party.identity: await party.balances() for party in parties}
