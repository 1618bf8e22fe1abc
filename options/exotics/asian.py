"""Asian options: an option on the average of the price at equally spaced dates, or in continuous time.

Geometric: exact (Kemna and Vorst, Journal of Banking and Finance 14, 1990; at dates, Turnbull and Wakeman
1991). Arithmetic, method "levy": a lognormal with the average's first two moments (Levy, Journal of
International Money and Finance 11, 1992; Turnbull and Wakeman, Journal of Financial and Quantitative
Analysis 26, 1991). Method "curran": `conditional`. Simulation with standard error:
`options.montecarlo.asian`.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.exotics.arguments import Kind, Sheet, choice
from options.exotics.conditional import conditional_call
from options.exotics.normal import Array
from options.exotics.vanilla import vanilla

_AVERAGES: Final = {"arithmetic": 0.0, "geometric": 1.0}
_METHODS: Final = {"curran": 0.0, "levy": 1.0}
_POINTS: Final = 64
MOST_DEVIATION: Final = 3.0  # of the logarithm over the whole life: the approximations are no good beyond
_MOST_FIXINGS: Final = 1_000  # the conditional variance is a matrix over the dates


def asian(
    kind: Kind,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend: ArrayLike = 0.0,
    *,
    average: str = "arithmetic",
    fixings: ArrayLike = 0,
    method: str = "curran",
    past_weight: ArrayLike = 0.0,
    past_average: ArrayLike = 0.0,
) -> float | Array:
    """An average-price option; `average` is "arithmetic" or "geometric".

    `fixings` dates lie at years i / fixings, i = 1..fixings; 0 averages continuously. Of a running average,
    `past_weight` in [0, 1) is the share already fixed and `past_average` its value. `method` chooses the
    approximation of an arithmetic average, "curran" or "levy"; a geometric one is exact. Measured errors:
    docs/options/exotics.md.
    """
    sheet = Sheet(
        kind,
        spot=spot,
        strike=strike,
        years=years,
        vol=vol,
        rate=rate,
        dividend=dividend,
        fixings=fixings,
        past_weight=past_weight,
        past_average=past_average,
    )
    geometric = choice("average", average, _AVERAGES) == 1.0
    levy = choice("method", method, _METHODS) == 1.0
    with np.errstate(all="ignore"):
        _require(sheet, geometric=geometric)
        value = _geometric(sheet) if geometric else _arithmetic(sheet, sheet.valid, levy=levy)
    return sheet.price(value)


def _require(sheet: Sheet, *, geometric: bool) -> None:
    sheet.require("finite", "rate", "dividend")
    sheet.require("above zero", "spot")
    sheet.require("zero or more", "strike", "years", "vol", "past_weight", "past_average")
    sheet.require("a whole number, zero or more", "fixings")
    sheet.demand(sheet["fixings"] <= _MOST_FIXINGS, "fixings", f"at most {_MOST_FIXINGS}; 0 is continuous")
    sheet.demand(sheet["past_weight"] < 1.0, "past_weight", "below 1")
    if not geometric:
        fits = sheet["vol"] * np.sqrt(np.abs(sheet["years"])) <= MOST_DEVIATION
        sheet.demand(fits, "vol", f"at most {MOST_DEVIATION} / sqrt(years): beyond, simulate")
    else:
        known = (sheet["past_weight"] == 0.0) | (sheet["past_average"] > 0.0)
        sheet.demand(known, "past_average", "above zero")


def _geometric(sheet: Sheet) -> Array:
    n = np.where(sheet["fixings"] > 0.0, sheet["fixings"], np.inf)
    mean_time = sheet["years"] * (0.5 + 0.5 / n)
    spread = sheet["years"] * (1.0 + 1.0 / n) * (2.0 + 1.0 / n) / 6.0
    vol, weight = sheet["vol"], sheet["past_weight"]
    open_ = 1.0 - weight
    deviation = open_ * vol * np.sqrt(spread)
    known = np.where(weight > 0.0, weight * np.log(sheet["past_average"] / sheet["spot"]), 0.0)
    drift = sheet["rate"] - sheet["dividend"] - 0.5 * vol * vol
    forward = sheet["spot"] * np.exp(known + open_ * drift * mean_time + 0.5 * deviation * deviation)
    return np.exp(-sheet["rate"] * sheet["years"]) * _black(sheet["kind"], forward, sheet["strike"], deviation)


def _black(phi: Array, forward: Array, strike: Array, deviation: Array) -> Array:
    one, zero = np.ones_like(forward), np.zeros_like(forward)
    return vanilla(phi, forward, strike, one, deviation, zero, zero)


def _arithmetic(sheet: Sheet, valid: NDArray[np.bool_], *, levy: bool) -> Array:
    """exp(-rT) E[(+-(average - strike))+]; the fixed part of the average moves the strike."""
    value = np.full(valid.shape, np.nan)
    open_ = 1.0 - sheet["past_weight"]
    strikes = (sheet["strike"] - sheet["past_weight"] * sheet["past_average"]) / open_ / sheet["spot"]
    discount = open_ * sheet["spot"] * np.exp(-sheet["rate"] * sheet["years"])
    carry = (sheet["rate"] - sheet["dividend"]) * sheet["years"]
    deviation = sheet["vol"] * np.sqrt(sheet["years"])
    for n in np.unique(sheet["fixings"][valid]):
        rows = valid & (sheet["fixings"] == n)
        solve = _levy if levy else _curran
        plain = solve(int(n), sheet["kind"][rows], strikes[rows], carry[rows], deviation[rows])
        value[rows] = discount[rows] * plain
    return value


def _curran(n: int, phi: Array, strike: Array, carry: Array, deviation: Array) -> Array:
    mean = first_moment(n, carry)
    certain = np.maximum(phi * (mean - strike), 0.0)
    random = (strike > 0.0) & (deviation > 1e-12)
    call = np.maximum(mean - strike, 0.0)
    call[random] = conditional_call(n, strike[random], carry[random], deviation[random])
    other_side = np.maximum(call - (mean - strike), 0.0)
    return np.where(random, np.where(phi > 0.0, call, other_side), certain)


def _levy(n: int, phi: Array, strike: Array, carry: Array, deviation: Array) -> Array:
    mean = first_moment(n, carry)
    excess = np.maximum(second_moment(n, carry, deviation) / (mean * mean) - 1.0, 0.0)
    lognormal = _black(phi, mean, np.maximum(strike, 0.0), np.sqrt(np.log1p(excess)))
    return np.where(strike > 0.0, lognormal, np.maximum(phi * (mean - strike), 0.0))


def first_moment(n: int, carry: Array) -> Array:
    """E[average] of a spot of 1, `carry` over the whole life."""
    if n == 0:
        return _exprel(carry)
    return _exprel(carry) / _exprel(carry / n) * np.exp(carry / n)


def second_moment(n: int, carry: Array, deviation: Array) -> Array:
    """E[average^2] of a spot of 1: twice the integral over the earlier date of what follows it."""
    both = 2.0 * carry + deviation * deviation
    total = np.zeros_like(carry)
    if n == 0:
        for node, weight in zip(*np.polynomial.legendre.leggauss(_POINTS), strict=True):
            early, late = 0.5 * (1.0 + node), 0.5 * (1.0 - node)
            total = total + weight * np.exp(both * early) * late * _exprel(carry * late)
        return total
    later = np.ones_like(carry)  # 1 + 2 sum of the growth to each later date
    for i in range(n, 0, -1):
        total = total + np.exp(both * (i / n)) * later
        later = later + 2.0 * np.exp(carry * ((n - i + 1) / n))
    return total / (n * n)


def _exprel(x: Array) -> Array:
    """(exp(x) - 1) / x."""
    return np.where(x != 0.0, np.expm1(x) / np.where(x != 0.0, x, 1.0), 1.0)
