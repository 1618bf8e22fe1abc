"""The driver, the same for every protocol: observe, derive, plan, store, broadcast, track until final.

It keeps nothing in memory that it needs: whoever wakes up looks first, since the world moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from chains.errors import ChainError, NothingToSpend
from chains.legs import Leg
from chains.port import Chain, SignedTx, Snapshot, TxPhase, TxState, Wallet
from htlc.courier import Courier
from htlc.executor import Executor, Work
from htlc.fees import FeePolicy
from htlc.lineage import attempts
from htlc.look import SecretOf, deal_facts, leg_facts, shown_preimages, stance, time_now
from htlc.ports import CANCEL, FUND, Clock, Deal, Intent, Journal, Peer
from htlc.protocols import protocol
from htlc.protocols.base import Action, Close, DealProtocol, Fund, GiveConsent, Now, SpendLeg, Swear, Unfund, View

log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0  # the longest wait between two looks: wills and consents arrive through the journal
RETRY_SECONDS = 0.5  # pause of a chain's waiter after its node failed


@dataclass(frozen=True, slots=True)
class Report:
    """What the last tick made of a deal, for people and metrics."""

    view: View
    actions: tuple[Action, ...]
    troubles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What never changes about a deal, made once."""

    protocol: DealProtocol
    legs: Mapping[str, Leg]
    addresses: Mapping[str, str]


