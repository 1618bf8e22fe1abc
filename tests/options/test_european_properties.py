"""What every European price must do, whatever the terms."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from options import backend

TERMS = {
    "spot": st.floats(0.01, 1e6),
    "moneyness": st.floats(-2, 2),
    "years": st.floats(1e-6, 20),
    "vol": st.floats(1e-3, 4),
    "rate": st.floats(-0.1, 0.3),
    "dividend": st.floats(-0.1, 0.3),
}
each_core = pytest.mark.parametrize("name", backend.available())
many = settings(max_examples=80, deadline=None)


@each_core
@many
@given(**TERMS)
def test_parity_and_bounds(
    name: str, spot: float, moneyness: float, years: float, vol: float, rate: float, dividend: float
) -> None:
    core = backend.load(name)
    strike = spot * math.exp(moneyness)
    found = core.black_scholes("both", spot, strike, years, vol, rate, dividend)
    asset, cash = spot * math.exp(-dividend * years), strike * math.exp(-rate * years)
    ulp = np.spacing(max(asset, cash))
    assert abs(found.call - found.put - (asset - cash)) <= 4 * ulp
    assert max(0.0, asset - cash) - 2 * ulp <= found.call <= asset + 2 * ulp
    assert max(0.0, cash - asset) - 2 * ulp <= found.put <= cash + 2 * ulp
    for kind, price in (("call", found.call), ("put", found.put)):
        assert core.black_scholes(kind, spot, strike, years, vol, rate, dividend) == price


@each_core
@many
@given(factor=st.integers(-40, 40), **TERMS)
def test_homogeneity(
    name: str, spot: float, moneyness: float, years: float, vol: float, rate: float, dividend: float, factor: int
) -> None:
    """A unit of money twice as large halves the price, to the last bit."""
    core = backend.load(name)
    strike, unit = spot * math.exp(moneyness), 2.0**factor
    one = core.black_scholes("call", spot, strike, years, vol, rate, dividend)
    assert core.black_scholes("call", spot * unit, strike * unit, years, vol, rate, dividend) == one * unit


def test_monotone_and_convex(core: ModuleType) -> None:
    spot, vol = np.linspace(40.0, 220.0, 400), np.linspace(0.01, 3.0, 400)
    call, put = core.black_scholes("both", spot, 100.0, 0.7, 0.35, 0.04, 0.01)
    assert np.all(np.diff(call) > 0)
    assert np.all(np.diff(put) < 0)
    assert np.all(np.diff(call, 2) > -1e-12)
    assert np.all(np.diff(core.black_scholes("call", 100.0, 130.0, 0.7, vol)) >= 0)
    strikes = core.black_scholes("call", 100.0, spot, 0.7, 0.35, 0.04)
    assert np.all(np.diff(strikes) < 0)
    assert np.all(np.diff(strikes, 2) > -1e-12)


@pytest.mark.parametrize(
    ("price", "full"),
    [("black_scholes", "greeks"), ("black76", "black76_greeks"), ("inverse", "inverse_greeks")],
)
@pytest.mark.parametrize("kind", ["call", "put"])
def test_greeks_against_differences(core: ModuleType, price: str, full: str, kind: str) -> None:
    terms = [103.0, 98.0, 0.6, 0.45, 0.03, *([] if price == "black76" else [0.015])]

    def moved(function: str, index: int, step: float) -> list[object]:
        rows = []
        for i in (-2, -1, 1, 2):
            shifted = list(terms)
            shifted[index] += i * step
            rows.append(getattr(core, function)(kind, *shifted))
        return rows

    def slope(rows: list[float], step: float) -> float:
        return (8 * (rows[2] - rows[1]) - (rows[3] - rows[0])) / (12 * step)

    found = getattr(core, full)(kind, *terms)
    first = {"delta": (0, 0.1, 1), "vega": (3, 1e-3, 1), "theta": (2, 1e-3, -1), "rho": (4, 1e-3, 1)}
    for name, (index, step, sign) in first.items():
        assert getattr(found, name) == pytest.approx(
            sign * slope(moved(price, index, step), step), rel=1e-8, abs=1e-12
        )
    second = {
        "gamma": ("delta", 0, 0.1, 1),
        "vanna": ("delta", 3, 1e-3, 1),
        "volga": ("vega", 3, 1e-3, 1),
        "charm": ("delta", 2, 1e-3, -1),
    }
    for name, (of, index, step, sign) in second.items():
        rows = [getattr(g, of) for g in moved(full, index, step)]
        assert getattr(found, name) == pytest.approx(sign * slope(rows, step), rel=1e-7, abs=1e-13)


def test_both_at_once_is_each_alone(core: ModuleType) -> None:
    spot = np.linspace(50.0, 200.0, 97)
    both = core.greeks("both", spot, 100.0, 0.4, 0.6, 0.02, 0.01)
    call, put = (core.greeks(kind, spot, 100.0, 0.4, 0.6, 0.02, 0.01) for kind in ("call", "put"))
    assert np.array_equal(both.call, call.price)
    assert np.array_equal(both.put, put.price)
    for name in ("delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm"):
        assert np.array_equal(getattr(both, name), getattr(call, name))
    np.testing.assert_allclose(call.delta - put.delta, np.exp(-0.01 * 0.4), rtol=1e-15)
