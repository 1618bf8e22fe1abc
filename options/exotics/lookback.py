"""Lookback options, with a fixed or a floating strike, watched continuously or at dates.

Floating strike: Goldman, Sosin and Gatto, Journal of Finance 34, 1979. Fixed strike: Conze and
Viswanathan, Journal of Finance 46, 1991 (Haug 2007, sections 4.15.1 and 4.15.2). Both reduce to one
number, the discounted mean by which the path will pass a level beyond today's spot. Its published form
divides by the cost of carry; near zero carry the quotient is replaced by the mean of its derivative,
which has no cancellation and is exact in the limit. Watched at dates: Broadie, Glasserman and Kou,
"Connecting discrete and continuous path-dependent options", Finance and Stochastics 3, 1999.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from options.exotics.arguments import Kind, Sheet
from options.exotics.barrier import BETA, CERTAIN
from options.exotics.normal import Array, cdf, pdf, tilted_cdf
from options.exotics.vanilla import distances, log_ratio

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_SMALL: Final = 1.0  # below this the integrand of the mean derivative is flat to 12 Gauss points


def lookback(
    kind: Kind,
    spot: ArrayLike,
    strike: ArrayLike | None,
    years: ArrayLike,
    vol: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend: ArrayLike = 0.0,
    *,
    extreme: ArrayLike | None = None,
    observations: ArrayLike = 0,
) -> float | Array:
    """A lookback option; `strike` None makes it float.

    Fixed: a call pays max(path) - strike, a put strike - min(path). Floating: a call pays spot -
    min(path), a put max(path) - spot. `extreme` is the maximum or minimum so far (default: today's spot,
    which always counts). `observations` is the number of further equally spaced dates, the last at
    expiry; 0 is continuous. Absolute error below 1e-13 (spot + strike + extreme) for continuous watching.
    """
    sheet = Sheet(
        kind,
        spot=spot,
        strike=np.nan if strike is None else strike,
        years=years,
        vol=vol,
        rate=rate,
        dividend=dividend,
        extreme=spot if extreme is None else extreme,
        observations=observations,
    )
    with np.errstate(all="ignore"):
        value = _floating(sheet) if strike is None else _fixed(sheet)
    sheet.require("finite", "rate", "dividend")
    sheet.require("above zero", "spot", "extreme")
    sheet.require("zero or more", "years", "vol", *(() if strike is None else ("strike",)))
    sheet.require("a whole number, zero or more", "observations")
    return sheet.price(value)


def _so_far(sheet: Sheet, side: Array) -> Array:
    """The extreme on the upper (+1) or lower (-1) side, today's spot included."""
    return side * np.maximum(side * sheet["extreme"], side * sheet["spot"])


def _floating(sheet: Sheet) -> Array:
    side = -sheet["kind"]  # a put looks at the maximum
    extreme = _so_far(sheet, side)
    share = sheet["spot"] * np.exp(-sheet["dividend"] * sheet["years"])
    known = side * (extreme * np.exp(-sheet["rate"] * sheet["years"]) - share)
    return np.maximum(known + _watched_excess(sheet, extreme, side), 0.0)


def _fixed(sheet: Sheet) -> Array:
    side = sheet["kind"]
    extreme, strike = _so_far(sheet, side), sheet["strike"]
    level = side * np.maximum(side * extreme, side * strike)
    known = np.maximum(side * (extreme - strike), 0.0) * np.exp(-sheet["rate"] * sheet["years"])
    return known + _watched_excess(sheet, level, side)


def _watched_excess(sheet: Sheet, level: Array, side: Array) -> Array:
    dates = sheet["observations"]
    gap = np.where(dates > 0.0, np.sqrt(sheet["years"] / np.where(dates > 0.0, dates, 1.0)), 0.0)
    shift = np.exp(side * BETA * sheet["vol"] * gap)
    return _excess(sheet, level * shift, side) / shift


def _excess(sheet: Sheet, level: Array, side: Array) -> Array:
    """exp(-rT) E[(max(path) - level)+] for side +1, exp(-rT) E[(level - min(path))+] for side -1."""
    spot, years, carry = sheet["spot"], sheet["years"], sheet["rate"] - sheet["dividend"]
    deviation = sheet["vol"] * np.sqrt(years)
    discount = np.exp(-sheet["rate"] * years)
    d1, d2 = distances(spot, level, carry, years, deviation)
    growth = np.exp(carry * years)
    plain = side * (spot * growth * cdf(side * d1) - level * cdf(side * d2))
    beyond = np.where(level > 0.0, log_ratio(level, spot), 0.0)
    tilt = 2.0 * carry * years / (deviation * deviation)
    size = np.abs(tilt) * (1.0 + np.abs(beyond) + deviation * deviation)
    quotient = np.where(
        size < _SMALL,
        _mean_slope(tilt, beyond, deviation, side),
        _difference(tilt, beyond, deviation, side) / tilt,
    )
    random = np.maximum(discount * (plain + side * spot * quotient), 0.0)
    furthest = spot * np.where(side * carry > 0.0, growth, 1.0)
    certain = discount * np.maximum(side * (furthest - level), 0.0)
    return np.where(level > 0.0, np.where(deviation > CERTAIN, random, certain), 0.0)


def _images(tilt: Array, beyond: Array, deviation: Array, side: Array) -> tuple[Array, Array, Array]:
    """growth cdf(side d1), its mirror image (level / spot)^tilt cdf(side z), and growth pdf(d1)."""
    moved = 0.5 * tilt * deviation * deviation
    d1 = (moved - beyond) / deviation + 0.5 * deviation
    growth = np.exp(moved)
    weight = np.where(beyond != 0.0, tilt * beyond, 0.0)
    mirror = tilted_cdf(weight, moved - 0.5 * d1 * d1, side * (d1 - tilt * deviation))
    return growth * cdf(side * d1), mirror, growth * pdf(d1)


def _difference(tilt: Array, beyond: Array, deviation: Array, side: Array) -> Array:
    direct, mirror, _ = _images(tilt, beyond, deviation, side)
    return direct - mirror


def _mean_slope(tilt: Array, beyond: Array, deviation: Array, side: Array) -> Array:
    """`_difference` / tilt as the mean of its derivative between zero and tilt."""
    total = np.zeros_like(tilt)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        direct, mirror, density = _images(0.5 * (1.0 + node) * tilt, beyond, deviation, side)
        slope = 0.5 * deviation * deviation * direct - beyond * mirror + side * deviation * density
        total = total + 0.5 * weight * slope
    return total
