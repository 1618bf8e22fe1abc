"""From receipts and payments to the facts of a leg. Pure.

With a thousand deals open, next to nothing happens at a leg from one block to the next but that it lies deeper:
what a witness shows is read once, and facts that nothing changed are the same object as before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chains.bitcoin.blocks import Payment, Receipt
from chains.bitcoin.compiler import Contract, path_of, preimages_in
from chains.bitcoin.ledger import Ledger
from chains.bitcoin.mempool import Mempool
from chains.legs import Leg
from chains.port import LegFacts, Spend

NOTHING = LegFacts()
FOR_EVER = 2**62  # a height that no chain has


@dataclass(frozen=True, slots=True)
class _Taken:
    """A spend without its depth. height: of its block, 0 in the mempool."""

    txid: str
    path: str | None
    amount: int
    preimages: tuple[bytes, ...]
    height: int

    def as_of(self, ledger: Ledger) -> Spend:
        depth = ledger.depth(self.height) if self.height else 0
        return Spend(self.txid, self.path, self.amount, self.preimages, depth)


class WatchedLeg:
    """A leg, and what was read of its coins: it holds until something about them changes or one of them ripens."""

    __slots__ = (
        "_facts",
        "_full",
        "_held",
        "_ripe_for",
        "_seen_at",
        "_standing",
        "_taken",
        "_version",
        "contract",
        "leg",
    )

    def __init__(self, leg: Leg, contract: Contract) -> None:
        self.leg = leg
        self.contract = contract
        self._version = -1
        self._ripe_for = range(0)  # the tips for which what is ripe is ripe, and nothing else
        self._full: int | None = None  # height of the deposit that made the leg full
        self._held = 0
        self._standing: tuple[Receipt, ...] = ()
        self._taken: tuple[_Taken, ...] = ()
        self._facts = NOTHING
        self._seen_at = -1  # the tip that `_facts` are as of; -1: of none

    def facts(self, ledger: Ledger, mempool: Mempool) -> LegFacts:
        """What stands about the leg. Outputs below the leg's amount are held, but never make it full.

        A block reward counts only once it can be spent: a funder who mines could else show a leg that is full and
        can't be claimed before its refund opens."""
        tip, version = ledger.tip, ledger.changed(self.contract.output)
        if version != self._version or tip not in self._ripe_for:
            self._read(ledger)
            self._version, self._seen_at = version, -1
        pending = [(one, found) for one in self._standing if (found := mempool.payment(one.outpoint))]
        if pending:
            self._seen_at = -1
            return self._as_of(ledger, (*self._taken, *self._take(pending)))
        if self._seen_at != tip:
            self._facts, self._seen_at = self._as_of(ledger, self._taken), tip
        return self._facts

    def _read(self, ledger: Ledger) -> None:
        """Take from the ledger what does not change with every block."""
        everything = ledger.receipts(self.contract.output)
        receipts = [one for one in everything if ledger.ripe(one)]
        paid = [(one, found) for one in receipts if (found := ledger.payment(one.outpoint))]
        paid.sort(key=lambda pair: (pair[1].height, pair[1].position))
        self._standing = tuple(one for one in receipts if ledger.payment(one.outpoint) is None)
        self._taken = self._take(paid)
        self._full = next((one.height for one in receipts if one.amount >= self.leg.amount), None)
        self._held = sum(one.amount for one in self._standing)
        ripens = [ledger.ripens(one) for one in everything]
        first = max((at for at in ripens if at <= ledger.tip), default=0)
        self._ripe_for = range(first, min((at for at in ripens if at > ledger.tip), default=FOR_EVER))

    def _as_of(self, ledger: Ledger, taken: Iterable[_Taken]) -> LegFacts:
        return LegFacts(
            full=None if self._full is None else ledger.depth(self._full),
            held=self._held,
            spends=tuple([one.as_of(ledger) for one in taken]),
        )

    def _take(self, pairs: Iterable[tuple[Receipt, Payment]]) -> tuple[_Taken, ...]:
        """One spend for each transaction and path, however many coins it took."""
        found: dict[tuple[str, str | None], _Taken] = {}
        for receipt, payment in pairs:
            path = path_of(self.contract, payment.witness[:-1])  # the last item is the script
            before = found.get((payment.txid, path))
            found[payment.txid, path] = _Taken(
                txid=payment.txid,
                path=path,
                amount=receipt.amount + (before.amount if before else 0),
                preimages=preimages_in(_hashes(self.leg, path), payment.witness),
                height=payment.height,
            )
        return tuple(found.values())


def _hashes(leg: Leg, path: str | None) -> tuple[bytes, ...]:
    """The path's hashes; all of the leg's where the path is not known, for a preimage shown is public anyway."""
    if path is not None:
        return leg.path(path).hashes
    return tuple(dict.fromkeys(value for one in leg.paths for value in one.hashes))
