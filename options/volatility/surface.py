"""A volatility surface: one slice per expiry, straight lines of total variance in time between them.

At a fixed log-moneyness ln(strike / forward). Straight lines in total variance keep a surface free of
calendar arbitrage that is free of it at its expiries (Gatheral and Jacquier 2014, section 2).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.errors import InvalidInputError
from options.volatility.svi import SVI, Butterfly, Calendar, butterfly, calendar

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Expiry:
    """A slice, its time to expiry in years, and the forward to that date."""

    years: float
    forward: float
    slice: SVI

    def __post_init__(self) -> None:
        for name in ("years", "forward"):
            value = getattr(self, name)
            if not 0.0 < value < float("inf"):
                raise InvalidInputError(name, value, "above zero and finite")


@dataclass(frozen=True, slots=True)
class Arbitrage:
    """What is wrong with a surface: the slices with butterflies, and the pairs of neighbours that cross."""

    butterflies: tuple[tuple[float, Butterfly], ...]
    calendars: tuple[tuple[float, float, Calendar], ...]

    @property
    def free(self) -> bool:
        """Whether nothing is."""
        return not self.butterflies and not self.calendars


@dataclass(frozen=True, slots=True)
class Surface:
    """Slices in order of expiry. Outside the first and the last the volatility stays that of the end."""

    expiries: tuple[Expiry, ...]

    def __post_init__(self) -> None:
        if not self.expiries:
            raise InvalidInputError("expiries", (), "at least one slice")
        for one, two in pairwise(self.expiries):
            if not one.years < two.years:
                raise InvalidInputError("expiries", (one.years, two.years), "in order of their years")

    def variance(self, k: ArrayLike, years: ArrayLike) -> Array:
        """Total variance at log-moneyness and time, which broadcast; NaN where years is negative or NaN."""
        moneyness, time = np.broadcast_arrays(np.asarray(k, dtype=np.float64), np.asarray(years, dtype=np.float64))
        dates = np.array([expiry.years for expiry in self.expiries])
        known = np.stack([expiry.slice.variance(moneyness) for expiry in self.expiries])
        last = dates.size - 1
        with np.errstate(invalid="ignore"):
            right = np.clip(np.searchsorted(dates, time), 0, last)
            left = np.maximum(right - 1, 0)
            above = np.take_along_axis(known, right[None], axis=0)[0]
            below = np.take_along_axis(known, left[None], axis=0)[0]
            width = dates[right] - dates[left]
            share = np.where(width > 0.0, (time - dates[left]) / np.where(width > 0.0, width, 1.0), 0.0)
            inside = below + share * (above - below)
            outside = known[0] * (time / dates[0])
            after = known[last] * (time / dates[last])
            value = np.where(time <= dates[0], outside, np.where(time >= dates[last], after, inside))
            return np.where(time >= 0.0, value, np.nan)

    def vol(self, k: ArrayLike, years: ArrayLike) -> Array:
        """Implied volatility at log-moneyness and time; at zero time that of the first slice's end."""
        time = np.asarray(years, dtype=np.float64)
        least = 1e-9 * self.expiries[0].years
        safe = np.where(time == 0.0, least, time)
        return np.sqrt(self.variance(k, safe) / safe)

    def forward(self, years: ArrayLike) -> Array:
        """The forward at a time: its logarithm runs straight between expiries, and on with the end's slope."""
        dates = np.array([expiry.years for expiry in self.expiries])
        logs = np.log([expiry.forward for expiry in self.expiries])
        time = np.asarray(years, dtype=np.float64)
        inside = np.interp(time, dates, logs)
        if dates.size > 1:
            first = (logs[1] - logs[0]) / (dates[1] - dates[0])
            last = (logs[-1] - logs[-2]) / (dates[-1] - dates[-2])
            inside = np.where(time < dates[0], logs[0] + first * (time - dates[0]), inside)
            inside = np.where(time > dates[-1], logs[-1] + last * (time - dates[-1]), inside)
        return np.exp(inside)

    def arbitrage(self) -> Arbitrage:
        """Every butterfly and calendar arbitrage between neighbouring expiries."""
        tests = [(expiry.years, butterfly(expiry.slice)) for expiry in self.expiries]
        pairs = [(one.years, two.years, calendar(one.slice, two.slice)) for one, two in pairwise(self.expiries)]
        return Arbitrage(
            tuple(test for test in tests if not test[1].free),
            tuple(pair for pair in pairs if not pair[2].free),
        )
