"""Exotic options against mpmath: killed densities summed as images at 60 digits and more, quadratures in time."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from options._kernels import kernels
from options.exotics.barrier import barrier
from options.exotics.double_barrier import double_barrier
from options.exotics.lookback import lookback
from options.exotics.normal import cdf, erfcx, tilted_cdf, use_kernel
from tests.options import exact_exotics as exact
from tests.options.exotic_kernels import exotic_kernel  # noqa: F401

RNG = np.random.default_rng(20261122)
STYLES = ("out", "in")


def _market():
    years = float(10 ** RNG.uniform(-4, 1))
    vol = float(10 ** RNG.uniform(-1.5, 0.5))
    strike = float(100 * np.exp(0.3 * RNG.normal()))
    return strike, years, vol, float(0.1 * RNG.normal()), float(0.1 * RNG.normal())


def _away(years, vol, scale):
    return 1e-6 + scale * abs(float(RNG.normal())) * vol * years**0.5


SINGLE = [(*_market(), float(RNG.normal()), int(RNG.choice([-1, 1]))) for _ in range(25)]
DOUBLE = [
    (*market, _away(market[1], market[2], 2), _away(market[1], market[2], 2))
    for market in (_market() for _ in range(20))
]


@pytest.mark.parametrize("case", SINGLE)
def test_single_barriers(case):
    strike, years, vol, rate, dividend, distance, sign = case
    level = float(100 * np.exp(1.5 * distance * vol * years**0.5))
    ends = (None, level) if level > 100 else (level, None)
    for knock_in in (False, True):
        style = ("up-" if level > 100 else "down-") + STYLES[knock_in]
        price = barrier(sign, 100.0, strike, level, years, vol, rate, dividend, style=style)
        wanted = exact.barrier(sign, 100.0, strike, *ends, years, vol, rate, dividend, knock_in=knock_in)
        scale = (100 + strike) * max(1.0, np.exp(-rate * years), np.exp(-dividend * years))
        assert abs(price - wanted) < 2e-15 * scale


@pytest.mark.parametrize("case", DOUBLE)
def test_double_barriers(case):
    strike, years, vol, rate, dividend, down, up = case
    low, high = float(100 * np.exp(-down)), float(100 * np.exp(up))
    for sign in (1, -1):
        price = double_barrier(sign, 100.0, strike, low, high, years, vol, rate, dividend)
        wanted = exact.barrier(sign, 100.0, strike, low, high, years, vol, rate, dividend, knock_in=False)
        assert abs(price - wanted) < 1e-14 * (100 + strike)


@pytest.mark.parametrize("relative", [-1e-9, 1e-9], ids=["images", "waves"])
@pytest.mark.parametrize("rate", [0.1, 0.0, -0.001, -0.1])
def test_both_series_agree_where_they_meet(relative, rate):
    """At variance / width^2 = 2 / pi the code changes series; each side is checked against the images."""
    vol = float(np.sqrt(2 / np.pi) * np.log(11 / 9) * (1 + relative))
    wanted = exact.barrier(1, 100.0, 100.0, 90.0, 110.0, 1.0, vol, rate, 0.03, knock_in=False)
    assert abs(double_barrier("call", 100, 100, 90, 110, 1, vol, rate, 0.03) - wanted) < 1e-13


@pytest.mark.parametrize(
    ("low", "high", "rate", "vol"),
    [
        (-0.2, None, 0.05, 0.3),
        (-0.2, None, -0.3, 0.5),
        (None, 0.1, 0.02, 0.2),
        (-0.2, 0.3, 0.05, 0.3),
        (-0.1, 0.1, -0.4, 0.5),
    ],
)
def test_rebates_are_the_discounted_first_passage(low, high, rate, vol):
    """A worthless option with a rebate; at the most negative rates the closed form's square root is imaginary."""
    years, dividend = 1.0, 0.01
    with mp.workdps(20):
        ends = [mp.mpf(-np.inf) if low is None else mp.mpf(low), mp.mpf(np.inf) if high is None else mp.mpf(high)]
        wanted = exact.touch(
            *ends, mp.mpf(rate) - dividend - mp.mpf(vol) ** 2 / 2, mp.mpf(vol), mp.mpf(years), mp.mpf(rate)
        )
    if low is not None and high is not None:
        price = double_barrier("call", 1, 1e9, np.exp(low), np.exp(high), years, vol, rate, dividend, rebate=1)
    else:
        style, level = ("down-out", low) if high is None else ("up-out", high)
        price = barrier("call", 1, 1e9, np.exp(level), years, vol, rate, dividend, style=style, rebate=1)
    assert abs(price - wanted) < 1e-10


@pytest.mark.parametrize("carry", [0.0, 1e-14, 1e-8, -1e-4, 0.05, -0.1])
def test_lookbacks_near_zero_carry(carry):
    """The published form divides by the carry; no digit may be lost on the way to zero."""
    for side, kind, level in ((1, "call", 105.0), (1, "call", 100.0), (-1, "put", 95.0)):
        price = lookback(kind, 100.0, level, 0.5, 0.3, 0.05, 0.05 - carry)
        wanted = exact.lookback_excess(side, 100.0, level, 0.5, 0.3, 0.05, 0.05 - carry)
        assert abs(price - wanted) < 1e-12


@pytest.mark.parametrize("kernel", kernels())
def test_normal_tails(kernel, exotic_kernel):  # noqa: F811
    use_kernel(kernel)
    with mp.workdps(40):
        x = np.concatenate((np.linspace(-37, 8, 300), -np.exp(np.linspace(-40, 0, 40))))
        wanted = [mp.erfc(-mp.mpf(float(v)) / mp.sqrt(2)) / 2 for v in x]
        worst = max(abs(mp.mpf(float(a)) / b - 1) for a, b in zip(cdf(x), wanted, strict=True))
        assert worst < 1.5e-15
        y = np.exp(np.linspace(-30, 5, 200))
        wanted = [mp.erfc(v) * mp.exp(v * v) for v in map(mp.mpf, y)]
        assert max(abs(mp.mpf(float(a)) / b - 1) for a, b in zip(erfcx(y), wanted, strict=True)) < 1e-15
        assert np.isnan(cdf(np.array([np.nan]))[0])
        assert cdf(np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]
    use_kernel(exotic_kernel)


@pytest.mark.parametrize("kernel", kernels())
def test_tilted_normals(kernel, exotic_kernel):  # noqa: F811
    """exp(weight) cdf(x) where neither factor is a double; 13 numbers, so that a kernel has a remainder."""
    use_kernel(kernel)
    x = np.array([-150.0, -40.0, -39.0, -9.0, -1.0, -1e-9, 0.0, 0.5, 3.0, 9.0, 60.0, -1e5, 1e5])
    tail = np.array([1.0, -2.0, 0.5, -30.0, 3.0, -1.0, 0.0, -1.0, 2.0, -50.0, -1800.0, -3.0, -5e9])
    weight = tail + x * x / 2
    found = tilted_cdf(weight, tail, x)
    with mp.workdps(40):
        for w, t, z, value in zip(weight, tail, x, found, strict=True):
            scaled = mp.exp(mp.mpf(t)) * mp.erfc(-mp.mpf(z) / mp.sqrt(2)) * mp.exp(mp.mpf(z) ** 2 / 2) / 2
            wanted = scaled if z < 0 else mp.exp(mp.mpf(w)) * mp.erfc(-mp.mpf(z) / mp.sqrt(2)) / 2
            assert abs(value / wanted - 1) < 2e-15
    use_kernel(exotic_kernel)
