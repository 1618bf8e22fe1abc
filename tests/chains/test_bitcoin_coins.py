"""Coin selection: what is chosen covers what it pays, and what is refused could not be paid."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.blocks import Receipt
from chains.bitcoin.coins import COIN_WEIGHT, Bid, Purchase, select
from chains.bitcoin.transaction import (
    OUTPUT_P2WPKH_WEIGHT,
    OUTPUT_P2WSH_WEIGHT,
    OVERHEAD_WEIGHT,
    fee_for,
    vbytes,
)

DUST = 294


def coins(*amounts: int, start: int = 0) -> list[Receipt]:
    return [
        Receipt((start + index).to_bytes(36, "big"), b"script", amount, 1, 1)
        for index, amount in enumerate(amounts)
    ]


bids = st.builds(Bid, st.integers(1000, 500_000), st.integers(0, 50_000), st.integers(0, 5_000))
amounts = st.lists(st.integers(1, 10**6), max_size=12)


@given(amounts, amounts, st.integers(330, 3 * 10**6), bids)
def test_a_selection_pays_exactly(first: list[int], second: list[int], amount: int, bid: Bid) -> None:
    required, others = coins(*first), coins(*second, start=100)
    purchase = Purchase(amount, OUTPUT_P2WSH_WEIGHT, bid, DUST)
    chosen = select(purchase, required, others)
    if chosen is None:
        # not even with all of them, or all but those that cost more than they bring
        everything = required + others
        worth = [one for one in others if one.amount > bid.fee(COIN_WEIGHT)]
        for pile in (everything, required + worth):
            if pile:
                assert sum(one.amount for one in pile) < purchase.cost(len(pile), change=True) + DUST
        return
    assert list(chosen.coins[: len(required)]) == required  # in their order: the lineage's common inputs
    assert len(set(chosen.coins)) == len(chosen.coins)
    assert set(chosen.coins) <= {*required, *others}
    weight = OVERHEAD_WEIGHT + OUTPUT_P2WSH_WEIGHT + len(chosen.coins) * COIN_WEIGHT
    weight += OUTPUT_P2WPKH_WEIGHT if chosen.change else 0
    fee = sum(one.amount for one in chosen.coins) - amount - chosen.change
    assert fee >= bid.fee(weight)
    if chosen.change:
        assert chosen.change >= DUST
        assert fee == bid.fee(weight)
    else:
        spare = fee_for(OUTPUT_P2WPKH_WEIGHT + COIN_WEIGHT, bid.price)
        extra = bid.fee(weight + OUTPUT_P2WPKH_WEIGHT) - bid.fee(weight)
        assert fee - bid.fee(weight) <= max(spare, extra + DUST)


@given(st.integers(1000, 500_000), st.integers(0, 10**6), st.integers(1000, 5000), st.integers(400, 10_000))
def test_replacements_pay_for_what_they_evict(price: int, base: int, step: int, weight: int) -> None:
    """BIP125, rules 3 and 4: more in all, and more by what relaying it costs."""
    fee = Bid(price, base, step).fee(weight)
    assert fee >= base + vbytes(weight) * step / 1000
    assert fee >= vbytes(weight) * price / 1000


def test_a_set_without_change_is_preferred() -> None:
    purchase = Purchase(10_000, OUTPUT_P2WSH_WEIGHT, Bid(1000), DUST)
    exact = purchase.cost(2, change=False)
    chosen = select(purchase, [], coins(10**6, 4_000, exact - 4_000, 3_000))
    assert chosen is not None
    assert chosen.change == 0
    assert sorted(one.amount for one in chosen.coins) == sorted((4_000, exact - 4_000))


def test_the_largest_come_first() -> None:
    purchase = Purchase(10_000, OUTPUT_P2WSH_WEIGHT, Bid(1000), DUST)
    chosen = select(purchase, [], coins(5_000, 90_000, 20_000, 70_000))
    assert chosen is not None
    assert [one.amount for one in chosen.coins] == [90_000]


def test_many_coins_take_no_time() -> None:
    purchase = Purchase(10**9 + 7, OUTPUT_P2WSH_WEIGHT, Bid(1000), DUST)
    chosen = select(purchase, [], coins(*(10**6 + index for index in range(2000))))
    assert chosen is not None
    assert len(chosen.coins) < 1010
