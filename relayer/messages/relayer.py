"""strikelock relayer start: every lane of the configuration, and the spends of watched deals, in one process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from chains.bitcoin.feeding import NoCommonBlock
from chains.bitcoin.settings import UtxoSettings
from chains.errors import ChainError, StrikelockError
from chains.evm import vaults
from chains.evm.adapter import EvmChain
from chains.evm.client import Client
from chains.evm.messaging.message import Lane
from chains.registry import make_chain
from htlc.errors import Fenced
from htlc.protocols import protocol
from relayer.errors import BadLane, LaneError, LogsContradict, NoSuchFeed, NoSuchLane, NoSuchMessage
from relayer.feeds.feed import FeedRunner
from relayer.health import ChainVitals, Check, Health, Vitals, judge
from relayer.messages.ends import Inbox, Outbox
from relayer.messages.lane import LaneRunner
from relayer.messages.pusher import Pusher
from relayer.messages.waiting import first_of
from relayer.party import LocalClock
from relayer.settings import FeedSettings, FeeSettings, LaneSettings, Settings, relay_url
from relayer.tower import Tower
from settlement.seed import Seed
from settlement.store import Store
from settlement.store.errors import StoreDamaged, StoreUnavailable
from settlement.store.proofs import ProofRequest

log = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 1.0  # between two looks at a quiet lane; an announced block wakes it earlier
SIGNING_PAUSE: Final = 0.02  # seconds until validators are asked again; doubled each time
FIRST_PAUSE: Final = 0.5  # seconds after a failure; doubled each time, with jitter
LONGEST_PAUSE: Final = 60.0
CONTRADICTIONS: Final = 10  # in a row, until a lane is halted
WATCH_SECONDS: Final = 10.0  # between two looks at which deals are watched
SHARE_SECONDS: Final = 2.0  # between two looks at which lanes and feeds are there to be carried
# What the next step may find in order again.
PASSING: Final = (ChainError, LaneError, NoCommonBlock, Fenced, StoreUnavailable)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a relayer is made of."""

    settings: Settings
    store: Store
    chains: Mapping[str, EvmChain]
    pushers: Mapping[str, Pusher]
    tower: Tower | None
    clock: LocalClock


