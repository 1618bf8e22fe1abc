"""One party's node: what it answers, and how it fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from random import Random

from chains.errors import ChainUnavailable, Rejected
from chains.legs import Leg
from chains.port import FeeEstimate
from chains.simulated.ledger import Ledger, SimTx


@dataclass(slots=True)
class Faults:
    """What is wrong with a node now. dark: it does not answer. lag: blocks it is behind. flaky: chance that a call
    fails. lossy: chance that a transaction it took is never sent on. ambiguous: chance that it takes one and then
    fails. slander: chance that it takes one and says it did not. fee_lie: factor on its estimates. stuck: the
    block it stays at."""

    dark: bool = False
    lag: int = 0
    flaky: float = 0.0
    lossy: float = 0.0
    ambiguous: float = 0.0
    slander: float = 0.0
    fee_lie: float = 1.0
    stuck: int | None = None


class Node:
    """owner: whose transactions it is asked to sign and send. seen: counts of faults by kind."""

    def __init__(self, owner: str, ledger: Ledger, rng: Random, seen: Counter[str]) -> None:
        self.owner = owner
        self.ledger = ledger
        self.faults = Faults()
        self._rng = rng
        self._seen = seen
        self._addresses: dict[bytes, str] = {}
        self._lost: set[str] = set()

    @property
    def height(self) -> int:
        """Of the best block it knows."""
        faults = self.faults
        height = len(self.ledger.stamps) - 1 - faults.lag
        return height if faults.stuck is None else min(height, faults.stuck)

    def answer(self) -> None:
        """Raise ChainUnavailable unless it answers now."""
        faults = self.faults
        if faults.dark:
            self._seen["node dark"] += 1
            raise ChainUnavailable(self.ledger.spec.name, "connection refused")
        if faults.flaky and self._rng.random() < faults.flaky:
            self._seen["node call failed"] += 1
            raise ChainUnavailable(self.ledger.spec.name, "timed out")

    def leg_address(self, leg: Leg) -> str:
        """The address of a leg: it depends on everything that decides where the money can go."""
        found = self._addresses.get(leg.salt)
        if found is None:
            found = self._addresses[leg.salt] = address_of(leg)
        return found

    def fees(self) -> FeeEstimate:
        self.answer()
        found = self.ledger.market.estimate()
        if not self.ledger.spec.replaces:
            found = FeeEstimate(found.urgent, found.urgent, found.floor)
        lie = self.faults.fee_lie
        if lie == 1.0:
            return found
        self._seen["fee estimate lied"] += 1
        floor = found.floor
        return FeeEstimate(max(int(found.economical * lie), floor), max(int(found.urgent * lie), floor), floor)

    def send(self, tx: SimTx) -> None:
        """Raises Rejected, ChainUnavailable."""
        self.answer()
        faults, rng = self.faults, self._rng
        first = tx.claims[0] not in self._lost  # never twice in a row: what is published again arrives
        if faults.lossy and first and rng.random() < faults.lossy:
            self._lost.add(tx.claims[0])
            self._seen["broadcast lost"] += 1
            return
        self._lost.discard(tx.claims[0])
        if faults.lag or faults.stuck is not None:
            self._seen["broadcast to a lagging node"] += 1
        self.ledger.admit(tx)
        if faults.ambiguous and rng.random() < faults.ambiguous:
            self._seen["broadcast taken, then an error"] += 1
            raise ChainUnavailable(self.ledger.spec.name, "connection reset")
        if faults.slander and rng.random() < faults.slander:
            self._seen["broadcast taken, called rejected"] += 1
            raise Rejected(self.ledger.spec.name, tx.txid, "internal error")


@lru_cache(maxsize=64)
def address_of(leg: Leg) -> str:
    """An address on either family."""
    return f"{leg.chain}-leg-{sha256(repr(leg).encode()).hexdigest()[:24]}"
