"""Path-dependent options by simulation, each with the control variate that knows most of its payoff."""

from collections.abc import Callable
from math import exp

import numpy as np

from options.exotics.arguments import choice
from options.exotics.asian import asian as asian_formula
from options.exotics.barrier import STYLES
from options.exotics.vanilla import vanilla
from options.montecarlo.engine import Array, Run, Walk, require, sign_of
from options.montecarlo.estimate import Estimate, combine, sums

_DEFAULT = Run()


def asian(
    kind: str,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    fixings: int,
    run: Run = _DEFAULT,
) -> Estimate:
    """The arithmetic average at `fixings` dates, controlled by the geometric one (Kemna and Vorst 1990)."""
    sign = sign_of(kind)
    require(spot=spot, strike=strike, years=years, vol=vol, rate=rate, dividend=dividend)
    walk = Walk(fixings, years, vol, rate - dividend)
    parts = walk.asian_sums(run, sign, spot, strike)
    geometric = asian_formula(kind, spot, strike, years, vol, rate, dividend, average="geometric", fixings=fixings)
    discount = exp(-rate * years)
    return combine([parts], run.paths, float(geometric) / discount, discount)


def lookback(
    kind: str,
    spot: float,
    strike: float | None,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    observations: int,
    run: Run = _DEFAULT,
) -> Estimate:
    """A lookback watched at dates, today included, as `options.lookback`; the control is the final
    price.
    """
    sign = sign_of(kind)
    require(spot=spot, strike=strike or 0.0, years=years, vol=vol, rate=rate, dividend=dividend)
    walk = Walk(observations, years, vol, rate - dividend)

    def payoff(rows: Array) -> Array:
        floating = strike is None
        upper = (sign > 0.0) != floating
        extreme = np.maximum(np.exp(rows[3]), 1.0) if upper else np.minimum(np.exp(rows[2]), 1.0)
        end = np.exp(rows[0]) if floating else np.full_like(extreme, (strike or 0.0) / spot)
        gain = end - extreme if floating else extreme - end
        return np.asarray(spot * np.maximum(sign * gain, 0.0))

    def control(rows: Array) -> Array:
        return np.asarray(spot * np.exp(rows[0]))

    forward = spot * exp((rate - dividend) * years)
    return _estimate(walk, run, payoff, control, forward, exp(-rate * years))


def barrier(
    kind: str,
    spot: float,
    strike: float,
    barrier: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    style: str = "down-out",
    rebate: float = 0.0,
    observations: int,
    run: Run = _DEFAULT,
) -> Estimate:
    """A barrier watched at dates; the control is the plain option. A rebate is paid at expiry."""
    sign = sign_of(kind)
    code = choice("style", style, STYLES)
    require(spot=spot, strike=strike, years=years, vol=vol, rate=rate, dividend=dividend, barrier=barrier)
    walk = Walk(observations, years, vol, rate - dividend)

    def plain(rows: Array) -> Array:
        return np.asarray(np.maximum(sign * (spot * np.exp(rows[0]) - strike), 0.0))

    def payoff(rows: Array) -> Array:
        up, knock_in = code >= 2.0, code in (1.0, 3.0)
        touched = spot * np.exp(rows[3]) >= barrier if up else spot * np.exp(rows[2]) <= barrier
        return np.where(touched == knock_in, plain(rows), rebate)

    one = np.ones(1)
    forward, zero = one * spot * exp((rate - dividend) * years), 0.0 * one
    deviation = vol * np.sqrt(years) * one
    mean = float(vanilla(sign * one, forward, strike * one, one, deviation, zero, zero)[0])
    return _estimate(walk, run, payoff, plain, mean, exp(-rate * years))


def _estimate(
    walk: Walk,
    run: Run,
    payoff: Callable[[Array], Array],
    control: Callable[[Array], Array],
    control_mean: float,
    discount: float,
) -> Estimate:
    parts = [sums(payoff(rows), control(rows)) for rows in walk.summaries(run)]
    return combine(parts, run.paths, control_mean, discount)
