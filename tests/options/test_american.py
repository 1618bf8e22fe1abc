"""American options: published tables, QuantLib, the binomial tree, both exercise regions, edges."""

from __future__ import annotations

import math
from itertools import product
from types import ModuleType

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from options import crr, errors

TODAY = ql.Date(1, 1, 2024)


def quantlib(kind: str, spot: float, strike: float, days: int, vol: float, rate: float, dividend: float) -> float:
    """QuantLib's collocation with 60 nodes: its own high-precision scheme, of 30, is right to 1e-7 only."""
    ql.Settings.instance().evaluationDate = TODAY
    count = ql.Actual365Fixed()
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, dividend, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, rate, count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), vol, count)),
    )
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if kind == "call" else ql.Option.Put, strike)
    option = ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, TODAY + days))
    scheme = ql.QdFpTanhSinhIterationScheme(30, 60, 1e-12)
    option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme, ql.QdFpAmericanEngine.FP_A))
    return float(option.NPV())


CASES = [
    ("put", 100, 365, 0.25, 0.05, 0.02),
    ("put", 100, 365, 0.25, 0.02, 0.05),
    ("put", 80, 30, 0.6, 0.04, 0.04),
    ("put", 110, 1095, 0.4, 0.03, 0.06),
    ("put", 100, 365, 0.25, 0.05, -0.02),
    ("call", 100, 365, 0.25, 0.02, 0.05),
    ("call", 120, 730, 0.35, 0.05, 0.04),
    ("put", 100, 3650, 0.3, 0.05, 0.03),
]


@pytest.mark.parametrize("case", CASES)
def test_high_precision_agrees_with_quantlib(
    core: ModuleType, case: tuple[str, float, int, float, float, float]
) -> None:
    kind, spot, days, vol, rate, dividend = case
    expected = quantlib(kind, spot, 100.0, days, vol, rate, dividend)
    found = core.american(kind, spot, 100.0, days / 365, vol, rate, dividend, precision="high")
    assert abs(found - expected) <= 1e-11 * 100.0


def paper_grid() -> np.ndarray:
    """720 options over the ranges of Andersen, Lake and Offengenden's section 6."""
    return np.array(list(product(
        [80.0, 100.0, 120.0], [0.25, 1.0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.02, 0.04, 0.06, 0.08, 0.1],
        [0.0, 0.04, 0.08, 0.12],
    ))).T  # fmt: skip


def test_fast_precision_on_720_options(core: ModuleType, is_twin: bool) -> None:
    every = 9 if is_twin else 1
    spot, years, vol, rate, dividend = (column[::every] for column in paper_grid())
    fast = core.american("put", spot, 100.0, years, vol, rate, dividend)
    high = core.american("put", spot[::9], 100.0, years[::9], vol[::9], rate[::9], dividend[::9], precision="high")
    error = fast[::9] - high
    assert math.sqrt(np.mean(error**2)) <= 5e-6
    assert np.max(np.abs(error)) <= 3e-5
    european = core.black_scholes("put", spot, 100.0, years, vol, rate, dividend)
    assert np.all(fast >= np.maximum(european, 100.0 - spot))


def test_longstaff_schwartz_table_1(core: ModuleType) -> None:
    # Longstaff and Schwartz (Review of Financial Studies 14, 2001), table 1, finite differences: K 40, r 6 %,
    # 50 exercise dates a year, hence a little below the continuous value
    table = {
        (36, 0.2, 1): 4.478,
        (36, 0.4, 2): 8.508,
        (40, 0.2, 1): 2.314,
        (40, 0.4, 2): 6.920,
        (44, 0.4, 1): 3.957,
    }
    for (spot, vol, years), price in table.items():
        assert core.american("put", spot, 40, years, vol, 0.06) == pytest.approx(price, abs=1e-2)


def test_haug_american_calls_and_puts(core: ModuleType) -> None:
    # The terms of Haug, The Complete Guide, 2nd ed., table 3-1 (b = 0, r = 10 %, K = 100), which compares
    # approximations; here the tree decides
    for kind, spot, years, vol in product(("call", "put"), (90.0, 100.0, 110.0), (0.1, 0.5), (0.15, 0.35)):
        tree = np.mean([crr(kind, spot, 100.0, years, vol, 0.1, 0.1, steps=n) for n in (800, 801)])
        assert core.american(kind, spot, 100.0, years, vol, 0.1, 0.1) == pytest.approx(tree, abs=4e-3)


DOUBLE = [
    (100.0, 1.0, 0.1, -0.01, -0.04),
    (100.0, 5.0, 0.1, -0.01, -0.04),
    (100.0, 1.0, 0.1, -0.02, -0.03),
    (100.0, 1.0, 0.05, -0.02, -0.03),
    (100.0, 1.5, 0.2, -0.02, -0.03),  # the boundaries meet after less than half a year
    (24.0, 1.0, 0.1, -0.01, -0.04),  # below the lower boundary
]


