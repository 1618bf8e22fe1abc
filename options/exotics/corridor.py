"""A Brownian motion with drift killed at both ends of a corridor: transition integrals and exit values.

Two exact series for the same function. The images (Ikeda and Kunitomo, Mathematical Finance 2, 1992, flat
boundaries) fall like exp(-2 n^2 / q), the sine series (Hui, Applied Financial Economics 6, 1996) like
exp(-pi^2 n^2 q / 2), where q = variance / width^2. At q = 2 / pi both fall like exp(-pi n^2), so with the
right one on each side a handful of terms gives every digit, whatever the arguments.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from options.exotics.normal import Array, tilted_cdf, tilted_interval
from options.exotics.touch import touch_by_survival

SWITCH: Final = 2.0 / np.pi
_WAVES: Final = range(1, 7)
_SHORT: Final = 4096


@dataclass(frozen=True, slots=True)
class Corridor:
    """The logarithm of spot moves from 0 between `low` < 0 and `high` > 0, with `drift` and `vol` per
    year.
    """

    low: Array
    high: Array
    drift: Array
    years: Array
    vol: Array

    @property
    def width(self) -> Array:
        return self.high - self.low

    @property
    def deviation(self) -> Array:
        return self.vol * np.sqrt(self.years)

    @property
    def slow(self) -> Array:
        """Where the images converge faster than the waves."""
        return np.asarray((self.deviation / self.width) ** 2 < SWITCH)

    @property
    def tilt(self) -> Array:
        return self.drift / (self.vol * self.vol)

    def later(self, years: Array) -> "Corridor":
        return Corridor(self.low, self.high, self.drift, years, self.vol)

    def integral(self, power: float, start: Array, end: Array) -> Array:
        """E[exp(power y); start < y < end, never outside], y the final logarithm, start and end inside."""
        with np.errstate(all="ignore"):
            return np.where(
                self.slow, self._images(power, start, end), np.maximum(self._waves(power, start, end), 0.0)
            )

    def survival(self) -> Array:
        """P(never outside)."""
        return np.clip(self.integral(0.0, self.low, self.high), 0.0, 1.0)

    def _split(self, numbers: range) -> list[Array]:
        """Numbers of terms, shaped to broadcast before the arguments: all in one where the arrays are short."""
        column = np.array(numbers, dtype=np.float64).reshape(-1, *([1] * np.ndim(self.deviation)))
        return np.array_split(column, 1 if np.size(self.deviation) <= _SHORT else len(numbers))

    def _reach(self) -> range:
        """The images that count: those beyond are below exp(-2 (n - 1)^2 / q) < 1e-19 of the first."""
        q = np.where(self.slow, (self.deviation / self.width) ** 2, 0.0)
        most = 2 + int(np.ceil(np.sqrt(22.0 * float(np.nanmax(q, initial=0.0)))))
        return range(-most, most + 1)

    def _images(self, power: float, start: Array, end: Array) -> Array:
        total = np.zeros_like(self.deviation)
        for n in self._split(self._reach()):
            shift = 2.0 * n * self.width
            pair = self._image(power, shift, start, end)
            pair = pair - self._image(power, 2.0 * self.high - shift, start, end)
            total = total + pair.sum(axis=0)
        return np.maximum(total, 0.0)

    def _image(self, power: float, centre: Array, start: Array, end: Array) -> Array:
        """The integral of exp((tilt + power) y - tilt^2 s^2 / 2) times the normal density around `centre`."""
        s = self.deviation
        moved = self.drift * self.years
        weight = (self.tilt + power) * centre + power * (moved + 0.5 * power * s * s)

        def end_at(y: Array) -> tuple[Array, Array]:
            z = (y - centre - moved) / s - power * s
            tail = power * y - 0.5 * ((y - moved) / s) ** 2 + 0.5 * (centre / s) * ((2.0 * y - centre) / s)
            return tail, z

        return tilted_interval(weight, *end_at(start), *end_at(end))

    def _waves(self, power: float, start: Array, end: Array) -> Array:
        base = self.tilt + power
        damping = 0.5 * (self.drift / self.vol) ** 2 * self.years
        total = np.zeros_like(self.deviation)
        for n in self._split(_WAVES):
            omega = n * np.pi / self.width
            decay = 0.5 * (omega * self.deviation) ** 2 + damping

            def primitive(y: Array, omega: Array = omega, decay: Array = decay) -> Array:
                angle = omega * (y - self.low)
                swing = base * np.sin(angle) - omega * np.cos(angle)
                return np.asarray(np.exp(base * y - decay) * swing / (base * base + omega * omega))

            total = total + (np.sin(-omega * self.low) * (primitive(end) - primitive(start))).sum(axis=0)
        return np.where(end > start, 2.0 / self.width * total, 0.0)

    def exit_value(self, rate: Array) -> Array:
        """E[exp(-rate tau); tau <= years] of the first exit at either end."""
        with np.errstate(all="ignore"):
            square = self.tilt * self.tilt + 2.0 * rate / (self.vol * self.vol)
            theta = np.sqrt(np.maximum(square, 0.0))
            value = np.where(self.slow, self._exit_images(rate, theta), self._exit_waves(rate, theta))
            rows = (square <= 0.0) & np.isfinite(square)
            if np.any(rows):
                part = Corridor(*(x[rows] for x in (self.low, self.high, self.drift, self.years, self.vol)))
                scale = (np.minimum(part.high, -part.low) / part.vol) ** 2
                value[rows] = touch_by_survival(lambda t: part.later(t).survival(), scale, rate[rows], part.years)
            return value

    def _exit_images(self, rate: Array, theta: Array) -> Array:
        total = np.zeros_like(self.width)
        s = self.deviation
        for n in self._split(self._reach()):
            for level, start, once in (
                (self.low, -self.low, self._straight(-1.0, self.low, rate, theta)),
                (self.high, self.high, self._straight(1.0, self.high, rate, theta)),
            ):
                path = 2.0 * n * self.width + start  # distance to the end by way of n reflections
                length = np.abs(path)
                tail = -0.5 * ((level - self.drift * self.years) / s) ** 2 - rate * self.years
                tail = tail + 0.5 * ((level - length) / s) * ((level + length) / s)
                climb = theta * s
                direct = tilted_cdf(once - (length - np.abs(level)) * theta, tail, climb - length / s)
                back = tilted_cdf(self.tilt * level + length * theta, tail, -climb - length / s)
                total = total + (np.sign(path) * (direct + back)).sum(axis=0)
        return total

    def _straight(self, side: float, level: Array, rate: Array, theta: Array) -> Array:
        """tilt level - theta |level|; where both are large and alike, from their product -2 rate / vol^2."""
        along = side * self.tilt > 0.0
        safe = np.where(along, self.tilt + side * theta, 1.0)
        return level * np.where(along, -2.0 * rate / (self.vol * self.vol) / safe, self.tilt - side * theta)

    def _exit_waves(self, rate: Array, theta: Array) -> Array:
        """The value of waiting for ever, less what would be paid after `years`."""
        variance = self.vol * self.vol
        still = rate + 0.5 * self.tilt * self.drift
        total = np.exp(self.tilt * self.low) * _sinh_ratio(theta, self.high, self.width)
        total = total + np.exp(self.tilt * self.high) * _sinh_ratio(theta, -self.low, self.width)
        for n in self._split(_WAVES):
            omega = n * np.pi / self.width
            speed = still + 0.5 * omega * omega * variance
            fade = omega * variance / (self.width * speed)
            ends = np.exp(self.tilt * self.low - speed * self.years) * np.sin(-omega * self.low)
            ends = ends + np.exp(self.tilt * self.high - speed * self.years) * np.sin(omega * self.high)
            total = total - (fade * ends).sum(axis=0)
        return total


def _sinh_ratio(theta: Array, part: Array, whole: Array) -> Array:
    """sinh(theta part) / sinh(theta whole) for 0 <= part <= whole, without overflow, part / whole at
    theta 0.
    """
    small = theta * whole < 1e-8
    ratio = np.exp(theta * (part - whole)) * np.expm1(-2.0 * theta * part) / np.expm1(-2.0 * theta * whole)
    return np.where(small, part / whole, ratio)
