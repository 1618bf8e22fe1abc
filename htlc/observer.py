"""Sees a deal as the chains show it now. Writes nothing and signs nothing: the driver acts on what it returns, and
`deal show` prints it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, KeysView, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from chains.errors import ChainError
from chains.legs import NATIVE, Leg
from chains.port import Chain, LegFacts, Snapshot, TxState
from htlc.lineage import Attempts, attempts
from htlc.look import (
    SecretOf,
    chain_clocks,
    deal_facts,
    own_hashes,
    shown_preimages,
    stance,
    time_now,
    without_dust,
)
from htlc.ports import Clock, Deal, Intent
from htlc.protocols import protocol, words
from htlc.protocols.base import Action, DealProtocol, Flight, Now, Stance, Step, View
from htlc.protocols.rules import Case
from htlc.turns import Turns

log = structlog.get_logger(__name__)

Mark: TypeAlias = tuple[object, ...]

TOKEN_DUST = 1000  # a token leg ignores less than this part of its amount
NOTHING = LegFacts()


@dataclass(frozen=True, slots=True)
class Known:
    """What never changes about a deal, made once. addresses: by leg name. secrets: our own preimages, by hash.
    hashes: every hash of the deal."""

    protocol: DealProtocol
    legs: Mapping[str, Leg]
    addresses: Mapping[str, str]
    secrets: Mapping[bytes, bytes]
    hashes: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Observation:
    """One deal in one look. shown: preimages that the world has seen and the journal does not hold yet."""

    deal: Deal
    known: Known
    attempts: Attempts
    facts: Mapping[str, LegFacts]
    shown: Mapping[bytes, bytes]
    view: View
    stance: Stance
    now: Now

    def plan(self) -> tuple[Action, ...]:
        """What the protocol has us do."""
        return self.known.protocol.plan(self.deal.terms, self.view, self.stance, self.now, self.deal.guards)

    def explain(self) -> tuple[Step, ...]:
        """What happens next, in words."""
        case = Case(self.deal.terms, self.view, self.stance, self.now, self.deal.guards)
        return words.explain(self.known.protocol.name, case)


@dataclass(frozen=True, slots=True)
class Site:
    """Where one leg stands."""

    name: str
    leg: Leg
    address: str


@dataclass(slots=True)
class Kept:
    """What the observer keeps of one deal. shows: see `look.own_hashes`. ours: what we signed, at the last look;
    fundings: what that means. stance: as of `deal` and `intents`, which it follows from. facts: of the last look,
    by leg name."""

    known: Known
    sites: tuple[Site, ...]
    shows: Mapping[tuple[str, str], frozenset[bytes]]
    ours: Attempts
    fundings: Mapping[str, Flight]
    deal: Deal
    intents: tuple[Intent, ...]
    stance: Stance
    facts: Mapping[str, LegFacts] = field(default_factory=dict)


class Observer:
    """The eyes of one party. `snapshots` is the newest look at each chain; `live` are the chains that answered."""

    def __init__(self, chains: Mapping[str, Chain], secret_of: SecretOf, clock: Clock) -> None:
        self._chains = chains
        self._secret_of = secret_of
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._floors: dict[str, int] = {}
        self._clocks: Mapping[str, int] = {}
        self._newest = 0
        self.snapshots: dict[str, Snapshot] = {}
        self.live: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """How many deals are known."""
        return len(self._kept)

    async def know(self, deal: Deal) -> Known:
        """Rebuild a deal's legs and have them watched."""
        kept = self._kept.get(deal.id)
        if kept is None:
            known = self._build(deal)
            for leg in known.legs.values():
                await self._chains[leg.chain].watch(leg, deal.since[leg.chain])
            kept = self._kept[deal.id] = _keep(deal, known)
            kept.facts = self._stands(kept)
        return kept.known

    def _build(self, deal: Deal) -> Known:
        spoken = protocol(deal.terms.protocol)
        legs = spoken.legs(deal.terms)
        return Known(
            protocol=spoken,
            legs=legs,
            addresses={name: self._chains[leg.chain].address(leg).address for name, leg in legs.items()},
            secrets={
                deal.terms.hash(deal.role, label): self._secret_of(deal.nonce, label)
                for label in spoken.secrets(deal.role)
            },
            hashes=frozenset(value for party in deal.terms.parties.values() for value in party.hashes.values()),
        )

    def watched(self) -> KeysView[str]:
        """The deals whose legs are watched."""
        return self._kept.keys()

    async def forget(self, deal: str) -> None:
        """The deal is closed, or not ours to see to: its legs need no watching."""
        kept = self._kept.pop(deal, None)
        for leg in kept.known.legs.values() if kept is not None else ():
            await self._chains[leg.chain].unwatch(leg)

    async def look(self) -> None:
        """Renew the snapshot of every chain that answers."""
        loop = asyncio.get_running_loop()
        looks = {name: loop.create_task(chain.look()) for name, chain in self._chains.items()}
        live = set()
        try:
            for name, look in looks.items():
                try:
                    self.snapshots[name] = await look
                    live.add(name)
                except ChainError as error:
                    log.warning("chain not seen", chain=name, reason=str(error))
        finally:
            for look in looks.values():
                look.cancel()  # of those that are done, nothing
        self.live = frozenset(live)
        self._clocks, self._newest = chain_clocks(self.snapshots)
        small, turns, all_kept = set(), Turns(), tuple(self._kept.values())
        for kept in all_kept:
            await turns.give(last=len(all_kept) == 1)
            kept.facts = self._stands(kept)
            for site in kept.sites:
                if 0 < kept.facts[site.name].held < site.leg.amount:
                    small.add(site.leg.chain)
        for name in sorted(small & self.live):
            await self._renew_floor(name)

    def tips(self) -> dict[str, str]:
        """The best block's hash of every chain that answered."""
        return {chain: self.snapshots[chain].tip.hash for chain in self.live}

    def _stands(self, kept: Kept) -> dict[str, LegFacts]:
        """What stands about each leg. A chain without a snapshot shows nothing, which a protocol takes as "not
        there": it never funds or reveals on that."""
        found = {}
        for site in kept.sites:
            seen = self.snapshots.get(site.leg.chain)
            found[site.name] = NOTHING if seen is None else seen.legs.get(site.address, NOTHING)
        return found

    async def _renew_floor(self, chain: str) -> None:
        """The smallest price of a chain on which something small stands at a leg of ours."""
        with contextlib.suppress(ChainError):  # then the last one known stands in
            self._floors[chain] = (await self._chains[chain].fees()).floor

    async def trace(self, unsettled: Iterable[Intent], deals: Mapping[str, Deal]) -> dict[int, TxState]:
        """What the chains say of everything we signed that is not final, by the intent's number."""
        states: dict[int, TxState] = {}
        for intent in unsettled:
            deal, chain = deals.get(intent.deal), intent.tx.chain
            if deal is None or chain not in self.live:
                continue
            try:
                states[intent.number] = await self._chains[chain].trace(intent.tx, deal.since[chain])
            except ChainError as error:
                log.warning("chain not seen", chain=chain, reason=str(error))
                self.live -= {chain}
        return states

    def _dust(self, leg: Leg) -> int:
        """What is not worth spending at a leg, in its asset's smallest unit: in coin, what its cheapest path costs
        at the chain's floor; of a token, whose worth is unknown, a thousandth of the leg."""
        if leg.asset != NATIVE:
            return leg.amount // TOKEN_DUST
        floor = self._floors.get(leg.chain, 0)
        return min(self._chains[leg.chain].claim_cost(leg, path.name, floor) for path in leg.paths)

    def mark(self, deal: Deal) -> Mark | None:
        """What of the last look could make a plan for a deal another one, time apart. Equal marks mean that
        nothing did; None that it can't be told so simply. What is deeper than final is as deep as anything."""
        found = []
        kept = self._kept[deal.id]
        for site in kept.sites:
            facts = kept.facts[site.name]
            if site.leg.chain not in self.live or 0 < facts.held < site.leg.amount:
                return None  # whether something small is worth a spend depends on what fees are
            most = deal.guards.chains[site.leg.chain].depth + 1
            spends = tuple([(spend.txid, min(spend.depth, most)) for spend in facts.spends])
            found.append((None if facts.full is None else min(facts.full, most), facts.held, spends))
        return tuple(found)

    def observe(self, deal: Deal, intents: tuple[Intent, ...], states: Mapping[int, TxState]) -> Observation:
        """Put together what is known of one deal. Pure, on top of the last look."""
        kept = self._kept[deal.id]
        known = kept.known
        if kept.deal is not deal or kept.intents != intents:
            kept.deal, kept.intents = deal, intents
            kept.stance = stance(deal, known.secrets, kept.shows, intents)
        ours = attempts(intents, states, kept.ours)
        if ours is not kept.ours:
            kept.ours, kept.fundings = ours, ours.flights(known.legs)
        facts = dict(kept.facts)
        for site in kept.sites:
            found = facts[site.name]
            if 0 < found.held < site.leg.amount:
                facts[site.name] = without_dust(found, site.leg, self._dust(site.leg))
        shown = shown_preimages(deal, facts, ours, known.secrets, kept.shows, known.hashes)
        view = known.protocol.derive(deal.terms, deal_facts(deal, facts, shown, kept.fundings))
        now = time_now(self._clock.now(), self._clocks, self._newest)
        return Observation(deal, known, ours, facts, shown, view, kept.stance, now)


def _keep(deal: Deal, known: Known) -> Kept:
    shows = own_hashes(known.legs, known.secrets)
    ours = Attempts((), {name: guard.depth for name, guard in deal.guards.chains.items()})
    return Kept(
        known=known,
        sites=tuple(Site(name, leg, known.addresses[name]) for name, leg in known.legs.items()),
        shows=shows,
        ours=ours,
        fundings=ours.flights(known.legs),
        deal=deal,
        intents=(),
        stance=stance(deal, known.secrets, shows, ()),
    )
