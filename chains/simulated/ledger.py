"""The world's copy of one chain: blocks, pool, money and what was done with it.

Every party's node shows a part of it. Blocks are made when somebody asks for the time after them, so that a chain
on which nothing happens costs next to nothing. Every change of state is logged with the block, so that a
reorganisation takes it back exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from math import log
from random import Random
from typing import Any

from chains.errors import Rejected
from chains.legs import Leg, Path
from chains.port import BlockProcess, LegFacts, SignedTx, Spend, Tip
from chains.simulated.market import Market
from chains.simulated.spec import MEDIAN_SPAN, ChainSpec

GENESIS_BLOCKS = 24  # enough for a median time, a reorganisation and a lagging node
NOTHING = LegFacts()


@dataclass(slots=True, eq=False)
class SimTx:
    """A signed transaction. outs: (address, asset, amount). leg: address of the leg it spends, by `path`. pin: the
    fees of big, cheap descendants, which a replacement must pay as well (BIP125, rule 3)."""

    txid: str
    owner: str
    claims: tuple[str, ...]
    price: int
    fee: int
    size: int
    outs: tuple[tuple[str, str, int], ...]
    leg: str | None = None
    path: Path | None = None
    preimages: tuple[bytes, ...] = ()
    pin: int = 0

    @property
    def after(self) -> int | None:
        return self.path.after if self.path is not None else None


@dataclass(frozen=True, slots=True)
class Event:
    """Money that came to a leg (`path` None) or left it. order: of deposits, what makes a coin of its own."""

    height: int
    amount: int
    txid: str
    spent: bool = False
    path: str | None = None
    preimages: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Book:
    """Counts of what happened, for the coverage list."""

    reorgs: int = 0
    undone: int = 0
    replaced: int = 0
    forced: int = 0
    censored: int = 0
    shut: int = 0
    reverts: int = 0


@dataclass(slots=True)
class Census:
    """censored: who is kept out of blocks, until which height. shut: addresses that no payment reaches, until
    which height. down: owners that can't raise a bid now."""

    censored: dict[str, int] = field(default_factory=dict)
    shut: dict[str, int] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)


