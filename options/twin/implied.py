"""Implied volatility in pure Python: Newton's method on the logarithm of the time value, held in a bracket."""

from __future__ import annotations

from math import exp, fsum, isfinite, log, nan, sqrt
from typing import Any

from options._arrays import reject_implied
from options.errors import KindError
from options.twin.broadcast import BOTH, as_float, is_scalar, kind_code, over_arrays
from options.twin.normal import INV_SQRT_2PI, gauss, log_ratio, tail

_STEPS = 100
_SERIES_TERMS = 12


def _scaled_tail(a: float) -> float:
    """N(-a) exp(a^2/2), a of either sign."""
    return tail(a) if a >= 0.0 else exp(0.5 * a * a) - tail(-a)


def _difference(h: float, t: float) -> float:
    """T(h-t) - T(h+t) for the scaled tail T; by its Taylor series where the two nearly cancel."""
    if t >= 0.25 or 2.0 * h * t >= 1.0:
        return _scaled_tail(h - t) - tail(h + t)
    before, now = tail(h), INV_SQRT_2PI - h * tail(h)
    total, factor = now, 1.0
    for n in range(1, 2 * _SERIES_TERMS, 2):
        before, now = now, n * before - h * now
        before, now = now, (n + 1) * before - h * now
        factor *= t * t / ((n + 1) * (n + 2))
        total += now * factor
    return 2.0 * t * total


def _level(x: float, s: float, upper: bool) -> tuple[float, float]:
    """log b and its derivative in s, b the time value's share of its bound; of 1 - b if upper."""
    h, t = x / s, 0.5 * s
    d = _scaled_tail(t - h) + tail(h + t) if upper else _difference(h, t)
    return log(d) - 0.5 * (h - t) ** 2, (-INV_SQRT_2PI if upper else INV_SQRT_2PI) / d


def _mismatch(x: float, s: float, upper: bool, share: float) -> float:
    """share over what s gives, less one, free of the logarithm's rounding."""
    h, t = x / s, 0.5 * s
    d = _scaled_tail(t - h) + tail(h + t) if upper else _difference(h, t)
    reached = gauss(h - t) * d
    return (share - reached) / reached if reached > 0.0 else 0.0


def _solve(x: float, share: float, log_share: float, upper: bool) -> float:
    """vol sqrt(T) for a share of the bound, or for the share missing from it if upper."""
    low, high = 0.0, 80.0 + 2.0 * sqrt(2.0 * x)
    s = min(high / 2.0, max(sqrt(2.0 * x), 1e-3))
    falls = upper
    for _ in range(_STEPS):
        if x / s > 1e8:
            low, step = s, 1.0
        else:
            level, slope = _level(x, s, upper)
            if (level < log_share) != falls:
                low = s
            else:
                high = s
            if level < 0.0 and log_share < -2.0 and not upper:  # nearly linear in (-2 log b)^(-1/2)
                step = 2.0 * level * (1.0 - sqrt(level / log_share)) / -slope
            else:
                step = (log_share - level) / slope
        trial = s + step
        if not low < trial < high:
            s = 0.5 * (low + high) if low > 0.0 else 0.01 * high
            continue
        close = abs(trial - s) <= 1e-9 * s
        s = trial
        if close:
            break
    level, slope = _level(x, s, upper)
    return s + (_mismatch(x, s, upper, share) if share > 0.0 else log_share - level) / slope


def point(sign: float, price: float, f: float, k: float, t: float, r: float) -> float:
    """Implied volatility of one option; NaN where there is none."""
    if not all(map(isfinite, (price, f, k, t, r))) or min(f, k, t) <= 0.0 or price < 0.0 or abs(sign) != 1.0:
        return nan
    try:
        grown = exp(r * t)
    except OverflowError:
        return nan
    undiscounted = price * grown
    if not isfinite(undiscounted) or grown == 0.0:
        return nan
    in_money = sign * (f - k) > 0.0
    missing = (f if sign > 0.0 else k) - undiscounted
    value = fsum((undiscounted, -sign * f, sign * k)) if in_money else undiscounted
    if missing <= 0.0:
        return nan
    if value <= 0.0 or (in_money and undiscounted <= abs(f - k)):
        slack = 0.0 if r == 0.0 else -(2.0**-52) * (f + k)
        return 0.0 if undiscounted - max(0.0, sign * (f - k)) >= slack else nan
    smaller = min(f, k)
    x = abs(log_ratio(f, k))
    upper = value > 0.5 * smaller
    share = missing / smaller if upper else value / smaller
    log_share = log(missing if upper else value) - log(smaller)
    if upper:
        log_share = log(share)
    return _solve(x, share if share > 1e-290 else 0.0, log_share, upper) / sqrt(t)


def implied_vol(
    kind: Any, price: Any, forward: Any, strike: Any, years: Any, rate: Any = 0.0, *,
    out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    code = kind_code(kind)
    if code == BOTH:
        raise KindError(kind)
    args = (price, forward, strike, years, rate)
    if code is not None and out is None and all(map(is_scalar, args)):
        values = [as_float(a) for a in args]
        vol = point(float(code), *values)
        if vol != vol:
            reject_implied(code, *values)
        return vol
    names = ("price", "forward", "strike", "years", "rate", "kind")
    signs = kind if code is None else float(code)

    def single(*values: float) -> tuple[float]:
        return (point(values[5], *values[:5]),)

    return over_arrays(single, names, (*args, signs), 1, out)[0]
