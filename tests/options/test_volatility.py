"""Smiles: arbitrage checks on published examples, calibration to known slices; realised volatility."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import options
from options.errors import InvalidInputError, ShapeError
from options.volatility import (
    SVI,
    Expiry,
    Surface,
    TooFewPricesError,
    TooFewQuotesError,
    butterfly,
    calendar,
    calibrate,
    close_to_close,
    garman_klass,
    parkinson,
    rogers_satchell,
    yang_zhang,
)

# Gatheral and Jacquier, Quantitative Finance 14, 2014, example 3.1 (found by Axel Vogt): a slice with a butterfly
VOGT = SVI(-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
PLAIN = SVI(0.04, 0.1, -0.4, 0.05, 0.2)

slices = st.builds(
    lambda v, b, rho, m, sigma: SVI(v - b * sigma * (1 - rho * rho) ** 0.5, b, rho, m, sigma),
    st.floats(0.001, 0.2),
    st.floats(0.001, 0.5),
    st.floats(-0.9, 0.9),
    st.floats(-0.3, 0.3),
    st.floats(0.02, 0.8),
)


def test_the_butterfly_of_vogt():
    found = butterfly(VOGT)
    assert not found.free
    assert 0.7 < found.k < 1.0  # the paper's figure dips below zero there
    assert found.density == pytest.approx(VOGT.density(found.k))
    assert butterfly(PLAIN).free


def test_the_density_is_the_second_derivative_of_the_call():
    """g(k) pdf(d2) / sqrt(w) is the density of ln(S/F): against a numerical derivative at 30 digits."""
    with mp.workdps(40):

        def call(strike):
            k = mp.log(strike)
            x = k - PLAIN.m
            w = PLAIN.a + PLAIN.b * (PLAIN.rho * x + mp.sqrt(x * x + mp.mpf(PLAIN.sigma) ** 2))
            d1 = -k / mp.sqrt(w) + mp.sqrt(w) / 2
            return mp.ncdf(d1) - strike * mp.ncdf(d1 - mp.sqrt(w))

        for k in (-0.5, 0.0, 0.3):
            strike = mp.exp(k)
            w = float(PLAIN.variance(k))
            d2 = -k / w**0.5 - w**0.5 / 2
            density = float(PLAIN.density(k)) * np.exp(-0.5 * d2 * d2) / np.sqrt(2 * np.pi * w)
            assert density == pytest.approx(float(mp.diff(call, strike, 2) * strike), rel=1e-10)


@given(slices, st.floats(-3, 3))
def test_slopes_are_those_of_the_variance(slice_, k):
    h = 1e-4 * slice_.sigma
    up, here, down = slice_.variance([k + h, k, k - h])
    first, second = slice_.slopes(k)
    assert (up - down) / (2 * h) == pytest.approx(first, rel=1e-4, abs=1e-6)
    assert second >= 0
    assert here >= slice_.least - 1e-12


@given(slices, slices)
def test_crossings_are_all_found(one, two):
    """Wherever the difference changes sign on a fine grid, there is a crossing; and it decides the check."""
    found = calendar(one, two)
    grid = np.linspace(-6, 6, 4001)
    gap = two.variance(grid) - one.variance(grid)
    for i in np.flatnonzero((gap[:-1] * gap[1:] < 0) & (np.minimum(abs(gap[:-1]), abs(gap[1:])) > 1e-9)):
        assert any(grid[i] - 1e-6 <= k <= grid[i + 1] + 1e-6 for k in found.crossings)
    assert found.excess <= gap.min() + 1e-9
    if found.free:
        assert gap.min() >= -1e-9


def test_calendars():
    assert calendar(PLAIN, SVI(0.05, 0.1, -0.4, 0.05, 0.2)).excess == pytest.approx(0.01)
    assert calendar(PLAIN, PLAIN).free
    crossing = calendar(PLAIN, SVI(0.03, 0.12, -0.2, 0.05, 0.3))
    assert not crossing.free
    assert len(crossing.crossings) == 2
    alike = calendar(SVI(0.12, 0.006, 0.0, 0.0, 0.5), SVI(0.12, 0.006, 0.0, 0.0014, 0.5))
    assert alike.crossings == pytest.approx(
        [0.0007], abs=1e-9
    )  # where the quartic's own root is off in the third digit
    steeper = calendar(SVI(0.01, 0.2, 0.0, 0.0, 0.1), SVI(5.0, 0.1, 0.0, 0.0, 0.1))
    assert not steeper.free  # far out the wings cross, though nothing near the money tells


@pytest.mark.parametrize(
    ("years", "slice_"),
    [(0.5, PLAIN), (1.0, VOGT), (0.01, SVI(1e-4, 0.01, -0.1, 0.0, 0.05)), (2.0, SVI(0.0, 0.3, -0.8, 0.1, 0.3))],
)
def test_calibration_finds_the_slice_it_was_given(years, slice_):
    k = slice_.m + np.linspace(-2.5, 2.5, 21) * max(slice_.sigma, 0.1)
    fit = calibrate(k, slice_.vol(k, years), years, arbitrage_free=False)
    assert fit.rmse < 1e-7
    assert fit.slice.vol(k, years) == pytest.approx(slice_.vol(k, years), abs=1e-6)


def test_calibration_removes_a_butterfly():
    k = np.linspace(-1, 1, 21)
    fit = calibrate(k, VOGT.vol(k, 1.0), 1.0)
    assert fit.butterfly.free
    assert butterfly(fit.slice).density >= 0
    assert fit.rmse < 0.006


def test_calibration_of_noisy_quotes_with_holes():
    rng = np.random.default_rng(3)
    k = np.linspace(-0.6, 0.6, 25)
    vols = PLAIN.vol(k, 0.5) + 0.002 * rng.normal(size=k.size)
    vols[4], vols[9] = np.nan, -1.0
    fit = calibrate(k, vols, 0.5, weights=np.exp(-k * k))
    assert 0.001 < fit.rmse < 0.003
    assert np.abs(fit.slice.vol(k, 0.5) - PLAIN.vol(k, 0.5)).max() < 0.004


def test_quotes_come_from_prices():
    """From a chain of prices to a slice: implied volatilities first."""
    k = np.linspace(-0.5, 0.5, 15)
    strikes = 60_000 * np.exp(k)
    kinds = np.where(k < 0, -1.0, 1.0)
    prices = options.black76(kinds, 60_000, strikes, 0.5, PLAIN.vol(k, 0.5), 0.03)
    fit = calibrate(k, options.implied_vol(kinds, prices, 60_000, strikes, 0.5, 0.03), 0.5)
    assert fit.slice.rho == pytest.approx(PLAIN.rho, abs=1e-5)


def test_bad_slices_and_quotes_are_refused():
    for bad in ({"b": -1.0}, {"rho": 1.0}, {"sigma": 0.0}, {"a": -1.0}, {"m": np.nan}):
        with pytest.raises(InvalidInputError):
            SVI(**({"a": 0.04, "b": 0.1, "rho": -0.4, "m": 0.0, "sigma": 0.2} | bad))
    with pytest.raises(TooFewQuotesError):
        calibrate([0, 0.1, 0.2, 0.3, 0.3], [0.5] * 5, 1.0)
    with pytest.raises(InvalidInputError):
        calibrate(np.arange(6), [0.5] * 6, 0.0)


@pytest.fixture
def surface():
    late = SVI(0.09, 0.12, -0.3, 0.05, 0.3)
    return Surface((Expiry(0.25, 100.0, PLAIN), Expiry(1.0, 104.0, late)))


def test_a_surface_is_straight_in_total_variance(surface):
    k = np.array([-0.3, 0.0, 0.4])
    near, far = PLAIN.variance(k), surface.expiries[1].slice.variance(k)
    assert surface.variance(k, 0.25) == pytest.approx(near)
    assert surface.variance(k, 1.0) == pytest.approx(far)
    assert surface.variance(k, 0.5) == pytest.approx(near + (far - near) / 3)
    assert surface.vol(k, 0.1) == pytest.approx(surface.vol(k, 0.25))
    assert surface.vol(k, 0.0) == pytest.approx(surface.vol(k, 0.25))
    assert surface.vol(k, 4.0) == pytest.approx(surface.vol(k, 1.0))
    assert np.isnan(surface.variance(0.0, [-1.0, np.nan])).all()
    assert surface.forward([0.25, 1.0, 0.625]) == pytest.approx([100, 104, (100 * 104) ** 0.5])
    assert surface.vol(k[:, None], [0.3, 0.7]).shape == (3, 2)


def test_a_surface_knows_its_arbitrage(surface):
    assert surface.arbitrage().free
    broken = Surface((Expiry(0.5, 100.0, VOGT), Expiry(1.0, 100.0, PLAIN))).arbitrage()
    assert [years for years, _ in broken.butterflies] == [0.5]
    assert [(one, two) for one, two, _ in broken.calendars] == [(0.5, 1.0)]
    with pytest.raises(InvalidInputError):
        Surface((Expiry(1.0, 1.0, PLAIN), Expiry(0.5, 1.0, PLAIN)))


def bars(days=4000, vol=0.6, drift=0.0, gap=0.0, steps=200, seed=3):
    """Open, high, low and close of a simulated walk; `gap` is the share of the variance that falls overnight."""
    rng = np.random.default_rng(seed)
    scale = vol / np.sqrt(365)
    moves = scale * np.sqrt((1 - gap) / steps) * rng.normal(size=(days, steps)) + drift / 365 / steps
    path = np.cumsum(moves, axis=1)
    nights = scale * np.sqrt(gap) * rng.normal(size=days)
    start = np.cumsum(nights + path[:, -1]) - path[:, -1]
    top = start + np.maximum(path.max(axis=1), 0)
    bottom = start + np.minimum(path.min(axis=1), 0)
    return tuple(np.exp(x) for x in (start, top, bottom, start + path[:, -1]))


def test_every_estimator_finds_the_volatility():
    o, h, low, c = bars()
    assert close_to_close(c) == pytest.approx(0.6, rel=0.03)
    # a path seen 200 times a day has a smaller range than the continuous one: a few per cent, known since 1980
    for found in (
        parkinson(h, low),
        garman_klass(o, h, low, c),
        rogers_satchell(o, h, low, c),
        yang_zhang(o, h, low, c),
    ):
        assert 0.6 * 0.92 < found < 0.6 * 1.01


def test_drift_and_gaps_fool_only_those_they_may():
    o, h, low, c = bars(drift=20.0)
    assert parkinson(h, low) > 0.8
    assert rogers_satchell(o, h, low, c) == pytest.approx(0.6, rel=0.1)
    assert yang_zhang(o, h, low, c) == pytest.approx(0.6, rel=0.1)
    o, h, low, c = bars(gap=0.5)
    assert rogers_satchell(o, h, low, c) < 0.45
    assert yang_zhang(o, h, low, c) == pytest.approx(0.6, rel=0.06)


def test_estimators_by_hand():
    assert close_to_close([1.0, np.e, 1.0], periods=1) == pytest.approx(2**0.5)
    assert parkinson([np.e], [1.0], periods=4) == pytest.approx(1 / np.log(2) ** 0.5)
    wanted = 0.5 * 4 - (2 * np.log(2) - 1)
    assert garman_klass([1.0], [np.e], [1 / np.e], [np.e], periods=1) == pytest.approx(wanted**0.5)
    assert rogers_satchell([1.0], [np.e], [1 / np.e], [1.0], periods=1) == pytest.approx(2**0.5)


def test_bad_prices_are_refused():
    with pytest.raises(TooFewPricesError):
        close_to_close([1.0, 2.0])
    with pytest.raises(InvalidInputError):
        close_to_close([1.0, 0.0, 2.0])
    with pytest.raises(ShapeError):
        parkinson([1.0, 2.0], [1.0])
    with pytest.raises(InvalidInputError):
        parkinson([1.0], [2.0])
    with pytest.raises(InvalidInputError):
        garman_klass([3.0], [2.0], [1.0], [1.5])
