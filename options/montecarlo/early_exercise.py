"""Early exercise on simulated paths, by regression.

Longstaff and Schwartz, "Valuing American options by simulation: a simple least-squares approach", Review
of Financial Studies 14, 2001. The rule is fitted on one stream of paths and valued on another, so the
price is that of a rule which can be followed: low on average, never high by foresight. The control
variate is the European option's value at the moment of exercise (Rasmussen, Journal of Computational
Finance 9, 2005).
"""

from dataclasses import dataclass, replace
from math import exp

import numpy as np

from options.exotics.vanilla import vanilla
from options.montecarlo.engine import Array, Run, Walk, require, sign_of
from options.montecarlo.estimate import Estimate, combine, sums

_DEFAULT = Run()


@dataclass(frozen=True, slots=True)
class Rule:
    """When to exercise: at date i, where the payoff exceeds the polynomial of the state with these
    coefficients.

    `coefficients` has a row per date but the last, constant first; a row of NaN never exercises.
    """

    coefficients: Array

    def stops(self, states: Array, payoffs: Array) -> Array:
        """The index of the date each path stops at, for arrays of shape (dates, paths); at the last, at
        latest.
        """
        dates = states.shape[0]
        moment = np.full(states.shape[1], dates - 1)
        for i in range(dates - 2, -1, -1):
            with np.errstate(invalid="ignore"):
                worth = np.polynomial.polynomial.polyval(states[i], self.coefficients[i])
                moment = np.where((payoffs[i] > 0.0) & (payoffs[i] >= worth), i, moment)
        return moment


def fit(states: Array, payoffs: Array, discount: float, degree: int = 3, *, least: int = 50) -> Rule:
    """Fits a rule to paths, from the last date backwards: value of going on against a polynomial of the
    state.

    `states` and `payoffs` have shape (dates, paths); `discount` is for one interval between dates. Only
    paths in the money take part, as in the paper; a date with fewer than `least` of them never exercises.
    """
    dates = states.shape[0]
    coefficients = np.full((dates - 1, degree + 1), np.nan)
    value = payoffs[-1].copy()
    for i in range(dates - 2, -1, -1):
        value *= discount
        live = payoffs[i] > 0.0
        if np.count_nonzero(live) < least:
            continue
        basis = np.polynomial.polynomial.polyvander(states[i, live], degree)
        coefficients[i] = np.linalg.lstsq(basis, value[live], rcond=None)[0]
        exercised = payoffs[i, live] >= basis @ coefficients[i]
        value[live] = np.where(exercised, payoffs[i, live], value[live])
    return Rule(coefficients)


def longstaff_schwartz(
    kind: str,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    exercises: int = 50,
    degree: int = 3,
    run: Run = _DEFAULT,
) -> Estimate:
    """An option that may be exercised at `exercises` equally spaced dates, the last at expiry; not today.

    Uses streams `run.stream` and `run.stream + 1`; the price is the second's.
    """
    sign = sign_of(kind)
    require(spot=spot, strike=strike, years=years, vol=vol, rate=rate, dividend=dividend)
    walk = Walk(exercises, years, vol, rate - dividend)
    discount = exp(-rate * years / exercises)
    unit = strike or spot

    def moneyness(chunk: Array) -> tuple[Array, Array]:
        """Price over strike, and the payoff in strikes."""
        states = spot / unit * np.exp(chunk)
        return states, np.maximum(sign * (states - strike / unit), 0.0)

    rule = fit(*moneyness(np.concatenate(list(walk.trails(run)), axis=1)), discount, degree)
    parts = []
    one = np.ones(1)
    dates = np.arange(1, exercises + 1)
    left = years * (1.0 - dates / exercises)
    for chunk in walk.trails(replace(run, stream=run.stream + 1)):
        states, payoffs = moneyness(chunk)
        moment = rule.stops(states, payoffs)
        column = np.arange(moment.size)
        paid = discount ** dates[moment]
        control = vanilla(
            sign * one,
            states[moment, column],
            strike / unit * one,
            left[moment],
            vol * one,
            rate * one,
            dividend * one,
        )
        parts.append(sums(paid * payoffs[moment, column], paid * control))
    terms = (
        sign * one,
        spot / unit * one,
        strike / unit * one,
        years * one,
        vol * one,
        rate * one,
        dividend * one,
    )
    return combine(parts, run.paths, float(vanilla(*terms)[0]), 1.0).scaled(unit)
