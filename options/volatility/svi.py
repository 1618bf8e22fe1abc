"""One expiry's smile as a hyperbola in total variance, and whether it can be arbitraged.

Raw SVI: w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), k = ln(strike / forward), w = vol^2
years. Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, 2014,
arXiv 1204.0646.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.errors import InvalidInputError

Array = NDArray[np.float64]

_REACH: Final = 60.0  # half-width of the range searched for butterflies, in units of sigma
_WIDE: Final = 8.0  # and in log-moneyness
_POINTS: Final = 2001
_CALENDAR_POINTS: Final = 801
_BISECTIONS: Final = 60
_FARTHEST: Final = 700.0  # a strike e^700 times the forward is the last that a double holds
_TOLERANCE: Final = 1e-12  # a crossing or a density below zero by this much is rounding


@dataclass(frozen=True, slots=True)
class SVI:
    """A slice in raw parameters; refused unless w(k) >= 0 everywhere."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def __post_init__(self) -> None:
        for name in ("a", "b", "rho", "m", "sigma"):
            if not isfinite(getattr(self, name)):
                raise InvalidInputError(name, getattr(self, name), "finite")
        if self.b < 0.0:
            raise InvalidInputError("b", self.b, "zero or more")
        if not -1.0 < self.rho < 1.0:
            raise InvalidInputError("rho", self.rho, "between -1 and 1")
        if self.sigma <= 0.0:
            raise InvalidInputError("sigma", self.sigma, "above zero")
        if self.least < -_TOLERANCE:
            raise InvalidInputError("a", self.a, "at least -b sigma sqrt(1 - rho^2), or variance is negative")

    @property
    def least(self) -> float:
        """The least total variance of the slice."""
        return self.a + self.b * self.sigma * sqrt(1.0 - self.rho * self.rho)

    def variance(self, k: ArrayLike) -> Array:
        """Total variance at log-moneyness k."""
        x = np.asarray(k, dtype=np.float64) - self.m
        return np.maximum(self.a + self.b * (self.rho * x + np.hypot(x, self.sigma)), 0.0)

    def vol(self, k: ArrayLike, years: float) -> Array:
        """Implied volatility at log-moneyness k of the expiry in `years`."""
        if not years > 0.0:
            raise InvalidInputError("years", years, "above zero")
        return np.sqrt(self.variance(k) / years)

    def slopes(self, k: ArrayLike) -> tuple[Array, Array]:
        """First and second derivative of total variance in k."""
        x = np.asarray(k, dtype=np.float64) - self.m
        root = np.hypot(x, self.sigma)
        return self.b * (self.rho + x / root), self.b * self.sigma * self.sigma / root**3

    def density(self, k: ArrayLike) -> Array:
        """Durrleman's g(k), the sign of the risk-neutral density; a butterfly is free money where it is
        negative.
        """
        k = np.asarray(k, dtype=np.float64)
        w = self.variance(k)
        first, second = self.slopes(k)
        with np.errstate(divide="ignore", invalid="ignore"):
            g = (1.0 - 0.5 * k * first / w) ** 2 - 0.25 * first * first * (1.0 / w + 0.25) + 0.5 * second
        return np.where(w > 0.0, g, np.where(self.b == 0.0, 1.0, -inf))


@dataclass(frozen=True, slots=True)
class Butterfly:
    """Where the density is least, and how far below zero it falls; `steepest` wing slope must not pass 2
    (Lee).
    """

    k: float
    density: float
    steepest: float

    @property
    def free(self) -> bool:
        """Whether there is no butterfly arbitrage."""
        return self.density >= -_TOLERANCE and self.steepest <= 2.0


def search_grid(slice_: SVI, points: int) -> Array:
    """Log-moneyness, fine where the smile bends and where g does, wide enough for the wings."""
    bend = np.sinh(np.linspace(-1.0, 1.0, points) * np.arcsinh(_REACH)) * slice_.sigma
    wide = np.linspace(-_WIDE, _WIDE, points)
    return np.unique(np.concatenate((slice_.m + bend, slice_.m + wide, wide)))


