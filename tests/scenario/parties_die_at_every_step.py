"""kill -9 at every step: each party's process dies after each thing it stores (or broadcasts), is started again,
and dies at the next one; the option is exercised, the swap done all the same, and every unit is accounted for."""

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
from tests.matrix import shared
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


# Protocol, chains, after what they die, and how their deals are backed up.
SHARE = [
    ("option", "bitcoin/evm", "commit", "file"),
    ("option", "bitcoin/litecoin", "broadcast", "file"),
    ("swap", "litecoin/evm", "commit", "file"),
    ("swap", "bitcoin/litecoin", "commit", "chain"),
    ("swap", "evm/evm", "broadcast", "chain"),
]
WHOLE = [
    (protocol, pair, when, backup)
    for protocol in ("option", "swap")
    for pair in CHAIN_PAIRS
    for when in ("commit", "broadcast")
    for backup in ("file", "chain")
]
ROLES = {"option": ("writer", "holder"), "swap": ("initiator", "participant")}
OUTCOMES = {"option": "exercised", "swap": "swapped"}


@pytest.mark.parametrize(("protocol", "pair", "when", "backup"), shared(SHARE, WHOLE))
async def test_both_die_at_every_step(world, protocol, pair, when, backup):
    chains = CHAIN_PAIRS[pair]
    name = f"{protocol}-{when}-{backup}-{pair.replace('/', '-')}"
    actors = [Actor(f"{name}-{role}", world, chains, backup=backup) for role in ROLES[protocol]]
    async with (
        Party.open(actors[0].settings, drive=False) as first,
        Party.open(actors[1].settings, drive=False) as second,
    ):
        for party in (first, second):
            for chain, wallet in party.wallets.items():
                await world.endow(chain, wallet.address)
        await world.step()
        before = await _balances(first, second)
        mortals = [Mortal(actor) for actor in actors]
        deal = await _agree(world, protocol, pair, first, actors)
        await second.store.resolve(deal, Will(exercise=True))
        for actor in actors:
            await actor.stop()
            actor.command = (*DYING, when)
        try:
            await _live_through(world, deal, mortals, (first, second))
        finally:
            for actor in actors:
                await actor.kill()
        await world.step()
        after = await _balances(first, second)
        terms = (await first.store.deal(deal)).terms
        for party, role, mortal in zip((first, second), ROLES[protocol], mortals, strict=True):
            assert (await party.store.deal(deal)).outcome == OUTCOMES[protocol]
            intents = await party.store.intents(deal)
            assert mortal.deaths >= len(intents)  # at the least one for each transaction
            gains = flows(terms, OUTCOMES[protocol])[role]
            assert fold(after[party.identity], minus=before[party.identity]) == fold(gains, minus=fees_of(intents))


async def _agree(world, protocol: str, pair: str, first: Party, actors: list[Actor]) -> str:
    """The parties agree while both live."""
    await asyncio.gather(*(actor.start() for actor in actors))
    legs = plot(protocol, Outcome.EXERCISED, "call", pair, world.tokens).legs
    small = {name: type(leg)(leg.chain, leg.asset, leg.amount // 20) for name, leg in legs.items()}
    options = {"kind": "call", "releases": "yes"} if protocol == "option" else {}
    times = first.ladder(protocol, {name: leg.chain for name, leg in small.items()}, LIFE)
    proposal = await first.propose(protocol, ROLES[protocol][0], small, options, times, actors[1].url)
    deal = await first.agreed(proposal.id)
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
