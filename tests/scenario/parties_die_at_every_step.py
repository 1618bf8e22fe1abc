"""kill -9 at every step: each party's process dies after each thing it stores (or broadcasts), is started again,
and dies at the next one; the option is exercised all the same, and every unit is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path

import pytest

from htlc.protocols.base import Will
from relayer.demo.plot import CHAIN_PAIRS, Outcome, plot
from relayer.party import Party
from relayer.testing.actors import Actor, ActorFailed
from tests.stage import LIFE, fees_of, flows, fold

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]

DYING = (sys.executable, str(Path(__file__).parent.parent / "dying.py"))
PATIENCE = 600  # seconds
PACE = 0.4  # real seconds that living parties get for a step


class Mortal:
    """A party's process that is started again whenever it has died."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.deaths = 0

    async def live(self) -> None:
        """Start it again if it is dead. It may die before it is ready."""
        if not self.actor.running:
            self.deaths += 1
            with contextlib.suppress(ActorFailed):
                await self.actor.start()


CASES = [(pair, "commit") for pair in CHAIN_PAIRS] + [("bitcoin/evm", "broadcast")]


@pytest.mark.parametrize(("pair", "when"), CASES)
async def test_both_die_at_every_step(world, pair, when):
    chains = CHAIN_PAIRS[pair]
    actors = [Actor(f"{when}-{pair.replace('/', '-')}-{role}", world, chains) for role in ("writer", "holder")]
    async with (
        Party.open(actors[0].settings, drive=False) as writer,
        Party.open(actors[1].settings, drive=False) as holder,
    ):
        for party in (writer, holder):
            for chain, wallet in party.wallets.items():
                await world.endow(chain, wallet.address)
        await world.step()
        before = await _balances(writer, holder)
        mortals = [Mortal(actor) for actor in actors]
        deal = await _agree(world, pair, writer, actors)
        await holder.store.resolve(deal, Will(exercise=True))
        for actor in actors:
            await actor.stop()
            actor.command = (*DYING, when)
        try:
            await _live_through(world, deal, mortals, (writer, holder))
        finally:
            for actor in actors:
                await actor.kill()
        await world.step()
        after = await _balances(writer, holder)
        terms = (await writer.store.deal(deal)).terms
        for party, role, mortal in ((writer, "writer", mortals[0]), (holder, "holder", mortals[1])):
            assert (await party.store.deal(deal)).outcome == "exercised"
            intents = await party.store.intents(deal)
            assert mortal.deaths >= len(intents)  # at the least one for each transaction
            gains = flows(terms, "exercised")[role]
            assert fold(after[party.identity], minus=before[party.identity]) == fold(gains, minus=fees_of(intents))


async def _agree(world, pair: str, writer: Party, actors: list[Actor]) -> str:
    """The parties agree while both live."""
    await asyncio.gather(*(actor.start() for actor in actors))
    legs = plot("option", Outcome.EXERCISED, "call", pair, world.tokens).legs
    small = {name: type(leg)(leg.chain, leg.asset, leg.amount // 20) for name, leg in legs.items()}
    options = {"kind": "call", "releases": "yes"}
    times = writer.ladder("option", {name: leg.chain for name, leg in small.items()}, LIFE)
    proposal = await writer.propose("option", "writer", small, options, times, actors[1].url)
    deal = await writer.agreed(proposal.id)
    assert deal is not None
    return deal


async def _live_through(world, deal: str, mortals: list[Mortal], parties: tuple[Party, Party]) -> None:
    """Step the world while both processes live, and wait for them while they are dead."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if all([(await party.store.deal(deal)).outcome is not None for party in parties]):
            return
        await asyncio.gather(*(mortal.live() for mortal in mortals))
        await asyncio.sleep(PACE)  # what they would do now, they do: or they are dead after it
        if all(mortal.actor.running for mortal in mortals):
            await world.step()
    raise AssertionError(f"not closed after {PATIENCE} s: {[mortal.actor.tail() for mortal in mortals]}")


async def _balances(*parties: Party) -> dict[str, dict[str, int]]:
    for party in parties:
        await party.look()
    return {party.identity: await party.balances() for party in parties}
