"""The value of one unit of cash paid when a level is touched, if it is before expiry.

E[exp(-r tau); tau <= T] of a Brownian motion with drift, Reiner and Rubinstein 1991 (F in Haug 2007,
4.17.1). For a rate so negative that the closed form turns complex, the same value comes from the survival
probability Q(t) by parts: 1 - exp(-rT) Q(T) - r int_0^T exp(-rt) Q(t) dt.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from options.exotics.normal import Array, cdf, tilted_cdf

_QUADRATURE_POINTS: Final = 96
_SHORT: Final = 512
_NEVER: Final = 1500.0  # a level sqrt(1500) deviations away is touched with probability below 1e-300


def survival(distance: Array, drift: Array, years: Array, vol: Array) -> Array:
    """P(not touched by `years`) of a level `distance` = ln(level / spot) away, drift per year of the
    logarithm.

    `vol * sqrt(years)` must be positive.
    """
    with np.errstate(all="ignore"):
        side = -np.sign(distance)
        deviation = vol * np.sqrt(years)
        ahead = (drift * years - distance) / deviation
        weight = 2.0 * drift * years * distance / (deviation * deviation)
        behind = ahead + 2.0 * distance / deviation
        gone = tilted_cdf(weight, -0.5 * ahead * ahead, side * behind)
        return np.clip(cdf(side * ahead) - gone, 0.0, 1.0)


def discounted_touch(distance: Array, drift: Array, rate: Array, years: Array, vol: Array) -> Array:
    """Value of 1 paid at the touch of a level `distance` = ln(level / spot) away; `vol * sqrt(years)`
    positive.
    """
    square = drift * drift + 2.0 * rate * vol * vol
    value = _closed_touch(distance, drift, rate, years, vol, np.sqrt(np.maximum(square, 0.0)))
    rows = (square < 0.0) & np.isfinite(square)
    if np.any(rows):
        away, trend, spread = distance[rows], drift[rows], vol[rows]

        def alive(moment: Array) -> Array:
            return survival(away, trend, moment, spread)

        value[rows] = touch_by_survival(alive, (away / spread) ** 2, rate[rows], years[rows])
    return value


def _closed_touch(distance: Array, drift: Array, rate: Array, years: Array, vol: Array, root: Array) -> Array:
    with np.errstate(all="ignore"):
        side = -np.sign(distance)
        deviation = vol * np.sqrt(years)
        variance = vol * vol
        # (mu + lambda) h and (mu - lambda) h: of the two sums one may cancel, their product is -2 r / vol^2
        total, rest = drift + root, drift - root
        total = np.where(drift < 0.0, _quotient(-2.0 * rate * variance, rest), total)
        rest = np.where(drift > 0.0, _quotient(-2.0 * rate * variance, total), rest)
        tail = -0.5 * ((distance - drift * years) / deviation) ** 2 - rate * years
        near = (distance + root * years) / deviation
        far = (distance - root * years) / deviation
        return tilted_cdf(total * distance / variance, tail, side * near) + tilted_cdf(
            rest * distance / variance, tail, side * far
        )


def _quotient(above: Array, below: Array) -> Array:
    return np.where(below != 0.0, above / np.where(below != 0.0, below, 1.0), 0.0)


def touch_by_survival(alive: Callable[[Array], Array], scale: Array, rate: Array, years: Array) -> Array:
    """The same value from the survival probability, by Gauss-Legendre quadrature in the logarithm of time.

    `scale` is (distance / vol)^2, the time at which a touch becomes likely; long before it nothing
    happens.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_QUADRATURE_POINTS)
    with np.errstate(all="ignore"):
        start = np.minimum(scale / _NEVER, years)
        half = 0.5 * np.log(years / start)
        total = -np.expm1(-rate * start) / np.where(rate != 0.0, rate, 1.0)
        # all nodes at once where the arrays are short, else one after another: never much memory, never slow
        for part in np.array_split(np.arange(nodes.size), 1 if years.size <= _SHORT else nodes.size):
            moment = start * np.exp(half * (1.0 + nodes[part, None]))
            paid = weights[part, None] * half * moment * np.exp(-rate * moment) * alive(moment)
            total = total + paid.sum(axis=0)
        return 1.0 - np.exp(-rate * years) * alive(years) - rate * total
