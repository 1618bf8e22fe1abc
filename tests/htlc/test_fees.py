"""The fee policy: cheap while there is time, up to the leg's worth when there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.port import FeeEstimate
from htlc.fees import SAMPLE_PRICE, Bid, Climb, FeePolicy, Purpose, bid, climb, fee_cap

POLICY = FeePolicy(patience=3600, usual_cost=200 * SAMPLE_PRICE // 1000, cap=50_000, step=1000)
ESTIMATE = FeeEstimate(economical=5_000, urgent=20_000, floor=1_000)
VALUE = 1_000_000
T = 1_800_000_000


def offer(
    purpose=Purpose.CLAIM, now=T, started=T, deadline=None, value=VALUE, last=None, estimate=ESTIMATE, due=False
):
    since = Climb(started, due)
    return bid(estimate, POLICY, purpose, now=now, started=since, deadline=deadline, value=value, last_price=last)


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
        estimate,
        POLICY,
        purpose,
        now=T + waited,
        started=Climb(T),
        deadline=T + left,
        value=value,
        last_price=None,
    )
    assert found.cap <= value
    assert found.price == 1 or found.price * POLICY.usual_cost <= found.cap * SAMPLE_PRICE


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


# --- outages ---------------------------------------------------------------------------------------------

PAUSE = POLICY.pause


def test_a_lineage_from_before_an_outage_does_not_bid_the_leg_on_return() -> None:
    """The deadline is long past, and half an hour of the climb too; but nobody was there to be outbid."""
    started = climb([T], watched=T + 50_000, pause=PAUSE, now=T + 50_000)
    assert started == Climb(T + 50_000, due=True)
    for purpose in (Purpose.REFUND, Purpose.CLAIM, Purpose.CANCEL):
        found = offer(purpose, T + 50_000, started.since, deadline=T + 900, last=18_000, due=True)
        assert found.price == 20_250  # one eighth more, which is above the urgent price


def test_the_return_is_marked_even_where_the_market_is_below_the_last_bid() -> None:
    assert offer(now=T + 50_000, started=T + 50_000, deadline=T, last=80_000, due=True).price == 90_000
    assert offer(now=T + 50_000, started=T + 50_000, deadline=T, last=80_000).price is None


def test_no_mark_where_there_is_time_and_nothing_at_stake() -> None:
    assert offer(Purpose.REFUND, last=5_000, due=True).price is None
    assert offer(deadline=T + 100_000, last=5_000, due=True).price is None
    assert offer(Purpose.FUND, deadline=T + 10, last=20_000, due=True).price is None


def test_what_a_short_crash_cuts_goes_on_where_it_was() -> None:
    signed = [T, T + 1000, T + 1500]
    assert climb(signed, watched=T + 2000, pause=PAUSE, now=T + 2500) == Climb(T)
    assert climb(signed, watched=T - 90_000, pause=PAUSE, now=T + 90_000) == Climb(T)


def test_the_climb_counts_from_the_bid_that_marked_the_return() -> None:
    signed = [T, T + 900, T + 50_000, T + 50_500]
    assert climb(signed, watched=T + 50_600, pause=PAUSE, now=T + 50_700) == Climb(T + 50_000)


def test_a_first_bid_starts_its_own_climb() -> None:
    assert climb([], watched=T - 500, pause=PAUSE, now=T) == Climb(T)


class Market:
    """A party that bids, crashes and comes back, and what it has stored."""

    def __init__(self, estimate: FeeEstimate) -> None:
        self.estimate = estimate
        self.now = self.watched = self.last = T
        self.signed: list[tuple[int, int]] = []  # when, and the price

    def look(self, after: int, crash: bool, deadline: int) -> int | None:
        self.now += after
        if crash or self.now - self.last > PAUSE:
            self.watched = self.now
        self.last = self.now
        started = climb([at for at, _ in self.signed], self.watched, PAUSE, self.now)
        last = self.signed[-1][1] if self.signed else None
        found = bid(
            self.estimate,
            POLICY,
            Purpose.CLAIM,
            now=self.now,
            started=started,
            deadline=deadline,
            value=VALUE,
            last_price=last,
        )
        if found.price is not None:
            self.signed.append((self.now, found.price))
        return found.price


ESTIMATES = st.builds(lambda low, high: FeeEstimate(low, low * high, 1), st.integers(1, 10**6), st.integers(1, 9))
SHORT = st.lists(st.tuples(st.integers(1, PAUSE // 3), st.booleans()), max_size=60)


@given(ESTIMATES, SHORT, st.integers(0, 3 * POLICY.patience))
def test_crashes_do_not_hold_up_a_climb(estimate, looks, left) -> None:
    """However often it crashes, so long as it is back before a pause: the leg is bid in the end, and in time."""
    market, deadline = Market(estimate), T + left
    for after, crash in looks:
        market.look(after, crash, deadline)
    end = max(deadline, T) + 2 * PAUSE
    while market.now <= end:
        market.look(60, market.now % 7 == 0, deadline)
    assert market.signed[-1][1] * 9 / 8 + POLICY.step >= 5 * VALUE


@given(ESTIMATES, SHORT, st.integers(PAUSE + 1, 10**6), st.integers(0, POLICY.patience))
def test_the_first_bid_after_an_outage_is_sober(estimate, looks, out, left) -> None:
    market, deadline = Market(estimate), T + left
    market.look(0, False, deadline)
    for after, crash in looks:
        market.look(after, crash, deadline)
    last = market.signed[-1][1]
    price = market.look(out, False, deadline)
    assert price is None or price <= max(estimate.urgent, POLICY.least(last))


@given(ESTIMATES, st.lists(st.integers(PAUSE + 1, 10**5), min_size=80, max_size=80))
def test_who_returns_again_and_again_bids_more_each_time(estimate, outages) -> None:
    market = Market(estimate)
    market.look(0, False, T)
    for out in outages:
        before = market.signed[-1][1]
        price = market.look(out, True, T)
        assert price is not None or POLICY.least(before) > 5 * VALUE
    assert market.signed[-1][1] * 9 / 8 + POLICY.step >= 5 * VALUE
