"""What the transactions already signed, but not mined, will take from an account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chains.evm.codec import selector
from chains.evm.transaction import Transaction, claimed, read_transaction
from chains.port import SignedTx

_TRANSFER = selector("transfer(address,uint256)")


@dataclass(frozen=True, slots=True)
class Reserves:
    """nonces: those that signed transactions of ours use. native: wei for values and fees; tokens: units by
    contract. Of several transactions with one nonce the dearest counts."""

    nonces: frozenset[int]
    native: int
    tokens: Mapping[str, int]


def reserves(pending: Iterable[SignedTx], account: str, used: int, own: int | None) -> Reserves:
    """Reserves of the account, of which `used` nonces are mined. `own` is the nonce of the transaction that is
    about to be signed: what it replaces will take nothing."""
    nonces: set[int] = set()
    native: dict[int, int] = {}
    tokens: dict[tuple[str, int], int] = {}
    for tx in pending:
        holder, nonce = claimed(tx)
        if holder != account.lower():
            continue
        nonces.add(nonce)
        if nonce < used or nonce == own:
            continue
        inner = read_transaction(tx)
        native[nonce] = max(native.get(nonce, 0), inner.value + tx.fee)
        if inner.to is not None and (amount := _transferred(inner)) is not None:
            tokens[inner.to, nonce] = max(tokens.get((inner.to, nonce), 0), amount)
    totals: dict[str, int] = {}
    for (token, _), amount in tokens.items():
        totals[token] = totals.get(token, 0) + amount
    return Reserves(frozenset(nonces), sum(native.values()), totals)


def _transferred(transaction: Transaction) -> int | None:
    data = transaction.data
    return int.from_bytes(data[36:68], "big") if data[:4] == _TRANSFER and len(data) == 68 else None
