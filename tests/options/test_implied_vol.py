"""Implied volatility: to the precision of the price over the whole grid, and typed refusals outside the bounds."""

from __future__ import annotations

import math
from types import ModuleType

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from options import backend, errors
from tests.options import exact_european as exact

FORWARD = 100.0


def rounded_prices() -> np.ndarray:
    """Rows of sign, price, strike, s, vega: prices right to the last bit for F = 100, K = 100 e^k, |k| <= 8."""
    rows = []
    for k in [*np.linspace(-8, 8, 17), 1e-8, -1e-8, 1e-12, 1e-3, -0.05]:
        strike = FORWARD * math.exp(k)
        for s in np.exp(np.linspace(math.log(1e-6), math.log(8.0), 45)):
            for sign in (1, -1):
                terms = exact.black_scholes(sign, FORWARD, strike, 1.0, s)
                price = float(terms.price)
                intrinsic, bound = max(0.0, sign * (FORWARD - strike)), FORWARD if sign > 0 else strike
                if intrinsic < price < bound and price > 1e-307:
                    rows.append((sign, price, strike, s, float(terms.vega)))
    return np.array(rows)


@pytest.fixture(scope="module")
def grid() -> np.ndarray:
    return rounded_prices()


def test_error_within_eight_times_attainable(core: ModuleType, is_twin: bool, grid: np.ndarray) -> None:
    """Attainable: half an ulp of the price, as volatility, and half an ulp of the volatility."""
    sign, price, strike, s, vega = grid.T
    found = core.implied_vol(sign, price, FORWARD, strike, 1.0)
    attainable = np.spacing(price) / 2 / vega + np.spacing(s) / 2
    assert np.max(np.abs(found - s) / attainable) <= (40.0 if is_twin else 8.0)


def test_scalars_agree_with_arrays(core: ModuleType, grid: np.ndarray) -> None:
    for sign, price, strike, s, _ in grid[::97]:
        kind = "call" if sign > 0 else "put"
        found = core.implied_vol(kind, price, FORWARD, strike, 0.25)
        assert found == pytest.approx(2 * s, rel=1e-9)
        assert found == core.implied_vol(np.array([sign]), price, FORWARD, strike, 0.25)[0]


def test_jaeckel_by_implication_example(core: ModuleType) -> None:
    # Jaeckel, By Implication (2006): the normalised price at the inflection point, in closed form for x = -2:
    # b_c = e^{x/2} / 2 - e^{-x/2} N(-sqrt(2|x|))
    b = math.exp(-1) / 2 - math.exp(1) * float(exact.cdf(mp.mpf(-2)))
    assert core.implied_vol("call", b, math.exp(-1), math.exp(1), 1.0) == pytest.approx(2.0, rel=1e-14)


def test_hull_example(core: ModuleType) -> None:
    # Hull, Options, Futures and Other Derivatives, section 15.11: S 21, K 20, r 10 %, T 0.25, call 1.875: 23.5 %
    forward = 21 * math.exp(0.1 * 0.25)
    assert core.implied_vol("call", 1.875, forward, 20, 0.25, 0.1) == pytest.approx(0.235, abs=5e-4)


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_minutes_to_expiry_at_the_money(core: ModuleType, minutes: int) -> None:
    years = minutes / 525_960
    for strike in (60_000.0, 60_000.01, 59_990.0):
        terms = exact.black_scholes(1, 60_000.0, strike, years, 0.55)
        found = core.implied_vol("call", float(terms.price), 60_000.0, strike, years)
        attainable = np.spacing(float(terms.price)) / float(terms.vega) + np.spacing(0.55)
        assert abs(found - 0.55) <= 8 * attainable


def test_prices_below_the_normal_range(core: ModuleType) -> None:
    for s in (0.0373, 0.0376):
        terms = exact.black_scholes(1, 1.0, 4.0, 1.0, s)
        price = float(terms.price)
        assert 0.0 < price < 1e-292
        attainable = np.spacing(price) / float(terms.vega) + np.spacing(s)
        assert abs(core.implied_vol("call", price, 1.0, 4.0, 1.0) - s) <= 40 * attainable


@pytest.mark.parametrize("scale", [1e-300, 1e-80, 1e80, 1e300])
def test_any_unit_of_money(core: ModuleType, scale: float) -> None:
    price = float(exact.black_scholes(-1, 1.0, 0.8, 0.7, 0.9).price)
    found = core.implied_vol("put", price * scale, scale, 0.8 * scale, 0.7)
    assert found == pytest.approx(0.9, rel=1e-14)


def test_bounds(core: ModuleType) -> None:
    assert core.implied_vol("call", 0.0, 100, 120, 1) == 0.0
    assert core.implied_vol("call", 10.0, 100, 90, 1) == 0.0
    assert core.implied_vol("put", 10.0, 90, 100, 1) == 0.0
    for kind, price, strike in (
        ("call", 100.0, 90), ("call", 101.0, 90), ("call", math.nextafter(10.0, 0.0), 90), ("put", 90.0, 90),
        ("call", -1e-300, 120),
    ):  # fmt: skip
        with pytest.raises(errors.PriceOutsideBoundsError) as caught:
            core.implied_vol(kind, price, 100, strike, 1)
        assert caught.value.price == price
        assert np.isnan(core.implied_vol(kind, np.array([price]), 100, strike, 1)[0])


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 0.0])
def test_bad_input(core: ModuleType, position: int, value: float) -> None:
    values = [8.0, 100.0, 100.0, 1.0, 0.01]
    values[position] = value
    if (position in (0, 4) and value == 0.0) or (position == 4 and value == -1.0):
        assert core.implied_vol("call", *values) >= 0.0
        return
    with pytest.raises(errors.OptionsError):
        core.implied_vol("call", *values)
    assert np.isnan(core.implied_vol("call", *(np.array([v]) for v in values))[0])


def test_discounted_deep_in_the_money_never_fails(core: ModuleType) -> None:
    """A price that rounds to the discounted intrinsic value has volatility 0, not none."""
    strike, years = np.linspace(1.0, 60.0, 200), 0.7
    price = core.black76("call", 100.0, strike, years, 0.01, 0.07)
    assert not np.any(np.isnan(core.implied_vol("call", price, 100.0, strike, years, 0.07)))


kinds = st.sampled_from(["call", "put"])


@pytest.mark.parametrize("name", backend.available())
@settings(max_examples=150, deadline=None)
@given(
    kind=kinds,
    k=st.floats(-3, 3),
    years=st.floats(1e-5, 5),
    vol=st.floats(0.05, 3),
    rate=st.floats(-0.1, 0.2),
)
def test_round_trip(name: str, kind: str, k: float, years: float, vol: float, rate: float) -> None:
    core = backend.load(name)
    strike = FORWARD * math.exp(k)
    full = core.black76_greeks(kind, FORWARD, strike, years, vol, rate)
    if full.vega < 1e-200:
        return
    # rounding of the price by a few ulps of its largest part, carried over to the volatility
    slack = 8 * (np.spacing(FORWARD) + np.spacing(strike)) / full.vega + 1e-13 * vol
    if full.price / full.vega < 1e-3 * slack or slack > 0.01 * vol:
        return
    found = core.implied_vol(kind, full.price, FORWARD, strike, years, rate)
    assert abs(found - vol) <= slack
