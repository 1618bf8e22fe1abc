"""A stage for scenarios: two parties in one process, each with its own seed, database and connections to real
nodes, in step with one clock. Nothing in it sleeps: time passes when the world steps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from chains.port import TxPhase
from htlc.driver import Driver
from htlc.ports import Intent
from htlc.protocols.base import Will
from htlc.terms import LegTerms, Terms
from relayer.party import Party
from relayer.testing.actors import Actor
from relayer.testing.world import World

STEPS = 600  # of the world, at most, for one scenario
IDLE_SECONDS = 8  # of the world's time in a step when nobody has anything in flight
LIFE = 60


Stalled = Callable[[], Awaitable[Collection[str]]]


async def _nothing() -> Collection[str]:
    return ()


@dataclass
class Player:
    """One party on the stage."""

    role: str
    party: Party
    driver: Driver

    async def wants(self, deal: str, **wishes: bool) -> None:
        await self.party.store.resolve(deal, replace(Will(), **wishes))

    async def outcome(self, deal: str) -> str | None:
        return (await self.party.store.deal(deal)).outcome


class Stage:
    """first funds first. All drive their deals only when the stage ticks."""

    def __init__(self, world: World, *players: Player) -> None:
        self.world = world
        self.players = players
        self.awake: set[str] = {player.role for player in players}
        self.stalled: Stalled = _nothing  # asked after each tick: chains whose next block takes no transaction

    @property
    def first(self) -> Player:
        return self.players[0]

    @property
    def second(self) -> Player:
        return self.players[1]

    async def agree(
        self, protocol: str, role: str, legs: Mapping[str, LegTerms], releases: bool = True, kind: str = "call"
    ) -> str:
        """Have the first player propose the deal in `role`, and both enter it."""
        options = {} if protocol == "swap" else {"kind": kind}
        if protocol == "option":
            options["releases"] = "yes" if releases else "no"
        quorum = self.first.party.quorum() if protocol == "attested" else None
        peer = self.second.party.agreement.url
        times = self.first.party.ladder(protocol, {name: leg.chain for name, leg in legs.items()}, LIFE)
        proposal = await self.first.party.propose(protocol, role, legs, options, times, peer, quorum)
        deal = await self.first.party.agreed(proposal.id)
        assert deal is not None, proposal.stage
        return deal

    async def tick(self) -> None:
        """Each player that is awake looks and acts once."""
        for player in self.players:
            if player.role in self.awake:
                await player.driver.tick()

    async def step(self) -> None:
        """Players act, then time passes and every chain gets a block; quickly where nobody waits for anything."""
        await self.tick()
        busy = [await player.party.store.unsettled() for player in self.players]
        acting = any(report.actions for player in self.players for report in player.driver.reports.values())
        if any(busy) or acting:
            await self.world.step(stalled=await self.stalled())
        else:
            await self.world.step(IDLE_SECONDS)

    async def until(self, over: Callable[[], Awaitable[bool]], steps: int = STEPS) -> None:
        """Step until something holds; a scenario that never gets there fails here."""
        for _ in range(steps):
            if await over():
                return
            await self.step()
        reports = {player.role: player.driver.reports for player in self.players}
        raise AssertionError(f"still waiting after {steps} steps: {reports}")

    async def closed(self, *deals: str) -> bool:
        """Both players have closed the deals."""
        found = [await player.outcome(deal) for player in self.players for deal in deals]
        return None not in found

    async def signed(self, player: Player, deal: str, leg: str, step: str) -> bool:
        """The player has signed a transaction for that step."""
        intents = await player.party.store.intents(deal)
        return any(intent.leg == leg and intent.step == step for intent in intents)

    async def mined(self, player: Player, deal: str, leg: str, step: str) -> bool:
        """A transaction of the player for that step is in a block."""
        seen = player.driver.reports.get(deal)
        if seen is None:
            return False
        attempts = seen.observation.attempts.of(leg, step)
        return any(attempt.state.phase is TxPhase.MINED for attempt in attempts)

    async def balances(self) -> dict[str, dict[str, int]]:
        """Confirmed holdings, by role and "chain/asset"."""
        for player in self.players:
            await player.party.look()
        return {player.role: await player.party.balances() for player in self.players}

    async def fees(self, player: Player, *deals: str) -> dict[str, int]:
        """What a player paid to miners for some deals, by "chain/native"."""
        found = [fees_of(await player.party.store.intents(deal)) for deal in deals]
        return fold(*found)


@asynccontextmanager
async def stage(
    world: World,
    name: str,
    chains: tuple[str, str],
    rich: bool = True,
    attesters: Mapping[str, str] | None = None,
    backup: str = "file",
    roles: Iterable[str] = ("first", "second"),
    tables: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Stage]:
    """Fresh parties on some chains of a world, with money, two unless there are more `roles`. name: of the folder
    their files are in. attesters: that all rely on, by key. backup: how all back up their deals. tables: of their
    configurations, besides."""
    async with AsyncExitStack() as stack:
        players = []
        for role in roles:
            actor = Actor(f"{name}-{role}", world, chains, attesters=attesters, backup=backup, tables=tables)
            party = await stack.enter_async_context(Party.open(actor.settings, drive=True))
            await _open_gate(party, stack)
            driver = party.driver()
            stack.push_async_callback(driver.close)
            players.append(Player(role, party, driver))
        for player in players:
            for chain, wallet in player.party.wallets.items():
                await world.endow(chain, wallet.address, poor=not rich)
        await world.step()
        for player in players:
            await player.party.look()
        yield Stage(world, *players)


async def _open_gate(party: Party, stack: AsyncExitStack) -> None:
    runner = web.AppRunner(party.gate.application(), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, _, port = party.settings.peer.listen.rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()


def flows(terms: Terms, outcome: str) -> dict[str, dict[str, int]]:
    """What each role gains and pays in a deal by its outcome, fees apart, by role and "chain/asset"."""
    writer, holder = ("initiator", "participant") if terms.protocol == "swap" else ("writer", "holder")
    moves = {
        "exercised": (("collateral", writer, holder), ("premium", holder, writer), ("strike", holder, writer)),
        "expired": (("premium", holder, writer),),
        "swapped": (("x", writer, holder), ("y", holder, writer)),
    }.get(outcome, ())
    found: dict[str, dict[str, int]] = {writer: {}, holder: {}}
    for name, payer, taker in moves:
        leg = terms.legs[name]
        key = f"{leg.chain}/{leg.asset}"
        found[payer][key] = found[payer].get(key, 0) - leg.amount
        found[taker][key] = found[taker].get(key, 0) + leg.amount
    return found


def fees_of(intents: Iterable[Intent]) -> dict[str, int]:
    """What transactions of ours cost, all of them final, by "chain/native"."""
    found: dict[str, int] = {}
    for intent in intents:
        assert intent.final is not None, intent
        if intent.final.phase is TxPhase.MINED:
            key = f"{intent.tx.chain}/native"
            found[key] = found.get(key, 0) + intent.final.fee
    return found


def fold(*parts: Mapping[str, int], minus: Mapping[str, int] | None = None) -> dict[str, int]:
    """Sums by key, without zeros."""
    total: dict[str, int] = {}
    for sign, part in [*((1, part) for part in parts), (-1, minus or {})]:
        for key, value in part.items():
            total[key] = total.get(key, 0) + sign * value
    return {key: value for key, value in total.items() if value}
