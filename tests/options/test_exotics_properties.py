"""What must hold of every exotic option whatever its arguments, and what becomes of bad ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import options
from options.errors import InputTypeError, InvalidInputError, KindError, OptionsError, ShapeError
from options.exotics.arguments import ChoiceError
from options.exotics.asian import asian
from options.exotics.barrier import barrier
from options.exotics.digital import digital
from options.exotics.double_barrier import double_barrier
from options.exotics.lookback import lookback
from tests.options.exotic_kernels import exotic_kernel  # noqa: F401

price = st.floats(0.2, 5.0)
years = st.floats(-6, 1).map(lambda x: 10**x)
vol = st.floats(-6, 0.7).map(lambda x: 10**x)
rate = st.floats(-0.3, 0.3)
sign = st.sampled_from([1, -1])
market = st.tuples(years, vol, rate, rate)


def _scale(s, k, terms):
    t, _, r, q = terms
    return (s + k) * (1 + np.exp(-r * t) + np.exp(-q * t))


def vanilla(kind, s, k, terms):
    return options.black_scholes(kind, s, k, *terms)


@given(sign, price, price, price, market, st.sampled_from(["down", "up"]))
def test_knocked_in_and_out_make_the_plain_option(kind, s, k, h, terms, side):
    into = barrier(kind, s, k, h, *terms, style=f"{side}-in")
    out = barrier(kind, s, k, h, *terms, style=f"{side}-out")
    plain, unit = vanilla(kind, s, k, terms), _scale(s, k, terms)
    assert abs(into + out - plain) <= 2e-15 * unit
    assert -1e-15 * unit <= min(into, out) <= max(into, out) <= plain + 2e-15 * unit


@settings(max_examples=25)
@given(sign, price, price, price, st.floats(1.01, 4.0), market)
def test_two_barriers_are_worth_less_than_either(kind, s, k, low, width, terms):
    high = low * width
    both, unit = double_barrier(kind, s, k, low, high, *terms), _scale(s, k, terms)
    assert both <= barrier(kind, s, k, low, *terms, style="down-out") + 1e-13 * unit
    assert both <= barrier(kind, s, k, high, *terms, style="up-out") + 1e-13 * unit
    assert (
        abs(both + double_barrier(kind, s, k, low, high, *terms, style="in") - vanilla(kind, s, k, terms))
        <= 1e-14 * unit
    )
    wider = double_barrier(kind, s, k, low / 1.1, high * 1.1, *terms)
    if low < s < high:
        assert both <= wider + 1e-13 * unit


@settings(max_examples=15)
@given(sign, price, price, st.floats(1.01, 5.0), market)
def test_a_far_second_barrier_does_not_matter(kind, s, k, above, terms):
    t, v, r, q = terms
    far = s * 1e6
    if abs(r - q) * t + 8 * v * t**0.5 + 0.5 * v * v * t < 12:
        one = barrier(kind, s, k, s / above, *terms, style="down-out", rebate=0.1)
        two = double_barrier(kind, s, k, s / above, far, *terms, rebate=0.1)
        assert abs(one - two) <= 1e-12 * _scale(s, k, terms)


@given(sign, price, price, price, st.integers(1, 500), market)
def test_watching_at_dates_lies_between_never_and_always(kind, s, k, h, dates, terms):
    style = "down-out" if h < s else "up-out"
    unit = _scale(s, k, terms)
    seldom = barrier(kind, s, k, h, *terms, style=style, observations=dates)
    assert barrier(kind, s, k, h, *terms, style=style) <= seldom + 1e-13 * unit
    assert seldom <= vanilla(kind, s, k, terms) + 1e-13 * unit


@given(price, price, market)
def test_digitals_add_up(s, k, terms):
    t, _, r, q = terms
    cash = digital([1, -1], s, k, *terms)
    share = digital([1, -1], s, k, *terms, pays="asset")
    assert cash.sum() == pytest.approx(np.exp(-r * t), rel=1e-14)
    assert share.sum() == pytest.approx(s * np.exp(-q * t), rel=1e-14)
    assert abs(share[0] - k * cash[0] - vanilla(1, s, k, terms)) <= 2e-15 * _scale(s, k, terms)


@given(sign, price, price, market)
def test_a_lookback_is_worth_more_than_the_plain_option(kind, s, k, terms):
    fixed, unit = lookback(kind, s, k, *terms), _scale(s, k, terms)
    assert fixed >= vanilla(kind, s, k, terms) - 1e-14 * unit
    seldom = lookback(kind, s, k, *terms, observations=50)
    assert seldom <= fixed + 1e-13 * unit
    floating = lookback(kind, s, None, *terms)
    assert floating >= vanilla(kind, s, s, terms) - 1e-14 * unit


@given(price, price, market, st.floats(1.0, 3.0))
def test_fixed_and_floating_lookbacks_are_one_identity(s, k, terms, ratio):
    """A fixed call struck below the extreme is a floating put and a forward."""
    t, _, r, q = terms
    extreme = s * ratio
    strike = min(k, extreme)
    fixed = lookback("call", s, strike, *terms, extreme=extreme)
    floating = lookback("put", s, None, *terms, extreme=extreme)
    forward = s * np.exp(-q * t) - strike * np.exp(-r * t)
    assert abs(fixed - floating - forward) <= 2e-14 * _scale(extreme, k, terms)


asian_market = st.tuples(st.floats(0.01, 2), st.floats(0.01, 1.5), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))


@given(price, price, asian_market, st.sampled_from([0, 1, 2, 12, 52]))
def test_asians(s, k, terms, fixings):
    t, _, r, q = terms
    unit = _scale(s, k, terms)
    call, put = asian([1, -1], s, k, *terms, fixings=fixings)
    geometric = asian("call", s, k, *terms, fixings=fixings, average="geometric")
    steps = np.arange(1, fixings + 1) / fixings if fixings else (np.polynomial.legendre.leggauss(20)[0] + 1) / 2
    weights = np.full(fixings, 1 / fixings) if fixings else np.polynomial.legendre.leggauss(20)[1] / 2
    mean = s * np.sum(weights * np.exp((r - q) * t * steps))
    assert abs(call - put - np.exp(-r * t) * (mean - k)) <= 1e-12 * unit
    assert geometric <= call + 1e-12 * unit  # the mean of positive numbers is above their geometric mean
    if fixings == 1:
        assert abs(call - vanilla(1, s, k, terms)) <= 1e-12 * unit


def test_a_seasoned_asian_is_one_with_another_strike():
    whole = asian("call", 100, 110, 0.5, 0.3, 0.02, past_weight=0.4, past_average=120)
    assert whole == pytest.approx(0.6 * asian("call", 100, (110 - 48) / 0.6, 0.5, 0.3, 0.02), rel=1e-14)
    certain = asian(["call", "put"], 100, 40, 0.5, 0.3, past_weight=0.5, past_average=90)
    assert certain == pytest.approx([0.5 * 100 + 45 - 40, 0.0])


ALL = {
    "digital": lambda k, s, x, *rest: digital(k, s, x, *rest),
    "barrier": lambda k, s, x, *rest: barrier(k, s, x, 0.9, *rest, rebate=0.1),
    "double": lambda k, s, x, *rest: double_barrier(k, s, x, 0.9, 1.2, *rest, rebate=0.1),
    "lookback": lambda k, s, x, *rest: lookback(k, s, x, *rest),
    "floating": lambda k, s, x, *rest: lookback(k, s, None, *rest, extreme=x),
    "asian": lambda k, s, x, *rest: asian(k, s, x, *rest),
    "geometric": lambda k, s, x, *rest: asian(k, s, x, *rest, average="geometric"),
}


@pytest.fixture(params=ALL)
def formula(request):
    return ALL[request.param]


@pytest.mark.parametrize("name", ["lookback", "floating", "asian", "geometric"])
def test_prices_scale_with_the_unit_of_money(name):
    formula = ALL[name]
    one = formula("call", 1.0, 1.1, 0.5, 0.3, 0.05, 0.02)
    assert formula("call", 1000.0, 1100.0, 0.5, 0.3, 0.05, 0.02) == pytest.approx(1000 * one, rel=1e-13)


def test_arrays_agree_with_scalars(formula):
    spots = np.array([0.95, 1.0, 1.15, 1.3])[::-1]
    strikes = np.array([[0.8], [1.0], [1.25]])
    for kind in ("call", "put"):
        table = formula(kind, spots, strikes, 0.5, 0.3, 0.05, 0.02)
        assert table.shape == (3, 4)
        for (i, j), value in np.ndenumerate(table):
            scalar = formula(kind, float(spots[j]), float(strikes[i, 0]), 0.5, 0.3, 0.05, 0.02)
            assert value == pytest.approx(scalar, rel=1e-12, abs=1e-15)
            assert type(scalar) is float
    assert formula("call", np.empty(0), 1.0, 0.5, 0.3).shape == (0,)


@pytest.mark.parametrize("name", ["years", "vol"])
def test_the_limit_of_no_time_or_no_volatility_is_reached(formula, name):
    def at(value):
        years_, vol_ = (value, 0.3) if name == "years" else (0.5, value)
        return formula([1, -1], 1.05, 1.0, years_, vol_, 0.05, 0.02)

    assert at(0.0) == pytest.approx(at(1e-9 if name == "vol" else 1e-14), abs=6e-8)


@pytest.mark.parametrize(
    ("position", "values"),
    [
        (1, [np.nan, np.inf, -1.0]),
        (2, [np.nan, np.inf, -1.0]),
        (3, [np.nan, np.inf, -1.0]),
        (4, [np.nan, np.inf, -1.0]),
        (5, [np.nan, np.inf]),
        (6, [np.nan, -np.inf]),
    ],
)
def test_bad_numbers_raise_alone_and_are_nan_in_arrays(formula, position, values):
    good = ["call", 1.0, 1.05, 0.5, 0.3, 0.05, 0.02]
    for bad in values:
        terms = [*good]
        terms[position] = bad
        with pytest.raises(InvalidInputError):
            formula(*terms)
        terms[position] = np.array([good[position], bad])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = formula(*terms)
        assert found[0] == pytest.approx(formula(*good), rel=1e-13)
        assert np.isnan(found[1])


def test_hostile_numbers_give_a_price_or_nan(formula):
    values = np.array([0.0, 5e-324, 1e-300, 1e-160, 1e-12, 0.3, 100.0, 1e12, 1e160, 1.7e308])
    rng = np.random.default_rng(5)
    terms = [rng.choice(values, 3000) for _ in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = formula(rng.choice([1, -1], 3000), *terms, rng.choice(values, 3000) * 1e-3, 0.0)
    assert not np.isinf(found).any()
    assert not (found < 0).any()


def test_wrong_types_are_refused(formula):
    with pytest.raises(KindError):
        formula("straddle", 1.0, 1.0, 0.5, 0.3)
    with pytest.raises(KindError):
        formula(2, 1.0, 1.0, 0.5, 0.3)
    with pytest.raises(InputTypeError):
        formula("call", "one", 1.0, 0.5, 0.3)
    with pytest.raises(ShapeError):
        formula("call", [1.0, 2.0], 1.0, [0.5, 0.5, 0.5], 0.3)
    frozen = np.array([1.0, 1.1])
    frozen.flags.writeable = False
    assert formula("call", frozen, np.float32(1.0), 1, 0.3).shape == (2,)


def test_words_are_checked():
    with pytest.raises(ChoiceError, match="style is 'left-out'"):
        barrier("call", 1, 1, 0.9, 1, 0.3, style="left-out")
    with pytest.raises(ChoiceError):
        asian("call", 1, 1, 1, 0.3, method="guess")
    both = barrier("call", 1, 1, 0.9, 1, 0.3, style=np.array(["down-in", "down-out"]))
    assert both.sum() == pytest.approx(options.black_scholes("call", 1, 1, 1, 0.3))
    assert issubclass(ChoiceError, OptionsError)


@pytest.mark.parametrize("observations", [-1, 2.5, np.nan])
def test_dates_are_whole_numbers(observations):
    with pytest.raises(InvalidInputError):
        barrier("call", 1, 1, 0.9, 1, 0.3, observations=observations)


def test_an_asian_beyond_the_range_of_its_approximation_is_refused():
    with pytest.raises(InvalidInputError, match="simulate"):
        asian("call", 1, 1, 4, 1.6)
    assert asian("call", 1, 1, 4, 1.6, average="geometric") > 0
