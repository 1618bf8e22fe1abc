"""Contracts, payoffs in integers, amounts from floats, and the premium of a deal."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

import options
from options.amounts import (
    AmountTextError,
    Rounding,
    format_units,
    parse_units,
    payout_units,
    premium_units,
    to_coins,
    to_units,
)
from options.contracts import Amount, Asset, DigitalContract, OptionContract, Price
from options.errors import InvalidInputError, KindError
from options.quoting import Market, Window, quote

BTC, USDC, ETH = Asset("BTC", 8), Asset("USDC", 6), Asset("ETH", 18)
units = st.integers(1, 10**30)


def contract(kind="call", coins=10_000_000, strike=6_000_000_000):
    return OptionContract(kind, Amount(BTC, coins), Amount(USDC, strike), 1_800_000_000)


def dollars(price):
    """Dollars a bitcoin, in units of both."""
    return Price(price * 10**6, 10**8)


@pytest.mark.parametrize(
    ("price", "call", "put"), [(60_000, 0, 0), (66_000, 600_000_000, 0), (54_000, 0, 600_000_000)]
)
def test_payoffs(price, call, put):
    assert contract("call").payoff(dollars(price)) == call
    assert contract("put").payoff(dollars(price)) == put


def test_an_inverse_option_pays_in_its_underlying():
    assert contract("call").coin_payoff(dollars(66_000)) == 909_090  # 600 / 66,000 bitcoin, rounded down
    assert contract("put").coin_payoff(dollars(54_000)) == 1_111_111
    assert contract("call").coin_payoff(Price(0, 1)) == 0
    with pytest.raises(InvalidInputError):
        contract("put").coin_payoff(Price(0, 1))


@given(st.sampled_from(["call", "put"]), units, units, st.integers(0, 10**30), units)
def test_no_payoff_exceeds_the_collateral(kind, coins, strike, above, below):
    price = Price(above, below)
    option = contract(kind, coins, strike)
    payoff = option.payoff(price)
    assert 0 <= payoff <= max(option.gain(price), 0) < payoff + 1
    if kind == "put":
        assert payoff <= option.collateral.units
    else:
        assert option.coin_payoff(price) <= option.collateral.units
    other = contract("put" if kind == "call" else "call", coins, strike)
    assert option.gain(price) == -other.gain(price)


def test_who_locks_what():
    call, put = contract("call"), contract("put")
    assert (call.collateral, call.payment) == (call.underlying, call.strike)
    assert (put.collateral, put.payment) == (put.strike, put.underlying)


def test_digital_contracts():
    option = DigitalContract("call", dollars(60_000), Amount(USDC, 1000), 1)
    assert [option.payoff(dollars(p)) for p in (59_999, 60_000, 60_001)] == [0, 0, 1000]
    option = DigitalContract("put", dollars(60_000), Amount(USDC, 1000), 1)
    assert [option.payoff(dollars(p)) for p in (59_999, 60_000, 60_001)] == [1000, 0, 0]


def test_contracts_are_checked_and_frozen():
    with pytest.raises(KindError):
        contract("straddle")
    for bad in (0, -1, 1.5, True):
        with pytest.raises(InvalidInputError):
            contract(coins=bad)
    with pytest.raises(InvalidInputError):
        Asset("X", 78)
    with pytest.raises(InvalidInputError):
        Price(1, 0)
    with pytest.raises(FrozenInstanceError):
        contract().kind = "put"


@given(st.floats(0, 1e15), st.integers(0, 18))
def test_floats_become_units_by_one_rounding(value, decimals):
    exact = Fraction(value) * 10**decimals
    up, down = premium_units(value, decimals), payout_units(value, decimals)
    assert down <= exact <= up <= down + 1
    assert (up == down) == (exact.denominator == 1)
    assert to_units(Fraction(up, 10**decimals), decimals, Rounding.DOWN) == up


@given(st.integers(0, 10**40), st.integers(0, 18))
def test_text_and_units_are_one(amount, decimals):
    text = format_units(amount, decimals)
    assert parse_units(text, decimals) == amount
    assert to_coins(amount, decimals) == pytest.approx(float(text), rel=1e-15)


@pytest.mark.parametrize("text", ["", "1,5", "-1", "0.001", "nan", "inf", "1e-9"])
def test_text_that_is_no_amount(text):
    with pytest.raises(AmountTextError):
        parse_units(text, 2)


@pytest.mark.parametrize("value", [-1.0, nan, inf])
def test_no_amount_from_a_bad_float(value):
    with pytest.raises(InvalidInputError):
        premium_units(value, 8)


DAY = Window(0, 3600, 86_400)


def test_the_premium_of_a_call_in_the_strikes_units():
    found = quote(contract(), Market(60_000, 0.6), DAY)
    fair = 0.1 * options.black_scholes("call", 60_000, 60_000, 24 / 8760, 0.6)
    assert found.fair == pytest.approx(fair, rel=1e-14)
    assert found.premium.asset == USDC
    assert fair <= to_coins(found.premium.units, 6) <= fair + 1e-6
    assert found.per_hour == pytest.approx(found.fair / 24)
    # the writer's free look of an hour: what the option can move in that time
    assert found.free_look == pytest.approx(found.delta * 60_000 * options.lock_premium(0.6, 1, "black-scholes"))


def test_a_put_is_the_call_with_the_assets_exchanged():
    """A put on bitcoin in dollars is a call on dollars in bitcoin: same premium, to the last unit or so."""
    put = quote(contract("put"), Market(60_000, 0.6), DAY)
    exchanged = OptionContract("call", Amount(USDC, 6_000_000_000), Amount(BTC, 10_000_000), 0)
    call = quote(exchanged, Market(1 / 60_000, 0.6), DAY)
    assert put.premium.asset == call.premium.asset == BTC
    assert put.premium.units == pytest.approx(call.premium.units, abs=1)


def test_the_spread_goes_to_the_writer():
    plain, wide = (quote(contract(), Market(60_000, 0.6), DAY, spread) for spread in (0.0, 0.25))
    assert wide.fair == plain.fair
    assert wide.premium.units == pytest.approx(1.25 * plain.premium.units, abs=2)


def test_a_dust_premium_is_one_unit_not_none():
    assert quote(contract(strike=10**15), Market(60_000, 0.1), DAY).premium.units in (0, 1)
    assert quote(contract(strike=7_000_000_000), Market(60_000, 0.3), DAY).premium.units >= 1


@pytest.mark.parametrize("bad", [(0, -1, 5), (0, 5, 5), (10, 5, 20)])
def test_windows_are_in_order(bad):
    with pytest.raises(InvalidInputError):
        Window(*bad)


def test_bad_markets_are_refused():
    for bad in ({"spot": 0.0}, {"spot": nan}, {"vol": -1.0}, {"rate": inf}):
        with pytest.raises(InvalidInputError):
            Market(**({"spot": 1.0, "vol": 0.5} | bad))
    with pytest.raises(InvalidInputError):
        quote(contract(), Market(1.0, 0.5), DAY, spread=-0.1)
