"""The normal distribution in pure Python, relatively accurate in both tails."""

from __future__ import annotations

from math import erfc, exp, log, log1p

SQRT_HALF = 0.7071067811865476
INV_SQRT_2PI = 0.3989422804014327
_FRACTION_FROM = 4.0
_FRACTION_TERMS = 70


def gauss(a: float) -> float:
    """exp(-a^2/2); a is split so that the square's rounding error is not magnified."""
    if abs(a) > 40.0:
        return 0.0
    head = round(a * 16.0) / 16.0  # its square is exact
    return exp(-0.5 * head * head) * exp(-0.5 * (a - head) * (a + head))


def tail(a: float) -> float:
    """N(-a) exp(a^2/2) for a >= 0: by erfc near zero, by Laplace's continued fraction beyond."""
    if a < _FRACTION_FROM:
        return 0.5 * erfc(a * SQRT_HALF) / gauss(a)
    if a > 1e8:
        return INV_SQRT_2PI / a
    denominator = a
    for k in range(_FRACTION_TERMS, 0, -1):
        denominator = a + k / denominator
    return INV_SQRT_2PI / denominator


def log_ratio(s: float, k: float) -> float:
    """log(s/k) without the rounding of s/k when they are near; s and k positive."""
    if 0.5 * k < s < 2.0 * k:
        return log1p((s - k) / k)
    return log(s) - log(k)