class Relayer:
    """Carries messages. Which of them matter to whom it knows only where packages of deals say so."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._deadlines: dict[bytes, int] = {}  # by terms of a leg of a watched deal
        self.store = parts.store
        self.pushers = parts.pushers
        self.runners = {name: self._runner(name, lane) for name, lane in parts.settings.lanes.items()}
        self.feeds = {name: self._feed(name, feed) for name, feed in parts.settings.feeds.items()}
        self._ids = (*(lane.id for lane in self.runners.values()), *(feed.id for feed in self.feeds.values()))

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, seed: Seed, drive: bool = True) -> AsyncIterator[Relayer]:
        """Open chains and database; `seed` is the relayer's own, for gas. Raises BadLane, DatabaseInUse, and
        what a node of the wrong network raises."""
        if not settings.lanes and not settings.feeds and settings.relay.packages is None:
            raise BadLane("(none)", "the configuration has neither lanes nor feeds nor packages of deals")
        clock = LocalClock(settings.testing.clock_offset_file)
        async with AsyncExitStack() as stack:
            settings.party.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder, lease = settings.party.folder, settings.party.lease
            store = await stack.enter_async_context(
                await Store.open(relay_url(settings), drive=drive, folder=folder, lease=lease)
            )
            chains = await open_chains(stack, settings, clock)
            destinations = {lane.destination for lane in settings.lanes.values()}
            destinations |= {feed.destination for feed in settings.feeds.values()}
            cap = settings.relay.cap
            pushers = {n: Pusher(chains[n], seed.raw, store.messages, clock, cap) for n in sorted(destinations)}
            tower = None
            if settings.relay.packages is not None and drive:
                tower = await stack.enter_async_context(Tower.open(settings, seed, settings.relay.packages))
            relayer = cls(Parts(settings, store, chains, pushers, tower, clock))
            if drive:
                await store.messages.share(relayer._ids)
            for feed in relayer.feeds.values():
                await stack.enter_async_context(feed.opened())
            for runner in relayer.runners.values():
                stack.push_async_callback(runner.close)
                await runner.open()
            yield relayer

    def _runner(self, name: str, lane: LaneSettings) -> LaneRunner:
        parts = self._parts
        here, there = parts.chains[lane.source], parts.chains[lane.destination]
        ends = lane_of(lane, here, there)
        outbox = Outbox(here.client, ends, here.timing.depth, here.settings.log_range)
        inbox = Inbox(there.client, ends)
        pusher = parts.pushers[lane.destination]
        relay, book = parts.settings.relay, parts.store.messages
        watch = self._deadlines.get
        return LaneRunner(name, ends, lane, relay, book, outbox, inbox, pusher, parts.clock, watch)

    def _feed(self, name: str, feed: FeedSettings) -> FeedRunner:
        parts = self._parts
        source = UtxoSettings.model_validate(parts.settings.chains[feed.source])
        there, pusher = parts.chains[feed.destination], parts.pushers[feed.destination]
        return FeedRunner(name, feed, source, there, pusher, parts.store.proofs, parts.clock)

    def runner(self, name: str) -> LaneRunner:
        """A lane by its name. Raises NoSuchLane."""
        if name not in self.runners:
            raise NoSuchLane(name)
        return self.runners[name]

    def clients(self) -> tuple[Client, ...]:
        """The connections to nodes."""
        return tuple(chain.client for chain in self._parts.chains.values())

    def announced_at(self, chain: str) -> float:
        """When a chain's node announced a block last, in monotonic seconds."""
        return self._parts.chains[chain].announced_at

    # --- running

    async def run(self, stop: asyncio.Event) -> None:
        """Carry until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._watch()), group.create_task(self._share())]
            carrying = [group.create_task(self._carry(runner, stop)) for runner in self.runners.values()]
            carrying += [group.create_task(self._follow(pusher, stop)) for pusher in self.pushers.values()]
            carrying += [group.create_task(self._feed_on(feed, stop)) for feed in self.feeds.values()]
            if self._parts.tower is not None:
                carrying.append(group.create_task(self._parts.tower.run(stop)))
            await stop.wait()
            await asyncio.gather(*carrying)
            for task in beside:
                task.cancel()

    async def clear(self) -> None:
        """Deliver all that can be delivered now, and wait until it is in blocks."""
        for runner in self.runners.values():
            pusher = self.pushers[runner.destination]
            while True:
                more = await self._once(runner)
                if not more and not pusher.waiting:
                    break
                if not more:
                    await pusher.chain.wait(pusher.chain.tip.hash if pusher.chain.tip else "", IDLE_SECONDS)

    async def _carry(self, runner: LaneRunner, stop: asyncio.Event) -> None:
        """One lane, again and again. What passes is waited out; too many contradictions in a row halt the lane."""
        pause, unsigned, contradictions = FIRST_PAUSE, SIGNING_PAUSE, 0
        source = self._parts.chains[runner.source]
        while not stop.is_set():
            announcement = source.announcement
            try:
                if not await self._take_up(runner):
                    await first_of(IDLE_SECONDS, stop.wait())
                    continue
                full = await runner.advance()
                unsigned = min(2 * unsigned, IDLE_SECONDS) if runner.unsigned else SIGNING_PAUSE
                for_ = unsigned if runner.unsigned else IDLE_SECONDS
                freed = [self.pushers[runner.destination].freed.wait()] if full else []
                await first_of(for_, stop.wait(), _block(source, announcement, runner.head), *freed)
                pause, contradictions = FIRST_PAUSE, 0
                continue
            except LogsContradict as error:
                contradictions += 1
                runner.state.trouble = str(error)
                log.warning("lane contradicts itself", lane=runner.name, reason=error.reason, times=contradictions)
                if contradictions >= CONTRADICTIONS:
                    with suppress(Fenced):  # it is for another relayer to say
                        await self.store.messages.halt(runner.lane.id, error.reason)
            except PASSING as error:
                runner.state.trouble = _reason(error)
                log.warning("lane waits", lane=runner.name, reason=str(error))
            await first_of(pause * random.uniform(0.5, 1.0), stop.wait())
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _feed_on(self, feed: FeedRunner, stop: asyncio.Event) -> None:
        """One light client, again and again. What passes is waited out."""
        pause = FIRST_PAUSE
        pusher = self.pushers[feed.destination]
        while not stop.is_set():
            try:
                if not await self._take_up(feed):
                    await first_of(IDLE_SECONDS, stop.wait())
                    continue
                pusher.freed.clear()
                await feed.step()
                pause = FIRST_PAUSE
                await first_of(IDLE_SECONDS, stop.wait(), pusher.freed.wait())
                continue
            except PASSING as error:
                feed.state.trouble = _reason(error)
                log.warning("feed waits", feed=feed.name, reason=str(error))
            await first_of(pause * random.uniform(0.5, 1.0), stop.wait())
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _follow(self, pusher: Pusher, stop: asyncio.Event) -> None:
        """What became of deliveries on one chain, again and again."""
        pause = FIRST_PAUSE
        runners = [runner for runner in self.runners.values() if runner.destination == pusher.name]
        while not stop.is_set():
            announcement = pusher.chain.announcement
            try:
                await self._look_after(pusher, runners)
                tip = pusher.chain.tip
                block = _block(pusher.chain, announcement, tip.hash if tip else "")
                await first_of(IDLE_SECONDS, stop.wait(), block, *([] if pusher.waiting else [pusher.sent.wait()]))
                pause = FIRST_PAUSE
                continue
            except PASSING as error:
                log.warning("deliveries can't be followed", chain=pusher.name, reason=_reason(error))
            await first_of(pause * random.uniform(0.5, 1.0), stop.wait())
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _look_after(self, pusher: Pusher, runners: Iterable[LaneRunner]) -> None:
        """Follow what was sent, and settle what is delivered for good on lanes that we carry."""
        for push, state in await pusher.follow():
            for runner in filter(self._carries, runners):
                runner.learned(push, state)
            for feed in filter(self._carries, self.feeds.values()):
                feed.learned(push, state)
        for runner in filter(self._carries, runners):
            await runner.settle()

    def _carries(self, one: LaneRunner | FeedRunner) -> bool:
        return self.store.messages.carries(one.id)

    async def _take_up(self, one: LaneRunner | FeedRunner) -> bool:
        """Whether a lane or feed is ours to carry, of all relayers that share the database. What others did since
        we carried it is read first, and what they sent."""
        if self._carries(one):
            return True
        epoch = self.store.messages.lease(one.id)
        if epoch is None:
            one.state.trouble = None  # if there is any, another relayer has it
            return False
        await one.take_up()
        await self._look_after(self.pushers[one.destination], ())
        self.store.messages.take_up(one.id, epoch)
        return self._carries(one)

    async def _share(self) -> None:
        """Keep up with what there is for us to carry."""
        while True:
            await asyncio.sleep(SHARE_SECONDS)
            try:
                await self.store.messages.distribute(self._ids)
            except PASSING as error:
                log.warning("nothing is handed over", reason=_reason(error))

    async def _once(self, runner: LaneRunner) -> bool:
        """Follow what was sent, then one step of a lane; whether there is more to do."""
        await self._look_after(self.pushers[runner.destination], [runner])
        try:
            return await runner.advance()
        finally:
            await runner.kept()

    async def _watch(self) -> None:
        """Keep up with the legs of watched deals."""
        while True:
            if self._parts.tower is not None:
                await self._read_deadlines(self._parts.tower)
            await asyncio.sleep(WATCH_SECONDS)

    async def _read_deadlines(self, tower: Tower) -> None:
        now = self._parts.clock.now()
        for deal in await tower.deals():
            coming = [time for time in deal.terms.times.values() if time > now]
            for leg in protocol(deal.terms.protocol).legs(deal.terms).values():
                chain = self._parts.chains.get(leg.chain)
                if chain is not None and coming:
                    self._deadlines[vaults.terms_hash(leg, chain.settings.chain_id)] = min(coming)

    # --- what operators ask for

    async def pause(self, name: str, paused: bool) -> None:
        """Pause a lane, or let it go on, also one that was halted. Raises NoSuchLane."""
        lane = self.runner(name).lane.id
        await self.store.messages.pause(lane, paused)
        if not paused:
            await self.store.messages.halt(lane, None)

    async def message(self, id_: bytes) -> dict[str, Any]:
        """Where a message is. Raises NoSuchMessage."""
        for runner in self.runners.values():
            await runner.learn()
            if (found := await runner.where(id_)) is not None:
                return found
        raise NoSuchMessage("0x" + id_.hex())

    async def retry(self, id_: bytes) -> str:
        """Try a message again that its recipient did not take; the transaction. Raises NoSuchMessage,
        Undeliverable."""
        for runner in self.runners.values():
            await runner.learn()
            if (txid := await runner.retry(id_)) is not None:
                return txid
        raise NoSuchMessage("0x" + id_.hex())

    async def lanes(self) -> dict[str, Any]:
        """Every lane as a document, and every feed."""
        notes = await self.store.messages.notes()
        lanes = {name: runner.document(notes[runner.lane.id]) for name, runner in self.runners.items()}
        return {**lanes, **{name: feed.document() for name, feed in self.feeds.items()}}

    async def prove(self, request: ProofRequest) -> None:
        """Ask for a proof; a running relayer brings it once there is one. Raises NoSuchFeed."""
        settings = self._parts.settings.feeds.get(request.feed)
        if settings is None or not settings.registry:
            raise NoSuchFeed(request.feed)
        await self.store.proofs.ask(replace(request, asked_at=int(self._parts.clock.now())))

    async def look_at_feeds(self) -> None:
        """See how feeds stand; one that can't be seen says why."""
        for feed in self.feeds.values():
            try:
                await feed.look()
            except (ChainError, NoCommonBlock) as error:
                feed.state.trouble = str(error)

    async def proofs(self) -> dict[str, Any]:
        """Every request for a proof, the newest first, as a document; see `look_at_feeds`."""
        found = {}
        for request in await self.store.proofs.all():
            feed = self.feeds.get(request.feed)
            stands = "final" if request.done is not None else None
            if stands is None and feed is not None:
                stands = feed.state.requests.get(request)
            spent = {"spent by": request.spender or None}
            found[request.outpoint] = {"feed": request.feed, **spent, "state": stands or "waiting"}
        return found

    # --- health

    async def health(self) -> Health:
        """Whether chains, accounts and lanes are well, by a look of our own; a node can't make it fail."""
        chains = {name: await self._vitals(name) for name in self._parts.chains}
        notes = await self.store.messages.notes()
        checks = list(judge(Vitals(chains)).checks)
        for name, runner in self.runners.items():
            note = notes.get(runner.lane.id)
            state = runner.state
            trouble = (note and (note.halted or ("paused" if note.paused else None))) or state.trouble
            backlog = max(0, state.final - state.settled.size)
            checks.append(Check(f"lane {name}", trouble is None, trouble or f"{backlog} messages on their way"))
        for name, feed in self.feeds.items():
            known = f"headers up to block {feed.state.known}"
            checks.append(Check(f"feed {name}", feed.trouble is None, feed.trouble or known))
        return Health(tuple(checks))

    async def _vitals(self, name: str) -> ChainVitals:
        chain = self._parts.chains[name]
        low = self._parts.settings.fees.get(name, FeeSettings()).low
        try:
            tip = (await chain.look()).tip
            coin = await self.pushers[name].balance() if name in self.pushers else None
        except ChainError as error:
            return ChainVitals(None, None, chain.timing.stale_after, str(error))
        age = max(0, int(self._parts.clock.now()) - tip.stamp)
        return ChainVitals(tip.height, age, chain.timing.stale_after, None, coin, low if coin is not None else 0)


