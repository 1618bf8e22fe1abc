"""The option inside a timelock: what an atomic swap gives away for the length of its lock.

The party that moves last may walk away, so it holds an American option at the money on the other's asset
until the lock ends. Han, Lin and Yu, "On the optionality and fairness of atomic swaps", AFT 2019 (eprint
2019/896), price it by the tree of Cox, Ross and Rubinstein (Journal of Financial Economics 7, 1979). At a
rate of zero early exercise never pays and the limit is Black and Scholes: 2 cdf(sigma sqrt(T) / 2) - 1,
about 0.4 sigma sqrt(T).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import erf
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.exotics.arguments import Sheet, choice
from options.exotics.normal import SQRT_HALF, Array

Method = Literal["crr", "black-scholes"]

HOURS_PER_YEAR: Final = 365.0 * 24.0
STEPS: Final = 1000  # of the tree: its premium is then below the limit by one part in 4000
_METHODS: Final = {"crr": 0.0, "black-scholes": 1.0}
_CHUNK: Final = 1 << 20
_MOST_SPREAD: Final = 700.0  # of the logarithm: beyond, the option is worth the asset to the last digit
_ERF: Final = np.vectorize(erf, otypes=[np.float64])


def lock_premium(
    vol: ArrayLike, hours: ArrayLike, method: Method = "crr", *, rate: ArrayLike = 0.0, steps: int = STEPS
) -> float | Array:
    """The value of the option in a lock of `hours` at volatility `vol` per year, as a fraction of the
    notional.

    `rate` is the carry of one asset against the other; "black-scholes" is the European value and takes
    none but zero. Bad scalars raise InvalidInputError, bad elements of arrays become NaN.
    """
    sheet = Sheet("call", vol=vol, hours=hours, rate=rate)
    sheet.require("zero or more", "vol", "hours")
    sheet.require("finite", "rate")
    years = sheet["hours"] / HOURS_PER_YEAR
    if choice("method", method, _METHODS) == 1.0:
        sheet.demand(sheet["rate"] == 0.0, "rate", 'zero with the method "black-scholes"')
        with np.errstate(over="ignore", invalid="ignore"):
            half = 0.5 * sheet["vol"] * np.sqrt(np.where(sheet.valid, years, 0.0))
        return sheet.price(_ERF(half * SQRT_HALF))
    sheet.demand(np.full(years.shape, 1 <= steps <= 100_000), "vol", "priced in 1 to 100000 steps")
    with np.errstate(invalid="ignore"):
        step = np.abs(sheet["rate"]) * np.sqrt(years / steps)
    fits = (sheet["vol"] == 0.0) | (step < sheet["vol"])
    sheet.demand(fits, "vol", "zero, or above |rate| sqrt(years / steps): the tree has no probabilities below it")
    value = np.full(years.shape, np.nan)
    rows = np.flatnonzero(sheet.valid)
    size = max(1, _CHUNK // (steps + 1))
    for start in range(0, rows.size, size):
        part = rows[start : start + size]
        value.flat[part] = _tree(
            sheet["vol"].ravel()[part], years.ravel()[part], sheet["rate"].ravel()[part], steps
        )
    return sheet.price(value)


def _tree(vol: Array, years: Array, rate: Array, steps: int) -> Array:
    """American call at the money on a unit of the asset, on the recombining tree."""
    step = years / steps
    with np.errstate(over="ignore"):
        wild = vol * np.sqrt(step) * steps > _MOST_SPREAD
    move = np.where(wild, 0.0, vol) * np.sqrt(step)
    up, down = np.exp(move), np.exp(-move)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.where(up > down, (np.exp(rate * step) - down) / (up - down), 1.0)
    discount = np.exp(-rate * step)
    level = np.arange(-steps, steps + 1, 2)
    value = np.maximum(np.exp(move[:, None] * level) - 1.0, 0.0)
    keep, rise = (discount * (1.0 - chance))[:, None], (discount * chance)[:, None]
    for n in range(steps - 1, -1, -1):
        value = keep * value[:, :-1] + rise * value[:, 1:]
        if np.any(rate < 0.0):
            exercised = np.exp(move[:, None] * np.arange(-n, n + 1, 2)) - 1.0
            value = np.maximum(value, exercised)
    certain = np.maximum(1.0 - np.exp(-rate * years), 0.0)
    return np.where(wild, 1.0, np.where(up > down, value[:, 0], certain))


def premium_per_hour(
    vol: ArrayLike, hours: ArrayLike, method: Method = "crr", *, rate: ArrayLike = 0.0, steps: int = STEPS
) -> float | Array:
    """`lock_premium` divided by the hours of the lock: what each hour costs on average. `hours` above
    zero.
    """
    premium = lock_premium(vol, hours, method, rate=rate, steps=steps)
    sheet = Sheet("call", vol=vol, hours=hours, rate=rate)
    sheet.require("above zero", "hours")
    return sheet.price(np.asarray(premium) / sheet["hours"])


@dataclass(frozen=True, slots=True)
class Lock:
    """A timelock in use: whose, which, and its length in hours."""

    system: str
    lock: str
    hours: float


@dataclass(frozen=True, slots=True)
class LockRow:
    """The option in one lock: the fraction of the notional, and that per hour."""

    lock: Lock
    premium: float
    per_hour: float


# As read in the public code of each in 2026; a Bitcoin block counts as ten minutes.
LOCKS: Final = (
    Lock("Komodo", "taker", 2.0 + 1.0 / 6.0),
    Lock("eigenwallet", "cancel, 24 blocks", 4.0),
    Lock("Komodo", "maker", 4.0 + 1.0 / 3.0),
    Lock("dcrdex", "taker", 8.0),
    Lock("dcrdex", "maker", 20.0),
    Lock("basicswap", "participant", 24.0),
    Lock("Boltz", "server", 24.0),
    Lock("eigenwallet", "punish, 144 blocks", 24.0),
    Lock("Boltz", "user", 36.0),
    Lock("basicswap", "initiator", 48.0),
)


def lock_table(vol: float, locks: Iterable[Lock] = LOCKS, method: Method = "crr") -> tuple[LockRow, ...]:
    """What each lock gives away at a volatility, in the order given."""
    listed = tuple(locks)
    hours: NDArray[np.float64] = np.array([lock.hours for lock in listed])
    premiums = np.atleast_1d(lock_premium(vol, hours, method))
    return tuple(
        LockRow(lock, float(premium), float(premium) / lock.hours if lock.hours else 0.0)
        for lock, premium in zip(listed, premiums, strict=True)
    )
