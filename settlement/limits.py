"""How far a maker lets takers go before they have paid: against free options and locked money.

From the quote until the premium is taken, a taker has an option on the option: it may let go, for nothing, when
the price moves. What that can cost is bounded here: by time (quotes and answers are short), by number and amount,
for each peer and for all together (identities cost nothing), and by a wait after a taking that fell through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from settlement.errors import CoolingDown, NotACustomer, OfferOver, SoldOut, TooManyTakings, TooMuchLocked
from settlement.store.offers import OwnOffer, Shelf
from settlement.takings import MEMORY_SECONDS, Standing

MOST_DOUBLINGS: Final = 10
ALL: Final = "all takers together"


@dataclass(frozen=True, slots=True)
class Limits:
    """peers: whom we sell to (None: anyone). quote: how long a quote is good for; answer: how long a part is
    reserved for a taker that does not accept; cooldown: how long a peer waits after a taking that fell through,
    twice as long after each further one; spot_age: how old a price may be. Seconds.

    per_peer, total: takings that are not paid for yet. locked_per_peer, locked: what those may lock of ours, by
    "chain/asset"; an asset that is not named has no limit.
    """

    peers: frozenset[str] | None = None
    quote: int = 30
    answer: int = 60
    cooldown: int = 3600
    spot_age: int = 60
    per_peer: int = 3
    total: int = 50
    locked_per_peer: Mapping[str, int] = field(default_factory=dict)
    locked: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a peer wants. size: of the underlying. asset, locked: what we would lock. now: UNIX seconds."""

    peer: str
    size: int
    asset: str
    locked: int
    now: int


def judge(limits: Limits, shelf: Shelf, demand: Demand) -> None:
    """Raise an OfferError unless a peer may have what it wants."""
    check_customer(limits, demand.peer)
    check_open(shelf.own, demand.now)
    if demand.size > shelf.own.remaining:
        raise SoldOut(demand.size, shelf.own.remaining)
    theirs = [one for one in shelf.standings if one.taking.peer == demand.peer]
    _check_failures(limits, theirs, demand.now)
    _check_open_takings(demand, theirs, demand.peer, limits.per_peer, limits.locked_per_peer)
    _check_open_takings(demand, shelf.standings, ALL, limits.total, limits.locked)


def check_customer(limits: Limits, peer: str) -> None:
    """Raise NotACustomer for somebody whom we don't sell to."""
    if limits.peers is not None and peer not in limits.peers:
        raise NotACustomer(peer)


def check_open(own: OwnOffer, now: int) -> None:
    """Raise OfferOver for an offer that was withdrawn, or has ended."""
    if own.withdrawn_at is not None:
        raise OfferOver(own.offer.id, "it was withdrawn")
    if now > own.offer.conditions.until:
        raise OfferOver(own.offer.id, f"it was good until {own.offer.conditions.until}")


def cooled_at(limits: Limits, failures: Iterable[int], now: int) -> int:
    """From when on a peer may take again whose takings fell through at these times; 0 if there were none."""
    recent = [at for at in failures if at > now - MEMORY_SECONDS]
    if not recent:
        return 0
    return max(recent) + (limits.cooldown << min(len(recent) - 1, MOST_DOUBLINGS))


def _check_failures(limits: Limits, standings: Iterable[Standing], now: int) -> None:
    until = cooled_at(limits, (one.failed_at for one in standings if one.failed_at is not None), now)
    if now < until:
        raise CoolingDown(until)


def _check_open_takings(
    demand: Demand, standings: Iterable[Standing], who: str, most: int, locks: Mapping[str, int]
) -> None:
    unpaid = [one.taking for one in standings if one.state.unpaid]
    if len(unpaid) >= most:
        raise TooManyTakings(who, most)
    limit = locks.get(demand.asset)
    held = sum(taking.locked for taking in unpaid if taking.asset == demand.asset)
    if limit is not None and held + demand.locked > limit:
        raise TooMuchLocked(who, demand.asset, limit)
