"""Single barrier options with a rebate, all eight types, watched continuously or at dates.

Reiner and Rubinstein, "Breaking Down the Barriers", Risk 4, 1991; letters A to F as in Haug 2007, section
4.17.1. The reflection factor (H/S)^(2 mu) and the probability that it multiplies can be 1e300 and 1e-300:
each term is evaluated from the exponent of their product instead, which has no cancellation
(docs/options/exotics.md). Watched at dates: Broadie, Glasserman and Kou, "A continuity correction for
discrete barrier options", Mathematical Finance 7, 1997: the barrier moves away from the spot by the
factor exp(+-beta sigma sqrt(dt)).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.exotics.arguments import Kind, Sheet, choose
from options.exotics.normal import Array, cdf, tilted_cdf
from options.exotics.touch import discounted_touch, survival
from options.exotics.vanilla import distances, log_ratio, vanilla

BETA: Final = 0.5825971579390106  # -zeta(1/2) / sqrt(2 pi)
CERTAIN: Final = 1e-150  # a deviation below this is zero: its square would underflow

STYLES: Final = {"down-out": 0.0, "down-in": 1.0, "up-out": 2.0, "up-in": 3.0}  # +2 for up, +1 for in


def barrier(
    kind: Kind,
    spot: ArrayLike,
    strike: ArrayLike,
    barrier: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend: ArrayLike = 0.0,
    *,
    style: str | ArrayLike = "down-out",
    rebate: ArrayLike = 0.0,
    observations: ArrayLike = 0,
) -> float | Array:
    """A barrier option: `style` is "down-out", "down-in", "up-out" or "up-in".

    `rebate` is cash: of a knock-out paid when the barrier is touched, of a knock-in paid at expiry if it
    never was. `observations` is the number of equally spaced dates at which the barrier is watched, the
    last at expiry; 0 is continuous. A spot at or beyond the barrier has touched it: the knock-in is then
    the plain option and the knock-out its rebate. Absolute error below 1e-13 (spot + strike + rebate);
    Bad scalars raise, bad elements
    of arrays become NaN.
    """
    sheet = Sheet(
        kind,
        spot=spot,
        strike=strike,
        barrier=barrier,
        years=years,
        vol=vol,
        rate=rate,
        dividend=dividend,
        style=choose("style", style, STYLES),
        rebate=rebate,
        observations=observations,
    )
    with np.errstate(all="ignore"):
        terms = _Terms.of(sheet)
        value = np.where(terms.deviation > CERTAIN, _random(terms), _certain(terms))
        value = np.where(terms.touched, _after_touch(terms), np.maximum(value, 0.0))
    _require(sheet)
    return sheet.price(value)


@dataclass(frozen=True, slots=True)
class _Terms:
    """The arguments, and what all terms share; eta is +1 for a down barrier, -1 for an up barrier."""

    phi: Array
    eta: Array
    knock_in: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    spot: Array
    strike: Array
    level: Array
    years: Array
    vol: Array
    rate: Array
    dividend: Array
    rebate: Array
    deviation: Array
    distance: Array  # ln(level / spot)

    @classmethod
    def of(cls, sheet: Sheet) -> "_Terms":
        eta = np.where(sheet["style"] >= 2.0, -1.0, 1.0)
        spot, vol, years = sheet["spot"], sheet["vol"], sheet["years"]
        dates = sheet["observations"]
        gap = np.where(dates > 0.0, np.sqrt(years / np.where(dates > 0.0, dates, 1.0)), 0.0)
        level = sheet["barrier"] * np.exp(-eta * BETA * vol * gap)
        return cls(
            phi=sheet["kind"],
            eta=eta,
            knock_in=np.mod(sheet["style"], 2.0) == 1.0,
            touched=eta * (spot - sheet["barrier"]) <= 0.0,
            spot=spot,
            strike=sheet["strike"],
            level=level,
            years=years,
            vol=vol,
            rate=sheet["rate"],
            dividend=sheet["dividend"],
            rebate=sheet["rebate"],
            deviation=vol * np.sqrt(years),
            distance=log_ratio(level, spot),
        )

    @property
    def carry(self) -> Array:
        return self.rate - self.dividend

    @property
    def drift(self) -> Array:
        return self.carry - 0.5 * self.vol * self.vol

    @property
    def share(self) -> Array:
        return self.spot * np.exp(-self.dividend * self.years)

    @property
    def cash(self) -> Array:
        return self.strike * np.exp(-self.rate * self.years)


def _require(sheet: Sheet) -> None:
    sheet.require("finite", "rate", "dividend")
    sheet.require("above zero", "spot", "barrier")
    sheet.require("zero or more", "strike", "years", "vol", "rebate")
    sheet.require("a whole number, zero or more", "observations")


def _plain(terms: _Terms, level: Array) -> Array:
    """A (level = strike) and B (level = barrier): the payoff beyond `level`, whether touched or not."""
    d1, d2 = distances(terms.spot, level, terms.carry, terms.years, terms.deviation)
    return terms.phi * (terms.share * cdf(terms.phi * d1) - terms.cash * cdf(terms.phi * d2))


def _reflected(terms: _Terms, level: Array) -> Array:
    """C (level = strike) and D (level = barrier): the payoff beyond `level` of the paths seen in the
    mirror.

    log(weight) - y^2 / 2 = -d^2 / 2 - lost exactly, and `lost` >= 0 wherever the term is used.
    """
    d1, d2 = distances(terms.spot, level, terms.carry, terms.years, terms.deviation)
    jump = 2.0 * terms.distance / terms.deviation
    lost = jump * (log_ratio(terms.level, level) / terms.deviation)
    tilt = 2.0 * terms.carry * terms.years / (terms.deviation * terms.deviation)
    of_share = tilted_cdf((tilt + 1.0) * terms.distance, -0.5 * d1 * d1 - lost, terms.eta * (d1 + jump))
    of_cash = tilted_cdf((tilt - 1.0) * terms.distance, -0.5 * d2 * d2 - lost, terms.eta * (d2 + jump))
    return terms.phi * (terms.share * of_share - terms.cash * of_cash)


def _random(terms: _Terms) -> Array:
    """The value of an untouched barrier option where the volatility is positive."""
    a, b = _plain(terms, terms.strike), _plain(terms, terms.level)
    c, d = _reflected(terms, terms.strike), _reflected(terms, terms.level)
    alive_side = terms.eta * (terms.strike - terms.level) > 0.0
    regular = terms.phi * terms.eta > 0.0
    knocked_in = np.where(regular, np.where(alive_side, c, a - b + d), np.where(alive_side, b - c + d, a))
    knocked_out = np.where(regular, np.where(alive_side, a - c, b - d), np.where(alive_side, a - b + c - d, 0.0))
    untouched = survival(terms.distance, terms.drift, terms.years, terms.vol)
    at_expiry = terms.rebate * np.exp(-terms.rate * terms.years) * untouched
    at_touch = np.zeros_like(terms.spot)
    if np.any(terms.rebate > 0.0):
        at_touch = terms.rebate * discounted_touch(terms.distance, terms.drift, terms.rate, terms.years, terms.vol)
    return np.where(
        terms.knock_in, np.maximum(knocked_in, 0.0) + at_expiry, np.maximum(knocked_out, 0.0) + at_touch
    )


def _certain(terms: _Terms) -> Array:
    """The limit without volatility: the path is spot exp(carry t), which touches once or never."""
    touches = terms.eta * (terms.carry * terms.years - terms.distance) <= 0.0
    moment = np.where(touches, terms.distance / terms.carry, 0.0)
    payoff = np.maximum(terms.phi * (terms.share - terms.cash), 0.0)
    knocked_in = np.where(touches, payoff, terms.rebate * np.exp(-terms.rate * terms.years))
    knocked_out = np.where(touches, terms.rebate * np.exp(-terms.rate * moment), payoff)
    return np.where(terms.knock_in, knocked_in, knocked_out)


def _after_touch(terms: _Terms) -> Array:
    plain = vanilla(terms.phi, terms.spot, terms.strike, terms.years, terms.vol, terms.rate, terms.dividend)
    return np.where(terms.knock_in, plain, terms.rebate)
