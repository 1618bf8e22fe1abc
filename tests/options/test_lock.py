"""The option inside a timelock: the reference figures, the tree against the formula, and bad input."""

from __future__ import annotations

import numpy as np
import pytest

import options
from options.errors import InvalidInputError
from options.exotics.arguments import ChoiceError
from options.lock import LOCKS, lock_premium, lock_table, premium_per_hour


# the figures that the field works with: basis points at 60 % volatility and zero rate
@pytest.mark.parametrize(("hours", "points"), [(2 + 1 / 6, 38), (8, 72), (24, 125), (48, 177)])
@pytest.mark.parametrize("method", ["crr", "black-scholes"])
def test_the_premium_of_the_locks_in_use(hours, points, method):
    assert round(1e4 * lock_premium(0.6, hours, method)) == points


def test_black_scholes_is_the_option_at_the_money():
    for vol, hours in ((0.1, 0.5), (0.6, 24), (3.0, 1000)):
        wanted = options.black_scholes("call", 1.0, 1.0, hours / 8760, vol)
        assert lock_premium(vol, hours, "black-scholes") == pytest.approx(wanted, rel=1e-14)


def test_a_tiny_lock_keeps_its_digits():
    """0.39894 sigma sqrt(T), where 2 cdf(x) - 1 would have cancelled everything."""
    assert lock_premium(1e-8, 1e-6, "black-scholes") == pytest.approx(
        1e-8 * (1e-6 / 8760) ** 0.5 / (2 * np.pi) ** 0.5, rel=1e-14
    )


@pytest.mark.parametrize("steps", [2, 100, 1000, 1001])
def test_the_tree_converges_as_one_over_its_steps(steps):
    limit = lock_premium(0.6, 24, "black-scholes")
    assert abs(lock_premium(0.6, 24, steps=steps) / limit - 1) < 0.26 / steps * (1 + 1 / steps)


def test_the_tree_against_the_smallest_one_by_hand():
    # two steps: up-up pays u^2 - 1 with probability p^2, up-down nothing
    u = np.exp(0.6 * (24 / 8760 / 2) ** 0.5)
    p = (1 - 1 / u) / (u - 1 / u)
    assert lock_premium(0.6, 24, steps=2) == pytest.approx(p * p * (u * u - 1), rel=1e-13)


def test_a_negative_rate_makes_early_exercise_worth_something():
    european = options.black_scholes("call", 1.0, 1.0, 0.5, 0.2, -0.3)
    american = lock_premium(0.2, 4380, rate=-0.3)
    assert american > european * 1.02
    assert lock_premium(0.2, 4380, rate=0.05) == pytest.approx(
        options.black_scholes("call", 1.0, 1.0, 0.5, 0.2, 0.05), rel=1e-3
    )


def test_limits_and_bounds():
    assert lock_premium(0.0, 24) == 0
    assert lock_premium(0.6, 0) == 0
    assert lock_premium(0.0, 8760, rate=0.05) == pytest.approx(1 - np.exp(-0.05))
    assert lock_premium(1e6, 1e6) == 1
    grid = lock_premium(np.linspace(0, 3, 13)[:, None], [1, 10, 100, 1000])
    assert (np.diff(grid, axis=0) > 0).all()
    assert (np.diff(grid[1:], axis=1) > 0).all()
    assert grid.max() < 1


def test_bad_input():
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(InvalidInputError):
            lock_premium(bad, 1)
        with pytest.raises(InvalidInputError):
            lock_premium(0.5, bad)
    assert np.isnan(lock_premium([0.5, -1, np.nan], 24)).tolist() == [False, True, True]
    with pytest.raises(ChoiceError):
        lock_premium(0.5, 1, "monte-carlo")
    with pytest.raises(InvalidInputError, match="no probabilities"):
        lock_premium(1e-6, 24, rate=0.5)
    with pytest.raises(InvalidInputError, match="hours"):
        premium_per_hour(0.6, 0)


def test_the_table():
    rows = lock_table(0.6)
    assert [row.lock for row in rows] == list(LOCKS)
    assert rows[-1].premium == pytest.approx(0.0177, abs=5e-5)
    assert all(row.per_hour == pytest.approx(row.premium / row.lock.hours) for row in rows)
    assert premium_per_hour(0.6, 24) == pytest.approx(lock_premium(0.6, 24) / 24)