async def open_chains(stack: AsyncExitStack, settings: Settings, clock: LocalClock) -> dict[str, EvmChain]:
    """The chains that lanes begin and end on. Raises BadLane for one of another family."""
    ends = {name for lane in settings.lanes.values() for name in (lane.source, lane.destination)}
    names = sorted(ends | {feed.destination for feed in settings.feeds.values()})
    found = {}
    for name in names:
        chain = make_chain(name, settings.chains[name], clock.now)
        if not isinstance(chain, EvmChain):
            raise BadLane(name, "messages go between EVM chains only")
        found[name] = chain
        stack.push_async_callback(chain.close)
    await asyncio.gather(*(chain.open() for chain in found.values()))
    return found


def lane_of(lane: LaneSettings, here: EvmChain, there: EvmChain) -> Lane:
    """The lane that a section describes. Raises BadLane for a bad address."""
    try:
        outbox, inbox = here.asset(lane.outbox), there.asset(lane.inbox)
    except StrikelockError as error:
        raise BadLane(f"{lane.source} to {lane.destination}", str(error)) from error
    return Lane(here.settings.chain_id, outbox, there.settings.chain_id, inbox)


def _reason(error: StrikelockError) -> str:
    """What did not work, in words. Raises what stops us: a database that is damaged."""
    if isinstance(error, StoreDamaged):
        raise error
    return str(error)


async def _block(chain: EvmChain, announcement: asyncio.Event | None, seen: str) -> None:
    """Wait for a chain's next block: its node announces it, or is asked."""
    if announcement is not None:
        await announcement.wait()
    else:
        await chain.wait(seen, IDLE_SECONDS)
