"""Fits a slice to quotes.

For fixed m and sigma the raw slice is linear in the other three parameters: w = a + d y + c z with y = (k
- m) / sigma and z = sqrt(y^2 + 1), under linear bounds (De Marco and Martini, "Quasi-explicit calibration
of Gatheral's SVI model", Zeliade white paper 2009). That small convex problem is solved exactly, face by
face; the outer search in two dimensions is a simplex, started from several places. Least squares by numpy
alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import atanh, exp, isfinite, log, sqrt, tanh
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.errors import InvalidInputError, OptionsError
from options.volatility.svi import SVI, Butterfly, butterfly, search_grid

Array = NDArray[np.float64]

LEAST_QUOTES: Final = 5
_LEAST_SIGMA: Final = 1e-4
_MOST_SIGMA: Final = 10.0
_ROUNDS: Final = 600
_PENALTY: Final = 100.0  # of a density below zero, in units of the mean squared variance
_MARGIN: Final = 1e-4  # of density kept above zero, since the search grid is coarse
_COARSE: Final = 201
_RESTARTS: Final = 4  # a simplex in five dimensions stalls; a fresh one moves on
_SLACK: Final = 1e-10


class TooFewQuotesError(OptionsError, ValueError):
    """Fewer usable quotes than a slice has parameters."""

    def __init__(self, usable: int) -> None:
        self.usable = usable
        super().__init__(f"{usable} usable quotes: a slice has five parameters and needs at least {LEAST_QUOTES}")


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibrated slice, its root mean square error in volatility, and its butterfly test."""

    slice: SVI
    rmse: float
    butterfly: Butterfly


def calibrate(
    k: ArrayLike, vols: ArrayLike, years: float, weights: ArrayLike | None = None, *, arbitrage_free: bool = True
) -> Fit:
    """Fits a slice to implied volatilities at log-moneyness k, by weighted least squares in total variance.

    Quotes that are not finite or not positive are left out; TooFewQuotesError if fewer than five remain.
    With `arbitrage_free` a slice with a butterfly is driven towards one without; what is left is in
    `Fit.butterfly`.
    """
    if not 0.0 < years < float("inf"):
        raise InvalidInputError("years", years, "above zero and finite")
    x, vol, weight = _usable(k, vols, weights)
    problem = _Problem(x, vol * vol * years, weight / weight.sum())
    slice_ = problem.solve()
    test = butterfly(slice_)
    if arbitrage_free and not test.free:
        slice_ = problem.without_butterfly(slice_)
        test = butterfly(slice_)
    error = sqrt(float(np.mean((slice_.vol(x, years) - vol) ** 2)))
    return Fit(slice_, error, test)


def _usable(k: ArrayLike, vols: ArrayLike, weights: ArrayLike | None) -> tuple[Array, Array, Array]:
    x, vol, weight = np.broadcast_arrays(
        np.asarray(k, dtype=np.float64),
        np.asarray(vols, dtype=np.float64),
        np.asarray(1.0 if weights is None else weights, dtype=np.float64),
    )
    with np.errstate(invalid="ignore"):
        good = np.isfinite(x) & np.isfinite(vol) & (vol > 0.0) & np.isfinite(weight) & (weight > 0.0)
    if np.unique(x[good]).size < LEAST_QUOTES:
        raise TooFewQuotesError(int(np.unique(x[good]).size))
    return x[good], vol[good], weight[good]


@dataclass(frozen=True, slots=True)
class _Problem:
    k: Array
    w: Array
    weight: Array

    def solve(self) -> SVI:
        """The best slice, whether it has butterflies or not."""

        def cost(point: Array) -> float:
            return self.inner(point)[1]

        best = min((_simplex(cost, start) for start in self._starts()), key=lambda found: found[1])
        return self.inner(_simplex(cost, best[0])[0])[0]

    def without_butterfly(self, start: SVI) -> SVI:
        """The best slice near `start` whose density stays above zero: all five parameters, with a penalty."""
        scale = _PENALTY * float(np.mean(self.w**2))

        def cost(point: Array) -> float:
            slice_ = _from_free(point)
            error = self.weight @ (slice_.variance(self.k) - self.w) ** 2
            least = float(slice_.density(search_grid(slice_, _COARSE)).min())
            excess = max(_MARGIN - least, 0.0) + max(slice_.b * (1.0 + abs(slice_.rho)) - 2.0, 0.0)
            return float(error) + scale * excess

        point = _to_free(start, float(self.w.min()))
        for _ in range(_RESTARTS):
            point = _simplex(cost, point)[0]
        return _from_free(point)

    def _starts(self) -> Iterator[Array]:
        low, high = float(self.k.min()), float(self.k.max())
        bottom = float(self.k[np.argmin(self.w)])
        width = max(high - low, 1e-3)
        for m in (bottom, 0.5 * (low + high), low, high):
            for share in (0.1, 0.5):
                yield np.array([m, log(share * width)])

    def inner(self, point: Array) -> tuple[SVI, float]:
        """The best slice for m and ln(sigma), and its weighted mean squared error in total variance."""
        m, sigma = float(point[0]), min(max(exp(min(point[1], 5.0)), _LEAST_SIGMA), _MOST_SIGMA)
        y = (self.k - m) / sigma
        root = np.sqrt(self.weight)
        design = np.stack((np.ones_like(y), y, np.hypot(y, 1.0)), axis=1) * root[:, None]
        target = self.w * root
        solution = _bounded(design, target, sigma, -np.inf)
        if solution[0] + sqrt(max(solution[2] ** 2 - solution[1] ** 2, 0.0)) < 0.0:
            solution = _bounded(design, target, sigma, 0.0)  # keeps the variance above zero everywhere
        residual = design @ solution - target
        a, d, c = (float(value) for value in solution)
        rho = min(max(d / c, -1.0 + 1e-9), 1.0 - 1e-9) if c > 0.0 else 0.0
        b = max(c, 0.0) / sigma
        slice_ = SVI(max(a, -b * sigma * sqrt(1.0 - rho * rho)), b, rho, m, sigma)
        return slice_, float(residual @ residual)


