"""Exotic options against printed tables. Every table is cited; tolerances are half a unit of its last digit."""

from __future__ import annotations

import numpy as np
import pytest

from options import montecarlo
from options.exotics.asian import asian
from options.exotics.barrier import barrier
from options.exotics.digital import digital
from options.exotics.double_barrier import double_barrier
from options.exotics.lookback import lookback
from tests.options.exotic_kernels import exotic_kernel  # noqa: F401

# Haug, "The Complete Guide to Option Pricing Formulas", 2nd edition 2007, table 4-13: S 100, T 0.5,
# r 0.08, b 0.04, rebate 3; style, strike, barrier: call and put at vol 0.25, call and put at vol 0.30
HAUG_BARRIERS = [
    ("down-out", 90, 95, 9.0246, 2.2798, 8.8334, 2.4170),
    ("down-out", 100, 95, 6.7924, 2.2947, 7.0285, 2.4258),
    ("down-out", 110, 95, 4.8759, 2.6252, 5.4137, 2.6246),
    ("up-out", 90, 105, 2.6789, 3.7760, 2.6341, 4.2293),
    ("up-out", 100, 105, 2.3580, 5.4932, 2.4389, 5.8032),
    ("up-out", 110, 105, 2.3453, 7.5187, 2.4315, 7.5649),
    ("down-in", 90, 95, 7.7627, 2.9586, 9.0093, 3.8769),
    ("down-in", 100, 95, 4.0109, 6.5677, 5.1370, 7.7989),
    ("down-in", 110, 95, 2.0576, 11.9752, 2.8517, 13.3078),
    ("up-in", 90, 105, 14.1112, 1.4653, 15.2098, 2.0658),
    ("up-in", 100, 105, 8.4482, 3.3721, 9.7278, 4.4226),
    ("up-in", 110, 105, 4.5910, 7.0846, 5.8350, 8.3686),
]


@pytest.mark.parametrize(("style", "strike", "level", "c25", "p25", "c30", "p30"), HAUG_BARRIERS)
def test_single_barriers_of_haug(style, strike, level, c25, p25, c30, p30):
    priced = barrier(
        np.array([1, -1, 1, -1]),
        100,
        strike,
        level,
        0.5,
        [0.25, 0.25, 0.3, 0.3],
        0.08,
        0.04,
        style=style,
        rebate=3,
    )
    assert priced == pytest.approx([c25, p25, c30, p30], abs=1.01e-4)


# Haug 2007, table 4-14 (flat barriers): knock-out call, S 100, K 100, r 0.1, b 0.1; lower, upper: T 0.25
# at vol 0.15, 0.25, 0.35, then T 0.5 at the same
HAUG_DOUBLE = [
    (50, 150, 4.3515, 6.1644, 7.0373, 6.9853, 7.9336, 6.5088),
    (60, 140, 4.3505, 5.8500, 5.7726, 6.8082, 6.3383, 4.3841),
    (70, 130, 4.3139, 4.8293, 3.7765, 5.9697, 4.0004, 2.2563),
    (80, 120, 3.7516, 2.6387, 1.4903, 3.5805, 1.5098, 0.5635),
    (90, 110, 1.2055, 0.3098, 0.0477, 0.5537, 0.0441, 0.0011),
]


@pytest.mark.parametrize(("lower", "upper", "prices"), [(row[0], row[1], row[2:]) for row in HAUG_DOUBLE])
def test_double_barriers_of_haug(lower, upper, prices):
    vols, years = [0.15, 0.25, 0.35] * 2, [0.25] * 3 + [0.5] * 3
    priced = double_barrier("call", 100, 100, lower, upper, years, vols, 0.1, 0)
    assert priced == pytest.approx(prices, abs=1.01e-4)


def test_digitals_of_haug():
    # Haug 2007, sections 4.19.2 and 4.19.3
    assert digital("put", 100, 80, 0.75, 0.35, 0.06, 0.06, cash=10) == pytest.approx(2.6710, abs=5e-5)
    assert digital("put", 70, 65, 0.5, 0.27, 0.07, 0.05, pays="asset") == pytest.approx(20.2069, abs=5e-5)


# Haug 2007, table 4-9: fixed-strike lookback calls and puts, S 100, r 0.1, b 0.1, extreme 100;
# years, strike: vol 0.1, 0.2, 0.3
HAUG_LOOKBACK_CALLS = [
    (0.5, 95, 13.2687, 18.9263, 24.9857),
    (0.5, 100, 8.5126, 14.1702, 20.2296),
    (0.5, 105, 4.3908, 9.8905, 15.8512),
    (1.0, 95, 18.3241, 26.0731, 34.7116),
    (1.0, 100, 13.8000, 21.5489, 30.1874),
    (1.0, 105, 9.5445, 17.2965, 25.9002),
]
HAUG_LOOKBACK_PUTS = [
    (0.5, 95, 0.6899, 4.4448, 8.9213),
    (0.5, 100, 3.3917, 8.3177, 13.1579),
    (0.5, 105, 8.1478, 13.0739, 17.9140),
    (1.0, 95, 1.0534, 6.2813, 12.2376),
    (1.0, 100, 3.8079, 10.1294, 16.3889),
    (1.0, 105, 8.3321, 14.6536, 20.9130),
]


@pytest.mark.parametrize(
    ("kind", "rows"), [("call", HAUG_LOOKBACK_CALLS), ("put", HAUG_LOOKBACK_PUTS)], ids=["call", "put"]
)
def test_fixed_lookbacks_of_haug(kind, rows):
    for years, strike, *prices in rows:
        priced = lookback(kind, 100, strike, years, [0.1, 0.2, 0.3], 0.1, 0.0)
        assert priced == pytest.approx(prices, abs=1e-4)