@pytest.mark.parametrize("terms", DOUBLE)
def test_double_boundary_against_the_tree(
    core: ModuleType, is_twin: bool, terms: tuple[float, float, float, float, float]
) -> None:
    spot, years, vol, rate, dividend = terms
    coarse = np.mean([crr("put", spot, 100.0, years, vol, rate, dividend, steps=n) for n in (1000, 1001)])
    fine = np.mean([crr("put", spot, 100.0, years, vol, rate, dividend, steps=n) for n in (2000, 2001)])
    found = core.american("put", spot, 100.0, years, vol, rate, dividend)
    assert found == pytest.approx(2 * fine - coarse, abs=2e-5)
    assert found > core.black_scholes("put", spot, 100.0, years, vol, rate, dividend)
    mirrored = core.american("call", 100.0, spot, years, vol, dividend, rate)
    assert mirrored == pytest.approx(found, rel=1e-14)


def test_both_regions_of_the_double_boundary_are_exercised(core: ModuleType) -> None:
    args = (100.0, 1.0, 0.1, -0.01, -0.04)
    for spot in (30.0, 60.0, 90.0):
        assert core.american("put", spot, *args) == 100.0 - spot
    for spot in (26.0, 90.5):
        assert core.american("put", spot, *args) > 100.0 - spot


@pytest.mark.parametrize(
    "terms",
    [
        ("call", 100.0, 110.0, 1.0, 0.3, 0.05, 0.0),
        ("call", 100.0, 90.0, 1.0, 0.3, 0.0, -0.03),
        ("put", 100.0, 110.0, 1.0, 0.3, 0.0, 0.02),
        ("put", 100.0, 110.0, 1.0, 0.3, -0.02, -0.01),
    ],
)
def test_worth_the_european_where_waiting_is_free(core: ModuleType, terms: tuple[float, ...]) -> None:
    assert core.american(*terms) == pytest.approx(core.black_scholes(*terms), rel=1e-15)


def test_greeks_against_differences(core: ModuleType) -> None:
    for kind, spot, rate, dividend in (("put", 95.0, 0.05, 0.02), ("call", 104.0, 0.02, 0.05)):
        terms = {"spot": spot, "strike": 100.0, "years": 0.7, "vol": 0.3, "rate": rate, "dividend": dividend}

        def moved(name: str, step: float, kind: str = kind, terms: dict[str, float] = terms) -> list[float]:
            return [
                core.american(kind, **{**terms, name: terms[name] + i * step}, precision="high")
                for i in (-1, 0, 1)
            ]

        found = core.american_greeks(kind, *terms.values())
        down, middle, up = moved("spot", 0.05)
        assert found.price == pytest.approx(middle, abs=2e-6)
        assert found.delta == pytest.approx((up - down) / 0.1, abs=1e-6)
        assert found.gamma == pytest.approx((up - 2 * middle + down) / 0.05**2, abs=2e-6)
        for name, step, value in (
            ("vol", 1e-4, found.vega),
            ("rate", 1e-4, found.rho),
            ("years", 1e-4, -found.theta),
        ):
            down, _, up = moved(name, step)
            assert value == pytest.approx((up - down) / (2 * step), rel=2e-5)
        wide = moved("vol", 3e-3)
        assert found.volga == pytest.approx((wide[2] - 2 * wide[1] + wide[0]) / 9e-6, rel=2e-3)


def test_exercised_now(core: ModuleType) -> None:
    assert core.american_greeks("put", 50.0, 100.0, 1.0, 0.2, 0.1) == (50.0, -1.0, 0, 0, 0, 0, 0, 0, 0)
    assert core.american_greeks("call", 200.0, 100.0, 1.0, 0.2, 0.01, 0.1)[:3] == (100.0, 1.0, 0.0)