class Ledger:
    """Common to both families. `begin` is UNIX time."""

    def __init__(self, spec: ChainSpec, rng: Random, begin: int) -> None:
        self.spec = spec
        self.rng = rng
        self.market = Market(rng, spec.base, spec.floor)
        self.book = Book()
        self.census = Census()
        self.fork = 0
        self.pace = 0.0  # seconds between blocks, where they come as slowly as can be
        self.skew = rng.randint(-spec.timing.clock_error, spec.timing.clock_error)
        interval = spec.timing.interval
        self.stamps = [int(begin - interval * (GENESIS_BLOCKS - i)) for i in range(GENESIS_BLOCKS)]
        self.next = begin + rng.uniform(0, interval)
        poisson = spec.timing.process is BlockProcess.POISSON
        self._gap = self._poisson if poisson else self._slots
        self._stamp = self._loose if poisson else self._strict
        self._idle = self._idle_loose if poisson else self._idle_strict
        self._random = rng.random
        self._interval = interval
        self._miss = spec.timing.miss_probability
        self._error = spec.timing.clock_error
        self.pool: dict[str, SimTx] = {}
        self.claimed: dict[str, str] = {}  # by the pool
        self.cycled: dict[str, SimTx] = {}  # by claim: what somebody's replacement put out of the pool, and left
        self.private: list[SimTx] = []  # a miner's friend's
        self.known: dict[str, SimTx] = {}
        self.bodies: dict[int, list[SimTx]] = {}
        self.mined: dict[str, tuple[int, bool]] = {}
        self.used: dict[str, tuple[str, int]] = {}  # claims that blocks used up
        self.history: dict[str, tuple[Event, ...]] = {}
        self.fees: dict[str, int] = {"": 0}
        self.moved = 0  # grows with everything that a look could show
        self._logs: dict[int, list[tuple[dict[Any, Any], Any, Any]]] = {}
        self._log: list[tuple[dict[Any, Any], Any, Any]] = []
        self._waits: dict[str, int] = {}
        self._urgent = self.market.urgent
        self._numbers = count(1)

    # --- time --------------------------------------------------------------------------------------------

    @property
    def height(self) -> int:
        return len(self.stamps) - 1

    def advance(self, now: float) -> None:
        """Make every block that is due."""
        while self.next <= now:
            if self.pool or self.private:
                self._mine(self.next)
                self.next += self._gap()
            else:
                self._idle(now)

    def _idle_loose(self, now: float) -> None:
        """Blocks in which nothing is: most of all there are, so what `_loose` and `_gap` do is written out."""
        when, stamps, random = self.next, self.stamps, self._random
        error, span, rate, slow = self._error, 2 * self._error + 1, -self._interval, self.pace
        newest = max(stamps[-MEDIAN_SPAN:])
        while when <= now:
            stamp = int(when) + int(random() * span) - error
            if stamp > newest:
                newest = stamp  # above the median for certain
            else:
                stamp = max(stamp, self.clock(len(stamps) - 1) + 1)
            stamps.append(stamp)
            when += self._gap() if slow else log(1.0 - random()) * rate
        self.next = when

    def _idle_strict(self, now: float) -> None:
        """As above, for slots."""
        when, stamps, random = self.next, self.stamps, self._random
        skew, interval, miss, slow = self.skew, self._interval, self._miss, self.pace
        last = stamps[-1]
        while when <= now:
            stamp = int(when) + skew
            last = stamp if stamp > last else last + 1
            stamps.append(last)
            if slow:
                when += self._gap()
                continue
            when += interval
            while random() < miss:
                when += interval
        self.next = when

    def _poisson(self) -> float:
        if self.pace:
            return self.pace * (0.9 + 0.1 * self._random())
        return -log(1.0 - self._random()) * self._interval

    def _slots(self) -> float:
        gap = max(self.pace // self._interval, 1.0) * self._interval
        if self.pace:
            return gap
        while self._random() < self._miss:
            gap += self._interval
        return gap

    def _loose(self, when: float) -> int:
        """The stamp of a block whose miner's clock is off: above the median of those before."""
        error = self._error
        stamp = int(when) + int(self._random() * (2 * error + 1)) - error
        return stamp if stamp > max(self.stamps[-MEDIAN_SPAN:]) else max(stamp, self.clock(self.height) + 1)

    def _strict(self, when: float) -> int:
        return max(int(when) + self.skew, self.stamps[-1] + 1)

    def clock(self, height: int) -> int:
        """What the chain's deadlines are compared with after the block of that height."""
        span = self.spec.timing.median_span
        if span == 1:
            return self.stamps[height]
        return sorted(self.stamps[height - span + 1 : height + 1])[span // 2]

    def tip(self, height: int) -> Tip:
        return Tip(height, f"{self.spec.name}.{self.fork}.{height}", self.clock(height), self.stamps[height])

    # --- the pool ----------------------------------------------------------------------------------------

    def admit(self, tx: SimTx) -> None:
        """A node takes a transaction, or raises Rejected."""
        if tx.txid in self.pool or tx.txid in self.mined:
            return
        reason = self.refusal(tx)
        if reason is None and tx.price < self.spec.floor:
            reason = "min relay fee not met"
        rivals = {self.claimed[claim] for claim in tx.claims if claim in self.claimed}
        if reason is None and rivals:
            reason = self.beats(tx, [self.pool[one] for one in sorted(rivals)])
        if reason is not None:
            raise Rejected(self.spec.name, tx.txid, reason)
        self.book.replaced += len(rivals)
        for rival in sorted(rivals):
            self.drop(rival)
        self.pool[tx.txid] = tx
        self.claimed.update(dict.fromkeys(tx.claims, tx.txid))
        self.moved += 1

    def drop(self, txid: str) -> None:
        """Out of the pool."""
        tx = self.pool.pop(txid)
        for claim in tx.claims:
            if self.claimed.get(claim) == txid:
                del self.claimed[claim]
        self.moved += 1

    def cycle(self, tx: SimTx, evicted: SimTx) -> None:
        """Take out of the pool what took the place of `evicted` there: neither is left (CVE-2023-40231)."""
        self.drop(tx.txid)
        self.cycled[evicted.claims[0]] = evicted

    def refusal(self, tx: SimTx) -> str | None:
        """Why the next block could never hold it."""
        raise NotImplementedError

    def orphaned(self, tx: SimTx) -> bool:
        """What it spends is not there, and not on its way."""
        return False

    def beats(self, tx: SimTx, rivals: list[SimTx]) -> str | None:
        """Why it may not take the place of what is in the pool."""
        raise NotImplementedError

    # --- blocks ------------------------------------------------------------------------------------------

    def _mine(self, when: float) -> None:
        price = self.market.block()
        stamp = self._stamp(when)
        self._patience()
        height = self.height + 1
        wanted = [tx for tx in self._queue() if self._takes(tx, price, height)]
        self._block(stamp, [*self.private, *wanted])
        self._urgent = self.market.urgent

    def _patience(self) -> None:
        """Count the blocks in which a bid followed the policy, or its owner could not raise it."""
        for tx in self.pool.values():
            if tx.price >= self._urgent or not self.spec.replaces or tx.owner in self.census.down:
                for claim in tx.claims:
                    self._waits[claim] = self._waits.get(claim, 0) + 1
        for claim, tx in list(self.cycled.items()):
            if claim in self.claimed or claim in self.used:
                del self.cycled[claim]
                continue
            self._waits[claim] = self._waits.get(claim, 0) + 1
            if tx.owner in self.census.down and self._waits[claim] >= self.spec.grace:
                self._return(tx)  # its owner can't send it again, and somebody has kept it

    def _queue(self) -> list[SimTx]:
        return sorted(self.pool.values(), key=lambda tx: (-tx.price, tx.txid))

    def _takes(self, tx: SimTx, price: int, height: int) -> bool:
        shut = self.census.shut
        if shut and any(shut.get(out[0], 0) >= height for out in tx.outs):
            self.book.shut += 1
            return False
        if self._waits.get(tx.claims[0], 0) >= self.spec.grace:
            self.book.forced += 1
            return True
        if self.census.censored.get(tx.owner, 0) >= height:
            self.book.censored += 1
            return False
        return tx.price >= price

    def _block(self, stamp: int, wanted: Iterable[SimTx]) -> None:
        """Add a block of what of `wanted` is valid, in an order in which most of it is."""
        height = self.height + 1
        clock = self.clock(self.height) if self.spec.timing.median_span > 1 else stamp
        self._log = []
        body: list[SimTx] = []
        waiting = list(wanted)
        while True:
            left = [tx for tx in waiting if not self._include(tx, height, clock, body)]
            if len(left) == len(waiting) or not left:
                break
            waiting = left
        self.stamps.append(stamp)
        if body:
            self.bodies[height] = body
            self._logs[height] = self._log
            self.moved += 1
            self._clean()

    def _include(self, tx: SimTx, height: int, clock: int, body: list[SimTx]) -> bool:
        if tx.txid in self.mined or not self.valid(tx, clock):
            return False
        succeeded = self.apply(tx, height, clock)
        self.put(self.mined, tx.txid, (height, succeeded))
        for claim in tx.claims:
            self.put(self.used, claim, (tx.txid, height))
        self.put(self.fees, "", self.fees[""] + tx.fee)
        self.put(self.fees, tx.owner, self.fees.get(tx.owner, 0) + tx.fee)
        body.append(tx)
        return True

    def _clean(self) -> None:
        """What blocks made impossible leaves the pool."""
        for tx in [tx for tx in self.pool.values() if any(claim in self.used for claim in tx.claims)]:
            self.drop(tx.txid)
        self.private = [tx for tx in self.private if not any(claim in self.used for claim in tx.claims)]
        self._drop_orphans()

    def _drop_orphans(self) -> None:
        while orphans := [txid for txid, tx in self.pool.items() if self.orphaned(tx)]:
            for txid in orphans:
                self.drop(txid)

    def valid(self, tx: SimTx, clock: int) -> bool:
        """Whether a block with this clock may hold it now."""
        raise NotImplementedError

    def apply(self, tx: SimTx, height: int, clock: int) -> bool:
        """Move the money; whether it had the effect it was signed for."""
        raise NotImplementedError

    def put(self, where: dict[Any, Any], key: Any, value: Any) -> None:
        """Change state in a way that can be taken back. None: remove."""
        self._log.append((where, key, where.get(key)))
        if value is None:
            where.pop(key, None)
        else:
            where[key] = value

    def note(self, address: str, event: Event) -> None:
        self.put(self.history, address, (*self.history.get(address, ()), event))

    # --- reorganisations ---------------------------------------------------------------------------------

    def reorganise(self, depth: int, vanish: frozenset[str] = frozenset(), spill: float = 0.0) -> int:
        """Replace the last `depth` blocks by one more; how many transactions left their blocks.

        Those of owners in `vanish` are gone. What waits in private comes first; of the rest, what does not
        conflict stays, or falls back into the pool with a chance of `spill`.
        """
        begin = self.height - depth + 1
        bodies = [self.bodies.pop(height, []) for height in range(begin, self.height + 1)]
        stamps = self.stamps[begin:]
        for height in range(self.height, begin - 1, -1):
            for where, key, old in reversed(self._logs.pop(height, [])):
                if old is None:
                    where.pop(key, None)
                else:
                    where[key] = old
        del self.stamps[begin:]
        self.fork += 1
        self.book.reorgs += 1
        self.moved += 1
        for stamp, body in zip([*stamps, stamps[-1] + 1], [*bodies, []], strict=True):
            kept = [tx for tx in body if tx.owner not in vanish and not (spill and self.rng.random() < spill)]
            self._block(max(stamp, self._least()), [*self.private, *kept])
        gone = [tx for body in bodies for tx in body if tx.txid not in self.mined]
        for tx in gone:
            if tx.owner not in vanish:
                self._return(tx)
        self._drop_orphans()
        self.book.undone += len(gone)
        return len(gone)

    def _least(self) -> int:
        return (self.clock(self.height) if self.spec.timing.median_span > 1 else self.stamps[-1]) + 1

    def _return(self, tx: SimTx) -> None:
        try:
            self.admit(tx)
        except Rejected:
            return

    def fresh_blocks(self, count: int) -> bool:
        """Whether anything is in the last `count` blocks."""
        newest = next(reversed(self.bodies), -1)  # they are kept in the order of their heights
        return newest > self.height - count

    # --- looking -----------------------------------------------------------------------------------------

    def facts(self, address: str, leg: Leg, height: int) -> LegFacts:
        """What stands at a leg after the block of that height."""
        history = self.history.get(address)
        if history is None:
            return NOTHING
        full: int | None = None
        total = held = 0
        spends: list[Spend] = []
        for event in history:
            if event.height > height:
                break
            if event.spent:
                held -= event.amount
                depth = height - event.height + 1
                spends.append(Spend(event.txid, event.path, event.amount, event.preimages, depth))
                continue
            held += event.amount
            total += event.amount
            if full is None and self.fills(event.amount, total) >= leg.amount:
                full = height - event.height + 1
        if self.pool and height == self.height:
            spends += self.unconfirmed(address)
        return LegFacts(full, held, tuple(spends))

    def fills(self, amount: int, total: int) -> int:
        """Of a deposit and the sum of all so far, what counts."""
        raise NotImplementedError

    def unconfirmed(self, address: str) -> list[Spend]:
        return []

    # --- helpers -----------------------------------------------------------------------------------------

    def register(self, tx: SimTx) -> SignedTx:
        """As the engine stores it. The bytes name the transaction; what it says is the world's."""
        self.known[tx.txid] = tx
        return SignedTx(self.spec.name, tx.txid, tx.txid.encode(), tx.claims, tx.price, tx.fee)

    def fresh(self, *parts: object) -> str:
        """A transaction's id."""
        text = f"{self.spec.name}/{next(self._numbers)}/{parts!r}"
        return sha256(text.encode()).hexdigest()

    def worth(self) -> dict[str, int]:
        """Units by asset, fees paid included."""
        raise NotImplementedError
