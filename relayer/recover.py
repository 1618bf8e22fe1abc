"""Settles deals from the seed, the chains and the deals' descriptors, with no database.

A recovered party is limited (DESIGN section 2): it never funds, never shows a secret first, never signs for
others. It refunds what is its own, claims with preimages that are public, and sweeps its wallet so that nothing
which it signed and forgot can be mined.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from chains.errors import ChainError
from chains.port import Chain, LegFacts, Wallet
from chains.registry import make_chain
from htlc.driver import TICK_SECONDS, Driver
from htlc.errors import PeerUnavailable
from htlc.observer import Observer
from htlc.ports import Deal, Journal
from htlc.protocols import protocol
from relayer.errors import LiveDatabase, NothingFound
from relayer.party import LocalClock, attesters_of, fee_policies, policies
from relayer.records import recorded
from relayer.report import full
from relayer.settings import Settings, database_url
from relayer.sweep import Sweeper
from settlement.backup import Descriptor, check_ours, limited
from settlement.kept import JournalHandle
from settlement.recorder import IN_FLIGHT
from settlement.seed import Seed
from settlement.store import Store
from settlement.store.errors import DealExists

log = structlog.get_logger(__name__)

DAY = 86_400  # seconds
SPENDS = 2  # that we may have signed and forgotten for a leg: a claim, or a refund and a release

Progress = Callable[[str], None]


class NobodyThere:
    """See `htlc.ports.Peer`. A limited party signs nothing, so there is nothing to send."""

    async def send_consent(self, deal: Deal, leg: str, path: str, consent: str) -> None:
        raise PeerUnavailable(deal.peer, "a recovered party signs no release")


@dataclass(eq=False)
class NotSwept(ChainError):
    """A deal can't close while a forgotten funding could still be mined."""

    template = "{chain}: waiting for the sweep of the wallet to be final"