def test_limits(core: ModuleType) -> None:
    assert core.american("put", 90, 100, 0, 0.3, 0.05) == 10
    assert core.american("call", 90, 100, 0, 0.3, 0.05) == 0
    assert core.american("put", 0, 100, 1, 0.3, 0.05) == 100
    assert core.american("put", 0, 100, 1, 0.3, -0.05) == pytest.approx(100 * math.exp(0.05))
    assert core.american("call", 100, 0, 1, 0.3, 0.05) == 100
    # without volatility: the best of exercising now, at expiry, or where interest overtakes dividend
    assert core.american("put", 90, 100, 1, 0, 0.05) == 10
    assert core.american("call", 100, 100, 1, 0, 0.05) == pytest.approx(100 - 100 * math.exp(-0.05))
    times = np.linspace(0, 5, 200_001)
    held = 100 * np.exp(-0.03 * times) - 90 * np.exp(-0.08 * times)
    assert core.american("call", 100, 90, 5, 0, 0.08, 0.03) == pytest.approx(held.max(), rel=1e-9)
    assert core.american("put", 90, 100, 1, 1e-4, 0.05) == pytest.approx(10, abs=1e-6)


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 1e300])
def test_bad_input(core: ModuleType, position: int, value: float) -> None:
    values = [100.0, 95.0, 0.5, 0.3, 0.05, 0.02]
    values[position] = value
    if position >= 4 and value == -1.0:
        assert math.isfinite(core.american("put", *values))
        return
    with pytest.raises(errors.OptionsError):
        core.american("put", *values)
    assert np.isnan(core.american("put", *(np.array([v]) for v in values))[0])


def test_random_terms_stay_within_bounds(core: ModuleType, is_twin: bool) -> None:
    rng = np.random.default_rng(11)
    n = 60 if is_twin else 1500
    spot, strike = np.exp(rng.normal(4, 0.4, n)), np.full(n, 55.0)
    years, vol = np.exp(rng.uniform(-7, 2.5, n)), np.exp(rng.uniform(-3.5, 0.7, n))
    rate, dividend = rng.normal(0.02, 0.06, n), rng.normal(0.02, 0.06, n)
    keep = (rate >= 0) & (dividend >= 0) if is_twin else np.ones(n, bool)
    for sign in (1.0, -1.0):
        args = [a[keep] for a in (spot, strike, years, vol, rate, dividend)]
        found = core.american(sign, *args)
        assert np.all(np.isfinite(found))
        floor = np.maximum(core.black_scholes(sign, *args), sign * (args[0] - args[1]))
        assert np.all(found >= floor * (1 - 1e-14))
        most = (
            args[0] * np.exp(np.maximum(-args[5], 0) * args[2])
            if sign > 0
            else args[1] * np.exp(np.maximum(-args[4], 0) * args[2])
        )
        assert np.all(found <= most)


def test_unknown_precision(core: ModuleType) -> None:
    with pytest.raises(errors.KindError) as caught:
        core.american("put", 100, 100, 1, 0.2, precision="exact")
    assert caught.value.argument == "precision"


def test_tree_converges_to_black_scholes(core: ModuleType) -> None:
    exact = core.black_scholes("call", 105.0, 100.0, 0.8, 0.35, 0.03, 0.01)
    errors_ = [
        abs(crr("call", 105.0, 100.0, 0.8, 0.35, 0.03, 0.01, steps=n, exercise="european") - exact)
        for n in (50, 2000)
    ]
    assert errors_[1] < 5e-3
    assert errors_[1] < errors_[0]
    with pytest.raises(errors.InvalidInputError, match="steps"):
        crr("call", 100.0, 100.0, 1.0, 0.001, 0.1, steps=10)


def test_the_two_precisions_agree_over_wide_terms(core: ModuleType, is_twin: bool) -> None:
    """A day to thirty years, volatilities of 0.5 % to 150 %, drifts far stronger than the volatility."""
    ranges = ((90.0, 100.0, 110.0), (1 / 365, 0.1, 1.0, 10.0, 30.0), (0.005, 0.01, 0.03, 0.1, 0.4, 1.5))
    rates = ((0.001, 0.01, 0.05, 0.15), (-0.05, 0.0, 0.001, 0.01, 0.05, 0.15))
    every = np.array(list(product(*ranges, *rates)))
    spot, *terms = every[:: 181 if is_twin else 7 if core.kernel_name() == "avx512" else 41].T
    fast = core.american("put", spot, 100.0, *terms)
    high = core.american("put", spot, 100.0, *terms, precision="high")
    assert np.max(np.abs(fast - high)) <= 1e-4


@pytest.mark.parametrize(
    "terms",
    [(100.0, 30.0, 0.03, 0.15, 0.0), (100.0, 30.0, 0.1, 0.15, -0.05), (100.0, 40.0, 0.1, 0.05, 0.0)],
)
def test_perpetual_limit(core: ModuleType, terms: tuple[float, float, float, float, float]) -> None:
    """Where the drift carries the spot away, the perpetual put of Merton (1973) in closed form."""
    spot, years, vol, rate, dividend = terms
    a, b = 0.5 * vol**2, rate - dividend - 0.5 * vol**2
    power = -(b + math.sqrt(b * b + 4 * a * rate)) / (2 * a)
    boundary = 100.0 * power / (power - 1)
    perpetual = (100.0 - boundary) * (spot / boundary) ** power
    assert core.american("put", spot, 100.0, years, vol, rate, dividend) == pytest.approx(perpetual, abs=1e-3)
