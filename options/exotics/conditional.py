"""The call on an arithmetic average, conditioned on the geometric one.

Curran, "Valuing Asian and portfolio options by conditioning on the geometric mean price", Management
Science 40, 1994; Rogers and Shi, Journal of Applied Probability 32, 1995. The call on E[average |
geometric average] is exact and takes nearly all of the value; what the remaining scatter adds is priced
with a lognormal of the conditional mean and variance, as Lord, Journal of Computational Finance 10, 2006,
recommends.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from options.exotics.normal import Array, cdf, pdf
from options.exotics.vanilla import vanilla

_CONTINUOUS_POINTS: Final = 24
_SIDE_POINTS: Final = 20
_VARIANCE_POINTS: Final = 9
_REACH: Final = 9.0  # conditional deviations either side of the kink that are integrated
_EDGE: Final = 40.0  # no standard normal goes further
_ROUNDS: Final = 40
_CHUNK: Final = 2_000_000  # array elements in flight


@dataclass(frozen=True, slots=True)
class _Dates:
    """The averaging dates as shares of the life, their weights, and their loading on the geometric mean.

    `loading` is the covariance of W(date) with the standardised geometric mean, for a life of 1. `smooth`
    less half of `apart` is the conditional covariance of two of the W; what stands for the kinked |s - t|
    in a product quadrature is `apart` (at dates the distance itself, in continuous time see
    `_product_distance`).
    """

    date: Array
    weight: Array
    loading: Array
    smooth: Array
    apart: Array
    distance: Array

    def covariance(self, variance: Array) -> Array:
        """Cov[price(s), price(t) | z] relative to the product of their conditional means.

        exp(v (smooth - |s - t| / 2)) - 1 split in an even function of |s - t| and |s - t| times an even one.
        """
        half = 0.5 * variance * self.distance
        odd = np.where(self.distance > 0.0, np.sinh(half) / np.where(half > 0.0, half, 1.0), 1.0)
        even = 2.0 * np.sinh(0.5 * half) ** 2
        smooth = variance * self.smooth
        return np.expm1(smooth) + np.exp(smooth) * (even - 0.5 * variance * odd * self.apart)


@lru_cache(maxsize=16)
def _dates(n: int) -> _Dates:
    if n == 0:
        nodes, weights = np.polynomial.legendre.leggauss(_CONTINUOUS_POINTS)
        date, weight = 0.5 * (1.0 + nodes), 0.5 * weights
        loading = (date - 0.5 * date * date) * np.sqrt(3.0)
        apart = _product_distance(nodes)
    else:
        i = np.arange(1, n + 1, dtype=np.float64)
        date, weight = i / n, np.full(n, 1.0 / n)
        shared = (i * (i + 1.0) / 2.0 + (n - i) * i) / (n * n)
        loading = shared / np.sqrt((1.0 + 1.0 / n) * (2.0 + 1.0 / n) / 6.0)
        apart = np.abs(date[:, None] - date)
    distance = np.abs(date[:, None] - date)
    smooth = 0.5 * (date[:, None] + date) - loading[:, None] * loading
    return _Dates(date, weight, loading, smooth, apart, distance)


def _product_distance(nodes: Array) -> Array:
    """R with sum_j w_j R_ij f(t_j) = int_0^1 |t_i - t| f(t) dt for every polynomial f that the nodes
    resolve.
    """
    n = nodes.size
    degrees = np.arange(n)
    at_nodes = np.polynomial.legendre.legvander(nodes, n - 1)
    points, weights = np.polynomial.legendre.leggauss(n)
    moments = np.zeros((n, n))
    for end in (-1.0, 1.0):
        half = 0.5 * np.abs(end - nodes)[:, None]
        middle = 0.5 * (end + nodes)[:, None]
        values = np.polynomial.legendre.legvander(middle + half * points, n - 1)
        moments += np.einsum(
            "ip,ipk->ik", half * weights * np.abs(middle + half * points - nodes[:, None]), values
        )
    ratio: Array = 0.5 * (moments * (degrees + 0.5)) @ at_nodes.T
    return ratio


def conditional_call(n: int, strike: Array, carry: Array, deviation: Array) -> Array:
    """Undiscounted call on the average of a spot of 1; strike and deviation positive, for the whole
    life.
    """
    dates = _dates(n)
    value = np.empty_like(strike)
    rows = max(1, _CHUNK // (dates.date.size * max(dates.date.size, 2 * _SIDE_POINTS)))
    for start in range(0, strike.size, rows):
        part = slice(start, start + rows)
        value[part] = _call(dates, strike[part], carry[part], deviation[part])
    return value


def _conditional_terms(dates: _Dates, z: Array, carry: Array, deviation: Array) -> Array:
    """weight E[price(date) | z], with z of shape (options, points) in, (options, points, dates) out."""
    a = deviation[:, None, None] * dates.loading
    terms: Array = dates.weight * np.exp(carry[:, None, None] * dates.date + a * z[:, :, None] - 0.5 * a * a)
    return terms


def _call(dates: _Dates, strike: Array, carry: Array, deviation: Array) -> Array:
    root = _root(dates, strike, carry, deviation)
    a = deviation[:, None] * dates.loading
    exercised = dates.weight * np.exp(carry[:, None] * dates.date) * cdf(a - root[:, None])
    bound = np.maximum(exercised.sum(axis=1) - strike * cdf(-root), 0.0)
    inside = np.abs(root) < _EDGE
    if dates.date.size > 1 and np.any(inside):
        bound[inside] += _scatter(dates, root[inside], strike[inside], carry[inside], deviation[inside])
    return np.asarray(bound)


def _root(dates: _Dates, strike: Array, carry: Array, deviation: Array) -> Array:
    """z at which E[average | z] is the strike, by Newton's method on its convex logarithm."""
    z = np.zeros_like(strike)
    target = np.log(strike)
    for _ in range(_ROUNDS):
        terms = _conditional_terms(dates, z[:, None], carry, deviation)[:, 0, :]
        total = terms.sum(axis=1)
        slope = (terms * dates.loading).sum(axis=1) * deviation / total
        step = (target - np.log(total)) / slope
        moved = np.clip(z + step, -_EDGE, _EDGE)
        if np.all(np.abs(moved - z) <= 1e-14 * (1.0 + np.abs(z))):
            return np.asarray(moved)
        z = moved
    return z


