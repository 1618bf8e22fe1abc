"""Which of the wallet's coins pay for a transaction, and what it pays. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.bitcoin.blocks import Receipt
from chains.bitcoin.transaction import (
    INPUT_WEIGHT,
    OUTPUT_P2WPKH_WEIGHT,
    OVERHEAD_WEIGHT,
    WITNESS_P2WPKH_WEIGHT,
    fee_for,
)

COIN_WEIGHT: Final = INPUT_WEIGHT + WITNESS_P2WPKH_WEIGHT
TRIES: Final = 20_000  # of the search for a set without change; some milliseconds


@dataclass(frozen=True, slots=True)
class Bid:
    """What a transaction pays: `price` (satoshi per 1000 vbytes), and for a replacement at least `base` satoshi
    (what it evicts paid) plus `step` per 1000 vbytes of its own (BIP125, rules 3 and 4)."""

    price: int
    base: int = 0
    step: int = 0

    def fee(self, weight: int) -> int:
        return max(fee_for(weight, self.price), self.base + fee_for(weight, self.step))


@dataclass(frozen=True, slots=True)
class Selection:
    """Coins, in the order of the inputs, and the change they leave (0: none, the rest goes to the fee)."""

    coins: tuple[Receipt, ...]
    change: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """What coins are needed for: `amount` to outputs that weigh `weight`, at `bid`. dust: the least change."""

    amount: int
    weight: int
    bid: Bid
    dust: int

    def cost(self, count: int, change: bool) -> int:
        """Amount and fee with `count` coins."""
        weight = OVERHEAD_WEIGHT + self.weight + count * COIN_WEIGHT + change * OUTPUT_P2WPKH_WEIGHT
        return self.amount + self.bid.fee(weight)

    def settle(self, coins: Sequence[Receipt]) -> Selection | None:
        """These coins with the change they leave, or None if they don't suffice."""
        total = sum(coin.amount for coin in coins)
        change = total - self.cost(len(coins), change=True)
        if change >= self.dust:
            return Selection(tuple(coins), change)
        return Selection(tuple(coins), 0) if total >= self.cost(len(coins), change=False) else None


def select(purchase: Purchase, required: Sequence[Receipt], others: Sequence[Receipt]) -> Selection | None:
    """`required` first and in their order, then what it takes of `others`; None if all do not suffice.

    A set that needs no change is preferred, since it costs less now and later; else the largest coins first.
    """
    if required and (enough := purchase.settle(required)):
        return enough
    ranked = sorted(others, key=lambda coin: (-coin.amount, coin.outpoint))
    if exact := _without_change(purchase, required, ranked):
        return Selection((*required, *exact), 0)
    taken = list(required)
    for coin in ranked:
        taken.append(coin)
        if enough := purchase.settle(taken):
            return enough
    return None


def _without_change(
    purchase: Purchase, required: Sequence[Receipt], ranked: Sequence[Receipt]
) -> tuple[Receipt, ...] | None:
    """Branch and bound (Murch 2016, section 4.3): a set that overpays by less than making and spending change."""
    spare = fee_for(OUTPUT_P2WPKH_WEIGHT + COIN_WEIGHT, purchase.bid.price)
    have = sum(coin.amount for coin in required)
    left = [0]  # sums of the smallest coins, to know when a branch can't reach the target any more
    for coin in reversed(ranked):
        left.append(left[-1] + coin.amount)
    left.reverse()
    tries = TRIES
    stack: list[tuple[int, int, tuple[Receipt, ...]]] = [(0, have, ())]
    while stack and tries:
        tries -= 1
        at, total, taken = stack.pop()
        need = purchase.cost(len(required) + len(taken), change=False)
        if taken and need <= total <= need + spare:
            return taken
        if total > need + spare or at == len(ranked) or total + left[at] < need:
            continue
        coin = ranked[at]
        stack.append((at + 1, total, taken))
        stack.append((at + 1, total + coin.amount, (*taken, coin)))
    return None
