"""strikelock run: one process that does all a party needs, and its life from start to stop.

It starts whatever is down, says so, and goes on when it comes back; it stops when told to, between two steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from aiohttp import web

from chains.errors import ChainError
from chains.legs import NATIVE
from chains.port import FeeEstimate, Snapshot
from htlc.driver import Driver
from relayer import ops
from relayer.api.app import Api
from relayer.dashboard import pages
from relayer.dashboard.board import BoardMaker
from relayer.dashboard.coins import Coins
from relayer.dashboard.lanes import LaneWatch
from relayer.dashboard.steering import Steering, page_token
from relayer.errors import SafetyHalt
from relayer.garbage import keep_pauses_short
from relayer.health import ChainVitals, Health, Vitals, judge, margins
from relayer.listening import Bounds, listen, listen_at_socket
from relayer.metrics import Metrics, PartyCollector
from relayer.notify import READY, STOPPING, WATCHDOG, notify, status, watchdog_seconds
from relayer.party import Party
from relayer.settings import FeeSettings, Settings
from relayer.telemetry import traced
from settlement.store.errors import StoreDamaged

log = structlog.get_logger(__name__)

WATCH_SECONDS: Final = 1.0  # between two looks at ourselves
WATCHDOG_SHARE: Final = 3  # systemd hears from us so many times within its limit
OPEN_SECONDS: Final = 5.0  # between two tries at a chain that was down when we started
COIN_SECONDS: Final = 5.0  # between two looks into the wallets, at least


@dataclass(frozen=True, slots=True)
class Prices:
    """What a node said of fees at a block."""

    height: int
    estimate: FeeEstimate


class Daemon:
    """A party that runs. `vitals` is what there is to say of it at any moment."""

    def __init__(self, party: Party, driver: Driver) -> None:
        self.party = party
        self.driver = driver
        self.held: dict[str, dict[str, int]] = {}  # what our wallets held last, by chain and asset
        self.prices: dict[str, Prices] = {}  # of fees, by chain
        self.coins = Coins(party.chains, party.settings)
        self._lanes = LaneWatch(party.settings.dashboard.lanes) if party.settings.dashboard.lanes else None
        self._api = Api(self) if party.settings.api.served else None
        self._well = True

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Daemon]:
        """Open the party, chains that are down excepted. Raises what `Party.open` raises, MissingExtra."""
        with traced(settings.telemetry) as spans:
            async with Party.open(settings, drive=True, late=True) as party:
                yield cls(party, party.driver(spans))

    async def run(self, stop: asyncio.Event, ready: asyncio.Event | None = None) -> None:
        """Drive our deals and answer our counterparties until `stop` is set; what is being done then is finished.
        Raises CannotListen, SafetyHalt."""
        settings = self.party.settings
        async with AsyncExitStack() as stack:
            await listen(stack, "peer", self.party.gate.application(), settings.peer.listen)
            if settings.ops.listen:
                metrics = Metrics(PartyCollector(self.driver, self.vitals))
                await listen(stack, "ops", ops.application(self.health, metrics), settings.ops.listen)
            if settings.dashboard.listen:
                await listen(stack, "dashboard", self._page(), settings.dashboard.listen)
            await self._open_api(stack)
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(step) for step in self._beside()]
                mailing = group.create_task(self.party.mailer.run(stop))
                if ready is not None:
                    ready.set()
                notify(READY, status("running"))
                await self.driver.run(stop)
                notify(STOPPING)
                await mailing
                for task in beside:
                    task.cancel()

    def _beside(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What is done besides driving deals."""
        yield from (self._open_late(), self._look_after(), self._count(), keep_pauses_short())
        if self._lanes is not None:
            yield self._lanes.run()
        if self._api is not None:
            yield self._api.run()

    async def _open_api(self, stack: AsyncExitStack) -> None:
        settings = self.party.settings.api
        if self._api is not None and settings.listen:
            bounds = Bounds(settings.connections, settings.connections_each)
            await listen(stack, "api", self._api.at_address(), settings.listen, bounds)
        if self._api is not None and settings.socket is not None:
            bounds = Bounds(settings.connections)
            await listen_at_socket(stack, "api", self._api.at_socket(), settings.socket, bounds)

    def _page(self) -> web.Application:
        """The web page. Raises OSError where its token can't be kept."""
        steering = Steering(self.party.store, self.party.agreement, page_token(self.party.settings.party.folder))
        return pages.application(BoardMaker(self, self._lanes), steering)

    # --- health ------------------------------------------------------------------------------------------

    def health(self) -> Health:
        """Whether all is well now."""
        return judge(self.vitals())

    def vitals(self) -> Vitals:
        """What health is judged by, as of the last tick."""
        settings, pulse = self.party.settings, self.driver.pulse
        chains = {
            name: chain_vitals(self.party, name, self.driver, self.held.get(name, {}).get(NATIVE))
            for name in self.party.chains
        }
        return Vitals(
            chains=chains,
            idle=asyncio.get_running_loop().time() - pulse.at,
            stall=settings.ops.stall,
            trouble=None if pulse.trouble is None else str(pulse.trouble),
            margins=margins(self.driver.reports),
            margin=settings.ops.margin,
        )

    # --- steps beside the driver -------------------------------------------------------------------------

    async def _look_after(self) -> None:
        """Tell the supervisor that we work, and the log when something begins or ceases to be wrong."""
        limit = watchdog_seconds()
        pause = WATCH_SECONDS if limit is None else min(WATCH_SECONDS, limit / WATCHDOG_SHARE)
        while True:
            await asyncio.sleep(pause)
            trouble = self.driver.pulse.trouble
            if isinstance(trouble, StoreDamaged):
                raise SafetyHalt(str(trouble))
            health = self.health()
            if health.live:
                notify(WATCHDOG)
            self._say(health)

    def _say(self, health: Health) -> None:
        if health.ready == self._well:
            return
        self._well = health.ready
        wrong = "; ".join(f"{check.name}: {check.detail}" for check in health.checks if not check.well)
        notify(status(wrong or "running"))
        if health.ready:
            log.info("ready again")
        else:
            log.warning("not ready", reason=wrong)

    async def _open_late(self) -> None:
        """Try again to open what was down when we started."""
        while self.party.unopened:
            await asyncio.sleep(OPEN_SECONDS)
            for name in tuple(self.party.unopened):
                if await self.party.open_chain(name):
                    log.info("chain is there", chain=name)
                    self.driver.poke()

    async def _count(self) -> None:
        """Keep up with what our wallets hold, and what fees are: they change with blocks."""
        counted: dict[str, str] = {}
        while True:
            for name in self.driver.live:
                tip = self.driver.snapshots[name].tip
                if counted.get(name) == tip.hash:
                    continue
                try:
                    self.held[name] = await self.party.holdings(name)
                    self.prices[name] = Prices(tip.height, await self.party.chains[name].fees())
                    counted[name] = tip.hash
                except ChainError as error:
                    log.info("wallet not seen", chain=name, reason=str(error))
            await asyncio.sleep(COIN_SECONDS if counted else WATCH_SECONDS)


class Eyes(Protocol):
    """Who looked: a driver, or an observer."""

    @property
    def live(self) -> frozenset[str]: ...

    @property
    def snapshots(self) -> Mapping[str, Snapshot]: ...


def chain_vitals(party: Party, name: str, eyes: Eyes, coin: int | None) -> ChainVitals:
    """What the last look saw of a chain."""
    chain, seen = party.chains[name], eyes.snapshots.get(name)
    trouble = party.unopened.get(name)
    if trouble is None and seen is not None and name not in eyes.live:
        trouble = f"not seen since block {seen.tip.height}"
    return ChainVitals(
        height=seen.tip.height if seen else None,
        age=max(0, int(party.clock.now()) - seen.tip.stamp) if seen else None,
        stale_after=chain.timing.stale_after,
        trouble=trouble,
        coin=coin,
        low=party.settings.fees.get(name, FeeSettings()).low,
    )
