"""European prices and Greeks at fifty digits, to judge the kernels by."""

from __future__ import annotations

from dataclasses import dataclass

import mpmath as mp

mp.mp.dps = 50
ULP = mp.mpf(2) ** -53


@dataclass(frozen=True, slots=True)
class Exact:
    price: mp.mpf
    delta: mp.mpf
    gamma: mp.mpf
    vega: mp.mpf
    theta: mp.mpf
    rho: mp.mpf
    vanna: mp.mpf
    volga: mp.mpf
    charm: mp.mpf
    sensitivity: mp.mpf  # how far the price moves if every input is off by one part in one
    d1: mp.mpf
    d2: mp.mpf


def cdf(x: mp.mpf) -> mp.mpf:
    if abs(x) > 1e6:  # out of mpmath's reach, and of every double's
        return mp.mpf(x > 0)
    return mp.erfc(-x / mp.sqrt(2)) / 2


def density(x: mp.mpf) -> mp.mpf:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def black_scholes(
    sign: float, spot: float, strike: float, years: float, vol: float, rate: float = 0, dividend: float = 0
) -> Exact:
    s, k, t, v, r, q = (mp.mpf(float(x)) for x in (spot, strike, years, vol, rate, dividend))
    sign = int(sign)
    total = v * mp.sqrt(t)
    d1 = (mp.log(s / k) + (r - q) * t) / total + total / 2
    d2 = d1 - total
    a1, a2 = s * mp.exp(-q * t), k * mp.exp(-r * t)
    leg1, leg2 = a1 * cdf(sign * d1), a2 * cdf(sign * d2)
    bell = a1 * density(d1)
    vega = bell * mp.sqrt(t)
    theta = -bell * v / (2 * mp.sqrt(t)) + sign * (q * leg1 - r * leg2)
    rho = sign * t * leg2
    return Exact(
        price=sign * (leg1 - leg2),
        delta=sign * leg1 / s,
        gamma=bell / (s * s * total),
        vega=vega,
        theta=theta,
        rho=rho,
        vanna=-bell / s * d2 / v,
        volga=vega * d1 * d2 / v,
        charm=sign * q * leg1 / s - bell / s * ((r - q) / total - d2 / (2 * t)),
        sensitivity=leg1 + leg2 + abs(v * vega) + abs(t * theta) + abs(r * rho) + abs(q * t * leg1),
        d1=d1,
        d2=d2,
    )
