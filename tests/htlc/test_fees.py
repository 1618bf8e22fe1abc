"""The fee policy: cheap while there is time, up to the leg's worth when there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.port import FeeEstimate
from htlc.fees import Bid, FeePolicy, Purpose, bid, fee_cap

POLICY = FeePolicy(patience=3600, weight=0.2, cap=50_000, step=1000)
ESTIMATE = FeeEstimate(economical=5_000, urgent=20_000, floor=1_000)
VALUE = 1_000_000
T = 1_800_000_000


def offer(purpose=Purpose.CLAIM, now=T, started=T, deadline=None, value=VALUE, last=None, estimate=ESTIMATE):
    return bid(
        estimate, POLICY, purpose, now=now, started=started, deadline=deadline, value=value, last_price=last
    )


def test_far_from_the_deadline_a_claim_is_economical() -> None:
    assert offer(deadline=T + 100_000).price == 5_000


def test_without_a_deadline_a_refund_is_economical_and_costs_a_share_at_most() -> None:
    assert offer(Purpose.REFUND) == Bid(5_000, VALUE // 10)


def test_within_patience_the_first_bid_is_urgent_and_not_the_whole_leg() -> None:
    assert offer(deadline=T + 600).price == 20_000
    assert offer(deadline=T - 86_400).price == 20_000


def test_at_its_deadline_a_claim_bids_what_the_leg_is_worth() -> None:
    found = offer(now=T + 3600, deadline=T + 3600, last=20_000)
    assert found == Bid(5 * VALUE, VALUE)
    assert found.price * 0.2 <= found.cap


def test_a_late_claim_climbs_to_the_leg_within_half_its_patience() -> None:
    assert offer(now=T + 1800, deadline=T - 10, last=20_000).price == 5 * VALUE


def test_a_funding_never_bids_more_than_urgent() -> None:
    assert offer(Purpose.FUND, now=T + 3600, deadline=T + 3600).price == 20_000


def test_a_cancellation_is_urgent_at_once_and_climbs() -> None:
    assert offer(Purpose.CANCEL).price == 20_000
    assert offer(Purpose.CANCEL, now=T + 3600, last=20_000).price == 5 * VALUE


def test_a_replacement_waits_until_nodes_would_relay_it() -> None:
    assert offer(deadline=T + 100_000, last=5_000).price is None
    assert offer(Purpose.REFUND, last=4_445).price is None  # 5000 < 4445 + 1000
    assert offer(Purpose.REFUND, last=4_000).price == 5_000
    assert offer(Purpose.REFUND, estimate=FeeEstimate(90_000, 90_000, 1000), last=80_000).price == 90_000
    assert offer(Purpose.REFUND, estimate=FeeEstimate(89_999, 89_999, 1000), last=80_000).price is None


def test_a_tokens_leg_is_capped_by_configuration() -> None:
    assert offer(now=T + 3600, deadline=T + 3600, value=None) == Bid(250_000, 50_000)


def test_a_cap_below_the_market_still_bids_what_nodes_relay() -> None:
    assert offer(Purpose.REFUND, value=100).price == 1_000  # the wallet then refuses it: FeeAboveCap


@pytest.mark.parametrize(
    ("purpose", "deadline", "cap"),
    [
        (Purpose.CLAIM, None, VALUE),
        (Purpose.CANCEL, None, VALUE),
        (Purpose.REFUND, T, VALUE),
        (Purpose.REFUND, None, VALUE // 10),
        (Purpose.FUND, T, VALUE // 10),
    ],
)
def test_a_fee_may_cost_what_it_saves(purpose, deadline, cap) -> None:
    assert fee_cap(POLICY, purpose, deadline, VALUE) == cap


@given(
    st.sampled_from(Purpose),
    st.integers(-10_000, 100_000),
    st.integers(0, 50_000),
    st.integers(1, 10**7),
    st.integers(1, 10**9),
)
def test_a_bid_is_never_above_its_cap_unless_the_floor_is(purpose, left, waited, price, value) -> None:
    estimate = FeeEstimate(price, price * 3, 1)
    found = bid(
        estimate, POLICY, purpose, now=T + waited, started=T, deadline=T + left, value=value, last_price=None
    )
    assert found.cap <= value
    assert found.price == 1 or found.price * POLICY.weight <= found.cap


@given(st.integers(1, 10**8), st.lists(st.integers(0, 5000), min_size=1, max_size=40))
def test_every_replacement_is_worth_relaying_and_prices_only_grow(value, waits) -> None:
    now, last = T, None
    for wait in waits:
        now += wait
        found = offer(now=now, deadline=T + 50_000, value=value, last=last)
        if found.price is not None and last is not None:
            assert found.price >= last * 1.125
            assert found.price >= last + POLICY.step
        last = found.price or last