def _scatter(dates: _Dates, root: Array, strike: Array, carry: Array, deviation: Array) -> Array:
    """What the variance around the conditional mean adds, integrated over z on both sides of the kink."""
    covariance = dates.covariance(deviation[:, None, None] ** 2)

    def moments(z: Array) -> tuple[Array, Array]:
        terms = _conditional_terms(dates, z, carry, deviation)
        return terms.sum(axis=2), terms

    _, terms = moments(root[:, None])
    at_root = np.maximum(np.einsum("kpi,kij,kpj->kp", terms, covariance, terms)[:, 0], 0.0)
    slope = (terms[:, 0, :] * dates.loading).sum(axis=1) * deviation
    reach = np.minimum(_REACH * np.sqrt(at_root) / slope, 2.0 * _REACH)
    log_variance = _log_variance(dates, root, reach, covariance, carry, deviation)
    total = np.zeros_like(root)
    nodes, weights = np.polynomial.legendre.leggauss(_SIDE_POINTS)
    for side in (-1.0, 1.0):
        u = side * 0.5 * (1.0 + nodes)  # position in units of reach
        z = root[:, None] + reach[:, None] * u
        mean, _ = moments(z)
        spread = np.exp(0.5 * _evaluate(log_variance, u)) / mean
        fitted = np.sqrt(np.log1p(spread * spread))
        level = np.broadcast_to(strike[:, None], mean.shape)
        one, zero = np.ones_like(mean), np.zeros_like(mean)
        # the time value alone, taken on the side that is out of the money
        gap = vanilla(np.where(mean > level, -one, one), mean, level, one, fitted, zero, zero)
        total += 0.5 * reach * ((gap * pdf(z)) @ weights)
    return total


def _log_variance(
    dates: _Dates, root: Array, reach: Array, covariance: Array, carry: Array, deviation: Array
) -> Array:
    """ln Var[average | z] as Chebyshev coefficients over root +- reach; it is very nearly a straight
    line.
    """
    k = np.arange(_VARIANCE_POINTS)
    u = np.cos(np.pi * (k + 0.5) / _VARIANCE_POINTS)
    terms = _conditional_terms(dates, root[:, None] + reach[:, None] * u, carry, deviation)
    variance = np.sum((terms @ covariance) * terms, axis=2)
    logs = np.log(np.maximum(variance, 1e-300))
    basis = np.cos(np.pi * np.outer(k, k + 0.5) / _VARIANCE_POINTS) * (2.0 / _VARIANCE_POINTS)
    basis[0] *= 0.5
    coefficients: Array = logs @ basis.T
    return coefficients


def _evaluate(coefficients: Array, u: Array) -> Array:
    values: Array = coefficients @ np.polynomial.chebyshev.chebvander(u, _VARIANCE_POINTS - 1).T
    return values