def test_floating_lookback_of_haug():
    # Haug 2007, section 4.15.1
    assert lookback("call", 120, None, 0.5, 0.3, 0.1, 0.06, extreme=100) == pytest.approx(25.3533, abs=1e-4)


# Broadie, Glasserman and Kou, "A continuity correction for discrete barrier options", Mathematical Finance
# 7, 1997, table 1: down-and-out call, S 100, K 100, vol 0.3, r 0.1, T 0.2, watched at 50 dates; barrier,
# corrected, true price
BROADIE_GLASSERMAN_KOU = [
    (85, 6.322, 6.322),
    (88, 6.242, 6.242),
    (90, 6.098, 6.098),
    (92, 5.810, 5.810),
    (94, 5.288, 5.288),
    (96, 4.428, 4.427),
    (97, 3.836, 3.834),
    (98, 3.121, 3.126),
    (99, 2.271, 2.337),
]


@pytest.mark.parametrize(("level", "corrected", "true"), BROADIE_GLASSERMAN_KOU)
def test_discrete_barriers_of_broadie_glasserman_and_kou(level, corrected, true):
    terms = ("call", 100, 100, level, 0.2, 0.3, 0.1, 0.0)
    assert barrier(*terms, observations=50) == pytest.approx(corrected, abs=6e-4)
    if level in (90, 99):
        simulated = montecarlo.barrier(*terms, observations=50, run=montecarlo.Run(paths=200_000, seed=5))
        assert simulated.within(true)


# Linetsky, "Spectral expansions for Asian (average price) options", Operations Research 52, 2004, table 1:
# continuous average, exact values; r, vol, years, spot, price; strike 2
LINETSKY = [
    (0.02, 0.10, 1, 2.0, 0.0559860415),
    (0.18, 0.30, 1, 2.0, 0.2183875466),
    (0.0125, 0.25, 2, 2.0, 0.1722687410),
    (0.05, 0.50, 1, 1.9, 0.1931737903),
    (0.05, 0.50, 1, 2.0, 0.2464156905),
    (0.05, 0.50, 1, 2.1, 0.3062203648),
    (0.05, 0.50, 2, 2.0, 0.3500952190),
]


@pytest.mark.parametrize(("rate", "vol", "years", "spot", "price"), LINETSKY)
def test_continuous_asians_of_linetsky(rate, vol, years, spot, price):
    assert asian("call", spot, 2.0, years, vol, rate) == pytest.approx(price, abs=5e-6)
    # Levy's lognormal is known to be high; its error grows with the variance
    assert 0 < asian("call", spot, 2.0, years, vol, rate, method="levy") - price < 0.04 * vol * vol * years * spot


# Zhang, "A semi-analytical method for pricing and hedging continuously sampled arithmetic average rate
# options", Journal of Computational Finance 5, 2001: S 100, r 0.09, T 1; vol: prices at strike 95, 100,
# 105
ZHANG = [
    (0.05, 8.8088392, 4.3082350, 0.9583841),
    (0.10, 8.9118509, 4.9151167, 2.0700634),
    (0.20, 9.9956567, 6.7773481, 4.2964626),
    (0.30, 11.6558858, 8.8287588, 6.5177905),
    (0.40, 13.5107083, 10.9237708, 8.7299362),
    (0.50, 15.4427163, 13.0281555, 10.9296247),
]


@pytest.mark.parametrize(("vol", "prices"), [(row[0], row[1:]) for row in ZHANG])
def test_continuous_asians_of_zhang(vol, prices):
    assert asian("call", 100, [95, 100, 105], 1, vol, 0.09) == pytest.approx(prices, abs=2e-4)


def test_geometric_asian_of_haug():
    # Haug 2007, section 4.20.1 (Kemna and Vorst)
    assert asian("put", 80, 85, 0.25, 0.2, 0.05, -0.03, average="geometric") == pytest.approx(4.6922, abs=5e-5)


# Longstaff and Schwartz, Review of Financial Studies 14, 2001, table 1: American put, K 40, r 0.06, 50
# exercise dates a year; spot, vol, years, finite-difference price
LONGSTAFF_SCHWARTZ = [
    (36, 0.2, 1, 4.478),
    (36, 0.4, 2, 8.508),
    (40, 0.2, 1, 2.314),
    (40, 0.4, 1, 5.312),
    (44, 0.2, 2, 1.690),
    (44, 0.4, 1, 3.948),
]


@pytest.mark.parametrize(("spot", "vol", "years", "price"), LONGSTAFF_SCHWARTZ)
def test_american_puts_of_longstaff_and_schwartz(spot, vol, years, price):
    found = montecarlo.longstaff_schwartz(
        "put", spot, 40, years, vol, 0.06, exercises=50 * years, run=montecarlo.Run(paths=20_000, seed=1)
    )
    # their own simulation is off by up to 0.02; a rule that can be followed is never above the best one
    assert price - 0.015 - 3 * found.error < found.price < price + 0.002 + 3 * found.error


# Levy, "Pricing European average rate currency options", Journal of International Money and Finance 11, 1992, as
# tabulated by Haug, The Complete Guide to Option Pricing Formulas, for his approximation: call, S 100, r 0.1,
# b 0.05, T 0.75, vol 0.15
LEVY = [(95, 7.0544), (100, 3.7845), (105, 1.6729)]


@pytest.mark.parametrize(("strike", "price"), LEVY)
def test_levy_average_rate_calls(strike, price):
    found = asian("call", 100, strike, 0.75, 0.15, 0.1, 0.05, method="levy")
    assert found == pytest.approx(price, abs=5e-5)
