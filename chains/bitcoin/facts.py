"""From receipts and payments to the facts of a leg. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from chains.bitcoin.blocks import Payment, Receipt
from chains.bitcoin.compiler import Contract, path_of, preimages_in
from chains.bitcoin.ledger import Ledger
from chains.bitcoin.mempool import Mempool
from chains.legs import Leg
from chains.port import LegFacts, Spend

NOTHING = LegFacts()


def leg_facts(leg: Leg, contract: Contract, ledger: Ledger, mempool: Mempool) -> LegFacts:
    """What stands about a leg. Outputs below the leg's amount are held, but never make it full.

    A block reward counts only once it can be spent: a funder who mines could else show a leg that is full and
    can't be claimed before its refund opens."""
    receipts = [one for one in ledger.receipts(contract.output) if ledger.ripe(one)]
    if not receipts:
        return NOTHING
    depths = [ledger.depth(one.height) for one in receipts if one.amount >= leg.amount]
    standing = [one for one in receipts if ledger.payment(one.outpoint) is None]
    paid = [(one, found) for one in receipts if (found := ledger.payment(one.outpoint))]
    paid.sort(key=lambda pair: (pair[1].height, pair[1].position))
    pending = [(one, found) for one in standing if (found := mempool.payment(one.outpoint))]
    return LegFacts(
        full=depths[0] if depths else None,
        held=sum(one.amount for one in standing),
        spends=(*_spends(leg, contract, paid, ledger), *_spends(leg, contract, pending, None)),
    )


def _spends(
    leg: Leg, contract: Contract, pairs: Iterable[tuple[Receipt, Payment]], ledger: Ledger | None
) -> list[Spend]:
    """One spend for each transaction and path, however many coins it took."""
    found: dict[tuple[str, str | None], Spend] = {}
    for receipt, payment in pairs:
        path = _path(contract, payment)
        depth = ledger.depth(payment.height) if ledger else 0
        before = found.get((payment.txid, path))
        found[payment.txid, path] = Spend(
            txid=payment.txid,
            path=path,
            amount=receipt.amount + (before.amount if before else 0),
            preimages=preimages_in(_hashes(leg, path), payment.witness),
            depth=depth,
        )
    return list(found.values())


def _path(contract: Contract, payment: Payment) -> str | None:
    return path_of(contract, payment.witness[:-1])  # the last item is the script


def _hashes(leg: Leg, path: str | None) -> tuple[bytes, ...]:
    """The path's hashes; all of the leg's where the path is not known, for a preimage shown is public anyway."""
    if path is not None:
        return leg.path(path).hashes
    return tuple(dict.fromkeys(value for one in leg.paths for value in one.hashes))
