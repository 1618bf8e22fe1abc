"""The driver, the same for every protocol: observe, derive, plan, store, broadcast, track until final.

It keeps nothing in memory that it needs: whoever wakes up looks first, since the world moved.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Collection, Iterable, Mapping
from dataclasses import dataclass

import structlog

from chains.errors import ChainError, StrikelockError
from chains.port import Chain, SignedTx, Snapshot, TxPhase, TxState, Wallet
from htlc.collector import Collector
from htlc.courier import Courier
from htlc.errors import Fenced
from htlc.executor import Executor, Work
from htlc.fees import FeePolicy
from htlc.look import SecretOf
from htlc.observer import Observation, Observer
from htlc.plans import Plan
from htlc.ports import CANCEL, FUND, RECORD, Attesters, Clock, Deal, Intent, Journal, Peer, Spans, no_spans
from htlc.protocols.base import Action, Attest, Close, Fund, GiveConsent, SpendLeg, Swear, Unfund
from htlc.resting import Resting
from htlc.turns import Turns

log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0  # the longest wait between two looks: wills and consents arrive through the journal
RETRY_SECONDS = 0.5  # pause of a chain's waiter after its node failed
_SIGHTLESS = (Swear, Attest)  # done without a look at every chain
_SEEN_TO_NEXT = (Swear, GiveConsent)  # what follows from them is seen to in the next tick
BURST_SECONDS = 0.05  # a burst of blocks is one look
ACT_SECONDS = 2.0  # of signing and sending, after which we look again


@dataclass(frozen=True, slots=True)
class Report:
    """What the last tick made of a deal, for people and metrics. troubles: what stood in the way, in words."""

    observation: Observation
    actions: tuple[Action, ...]
    troubles: tuple[str, ...]


@dataclass(slots=True)
class Pulse:
    """Whether the driver works, for health checks and metrics. at: the event loop's time when the last tick was
    over; seconds: what all ticks took; trouble: why the last tick came to nothing."""

    at: float = 0.0
    ticks: int = 0
    failed: int = 0
    seconds: float = 0.0
    trouble: StrikelockError | None = None


class Driver:
    """Runs the open deals of one party that are ours to drive: the journal sees to it that nobody else does."""

    def __init__(
        self,
        journal: Journal,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        secret_of: SecretOf,
        clock: Clock,
        peer: Peer,
        fees: Mapping[str, FeePolicy],
        spans: Spans = no_spans,
        attesters: Attesters | None = None,
    ) -> None:
        self._journal = journal
        self._chains = chains
        self._clock = clock
        self._observer = Observer(chains, secret_of, clock)
        self._executor = Executor(journal, chains, wallets, fees, clock)
        self._courier = Courier(peer)
        self._wake = asyncio.Event()
        self._collector = Collector(attesters, journal, self.poke) if attesters is not None else None
        self._spans = spans
        self._ordered = frozenset(name for name, chain in chains.items() if chain.ordered)
        self.reports: dict[str, Report] = {}
        self.pulse = Pulse()
        self._resting = Resting(self._observer, journal, clock)
        self._failed: dict[str, int] = {}  # deals that something stood in the way of, and at which tick

    @property
    def live(self) -> frozenset[str]:
        """The chains that answered at the last look."""
        return self._observer.live

    @property
    def snapshots(self) -> Mapping[str, Snapshot]:
        """The newest look at each chain that was ever seen."""
        return self._observer.snapshots

    # --- the loop ----------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set: when a chain moves, when poked, at the latest every TICK_SECONDS."""
        self.pulse.at = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                waiters = [group.create_task(self._wait(chain)) for chain in self._chains.values()]
                while not stop.is_set():
                    self._wake.clear()
                    await self._try()
                    await self._pause(stop)
                for waiter in waiters:
                    waiter.cancel()
        finally:
            await self.close()

    async def _try(self) -> None:
        """One tick. A disk that is full or a database that is busy passes; until then nothing is signed, since
        nothing could be stored."""
        loop, pulse = asyncio.get_running_loop(), self.pulse
        started = loop.time()
        pulse.trouble = None
        try:
            with self._spans("tick"):
                await self.tick()
        except StrikelockError as error:
            pulse.trouble = error
            pulse.failed += 1
            log.error("tick failed", reason=str(error))
        pulse.at = loop.time()
        pulse.ticks += 1
        pulse.seconds += pulse.at - started

    def poke(self) -> None:
        """Look again at once: the journal has something new."""
        self._wake.set()

    async def close(self) -> None:
        """Stop what runs beside the ticks."""
        await self._courier.close()
        if self._collector is not None:
            await self._collector.close()

    async def _pause(self, stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((stopped, woken), timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            woken.cancel()

    async def _wait(self, chain: Chain) -> None:
        while True:
            seen = self._observer.snapshots.get(chain.name)
            try:
                await chain.wait(seen.tip.hash if seen else "", timeout=30)
            except ChainError:
                await asyncio.sleep(RETRY_SECONDS)
            self._wake.set()
            await asyncio.sleep(BURST_SECONDS)

    # --- one tick ----------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """One look at everything, and what follows from it for every deal."""
        deals = {deal.id: deal for deal in await self._journal.deals()}
        turns = Turns()
        for gone in self._observer.watched() - deals.keys():
            await self._drop(gone)
        for deal in deals.values():
            await turns.give(last=len(deals) == 1)
            await self._observer.know(deal)
        await self._observer.look()
        unsettled = await self._journal.unsettled()
        states = await self._observer.trace(unsettled, deals)
        await self._settle(unsettled, states, deals)
        now = int(self._clock.now())
        self._executor.begin(_pending(unsettled), self._observer.tips(), now)
        for gone in self.reports.keys() - deals.keys():
            del self.reports[gone]
        if self._failed:
            self._failed = {id_: tick for id_, tick in self._failed.items() if id_ in deals}
        self._resting.keep(deals)
        await self._carry_out(await self._plan(deals.values(), states))

    async def _plan(self, deals: Collection[Deal], states: Mapping[int, TxState]) -> list[Plan]:
        """What follows for every deal from the last look."""
        turns = Turns()
        plans: list[Plan] = []
        for deal in deals:
            await turns.give(last=len(deals) == 1)
            await self._alone(deal.id, self._plan_one(deal, states, plans))
        return plans

    async def _plan_one(self, deal: Deal, states: Mapping[int, TxState], plans: list[Plan]) -> None:
        if not await self._resting.holds(deal):
            plans.append(await self._derive(deal, states))

    async def _carry_out(self, plans: Collection[Plan]) -> None:
        """Spends first, the nearest deadline first; what failed waits for those that did not. What does not fit
        into the time is planned anew: the world is looked at in between."""
        if len(plans) == 1:
            for plan in plans:
                await self._alone(plan.work.deal.id, self._carry_out_one(plan))
            return
        loop, turns = asyncio.get_running_loop(), Turns()
        until = loop.time() + ACT_SECONDS
        for plan in sorted(plans, key=self._order):
            await turns.give()
            id_ = plan.work.deal.id
            if loop.time() > until:
                self.reports[id_] = Report(plan.seen, plan.actions, ())
                self.poke()
                continue
            await self._alone(id_, self._carry_out_one(plan))

    async def _carry_out_one(self, plan: Plan) -> None:
        id_ = plan.work.deal.id
        self._failed[id_] = self.pulse.ticks  # until it is seen not to
        troubles = await self._act_on(plan)
        if not troubles:
            del self._failed[id_]
            self._resting.let_rest(plan)
        self.reports[id_] = Report(plan.seen, plan.actions, tuple(troubles))

    def _order(self, plan: Plan) -> tuple[bool, int, float]:
        return not plan.spends, self._failed.get(plan.work.deal.id, -1), plan.due

    async def _alone(self, deal: str, work: Awaitable[None]) -> None:
        """Work on one deal. One that another process took over is dropped; a fault of ours in one must not cost
        the deadlines of the others."""
        try:
            await work
        except Fenced as error:
            log.warning("deal dropped", deal=deal, reason=str(error))
            await self._drop(deal)
        except Exception:
            log.exception("deal failed", deal=deal)

    async def _settle(
        self, unsettled: Iterable[Intent], states: Mapping[int, TxState], deals: Mapping[str, Deal]
    ) -> None:
        """Store the last word of the chains on what can't change any more."""
        for intent in unsettled:
            state = states.get(intent.number)
            if state is None or state.phase not in (TxPhase.MINED, TxPhase.DISPLACED):
                continue
            if state.depth >= deals[intent.deal].guards.chains[intent.tx.chain].depth:
                with contextlib.suppress(Fenced):  # the next write for the deal says so too
                    await self._journal.settle(intent.number, state)

    async def _derive(self, deal: Deal, states: Mapping[int, TxState]) -> Plan:
        self._courier.deliver(deal)
        intents = await self._journal.intents(deal.id)
        seen = self._observer.observe(deal, intents, states)
        if seen.shown:
            await self._journal.learn(deal.id, seen.shown)  # before anything that relies on them
        work = Work(deal, seen.known.protocol, seen.known.legs, seen.attempts, int(self._clock.now()))
        return Plan(seen, seen.plan(), work, intents)

    async def _act_on(self, plan: Plan) -> list[str]:
        """Do what a plan asks for; what stands in the way, in words."""
        work, actions = plan.work, plan.actions
        troubles = self._ask(work.deal, actions)
        troubles += [trouble for action in actions if (trouble := await self._act(work, action))]
        return troubles + await self._heal(work, actions)

    async def _drop(self, deal: str) -> None:
        """A deal is closed, or another process's: do nothing more for it. What we signed for it and stored may
        still be sent by anybody, any number of times."""
        self._courier.forget(deal)
        if self._collector is not None:
            self._collector.keep(deal, set())
        await self._observer.forget(deal)
        self.reports.pop(deal, None)

    def _ask(self, deal: Deal, actions: tuple[Action, ...]) -> list[str]:
        """Have the attestations asked for that the plan wants, and no others."""
        wanted = {(action.leg, action.path) for action in actions if isinstance(action, Attest)}
        if not wanted and self._collector is None:
            return []
        if self._collector is None:
            return [f"nobody is configured to attest {path} of {leg}" for leg, path in sorted(wanted)]
        self._collector.keep(deal.id, wanted)
        for leg, path in wanted:
            self._collector.want(deal, leg, path)
        return []

    async def _act(self, work: Work, action: Action) -> str | None:
        """Perform one action; what stands in its way is returned, in words."""
        blocked = _blocked(work, action, self._observer.live, self._ordered)
        if blocked:
            return blocked
        try:
            with self._spans("act", deal=work.deal.id, action=type(action).__name__):
                await self._executor.perform(work, action)
        except ChainError as error:
            log.warning("action failed", deal=work.deal.id, action=type(action).__name__, reason=str(error))
            return str(error)
        if isinstance(action, Close):
            log.info("closed", deal=work.deal.id, outcome=action.outcome)
            await self._drop(work.deal.id)
        if isinstance(action, _SEEN_TO_NEXT):
            self.poke()
        return None

    async def _heal(self, work: Work, actions: tuple[Action, ...]) -> list[str]:
        """Cancel what no plan stands behind any more and what would block the account's later nonces: a
        transaction that was stored, is not seen by the node, and is not wanted."""
        troubles = []
        missing = [
            one
            for one in work.attempts.all
            if one.state.phase is TxPhase.UNSEEN and one.intent.step not in (CANCEL, RECORD)
        ]
        wanted = _wanted(actions) if missing else set()
        for attempt in missing:
            chain = attempt.tx.chain
            unwanted = (attempt.intent.leg, attempt.intent.step) not in wanted
            if not unwanted or chain not in self._observer.live & self._ordered:
                continue
            try:
                await self._executor.cancel(work, attempt)
            except ChainError as error:
                troubles.append(str(error))
        return troubles


def _pending(unsettled: Iterable[Intent]) -> dict[str, list[SignedTx]]:
    pending: dict[str, list[SignedTx]] = {}
    for intent in unsettled:
        pending.setdefault(intent.tx.chain, []).append(intent.tx)
    return pending


def _blocked(work: Work, action: Action, live: frozenset[str], ordered: Collection[str]) -> str | None:
    """Why an action must wait, or None. While a chain of the deal can't be seen, only what can't be wrong is
    done: spends that reveal nothing new. A deal closes only when nothing we signed can still be mined."""
    missing = {leg.chain for leg in work.legs.values()}
    missing -= live
    if isinstance(action, SpendLeg) and not action.reveals:
        missing &= {work.legs[action.leg].chain}
    if missing and not isinstance(action, _SIGHTLESS):
        return f"waiting for {', '.join(sorted(missing))}"
    if isinstance(action, Close) and not work.attempts.settled(ordered):
        return "waiting for the last transactions to be final"
    return None


def _wanted(actions: tuple[Action, ...]) -> set[tuple[str, str]]:
    """(leg, step) of every lineage that a plan stands behind."""
    wanted = set()
    for action in actions:
        match action:
            case Fund(leg) | Unfund(leg):
                wanted.add((leg, FUND))
            case SpendLeg(leg, path):
                wanted.add((leg, path))
            case _:
                pass
    return wanted