def _bounded(design: Array, target: Array, sigma: float, least_a: float) -> Array:
    """Least squares over a, d, c with a >= least_a, |d| <= c and |d| <= 4 sigma - c (no wing steeper than
    4).

    The unconstrained solution if it is inside; else the best over all faces, edges and corners.
    """
    rows = np.array([[0, 1, 1], [0, -1, 1], [0, 1, -1], [0, -1, -1], [1, 0, 0]], dtype=np.float64)
    limits = np.array([0.0, 0.0, -4.0 * sigma, -4.0 * sigma, least_a])  # rows @ x >= limits
    gram, moment = design.T @ design, design.T @ target
    best, least = np.array([float(target @ design[:, 0]), 0.0, 0.0]), np.inf
    for size in range(4):
        for active in combinations(range(5 if isfinite(least_a) else 4), size):
            x = _on_face(gram, moment, rows[list(active)], limits[list(active)])
            if x is None or np.any(rows @ x < limits - _SLACK * (1.0 + abs(4.0 * sigma))):
                continue
            cost = float(x @ gram @ x - 2.0 * (moment @ x))
            if cost < least:
                best, least = x, cost
        if size == 0 and least < np.inf:
            break
    return best


def _on_face(gram: Array, moment: Array, rows: Array, limits: Array) -> Array | None:
    """The least squares solution with rows @ x = limits, by Lagrange's multipliers; None if there is not
    one.
    """
    size = limits.size
    system = np.zeros((3 + size, 3 + size))
    system[:3, :3], system[:3, 3:], system[3:, :3] = gram, rows.T, rows
    try:
        solution = np.asarray(np.linalg.solve(system, np.concatenate((moment, limits))), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    return solution[:3] if np.all(np.isfinite(solution)) else None


def _to_free(slice_: SVI, floor: float) -> Array:
    """The parameters as numbers without bounds: ln of the least variance and of b, atanh rho, m, ln
    sigma.
    """
    return np.array(
        [
            log(max(slice_.least, 1e-4 * floor)),
            log(max(slice_.b, 1e-8)),
            atanh(min(max(slice_.rho, -0.999), 0.999)),
            slice_.m,
            log(slice_.sigma),
        ]
    )


def _from_free(point: Array) -> SVI:
    least, b = exp(min(point[0], 10.0)), exp(min(point[1], 10.0))
    rho = min(max(tanh(point[2]), -1.0 + 1e-12), 1.0 - 1e-12)
    sigma = min(max(exp(min(point[4], 5.0)), _LEAST_SIGMA), _MOST_SIGMA)
    return SVI(least - b * sigma * sqrt(1.0 - rho * rho), b, rho, float(point[3]), sigma)


def _simplex(cost: Callable[[Array], float], start: Array) -> tuple[Array, float]:
    """Nelder and Mead, Computer Journal 7, 1965, in as many dimensions as `start` has."""
    points = [start, *(start + 0.25 * unit for unit in np.eye(start.size))]
    values = [cost(point) for point in points]
    for _ in range(_ROUNDS):
        order = np.argsort(values)
        points, values = [points[i] for i in order], [values[i] for i in order]
        spread = max(float(np.abs(points[-1] - points[0]).max()), abs(values[-1] - values[0]))
        if spread < 1e-10:
            break
        centre = np.mean(points[:-1], axis=0)
        points, values = _move(cost, points, values, centre)
    at = int(np.argmin(values))
    return points[at], values[at]


def _move(
    cost: Callable[[Array], float], points: list[Array], values: list[float], centre: Array
) -> tuple[list[Array], list[float]]:
    worst = points[-1]
    for factor, accepted in ((1.0, values[-2]), (-0.5, values[-1]), (0.5, values[-1])):
        trial = centre + factor * (centre - worst)
        value = cost(trial)
        if factor == 1.0 and value < values[0]:
            further = centre + 2.0 * (centre - worst)
            beyond = cost(further)
            if beyond < value:
                trial, value = further, beyond
        if value < accepted:
            return [*points[:-1], trial], [*values[:-1], value]
    shrunk = [points[0], *(0.5 * (points[0] + point) for point in points[1:])]
    return shrunk, [values[0], *(cost(point) for point in shrunk[1:])]