def butterfly(slice_: SVI) -> Butterfly:
    """Searches a slice for butterfly arbitrage: g on a grid that is fine where the smile bends, then
    refined.

    Beyond the grid g only tends to its limit, (4 - (b (1 +- rho))^2) / 16.
    """
    k, least = _least(slice_.density, search_grid(slice_, _POINTS))
    steepest = slice_.b * (1.0 + abs(slice_.rho))
    limit = (4.0 - steepest * steepest) / 16.0
    return Butterfly(k, min(least, limit), steepest)


def _least(function: Callable[[Array], Array], grid: Array) -> tuple[float, float]:
    """Where a smooth function is least and its value there: the best point of the grid, refined."""
    for _ in range(4):
        values = function(grid)
        at = int(np.argmin(values))
        grid = np.linspace(grid[max(at - 1, 0)], grid[min(at + 1, grid.size - 1)], 101)
    values = function(grid)
    at = int(np.argmin(values))
    return float(grid[at]), float(values[at])


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where the later slice falls most below the earlier one; `excess` is how far it stays above, if
    positive.
    """

    k: float
    excess: float
    crossings: tuple[float, ...]

    @property
    def free(self) -> bool:
        """Whether there is no calendar-spread arbitrage."""
        return self.excess >= -_TOLERANCE


def calendar(earlier: SVI, later: SVI) -> Calendar:
    """Whether total variance falls anywhere from one expiry to the next.

    Two slices cross at roots of a quartic (Gatheral and Jacquier, section 3.1). Its coefficients cancel when the
    slices are much alike, so its roots only say where to look: the difference is searched for changes of sign
    around them and on a grid as fine as either smile, and each is then bisected.
    """

    def gap(k: Array) -> Array:
        return _above(later, k) - _above(earlier, k)

    grids = [search_grid(slice_, _CALENDAR_POINTS) for slice_ in (earlier, later)]
    roots = _quartic_roots(earlier, later)
    around = np.concatenate([roots + side * (1e-7 + 1e-3 * np.abs(roots)) for side in (-1.0, 0.0, 1.0)])
    points = np.unique(np.concatenate((*grids, around, [-_FARTHEST, _FARTHEST])))
    points = points[np.abs(points) <= _FARTHEST]
    k, excess = _least(gap, points)
    return Calendar(k, excess, _changes(gap, points))


def _above(slice_: SVI, k: Array) -> Array:
    """Total variance without the floor at zero, which would hide a sign."""
    x = k - slice_.m
    return slice_.a + slice_.b * (slice_.rho * x + np.hypot(x, slice_.sigma))


def _changes(function: Callable[[Array], Array], points: Array) -> tuple[float, ...]:
    """Where a function changes sign between neighbouring points, by bisection of all such intervals at once."""
    signs = np.sign(function(points))
    at = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    low, high, left = points[at], points[at + 1], signs[at]
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        same = np.sign(function(middle)) == left
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    exact = points[signs == 0]
    return tuple(np.sort(np.concatenate((0.5 * (low + high), exact))).tolist()) if exact.size < 10 else ()


def _quartic_roots(one: SVI, two: SVI) -> Array:
    """The real parts of the roots of the twice squared equation, those of its far from real ones left out."""
    poly = np.polynomial.Polynomial
    constant = two.a - one.a - two.b * two.rho * two.m + one.b * one.rho * one.m
    line = poly([constant, two.b * two.rho - one.b * one.rho])
    first = one.b**2 * poly([one.m**2 + one.sigma**2, -2.0 * one.m, 1.0])
    second = two.b**2 * poly([two.m**2 + two.sigma**2, -2.0 * two.m, 1.0])
    # b1 R1 - b2 R2 = line: square, isolate the product of roots, square again
    quartic = (first + second - line**2) ** 2 - 4.0 * first * second
    coefficients = np.trim_zeros(quartic.coef, "b")
    if coefficients.size < 2:
        return np.empty(0)
    roots = poly(coefficients).roots()
    real = np.abs(roots.imag) <= 1e-3 * (1.0 + np.abs(roots))
    return np.asarray(roots.real[real], dtype=np.float64)
