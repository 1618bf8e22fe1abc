"""European call and put on arrays, as the other formulas need them: limits included, no checks."""

import numpy as np

from options.exotics.normal import Array, cdf


def log_ratio(above: Array, below: Array) -> Array:
    """ln(above / below) of positive numbers, from their difference where they are close: no digit is lost
    there.
    """
    with np.errstate(all="ignore"):
        near = np.log1p((above - below) / below)
        far = np.log(above) - np.log(below)
        return np.where(np.abs(above - below) <= 0.5 * below, near, far)


def distances(spot: Array, level: Array, carry: Array, years: Array, deviation: Array) -> tuple[Array, Array]:
    """d1 and d2 of a level: (ln(spot / level) + carry years) / deviation +- deviation / 2, with their
    limits.

    Where deviation is zero they are plus or minus infinity, and zero at the money.
    """
    with np.errstate(all="ignore"):
        moved = log_ratio(spot, level) + carry * years
        middle = np.where(deviation > 0.0, moved / deviation, np.copysign(np.inf, moved))
        middle = np.where((deviation == 0.0) & (moved == 0.0), 0.0, middle)
        return middle + 0.5 * deviation, middle - 0.5 * deviation


def vanilla(
    sign: Array, spot: Array, strike: Array, years: Array, vol: Array, rate: Array, dividend: Array
) -> Array:
    """Black-Scholes-Merton; Haug 2007, section 1.1."""
    deviation = vol * np.sqrt(years)
    d1, d2 = distances(spot, strike, rate - dividend, years, deviation)
    share = spot * np.exp(-dividend * years)
    cash = strike * np.exp(-rate * years)
    return np.maximum(sign * (share * cdf(sign * d1) - cash * cdf(sign * d2)), 0.0)
