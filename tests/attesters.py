"""Attesters in the test's own process, each with its own seed, files and connections to the nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from chains.port import Key
from chains.quorum import deal_member
from htlc.protocols.option import COLLATERAL, EXERCISE
from relayer.attest.attester import Attester
from relayer.attest.service import Service
from relayer.testing.actors import PASSPHRASE, Actor
from relayer.testing.world import World
from settlement import seed as seeds
from settlement.backup import Descriptor

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody answers


class Liar(Attester):
    """Signs at once, without looking, and with a key that is not the deal's."""

    async def attest(self, descriptor: Descriptor) -> str:
        terms = descriptor.deal.terms
        legs = self._check(descriptor.deal.id, terms)
        leg = legs[COLLATERAL]
        await self._watch(terms, legs, descriptor.deal.since)
        await self._chains[leg.chain].look()
        key = Key(deal_member(self.member, terms.digest), self._secret)
        return await self._wallets[leg.chain].consent(leg, EXERCISE, key)


@dataclass
class Quorum:
    """urls: by key, of every member. honest: those that look, by key."""

    urls: dict[str, str] = field(default_factory=dict)
    honest: dict[str, Attester] = field(default_factory=dict)


@asynccontextmanager
async def quorum(
    world: World, name: str, chains: Sequence[str], honest: int, silent: int = 0, lying: int = 0
) -> AsyncIterator[Quorum]:
    """So many members of each kind, listening on this machine."""
    made = Quorum()
    async with AsyncExitStack() as stack:
        for number in range(honest + silent + lying):
            actor = Actor(f"{name}-{number}", world, chains)
            seed = seeds.load(actor.folder / "seed.json", PASSPHRASE)
            member = seeds.public_member(seed.attester())
            made.urls[member] = NOWHERE
            if number >= honest + lying:
                continue
            kind = Attester if number < honest else Liar
            attester = await stack.enter_async_context(kind.open(actor.settings, seed))
            made.urls[member] = await _serve(attester, stack)
            if number < honest:
                made.honest[member] = attester
        yield made


async def _serve(attester: Attester, stack: AsyncExitStack) -> str:
    runner = web.AppRunner(Service(attester).application(), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