class Driver:
    """Runs every open deal of one party. One driver per journal; the store sees to that."""

    def __init__(
        self,
        journal: Journal,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        secret_of: SecretOf,
        clock: Clock,
        peer: Peer,
        fees: Mapping[str, FeePolicy],
    ) -> None:
        self._journal = journal
        self._chains = chains
        self._secret_of = secret_of
        self._clock = clock
        self._executor = Executor(journal, chains, wallets, fees)
        self._courier = Courier(peer)
        self._known: dict[str, _Known] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._wake = asyncio.Event()
        self.reports: dict[str, Report] = {}

    # --- the loop ----------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set: when a chain moves, when poked, at the latest every TICK_SECONDS."""
        try:
            async with asyncio.TaskGroup() as group:
                waiters = [group.create_task(self._wait(chain)) for chain in self._chains.values()]
                while not stop.is_set():
                    self._wake.clear()
                    await self.tick()
                    await self._pause(stop)
                for waiter in waiters:
                    waiter.cancel()
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop what runs beside the ticks."""
        await self._courier.close()

    def poke(self) -> None:
        """Look again at once: the journal has something new."""
        self._wake.set()

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
            seen = self._snapshots.get(chain.name)
            try:
                await chain.wait(seen.tip.hash if seen else "", timeout=30)
            except ChainError:
                await asyncio.sleep(RETRY_SECONDS)
            self._wake.set()
            await asyncio.sleep(0.05)  # a burst of blocks is one look

    # --- one tick ----------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """One look at everything, and what follows from it for every deal."""
        deals = await self._journal.deals()
        for deal in deals:
            await self._know(deal)
        live = await self._look()
        unsettled = await self._journal.unsettled()
        states = await self._trace(unsettled, {deal.id: deal for deal in deals}, live)
        pending: dict[str, list[SignedTx]] = {}
        for intent in unsettled:
            pending.setdefault(intent.tx.chain, []).append(intent.tx)
        self._executor.begin(pending)
        now = time_now(self._clock.now(), self._snapshots)
        for deal in deals:
            try:
                await self._drive(deal, now, live, states)
            except Exception:
                # A fault of ours in one deal must not cost the deadlines of the others.
                log.exception("deal failed", deal=deal.id)

    async def _know(self, deal: Deal) -> None:
        if deal.id in self._known:
            return
        spoken = protocol(deal.terms.protocol)
        legs = spoken.legs(deal.terms)
        addresses = {name: self._chains[leg.chain].address(leg).address for name, leg in legs.items()}
        for leg in legs.values():
            await self._chains[leg.chain].watch(leg, deal.since[leg.chain])
        self._known[deal.id] = _Known(spoken, legs, addresses)

    async def _look(self) -> set[str]:
        """Renew the snapshot of every chain that answers, and return the names of those."""
        looks = await asyncio.gather(*(c.look() for c in self._chains.values()), return_exceptions=True)
        live = set()
        for name, result in zip(self._chains, looks, strict=True):
            match result:
                case Snapshot():
                    self._snapshots[name] = result
                    live.add(name)
                case ChainError():
                    log.warning("chain not seen", chain=name, reason=str(result))
                case error:
                    raise error
        return live

    async def _trace(
        self, unsettled: tuple[Intent, ...], deals: Mapping[str, Deal], live: set[str]
    ) -> dict[int, TxState]:
        """What the chains say of everything we signed that is not final; what is final is stored as such."""
        states: dict[int, TxState] = {}
        for intent in unsettled:
            deal, chain = deals.get(intent.deal), intent.tx.chain
            if deal is None or chain not in live:
                continue
            state = await self._chains[chain].trace(intent.tx, deal.since[chain])
            states[intent.number] = state
            if (
                state.phase in (TxPhase.MINED, TxPhase.DISPLACED)
                and state.depth >= deal.guards.chains[chain].depth
            ):
                await self._journal.settle(intent.number, state)
        return states

    async def _drive(self, deal: Deal, now: Now, live: set[str], states: Mapping[int, TxState]) -> None:
        self._courier.deliver(deal)
        known = self._known[deal.id]
        depths = {name: guard.depth for name, guard in deal.guards.chains.items()}
        ours = attempts(await self._journal.intents(deal.id), states, depths)
        facts = leg_facts(known.legs, known.addresses, self._snapshots)
        ourselves = stance(deal, known.protocol, known.legs, ours, self._secret_of)
        shown = shown_preimages(deal, known.legs, facts, ours, ourselves.secrets)
        if shown:
            await self._journal.learn(deal.id, shown)  # before anything that relies on them
        view = known.protocol.derive(deal.terms, deal_facts(deal, facts, shown, ours))
        actions = known.protocol.plan(deal.terms, view, ourselves, now, deal.guards)
        work = Work(deal, known.protocol, known.legs, ours, int(self._clock.now()))
        troubles = [trouble for action in actions if (trouble := await self._act(work, action, live))]
        troubles += await self._heal(work, actions, live)
        self.reports[deal.id] = Report(view, actions, tuple(troubles))

    async def _act(self, work: Work, action: Action, live: set[str]) -> str | None:
        """Perform one action; what stands in its way is returned, in words."""
        blocked = _blocked(work, action, live)
        if blocked:
            return blocked
        try:
            await self._executor.perform(work, action)
        except NothingToSpend as error:
            return str(error)
        except ChainError as error:
            log.warning("action failed", deal=work.deal.id, action=repr(action), reason=str(error))
            return str(error)
        if isinstance(action, Close):
            await self._forget(work)
        if isinstance(action, Swear | GiveConsent):
            self.poke()  # what follows from it is seen to in the next tick
        return None

    async def _heal(self, work: Work, actions: tuple[Action, ...], live: set[str]) -> list[str]:
        """Cancel what no plan stands behind any more and what would block the account's later nonces: a
        transaction that was stored, is not seen by the node, and is not wanted."""
        troubles = []
        wanted = _wanted(actions)
        for attempt in work.attempts.all:
            step = (attempt.intent.leg, attempt.intent.step)
            if attempt.state.phase is not TxPhase.UNSEEN or step in wanted or attempt.intent.step == CANCEL:
                continue
            if attempt.tx.chain not in live or not self._chains[attempt.tx.chain].ordered:
                continue
            try:
                await self._executor.cancel(work, attempt)
            except ChainError as error:
                troubles.append(str(error))
        return troubles

    async def _forget(self, work: Work) -> None:
        log.info("closed", deal=work.deal.id)
        self._courier.forget(work.deal.id)
        for leg in self._known.pop(work.deal.id).legs.values():
            await self._chains[leg.chain].unwatch(leg)


def _blocked(work: Work, action: Action, live: set[str]) -> str | None:
    """Why an action must wait, or None. While a chain of the deal can't be seen, only what can't be wrong is
    done: spends that reveal nothing new. A deal closes only when nothing we signed can still be mined."""
    missing = {leg.chain for leg in work.legs.values()} - live
    if isinstance(action, SpendLeg) and not action.reveals:
        missing &= {work.legs[action.leg].chain}
    if missing and not isinstance(action, Swear):
        return f"waiting for {', '.join(sorted(missing))}"
    if isinstance(action, Close) and not work.attempts.settled():
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