class SweptJournal(JournalHandle):
    """Closes no deal before everything is swept. waiting: chains whose sweep is not final."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.waiting: frozenset[str] = frozenset()

    async def close(self, deal: str, outcome: str, at: int) -> None:
        if self.waiting:
            raise NotSwept(min(self.waiting))
        await super().close(deal, outcome, at)


class Recovery:
    """One run of recovery. Brought on by `tick`, or by `run` to its end."""

    def __init__(
        self,
        store: Store,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        seed: Seed,
        clock: LocalClock,
        settings: Settings,
    ) -> None:
        self._store = store
        self._chains = chains
        self._wallets = wallets
        self._clock = clock
        self._policies = fee_policies(settings, chains)
        self._journal = SweptJournal(store)
        # It sees before the driver does, so that a deal which is over at first sight is not closed unswept.
        self._observer = Observer(chains, seed.secret, clock)
        self._driver = Driver(
            self._journal,
            chains,
            wallets,
            seed.secret,
            clock,
            NobodyThere(),
            self._policies,
            attesters=attesters_of(settings, seed, wallets),
        )
        self._deals: tuple[Deal, ...] = ()
        self._unknown = 0  # transactions of deals that we may not know of: records that were not mined
        self.sweepers: dict[str, Sweeper] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        seed: Seed,
        descriptors: Iterable[Descriptor],
        days: int | None = None,
    ) -> AsyncIterator[Recovery]:
        """Open chains and database, and take the deals into it: those of descriptors, and where `days` says how
        far back to read, those that are recorded on the chains. Raises NotOurDeal, WrongChain, NothingFound,
        LiveDatabase, DatabaseInUse, and what a node of the wrong network raises."""
        clock = LocalClock(settings.testing.clock_offset_file)
        async with AsyncExitStack() as stack:
            settings.party.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            store = await stack.enter_async_context(
                await Store.open(database_url(settings), drive=True, folder=settings.party.folder)
            )
            if any(not deal.limited for deal in await store.open_deals()):
                raise LiveDatabase(store.name)
            chains = {name: make_chain(name, section, clock.now) for name, section in settings.chains.items()}
            for chain in chains.values():
                stack.push_async_callback(chain.close)
            await asyncio.gather(*(chain.open() for chain in chains.values()))
            wallets = {name: chain.wallet(seed.raw) for name, chain in chains.items()}
            found = [descriptor.deal for descriptor in descriptors]
            for deal in found:
                check_ours(deal, seed, chains, wallets)
            recovery = cls(store, chains, wallets, seed, clock, settings)
            if days is not None:
                since = int(clock.now()) - days * DAY
                found += await recorded(chains, wallets, seed, policies(settings).risk, since)
                recovery._unknown = IN_FLIGHT
            if not found:
                raise NothingFound(days)
            await recovery._adopt(found)
            stack.push_async_callback(recovery._driver.close)
            yield recovery

    async def _adopt(self, deals: Iterable[Deal]) -> None:
        """Take deals into the database, limited; those of an earlier run are there already."""
        for deal in deals:
            try:
                await self._store.add(limited(deal))
                log.info("recovering", deal=deal.id, protocol=deal.terms.protocol, role=deal.role)
            except DealExists:
                log.info("in the database already", deal=deal.id)
        self._deals = await self._store.deals()
        self._journal.waiting = frozenset(name for deal in self._deals for name in deal.terms.networks)

    @property
    def deals(self) -> tuple[Deal, ...]:
        """What is recovered, as it was when that began."""
        return self._deals

    # --- the loop ----------------------------------------------------------------------------------------

    async def run(self, progress: Progress, stop: asyncio.Event) -> None:
        """Tick until every deal is closed, or `stop` is set."""
        told: dict[str, str] = {}
        while not stop.is_set() and not await self.over():
            await self.tick()
            for id_, text in self.states().items():
                if told.get(id_) != text:
                    told[id_] = text
                    progress(f"{id_}  {text}")
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue

    async def tick(self) -> None:
        """One look at everything, and what follows from it."""
        await self._sweep()
        await self._driver.tick()

    async def over(self) -> bool:
        """Every deal is closed."""
        return not await self._store.deals()

    def states(self) -> dict[str, str]:
        """Each deal in a line, as of the last tick."""
        found = {}
        for id_, report in self._driver.reports.items():
            legs = (
                f"{name} {type(leg).__name__.lower()} {getattr(leg, 'path', '')}".strip()
                for name, leg in report.observation.view.legs.items()
            )
            stuck = (one.trouble for one in self.sweepers.values() if one.trouble)
            found[id_] = "; ".join([", ".join(legs), *dict.fromkeys([*report.troubles, *stuck])])
        return found

    async def document(self) -> dict[str, Any]:
        """What became of everything, for programs."""
        reports = self._driver.reports
        deals = []
        for deal in self._deals:
            now, intents = await self._store.deal(deal.id), await self._store.intents(deal.id)
            shown = full(reports[deal.id].observation, intents) if deal.id in reports else {"deal": deal.id}
            deals.append({**shown, "outcome": now.outcome})
        sweeps = [
            {"chain": sweeper.chain, "txid": tx.txid} for sweeper in self.sweepers.values() for tx in sweeper.all
        ]
        return {"deals": deals, "sweeps": sweeps}

    # --- sweeping ----------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Sweep every chain on which a funding of ours may be on its way; bring on those that are swept."""
        for deal in self._deals:
            await self._observer.know(deal)
        await self._observer.look()
        unsettled = await self._store.unsettled()
        waiting = set(self._journal.waiting)
        for chain in sorted(waiting & self._observer.live):
            count = self._forgotten(chain)
            sweeper = self.sweepers.get(chain)
            if sweeper is None and count:
                sweeper = self.sweepers[chain] = self._sweeper(chain)
            if sweeper is not None:
                pending = [intent.tx for intent in unsettled if intent.tx.chain == chain]
                await sweeper.tick(count, pending, self._clock.now())
            if sweeper is None or sweeper.done:
                waiting.discard(chain)
        self._journal.waiting = frozenset(waiting)

    def _sweeper(self, chain: str) -> Sweeper:
        deals = [deal for deal in self._deals if chain in deal.terms.networks]
        return Sweeper(
            self._chains[chain],
            self._wallets[chain],
            since=min(deal.since[chain] for deal in deals),
            depth=max(deal.guards.chains[chain].depth for deal in deals),
            patience=self._policies[chain].patience,
        )

    def _forgotten(self, chain: str) -> int:
        """How many transactions we may have signed on a chain and forgotten, at most; 0 where none of them can be
        a funding, since every leg of ours was full already."""
        fundings = spends = 0
        snapshot = self._observer.snapshots[chain]
        for deal in self._deals:
            spoken = protocol(deal.terms.protocol)
            for name, leg in spoken.legs(deal.terms).items():
                if leg.chain == chain:
                    facts = snapshot.legs.get(self._chains[chain].address(leg).address, LegFacts())
                    fundings += spoken.funder(name) == deal.role and facts.full is None
                    spends += SPENDS * (facts.held > 0)
        return fundings + spends + self._unknown if fundings else 0
