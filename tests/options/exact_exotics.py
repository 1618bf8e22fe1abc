"""Exotic options at many digits, by routes that share nothing with the code under test but the model.

Prices are integrals of a payoff against the density of a killed Brownian motion, written as plain sums of images;
touch values are integrals over time of the probability to survive. mpmath's precision does the rest.
"""

from __future__ import annotations

import math
from functools import cache

import mpmath as mp

DIGITS = 60


def cdf(x: mp.mpf) -> mp.mpf:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _images(
    sign: int, spot: mp.mpf, strike: mp.mpf, low: mp.mpf, high: mp.mpf, drift: mp.mpf, vol: mp.mpf, years: mp.mpf
) -> mp.mpf:
    """E[payoff; the path stays between exp(low) spot and exp(high) spot], undiscounted; an end may be infinite."""
    s = vol * mp.sqrt(years)
    tilt = drift / vol**2
    kink = mp.log(strike / spot) if strike else -mp.inf
    start, end = (max(kink, low), high) if sign > 0 else (low, min(kink, high))
    if start >= end:
        return mp.mpf(0)

    def integral(power: int, centre: mp.mpf) -> mp.mpf:
        gamma = tilt + power
        weight = mp.exp(gamma * centre + (gamma**2 - tilt**2) * s**2 / 2)
        top = mp.mpf(1) if end == mp.inf else cdf((end - centre) / s - gamma * s)
        bottom = mp.mpf(0) if start == -mp.inf else cdf((start - centre) / s - gamma * s)
        return weight * (top - bottom)

    def both(centre: mp.mpf) -> mp.mpf:
        return sign * (spot * integral(1, centre) - strike * integral(0, centre))

    if low == -mp.inf and high == mp.inf:
        return both(mp.mpf(0))
    if low == -mp.inf or high == mp.inf:
        wall = high if low == -mp.inf else low
        return both(mp.mpf(0)) - both(2 * wall)
    width = high - low
    reach = 2 + int(mp.ceil(12 * s / width))
    return mp.fsum(both(2 * n * width) - both(2 * high - 2 * n * width) for n in range(-reach, reach + 1))


@cache
def touch(low: mp.mpf, high: mp.mpf, drift: mp.mpf, vol: mp.mpf, years: mp.mpf, rate: mp.mpf) -> mp.mpf:
    """Value of 1 paid when the path leaves, by quadrature of the survival probability in time."""

    def alive(t: mp.mpf) -> mp.mpf:
        if t == 0:
            return mp.mpf(1)
        # a put with strike 1 on nothing: the probability to stay is a payoff of 1
        s = vol * mp.sqrt(t)
        tilt = drift / vol**2

        def one(centre: mp.mpf) -> mp.mpf:
            top = mp.mpf(1) if high == mp.inf else cdf((high - centre) / s - tilt * s)
            bottom = mp.mpf(0) if low == -mp.inf else cdf((low - centre) / s - tilt * s)
            return mp.exp(tilt * centre) * (top - bottom)

        if low == -mp.inf or high == mp.inf:
            return one(mp.mpf(0)) - one(2 * (high if low == -mp.inf else low))
        width = high - low
        reach = 2 + int(mp.ceil(5 * s / width))
        return mp.fsum(one(2 * n * width) - one(2 * high - 2 * n * width) for n in range(-reach, reach + 1))

    nearest = min(abs(low), abs(high))
    scale = (nearest / vol) ** 2
    marks = sorted(
        {years * k / 12 for k in range(13)} | {scale * 4**k for k in range(-3, 12) if scale * 4**k < years}
    )
    waited = mp.quad(lambda t: mp.exp(-rate * t) * alive(t), marks, method="gauss-legendre", maxdegree=3)
    return 1 - mp.exp(-rate * years) * alive(years) - rate * waited


@cache
def barrier(
    sign: int,
    spot: float,
    strike: float,
    low: float | None,
    high: float | None,
    years: float,
    vol: float,
    rate: float,
    dividend: float,
    *,
    knock_in: bool,
) -> mp.mpf:
    """A single (one end None) or double barrier option without rebate, from the exact values of the floats."""
    reach = max(abs(math.log(x / spot)) for x in (low, high) if x is not None)
    with mp.workdps(DIGITS + min(int(4 * abs(rate - dividend) / vol**2 * reach), 2000)):
        s, k, t, v, r, q = (mp.mpf(x) for x in (spot, strike, years, vol, rate, dividend))
        bottom = -mp.inf if low is None else mp.log(mp.mpf(low) / s)
        top = mp.inf if high is None else mp.log(mp.mpf(high) / s)
        drift = r - q - v * v / 2
        out = _images(sign, s, k, bottom, top, drift, v, t)
        if knock_in:
            out = _images(sign, s, k, -mp.inf, mp.inf, drift, v, t) - out
        return mp.exp(-r * t) * out


@cache
def lookback_excess(
    side: int, spot: float, level: float, years: float, vol: float, rate: float, dividend: float
) -> mp.mpf:
    """exp(-rT) E[(max - level)+] (side +1) or exp(-rT) E[(level - min)+] (-1), by quadrature of touch chances."""
    with mp.workdps(30):
        s, x, t, v, r, q = (mp.mpf(y) for y in (spot, level, years, vol, rate, dividend))
        drift, deviation = r - q - v * v / 2, v * mp.sqrt(t)

        def reached(z: mp.mpf) -> mp.mpf:
            """P(the path reaches spot exp(side z)), z >= 0, times what a unit of z adds to the level."""
            d = side * drift
            hit = cdf((d * t - z) / deviation) + mp.exp(2 * d * z / v**2) * cdf((-d * t - z) / deviation)
            return hit * s * mp.exp(side * z)

        start = side * mp.log(x / s)
        far = 14 * deviation + max(side * drift * t, 0)
        marks = [start, *(start + far * k / 8 for k in range(1, 9))]
        return mp.exp(-r * t) * mp.quad(reached, marks)
