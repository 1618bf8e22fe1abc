"""European options in pure Python: Black-Scholes-Merton, Black-76, inverse. The formula is the textbook's."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite, nan, sqrt
from typing import Any

from options.results import CallPut, CallPutGreeks, Greeks
from options.twin.broadcast import BOTH, as_float, is_scalar, kind_code, over_arrays, reject
from options.twin.normal import INV_SQRT_2PI, gauss, log_ratio, tail

SPOT, FORWARD, INVERSE = "spot", "forward", "inverse"
_NAMES = ("spot", "strike", "years", "vol", "rate", "dividend")


@dataclass(frozen=True, slots=True)
class Terms:
    """One option; a1 and a2 are the discounted spot and strike, in coin for an inverse option."""

    model: str
    sign: float
    s: float
    k: float
    t: float
    vol: float
    r: float
    q: float
    a1: float
    a2: float


def point(model: str, sign: float, s: float, k: float, t: float, vol: float, r: float, q: float) -> Greeks[float]:
    """Price and Greeks of one option; all NaN outside the model."""
    if model == FORWARD:
        q = r
    if not all(map(isfinite, (s, k, t, vol, r, q))) or min(s, k, t, vol) < 0.0 or abs(sign) != 1.0:
        return Greeks(*[nan] * 9)
    try:
        d1, d2 = exp(-q * t), exp(-r * t)
        a1 = d1 if model == INVERSE else s * d1
        a2 = _over(k, s) * d2 if model == INVERSE else k * d2
        terms = Terms(model, sign, s, k, t, vol, r, q, a1, a2)
        if not isfinite(a1) or not isfinite(a2):
            return Greeks(*[nan] * 9)
        if s == 0.0 or k == 0.0 or vol * sqrt(t) == 0.0:
            found = _kink(terms) if s > 0.0 and a1 == a2 else _certain(terms, float(sign * (a1 - a2) > 0.0))
        else:
            found = _regular(terms)
    except OverflowError:
        return Greeks(*[nan] * 9)
    return Greeks(*(x if isfinite(x) else nan for x in found))


def _over(a: float, b: float) -> float:
    return a / b if b else (nan if a == 0.0 else inf)


def _certain(o: Terms, itm: float) -> Greeks[float]:
    leg1, leg2 = itm * o.a1, itm * o.a2
    price = max(0.0, o.sign * (o.a1 - o.a2))
    inverse = o.model == INVERSE
    delta = o.sign * _over(leg2, o.s) if inverse else o.sign * itm * exp(-o.q * o.t)
    return Greeks(
        price=price,
        delta=delta,
        gamma=-2.0 * _over(delta, o.s) if inverse else 0.0,
        vega=0.0,
        theta=o.sign * (o.q * leg1 - o.r * leg2),
        rho=-o.t * price if o.model == FORWARD else o.sign * o.t * leg2,
        vanna=0.0,
        volga=0.0,
        charm=(o.r if inverse else o.q) * delta,
    )


def _kink(o: Terms) -> Greeks[float]:
    """Exactly on the strike with vol sqrt(T) -> 0; what has no finite limit is NaN."""
    half = _certain(o, 0.5)
    if o.t == 0.0:
        flat = o.r == o.q and o.vol > 0.0
        return half._replace(gamma=nan, theta=nan, charm=nan, vanna=0.0 if flat else nan)
    slope = INV_SQRT_2PI * sqrt(o.t)
    return half._replace(
        gamma=nan,
        vega=o.a1 * slope,
        vanna=o.a1 / o.s * slope * (-0.5 if o.model == INVERSE else 0.5),
        charm=half.charm if o.r == o.q else nan,
    )


def _regular(o: Terms) -> Greeks[float]:
    v = o.vol * sqrt(o.t)
    x = log_ratio(o.s, o.k) + (o.r - o.q) * o.t
    d1, d2 = x / v + 0.5 * v, x / v - 0.5 * v
    # a1 exp(-d1^2/2) = a2 exp(-d2^2/2): computed once, an error in it does not come between the two legs
    bell = o.a1 * gauss(d1) if abs(d1) < abs(d2) else o.a2 * gauss(d2)
    density = bell * INV_SQRT_2PI
    leg1, rest1 = _shares(o.a1, bell, d1)
    leg2, rest2 = _shares(o.a2, bell, d2)
    outer = max(0.0, leg1 - leg2 if x <= 0.0 else rest2 - rest1)
    price = outer + max(0.0, o.sign * (o.a1 - o.a2))
    if o.sign < 0.0:
        leg1, leg2 = rest1, rest2
    inverse = o.model == INVERSE
    moved = d1 if inverse else d2
    delta = o.sign * (leg2 if inverse else leg1) / o.s
    gamma = density / o.s / o.s / v - (2.0 * delta / o.s if inverse else 0.0)
    if density == 0.0:  # d1 and d2 may be infinite; their products with it vanish all the same
        d1 = d2 = moved = 0.0
    drift = (o.r - o.q) / v - moved / (2.0 * o.t)
    return Greeks(
        price=price,
        delta=delta,
        gamma=gamma,
        vega=density * sqrt(o.t),
        theta=o.sign * (o.q * leg1 - o.r * leg2) - density * v / (2.0 * o.t),
        rho=-o.t * price if o.model == FORWARD else o.sign * o.t * leg2,
        vanna=-density / o.s * moved / o.vol,
        volga=density * sqrt(o.t) * d1 * d2 / o.vol,
        charm=(o.r if inverse else o.q) * delta - (density / o.s * drift if density else 0.0),
    )


def _shares(a: float, bell: float, d: float) -> tuple[float, float]:
    """a N(d) and a N(-d), given a exp(-d^2/2)."""
    small = bell * tail(abs(d))
    return (a - small, small) if d > 0.0 else (small, a - small)


def _european(model: str, full: bool, kind: Any, args: tuple[Any, ...], out: Any) -> Any:
    code = kind_code(kind)
    names = ("forward", *_NAMES[1:]) if model == FORWARD else _NAMES

    def both(*values: float) -> tuple[float, ...]:
        call, put = point(model, 1.0, *values), point(model, -1.0, *values)
        return (call.price, put.price, *call[1:]) if full else (call.price, put.price)

    def single(*values: float) -> tuple[float, ...]:
        found = point(model, values[6], *values[:6])
        return found if full else (found.price,)

    wrap: Any = CallPutGreeks if full else CallPut
    if code != BOTH:
        wrap = Greeks if full else (lambda price: price)
    if code is not None and out is None and all(map(is_scalar, args)):
        values = [as_float(a) for a in args]
        result = both(*values) if code == BOTH else single(*values, float(code))
        reject(names, values, result, getattr(wrap, "_fields", ("the price",)))
        return wrap(*result)
    if code == BOTH:
        return wrap(*over_arrays(both, names, args, 10 if full else 2, out))
    signs = kind if code is None else float(code)
    return wrap(*over_arrays(single, (*names, "kind"), (*args, signs), 9 if full else 1, out))


def black_scholes(
    kind: Any, spot: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, dividend: Any = 0.0, *,
    out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _european(SPOT, False, kind, (spot, strike, years, vol, rate, dividend), out)


def greeks(
    kind: Any, spot: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, dividend: Any = 0.0, *,
    out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _european(SPOT, True, kind, (spot, strike, years, vol, rate, dividend), out)


def black76(
    kind: Any, forward: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, *,
    out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _european(FORWARD, False, kind, (forward, strike, years, vol, rate, 0.0), out)


def black76_greeks(
    kind: Any, forward: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, *,
    out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _european(FORWARD, True, kind, (forward, strike, years, vol, rate, 0.0), out)


def inverse(
    kind: Any, spot: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, dividend: Any = 0.0, *,
    out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _european(INVERSE, False, kind, (spot, strike, years, vol, rate, dividend), out)


def inverse_greeks(
    kind: Any, spot: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, dividend: Any = 0.0, *,
    out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _european(INVERSE, True, kind, (spot, strike, years, vol, rate, dividend), out)
