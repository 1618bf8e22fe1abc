"""What a simulation returns, and how sums over paths become it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import fsum, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A simulated price, its standard error (one deviation), and what it was made from.

    `control` is the regression coefficient of the control variate: of payoff on control, 1 if they move
    together.
    """

    price: float
    error: float
    paths: int
    control: float

    def within(self, value: float, deviations: float = 4.0) -> bool:
        """Whether `value` lies within so many standard errors of the price."""
        return abs(self.price - value) <= deviations * self.error

    def scaled(self, unit: float) -> "Estimate":
        """The same in another unit of price."""
        return replace(self, price=self.price * unit, error=self.error * unit)


def sums(payoff: Array, control: Array) -> Array:
    """With d = payoff - control and y = control: the sums of d, d^2, d y, y, y^2."""
    d = payoff - control
    return np.array([d.sum(), d @ d, d @ control, control.sum(), control @ control])


def combine(parts: Iterable[Array], paths: int, control_mean: float, discount: float) -> Estimate:
    """The estimate by regression on the control, whose exact undiscounted mean is known.

    `parts` are `sums` over disjoint sets of paths; they are added without rounding, so in any order the same.
    Working on payoff less control keeps the digits that payoff^2 less its explained part would lose.
    """
    rows = np.concatenate([np.atleast_2d(part) for part in parts])
    d, dd, dy, y, yy = (fsum(rows[:, k]) / paths for k in range(5))
    spread, shared, var = dd - d * d, dy - d * y, yy - y * y
    slope = shared / var if var > 0.0 else 0.0
    left = max(spread - slope * shared, 0.0) * paths / max(paths - 2, 1)
    mean = d + control_mean - slope * (y - control_mean)
    return Estimate(discount * mean, discount * sqrt(left / paths), paths, 1.0 + slope)
