"""Sees a deal as the chains show it now. Writes nothing and signs nothing: the driver acts on what it returns, and
`deal show` prints it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from chains.errors import ChainError
from chains.legs import Leg
from chains.port import Chain, LegFacts, Snapshot, TxState
from htlc.lineage import Attempts, attempts
from htlc.look import SecretOf, deal_facts, leg_facts, shown_preimages, stance, time_now
from htlc.ports import Clock, Deal, Intent
from htlc.protocols import protocol
from htlc.protocols.base import Action, DealProtocol, Now, Stance, Step, View

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What never changes about a deal, made once. addresses: by leg name."""

    protocol: DealProtocol
    legs: Mapping[str, Leg]
    addresses: Mapping[str, str]


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
        return self.known.protocol.explain(self.deal.terms, self.view, self.stance, self.now, self.deal.guards)


class Observer:
    """The eyes of one party. `snapshots` is the newest look at each chain; `live` are the chains that answered."""

    def __init__(self, chains: Mapping[str, Chain], secret_of: SecretOf, clock: Clock) -> None:
        self._chains = chains
        self._secret_of = secret_of
        self._clock = clock
        self._known: dict[str, Known] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.live: frozenset[str] = frozenset()

    async def know(self, deal: Deal) -> Known:
        """Rebuild a deal's legs and have them watched."""
        if deal.id not in self._known:
            spoken = protocol(deal.terms.protocol)
            legs = spoken.legs(deal.terms)
            addresses = {name: self._chains[leg.chain].address(leg).address for name, leg in legs.items()}
            for leg in legs.values():
                await self._chains[leg.chain].watch(leg, deal.since[leg.chain])
            self._known[deal.id] = Known(spoken, legs, addresses)
        return self._known[deal.id]

    async def forget(self, deal: str) -> None:
        """The deal is closed: its legs need no watching."""
        for leg in self._known.pop(deal).legs.values():
            await self._chains[leg.chain].unwatch(leg)

    async def look(self) -> None:
        """Renew the snapshot of every chain that answers."""
        looks = await asyncio.gather(*(c.look() for c in self._chains.values()), return_exceptions=True)
        live = set()
        for name, result in zip(self._chains, looks, strict=True):
            match result:
                case Snapshot():
                    self.snapshots[name] = result
                    live.add(name)
                case ChainError():
                    log.warning("chain not seen", chain=name, reason=str(result))
                case error:
                    raise error
        self.live = frozenset(live)

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

    def observe(self, deal: Deal, intents: Iterable[Intent], states: Mapping[int, TxState]) -> Observation:
        """Put together what is known of one deal. Pure, on top of the last look."""
        known = self._known[deal.id]
        depths = {name: guard.depth for name, guard in deal.guards.chains.items()}
        ours = attempts(intents, states, depths)
        facts = leg_facts(known.legs, known.addresses, self.snapshots)
        ourselves = stance(deal, known.protocol, known.legs, ours, self._secret_of)
        shown = shown_preimages(deal, known.legs, facts, ours, ourselves.secrets)
        view = known.protocol.derive(deal.terms, deal_facts(deal, facts, shown, ours))
        now = time_now(self._clock.now(), self.snapshots)
        return Observation(deal, known, ours, facts, shown, view, ourselves, now)
