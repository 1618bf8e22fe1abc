"""European prices and Greeks: published tables, fifty digits, edges."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest

from options import errors
from tests.options import exact_european as reference

GREEKS = ("delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm")


def test_haug_black_scholes_and_merton(core: ModuleType) -> None:
    # Haug, The Complete Guide to Option Pricing Formulas, 2nd ed.: 1.1.1 (call 2.1334), 1.1.2 (put 2.4648)
    assert core.black_scholes("call", 60, 65, 0.25, 0.30, 0.08) == pytest.approx(2.1334, abs=5e-5)
    assert core.black_scholes("put", 100, 95, 0.5, 0.20, 0.10, 0.05) == pytest.approx(2.4648, abs=5e-5)


def test_haug_black76(core: ModuleType) -> None:
    # Haug 1.1.3: options on a Brent future, both worth 1.7011
    both = core.black76("both", 19, 19, 0.75, 0.28, 0.10)
    assert both.call == pytest.approx(1.7011, abs=5e-5)
    assert both.put == pytest.approx(1.7011, abs=5e-5)


def test_haug_greeks(core: ModuleType) -> None:
    # Haug 2.1.1 delta: futures option, 105 on 100, half a year, r 10 %, vol 36 %: call 0.5946, put -0.3566
    assert core.black76_greeks("call", 105, 100, 0.5, 0.36, 0.10).delta == pytest.approx(0.5946, abs=5e-5)
    assert core.black76_greeks("put", 105, 100, 0.5, 0.36, 0.10).delta == pytest.approx(-0.3566, abs=5e-5)
    # 2.2.1 gamma: 0.0278; 2.3.1 vega: 18.5027
    assert core.greeks("call", 55, 60, 0.75, 0.30, 0.10).gamma == pytest.approx(0.0278, abs=5e-5)
    assert core.greeks("put", 55, 60, 0.75, 0.30, 0.105, 0.0355).vega == pytest.approx(18.5027, abs=5e-5)


def random_terms(seed: int, count: int, width: float) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    spot = np.exp(rng.normal(4.0, width, count))
    strike = spot * np.exp(rng.normal(0.0, 0.5 * width, count))
    years = np.exp(rng.uniform(-12.0, 2.0, count))
    vol = np.exp(rng.normal(-1.0, width, count))
    rate, dividend = rng.normal(0.02, 0.06, count), rng.normal(0.02, 0.06, count)
    return rng.choice([-1.0, 1.0], count), spot, strike, years, vol, rate, dividend


@pytest.mark.parametrize("width", [0.5, 2.0])
def test_price_against_fifty_digits(core: ModuleType, width: float) -> None:
    """The error stays within a few ulps of what one ulp in the inputs would do."""
    terms = random_terms(5, 250, width)
    found = core.black_scholes(*terms)
    for price, row in zip(found, zip(*terms, strict=True), strict=True):
        exact = reference.black_scholes(*row)
        assert abs(price - exact.price) <= 6 * reference.ULP * exact.sensitivity + 5e-324


@pytest.mark.parametrize("width", [0.5, 2.0])
def test_greeks_against_fifty_digits(core: ModuleType, width: float) -> None:
    terms = random_terms(6, 250, width)
    found = core.greeks(*terms)
    for i, row in enumerate(zip(*terms, strict=True)):
        exact = reference.black_scholes(*row)
        wing = 40 + 8 * max(exact.d1**2, exact.d2**2)
        _, spot, _, years, vol, rate, dividend = (abs(float(x)) for x in row)
        bell = exact.vega / math.sqrt(years)
        scale = {  # sums that may cancel are judged by their parts
            "theta": bell * vol / (2 * math.sqrt(years))
            + dividend * abs(exact.delta) * spot
            + rate * abs(exact.rho) / years,
            "charm": dividend * abs(exact.delta)
            + bell / spot * (abs(rate) + abs(dividend) + (1 + abs(exact.d2)) / years) / (vol * math.sqrt(years)),
            "vanna": bell / spot * (1 + abs(exact.d2)) / vol,
            "volga": exact.vega * (1 + abs(exact.d1)) * (1 + abs(exact.d2)) / vol,
        }  # fmt: skip
        for name in GREEKS:
            error = abs(getattr(found, name)[i] - getattr(exact, name))
            assert error <= wing * reference.ULP * scale.get(name, abs(getattr(exact, name))) + 1e-300, (name, row)


def test_limits_at_zero(core: ModuleType) -> None:
    assert core.black_scholes("call", 110, 100, 0, 0.3, 0.05) == 10
    assert core.black_scholes("put", 110, 100, 0, 0.3, 0.05) == 0
    discounted = 110 * math.exp(-0.02) - 100 * math.exp(-0.05)
    assert core.black_scholes("call", 110, 100, 1, 0, 0.05, 0.02) == pytest.approx(discounted, rel=1e-15)
    assert core.black_scholes("both", 0, 100, 1, 0.3, 0.05) == (0, pytest.approx(100 * math.exp(-0.05)))
    assert core.black_scholes("both", 100, 0, 1, 0.3, 0.05) == (100, 0)
    assert core.black_scholes("call", 0, 0, 1, 0.3) == 0


def test_greeks_at_expiry(core: ModuleType) -> None:
    found = core.greeks("call", 110, 100, 0, 0.3, 0.05, 0.02)
    assert found == (10, 1, 0, 0, pytest.approx(0.02 * 110 - 0.05 * 100), 0, 0, 0, 0.02)
    with pytest.raises(errors.NoLimitError) as caught:
        core.greeks("call", 100, 100, 0, 0.3)
    assert caught.value.quantity == "gamma"
    on_strike = core.greeks("call", np.array([100.0]), 100, 0, 0.3)
    assert on_strike.delta[0] == 0.5
    assert np.isnan(on_strike.gamma[0])


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
def test_bad_scalars_raise_and_bad_elements_are_nan(core: ModuleType, position: int, value: float) -> None:
    values = [100.0, 95.0, 0.5, 0.3, 0.05, 0.02]
    values[position] = value
    if position >= 4 and value == -1.0:
        assert math.isfinite(core.black_scholes("call", *values))
        return
    for function in (core.black_scholes, core.greeks, core.inverse, core.inverse_greeks):
        with pytest.raises(errors.InvalidInputError) as caught:
            function("call", *values)
        assert caught.value.argument == ("spot", "strike", "years", "vol", "rate", "dividend")[position]
        assert np.all(np.isnan(function("both", *map(np.array, values))))


@pytest.mark.parametrize("kind", ["Call", "straddle", 0, 2, -1.5, math.nan])
def test_unknown_kinds(core: ModuleType, kind: object) -> None:
    with pytest.raises(errors.KindError):
        core.black_scholes(kind, 100.0, 100.0, 1.0, 0.2)
    if not isinstance(kind, str):
        prices = core.black_scholes(np.array([1.0, kind]), 100.0, 100.0, 1.0, 0.2)
        assert not np.isnan(prices[0])
        assert np.isnan(prices[1])


@pytest.mark.parametrize("value", [5e-324, 1e-310, 1e-200, 1e200, 1.7e308])
@pytest.mark.parametrize("position", range(4))
def test_extreme_magnitudes(core: ModuleType, position: int, value: float) -> None:
    values = [100.0, 95.0, 0.5, 0.3, 0.0, 0.0]
    values[position] = value
    for sign in (1, -1):
        exact = reference.black_scholes(sign, *values)
        assert core.black_scholes(sign, *values) == pytest.approx(float(exact.price), rel=1e-13, abs=1e-300)
        assert core.greeks(sign, np.array(values[0]), *values[1:]).delta == pytest.approx(
            float(exact.delta), rel=1e-10, abs=1e-300
        )


def test_inverse_is_the_price_in_coin(core: ModuleType) -> None:
    args = (np.array([90.0, 100.0, 130.0]), 100.0, 0.4, 0.7, 0.05, 0.01)
    for kind in ("call", "put"):
        usd, coin = core.greeks(kind, *args), core.inverse_greeks(kind, *args)
        s = args[0]
        np.testing.assert_allclose(coin.price, usd.price / s, rtol=1e-14)
        np.testing.assert_allclose(core.inverse(kind, *args), coin.price, rtol=1e-15)
        np.testing.assert_allclose(coin.delta, usd.delta / s - usd.price / s**2, rtol=1e-12)
        np.testing.assert_allclose(
            coin.gamma, usd.gamma / s - 2 * usd.delta / s**2 + 2 * usd.price / s**3, rtol=1e-11
        )
        np.testing.assert_allclose(coin.vega, usd.vega / s, rtol=1e-14)
        np.testing.assert_allclose(coin.theta, usd.theta / s, rtol=1e-13)
        np.testing.assert_allclose(coin.rho, usd.rho / s, rtol=1e-14)
        np.testing.assert_allclose(coin.vanna, usd.vanna / s - usd.vega / s**2, rtol=1e-12)
        np.testing.assert_allclose(coin.volga, usd.volga / s, rtol=1e-13)
        np.testing.assert_allclose(coin.charm, usd.charm / s - usd.theta / s**2, rtol=1e-11)


def test_black76_is_black_scholes_on_a_forward(core: ModuleType) -> None:
    found, spot = (
        core.black76_greeks("put", 90, 100, 0.5, 0.4, 0.05),
        core.greeks("put", 90, 100, 0.5, 0.4, 0.05, 0.05),
    )
    for name in ("price", "delta", "gamma", "vega", "theta", "vanna", "volga", "charm"):
        assert getattr(found, name) == pytest.approx(getattr(spot, name), rel=1e-14)
    assert found.rho == pytest.approx(-0.5 * found.price, rel=1e-15)
