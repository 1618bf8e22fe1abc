"""Realised volatility per year from prices: one estimator per kind of data.

Arrays are one-dimensional, in order of time, equally spaced, prices above zero; `periods` is how many
there are in a year (365 for daily bars of a market that never closes). All estimate the deviation of the
logarithm.
"""

from math import log, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.errors import InvalidInputError, OptionsError, ShapeError

Array = NDArray[np.float64]

DAYS: Final = 365.0


class TooFewPricesError(OptionsError, ValueError):
    """Too few prices to say anything of their deviation."""

    def __init__(self, given: int, needed: int) -> None:
        self.given = given
        self.needed = needed
        super().__init__(f"{given} prices: at least {needed} are needed")


def _logs(least: int, periods: float, **columns: ArrayLike) -> list[Array]:
    if not 0.0 < periods < float("inf"):
        raise InvalidInputError("periods", periods, "above zero and finite")
    arrays = [np.asarray(column, dtype=np.float64) for column in columns.values()]
    shapes = tuple(array.shape for array in arrays)
    if len(set(shapes)) > 1 or arrays[0].ndim != 1:
        raise ShapeError("prices must be one-dimensional and of one length", shapes)
    for name, array in zip(columns, arrays, strict=True):
        bad = ~(np.isfinite(array) & (array > 0.0))
        if bad.any():
            raise InvalidInputError(name, float(array[bad][0]), "above zero and finite")
    if arrays[0].size < least:
        raise TooFewPricesError(arrays[0].size, least)
    return [np.log(array) for array in arrays]


def _ordered(high: Array, low: Array, *others: Array) -> None:
    if np.any(high < low) or any(np.any((x > high) | (x < low)) for x in others):
        raise InvalidInputError("high", "a bar", "at least its low, with open and close between them")


def close_to_close(close: ArrayLike, periods: float = DAYS) -> float:
    """The sample deviation of log returns, their mean removed."""
    (logs,) = _logs(3, periods, close=close)
    return sqrt(float(np.var(np.diff(logs), ddof=1)) * periods)


def parkinson(high: ArrayLike, low: ArrayLike, periods: float = DAYS) -> float:
    """From ranges alone, for no drift and no gaps: Parkinson, Journal of Business 53, 1980."""
    top, bottom = _logs(1, periods, high=high, low=low)
    _ordered(top, bottom)
    return sqrt(float(np.mean((top - bottom) ** 2)) / (4.0 * log(2.0)) * periods)


def garman_klass(
    open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, periods: float = DAYS
) -> float:
    """From bars, for no drift and no gaps: Garman and Klass, Journal of Business 53, 1980."""
    start, top, bottom, end = _logs(1, periods, open_=open_, high=high, low=low, close=close)
    _ordered(top, bottom, start, end)
    variance = np.mean(0.5 * (top - bottom) ** 2 - (2.0 * log(2.0) - 1.0) * (end - start) ** 2)
    return sqrt(max(float(variance), 0.0) * periods)


def rogers_satchell(
    open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, periods: float = DAYS
) -> float:
    """From bars, for any drift and no gaps: Rogers and Satchell, Annals of Applied Probability 1, 1991."""
    start, top, bottom, end = _logs(1, periods, open_=open_, high=high, low=low, close=close)
    _ordered(top, bottom, start, end)
    return sqrt(_rogers_satchell(start, top, bottom, end) * periods)


def _rogers_satchell(start: Array, top: Array, bottom: Array, end: Array) -> float:
    return float(np.mean((top - start) * (top - end) + (bottom - start) * (bottom - end)))


def yang_zhang(
    open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, periods: float = DAYS
) -> float:
    """From bars, for any drift and opening gaps: Yang and Zhang, Journal of Business 73, 2000.

    The first bar only gives the close that the second one's gap starts from.
    """
    start, top, bottom, end = _logs(3, periods, open_=open_, high=high, low=low, close=close)
    _ordered(top, bottom, start, end)
    gaps, bodies = start[1:] - end[:-1], (end - start)[1:]
    n = gaps.size
    k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0))
    inner = _rogers_satchell(start[1:], top[1:], bottom[1:], end[1:])
    variance = np.var(gaps, ddof=1) + k * np.var(bodies, ddof=1) + (1.0 - k) * inner
    return sqrt(float(variance) * periods)
