"""Puts the page's document together from what the daemon saw last."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from options.quoting import Market
from relayer.dashboard.cards import address_link, deal_card, urgency
from relayer.dashboard.coins import coin_key
from relayer.dashboard.lanes import LaneWatch
from relayer.dashboard.models import Board, ChainCard, Check, ClosedCard, Holding, Profile, ProposalCard
from relayer.dashboard.option import is_option, profile
from relayer.health import Health, Vitals, judge

if TYPE_CHECKING:
    from relayer.daemon import Daemon

WINDOW = 20  # deals on one page: a document stays small however many are open
CLOSED = 10  # deals that are over, and undecided proposals, at most
KEPT = 64  # boards of one look, at most
VERSION = version("strikelock")
UNDECIDED = ("received", "offered", "accepted")


class BoardMaker:
    """Makes boards. lanes: the relayer's, where there is one."""

    def __init__(self, daemon: Daemon, lanes: LaneWatch | None = None) -> None:
        self._daemon = daemon
        self._party = daemon.party
        self._driver = daemon.driver
        self._lanes = lanes
        self._coins = daemon.coins
        self._closed: tuple[frozenset[str], tuple[ClosedCard, ...]] | None = None
        self._made: dict[int, asyncio.Task[Board]] = {}  # by first deal, of one look
        self._look = -1

    async def board(self, first: int = 0) -> Board:
        """The page with the open deals from the `first` most urgent one on. Made once for each look of the driver,
        however many ask, also where they ask while it is being made."""
        look = self._driver.pulse.ticks
        if look != self._look or len(self._made) >= KEPT:
            self._made, self._look = {}, look
        making = self._made.get(first)
        if making is None or (making.done() and (making.cancelled() or making.exception() is not None)):
            making = self._made[first] = asyncio.create_task(self._make(first))
        return await asyncio.shield(making)  # who gives up waiting must not take it from the others

    async def profile(self, deal: str, market: Market | None) -> Profile | None:
        """The position of an open option deal; None where there is none of that id, or an asset of it is not known
        yet."""
        report = self._driver.reports.get(deal)
        if report is None or not is_option(report.observation.deal.terms):
            return None
        found = report.observation.deal
        legs = [(leg.chain, leg.asset) for leg in found.terms.legs.values()]
        coins = await self._coins.learn(legs, self._driver.live)
        if any(coin.decimals is None for coin in coins.values()):
            return None
        return profile(found, coins, int(self._party.clock.now()), market)

    async def _make(self, first: int) -> Board:
        vitals = self._daemon.vitals()
        health = judge(vitals)
        reports, explorers = self._driver.reports, self._party.settings.explorers
        order = sorted(reports, key=lambda id_: urgency(reports[id_], vitals.margins.get(id_)))
        shown = [reports[id_] for id_ in order[first : first + WINDOW]]
        legs = [leg for report in shown for leg in report.observation.known.legs.values()]
        held = [(chain, asset) for chain, assets in self._daemon.held.items() for asset in assets]
        wanted = [*((leg.chain, leg.asset) for leg in legs), *held]
        return Board(
            version=VERSION,
            identity=self._party.identity,
            now=int(self._party.clock.now()),
            live=health.live,
            ready=health.ready,
            checks=tuple(Check(name=c.name, well=c.well, detail=c.detail) for c in health.checks),
            coins=await self._coins.learn(wanted, self._driver.live),
            chains=tuple(self._chains(vitals, health)),
            holdings=tuple(self._holdings()),
            open=len(reports),
            first=first,
            window=WINDOW,
            deals=tuple(
                deal_card(report, vitals.margins.get(report.observation.deal.id), explorers) for report in shown
            ),
            closed=await self._over(),
            proposals=await self._proposals(),
            relayer=None if self._lanes is None else self._lanes.last,
        )

    def _chains(self, vitals: Vitals, health: Health) -> Iterator[ChainCard]:
        checks = {check.name: check for check in health.checks}
        flying = self._flying()
        for name, chain in vitals.chains.items():
            seen, check = self._driver.snapshots.get(name), checks[f"chain {name}"]
            yield ChainCard(
                name=name,
                family=self._party.chains[name].family,
                well=check.well,
                detail=check.detail,
                height=chain.height,
                age=chain.age,
                stale_after=chain.stale_after,
                clock=seen.tip.time if seen else None,
                pending=flying[name],
            )

    def _flying(self) -> Counter[str]:
        """Transactions of ours without a final word, by chain."""
        return Counter(
            attempt.tx.chain
            for report in self._driver.reports.values()
            for attempt in report.observation.attempts.all
            if attempt.intent.final is None
        )

    def _holdings(self) -> Iterator[Holding]:
        for chain, assets in self._daemon.held.items():
            address = self._party.wallets[chain].address
            link = address_link(self._party.settings.explorers, chain, address)
            for asset, units in assets.items():
                yield Holding(coin=coin_key(chain, asset), units=str(units), address=address, link=link)

    async def _over(self) -> tuple[ClosedCard, ...]:
        """The newest deals that are over. The journal is asked only when the open ones are others than before."""
        now_open = frozenset(self._driver.reports)
        if self._closed is None or self._closed[0] != now_open:
            over = tuple(
                ClosedCard(
                    id=deal.id,
                    protocol=deal.terms.protocol,
                    role=deal.role,
                    outcome=deal.outcome or "",
                    agreed_at=deal.agreed_at,
                )
                for deal in await self._party.store.history(CLOSED, closed=True)
            )
            self._closed = (now_open, over)
        return self._closed[1]

    async def _proposals(self) -> tuple[ProposalCard, ...]:
        found = [p for state in UNDECIDED for p in await self._party.store.book.proposals(state, limit=CLOSED)]
        return tuple(
            ProposalCard(
                id=p.id,
                protocol=p.protocol,
                role=p.role,
                state=p.stage.name,
                sent=p.sent,
                peer=p.url or p.peer,
                until=p.until,
            )
            for p in found
        )
