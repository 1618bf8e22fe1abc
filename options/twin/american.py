"""American options in Python: the kernel's collocation on numpy. options.tree shares nothing with either.

The collocation follows Andersen, Lake and Offengenden (Journal of Computational Finance 20, 2016), system A,
with the fixed-point iteration Anderson-accelerated; the double boundary of q < r < 0 solves the same equations
for both boundaries at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import exp, inf, isfinite, log, nan, sqrt
from typing import Any

import numpy as np

from options._arrays import FloatArray
from options.errors import KindError
from options.results import Greeks
from options.twin import european
from options.twin.broadcast import BOTH, as_float, is_scalar, kind_code, over_arrays, reject
from options.twin.normal import INV_SQRT_2PI, tail

_NAMES = ("spot", "strike", "years", "vol", "rate", "dividend")
_tail = np.frompyfunc(tail, 1, 1)


@dataclass(frozen=True, slots=True)
class Put:
    s: float
    k: float
    t: float
    vol: float
    r: float
    q: float


@dataclass(frozen=True, slots=True)
class Scheme:
    nodes: int
    points: int
    price_points: int
    steps: int
    depth: int
    tolerance: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Chebyshev nodes in time's root (or its root's root, if gathered), and quadrature by an angle."""

    nodes: int
    gathered: bool
    share: FloatArray  # (nodes,): z_i / sqrt(T)
    sine: FloatArray  # (points,)
    cosine: FloatArray
    weight: FloatArray
    matrix: FloatArray  # (nodes, points, nodes): values at the nodes to values at z_i cos(psi_k)


def cdf(d: FloatArray) -> FloatArray:
    """The normal distribution function."""
    a = np.minimum(np.abs(d), 40.0)
    small: FloatArray = np.exp(-0.5 * a * a) * np.asarray(_tail(a), dtype=float)
    return np.where(d > 0.0, 1.0 - small, small)


def bell(d: FloatArray) -> FloatArray:
    """The normal density."""
    return INV_SQRT_2PI * np.exp(-np.minimum(0.5 * d * d, 745.0))


def _safe_log(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """log(top / bottom), held in range where a boundary has run away or both have vanished."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = top / bottom
    result: FloatArray = np.log(np.minimum(np.where(ratio > 1e-300, ratio, 1e-300), 1e300))
    return result


def _interpolation(nodes: int, gathered: bool, z: FloatArray) -> FloatArray:
    """Barycentric Chebyshev-Lobatto interpolation; the value at the last node is nought."""
    x = 2.0 * (np.sqrt(z) if gathered else z) - 1.0
    j = np.arange(nodes + 1)
    weights = np.where(j % 2, -1.0, 1.0) * np.where((j == 0) | (j == nodes), 0.5, 1.0)
    parts = weights / (x[..., None] - np.cos(np.pi * j / nodes))
    rows: FloatArray = (parts / parts.sum(axis=-1, keepdims=True))[..., :-1]
    return rows


@cache
def _angles(points: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    y, w = np.polynomial.legendre.leggauss(points)
    angle = (y + 1.0) * np.pi / 4.0
    return np.sin(angle), np.cos(angle), w * np.pi / 4.0


@cache
def _grid(nodes: int, points: int, gathered: bool) -> Grid:
    half = 0.5 * (1.0 + np.cos(np.pi * np.arange(nodes) / nodes))
    share = half**2 if gathered else half
    sine, cosine, weight = _angles(points)
    matrix = _interpolation(nodes, gathered, share[:, None] * cosine)
    return Grid(nodes, gathered, share, sine, cosine, weight, matrix)


def _perpetual(o: Put, x: float) -> float:
    """The boundary of the put that never expires."""
    a = 0.5 * o.vol**2
    b = o.r - o.q - a
    root = -(b + sqrt(b * b + 4.0 * a * max(o.r, 1e-12))) / (2.0 * a)
    return min(o.k * root / (root - 1.0), x * (1.0 - 1e-9))


def _guess(o: Put, x: float, z: FloatArray) -> FloatArray:
    """h = log(X / B) after the trigger of Bjerksund and Stensland (1993)."""
    last = _perpetual(o, x)
    rate = ((o.r - o.q) * z * z - 2.0 * o.vol * z) * o.k**2 / ((x - last) * x)
    guess: FloatArray = -np.log((last + (x - last) * np.exp(np.minimum(rate, 0.0))) / x)
    return np.minimum(guess, 4.0 * o.vol * z)


class Mixer:
    """Anderson's acceleration over the last few differences."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.values: list[FloatArray] = []
        self.residuals: list[FloatArray] = []

    def __call__(self, now: FloatArray, following: FloatArray, most: float | FloatArray) -> FloatArray:
        self.values = [following, *self.values[: self.depth]]
        self.residuals = [following - now, *self.residuals[: self.depth]]
        if len(self.values) == 1 or self.depth == 0:
            return following
        moved = np.stack([a - b for a, b in zip(self.residuals, self.residuals[1:], strict=False)], axis=1)
        shifts = np.stack([a - b for a, b in zip(self.values, self.values[1:], strict=False)], axis=1)
        weights = np.linalg.lstsq(moved, self.residuals[0], rcond=1e-10)[0]
        mixed: FloatArray = following - shifts @ weights
        return mixed if np.all((mixed >= 0.0) & (mixed <= most)) else following


def _boundary(o: Put, x: float, grid: Grid, scheme: Scheme, by_value: bool) -> tuple[float, FloatArray]:
    """How far the last step moved it, or infinity if it ran into a bound; and h = log(X / B) at the nodes.

    by_value chooses the paper's system B, which holds however strongly interest outweighs the dividend.
    """
    z = sqrt(o.t) * grid.share
    tau, lower = z * z, o.r - o.q - 0.5 * o.vol**2
    m, u = tau[:, None] * grid.sine**2, tau[:, None] * grid.cosine**2
    per_bell = 2.0 * z[:, None] / o.vol * grid.cosine * grid.weight
    per_cdf = 2.0 * tau[:, None] * grid.sine * grid.cosine * grid.weight
    grown, fed = np.exp(o.r * u), np.exp(o.q * u)
    spread, at_strike = o.vol * np.sqrt(m), o.vol * z
    bound = np.minimum(1.1 * log(x / _perpetual(o, x)), 8.0 * o.vol * z + abs(o.r - o.q) * tau)
    h, mix, best, worst, stale = _guess(o, x, z), Mixer(scheme.depth), inf, inf, 0
    for _ in range(scheme.steps):
        height = np.sqrt(np.maximum(grid.matrix @ h**2, 0.0))
        d2 = (height - h[:, None] + lower * m) / spread
        d1 = d2 + spread
        k2 = (log(x / o.k) - h + lower * tau) / at_strike
        k1 = k2 + at_strike
        bottom = cdf(k1) + o.q * np.sum(fed * per_cdf * cdf(d1), axis=1)
        if by_value:
            top = cdf(k2) + o.r * np.sum(per_cdf * grown * cdf(d2), axis=1)
        else:
            top = bell(k2) / at_strike + o.r * np.sum(per_bell * grown * bell(d2), axis=1)
            bottom = bottom + bell(k1) / at_strike + o.q * np.sum(fed * per_bell * bell(d1), axis=1)
        following = log(x / o.k) + (o.r - o.q) * tau - _safe_log(top, bottom)
        following = np.minimum(np.maximum(following, 0.0), bound)
        worst = float(np.max(np.abs(following - h)))
        h = mix(h, following, bound)
        stale = 0 if worst < best else stale + 1
        best = min(best, worst)
        if worst < scheme.tolerance or (stale == 4 and best < 1e-8):
            break
    return (inf if np.any(h >= bound) else worst), h


def _premium(o: Put, horizon: float, edges: list[tuple[float, FloatArray]], points: int) -> tuple[float, ...]:
    """Early exercise premium, delta and gamma; edges are signs and log(boundary / strike) at the points."""
    sine, cosine, weight = _angles(points)
    m = horizon * sine**2 + (o.t - horizon)
    dm = 2.0 * horizon * sine * cosine * weight
    spread, total = o.vol * np.sqrt(m), np.zeros(3)
    interest, forgone = o.r * o.k * dm * np.exp(-o.r * m), o.q * dm * np.exp(-o.q * m)
    for sign, edge in edges:
        d2 = (log(o.s / o.k) - edge + (o.r - o.q - 0.5 * o.vol**2) * m) / spread
        d1 = d2 + spread
        reached = cdf(-d1)
        slope2, slope1 = interest * bell(d2) / (o.s * spread), forgone * bell(d1) / spread
        total += sign * np.array([
            np.sum(interest * cdf(-d2) - o.s * forgone * reached),
            np.sum(slope1 - slope2 - forgone * reached),
            np.sum(slope2 * (1.0 + d2 / spread) + slope1 * (1.0 - d1 / spread)) / o.s,
        ])  # fmt: skip
    return tuple(float(x) for x in total)


_FAST, _MIDDLE = Scheme(8, 8, 32, 30, 2, 1e-5), Scheme(16, 24, 96, 40, 3, 1e-8)
_HIGH, _HIGH_EVEN = Scheme(32, 48, 128, 60, 3, 1e-13), Scheme(64, 48, 128, 60, 3, 1e-13)
_FAR = 8.0  # standard deviations


def _scheme(o: Put, high: bool) -> Scheme:
    """A strong drift, or much volatility, wants more points."""
    spread = o.vol * sqrt(o.t)
    drift = abs(o.r - o.q) * o.t / spread
    if not high and drift <= 1.5 and spread <= 1.5:
        return _FAST
    if not high and drift <= 6.0:
        return _MIDDLE
    return _HIGH if o.r >= o.q else _HIGH_EVEN


def _settle(o: Put, x: float, high: bool) -> tuple[Scheme, bool, FloatArray]:
    """The scheme, whether its nodes are gathered, and h of what settled best.

    Where the iteration does not settle: without acceleration, on other nodes, by the other system, on fewer nodes.
    """
    by_value, usual, first = o.r - o.q > 0.5 * o.vol**2, o.r >= o.q, _scheme(o, high)
    enough = max(1e-8, 10.0 * first.tolerance)

    def finer(gathered: bool) -> Scheme:
        return _MIDDLE if not high else _HIGH if gathered else _HIGH_EVEN

    settled, fewer = replace(_MIDDLE, tolerance=1e-10), replace(_FAST, tolerance=1e-10)
    tries = (
        (first, usual, by_value),
        (replace(finer(usual), depth=0), usual, by_value),
        (finer(not usual), not usual, by_value),
        (finer(True), True, not by_value),
        (finer(False), False, not by_value),
        *((scheme, gathered, by_value) for scheme in (settled, fewer) for gathered in (usual, not usual)),
    )
    found = []
    for scheme, gathered, system in tries:
        moved, h = _boundary(o, x, _grid(scheme.nodes, scheme.points, gathered), scheme, system)
        found.append((moved, scheme, gathered, h))
        if moved <= enough:
            break
    return min(found, key=lambda one: one[0])[1:]


def _single(o: Put, high: bool) -> tuple[float, float, float]:
    x = o.k * min(1.0, o.r / o.q) if o.q > 0.0 else o.k
    scheme, gathered, h = _settle(o, x, high)
    if o.s <= x * exp(-h[0]):
        return o.k - o.s, -1.0, 0.0
    part = _interpolation(scheme.nodes, gathered, _angles(scheme.price_points)[1]) @ h**2
    edge = log(x / o.k) - np.sqrt(np.maximum(part, 0.0))
    return _with_premium(o, _premium(o, o.t, [(1.0, edge)], scheme.price_points))


def _with_premium(o: Put, premium: tuple[float, ...]) -> tuple[float, float, float]:
    held = european.point(european.SPOT, -1.0, o.s, o.k, o.t, o.vol, o.r, o.q)
    price = max(held.price + max(premium[0], 0.0), certain(-1.0, o).price)
    return price, held.delta + premium[1], held.gamma + premium[2]


def _pair(o: Put, horizon: float, grid: Grid, gap: float) -> FloatArray | None:
    """log(K/B) and then log(Y/Y(0)) at the nodes; None if they are not found or have met."""
    n = grid.nodes
    z = sqrt(horizon) * grid.share
    tau, lower = z * z, o.r - o.q - 0.5 * o.vol**2
    m, u = tau[:, None] * grid.sine**2, tau[:, None] * grid.cosine**2
    measure = 2.0 * tau[:, None] * grid.sine * grid.cosine * grid.weight
    grown, fed = o.r * np.exp(o.r * u) * measure, o.q * np.exp(o.q * u) * measure
    spread, at_strike = o.vol * np.sqrt(m), o.vol * z
    h = np.concatenate([np.minimum(f * o.vol * z, 0.45 * gap) for f in (1.0, 0.6)])
    mix, worst = Mixer(3), inf
    for _ in range(60):
        upper = -np.sqrt(np.maximum(grid.matrix @ h[:n] ** 2, 0.0))
        under = np.minimum(np.sqrt(np.maximum(grid.matrix @ h[n:] ** 2, 0.0)) - gap, upper)
        sides = []
        for level in (-h[:n], h[n:] - gap):
            b2, y2 = ((level[:, None] - edge + lower * m) / spread for edge in (upper, under))
            b1, y1, k2 = b2 + spread, y2 + spread, (level + lower * tau) / at_strike
            k1 = k2 + at_strike
            top = bell(k2) / at_strike + np.sum(grown * (bell(b2) - bell(y2)) / spread, axis=1)
            reach = cdf(b1) + cdf(-y1) + (bell(b1) - bell(y1)) / spread
            bottom = bell(k1) / at_strike + cdf(k1) + np.sum(fed * reach, axis=1)
            sides.append(_safe_log(top, bottom) - (o.r - o.q) * tau)
        following = np.clip(np.concatenate([-sides[0], sides[1] + gap]), 0.0, gap)
        worst = float(np.max(np.abs(following - h)))
        h = mix(h, following, gap)
        if worst < 1e-10:
            break
    apart = np.all(h[:n] + h[n:] <= gap - 1e-3)
    return h if worst < 1e-7 and apart else None


def _double(o: Put, high: bool) -> tuple[float, float, float]:
    gap, horizon = log(o.q / o.r), o.t
    grid = _grid(32 if high else 16, 48 if high else 16, False)
    h, low, top = _pair(o, horizon, grid, gap), 0.0, o.t
    if h is None:  # they meet before: find the last time at which they had not
        for _ in range(40):
            horizon = 0.5 * (low + top) if low else 0.25 * top
            found = _pair(o, horizon, grid, gap)
            low, top, h = (horizon, top, found) if found is not None else (low, horizon, h)
            if top - low <= 1e-4 * top:
                break
        horizon = low
    if h is None:
        return _with_premium(o, (0.0, 0.0, 0.0))
    n = grid.nodes
    if horizon == o.t and o.k * exp(h[n] - gap) <= o.s <= o.k * exp(-h[0]):
        return o.k - o.s, -1.0, 0.0
    points = 128 if high else 64
    parts = _interpolation(n, False, _angles(points)[1])
    upper = -np.sqrt(np.maximum(parts @ h[:n] ** 2, 0.0))
    under = np.minimum(np.sqrt(np.maximum(parts @ h[n:] ** 2, 0.0)) - gap, upper)
    return _with_premium(o, _premium(o, horizon, [(1.0, upper), (-1.0, under)], points))


def _put(o: Put, high: bool) -> tuple[float, float, float]:
    drift = o.r - o.q - 0.5 * o.vol**2
    if o.r > 0.0 and drift * sqrt(o.t) > _FAR * o.vol:  # the spot is carried out of reach; later has no value left
        o = Put(o.s, o.k, (_FAR * o.vol / drift) ** 2, o.vol, o.r, o.q)
    if o.r <= 0.0 and o.q >= o.r:  # waiting costs nothing
        return _with_premium(o, (0.0, 0.0, 0.0))
    return _double(o, high) if o.r < 0.0 else _single(o, high)


def _value(sign: float, o: Put, high: bool) -> tuple[float, float, float]:
    """Price, delta and gamma; a call is a put with spot and strike, rate and dividend exchanged."""
    if sign < 0.0:
        return _put(o, high)
    price, delta, gamma = _put(Put(o.k, o.s, o.t, o.vol, o.q, o.r), high)
    exercised = price == o.s - o.k and delta == -1.0
    return price, 1.0 if exercised else (price - o.k * delta) / o.s, gamma * (o.k / o.s) ** 2


def certain(sign: float, o: Put) -> Greeks[float]:
    """The best of exercising at one time chosen now: the value without volatility."""

    def paid(t: float) -> float:
        return sign * (o.s * exp(-o.q * t) - o.k * exp(-o.r * t))

    def growth(t: float) -> float:
        return sign * (o.r * o.k * exp(-o.r * t) - o.q * o.s * exp(-o.q * t))

    times = [0.0]
    if o.t > 0.0 or growth(0.0) > 0.0:
        times.append(o.t)
    ratio = o.r * o.k / (o.q * o.s) if o.q * o.s else 0.0
    turn = log(ratio) / (o.r - o.q) if ratio > 0.0 and o.r != o.q else 0.0
    if 0.0 < turn < o.t:
        times.append(turn)
    at = max(times, key=paid)
    if at == o.t == 0.0 and growth(0.0) <= 0.0:
        at = -1.0  # now, not at expiry
    best = paid(max(at, 0.0))
    if best <= 0.0:
        kink = best == 0.0 and o.s > 0.0 and o.k > 0.0
        return Greeks(0.0, *[nan if kink else 0.0] * 8)
    when = max(at, 0.0)
    delta, at_expiry = sign * exp(-o.q * when), at == o.t and growth(o.t) > 0.0
    return Greeks(
        price=best,
        delta=delta,
        gamma=sign * o.q * exp(-o.q * when) / (o.s * (o.r - o.q)) if 0.0 < when < o.t else 0.0,
        vega=0.0,
        theta=-growth(o.t) if at_expiry else 0.0,
        rho=sign * when * o.k * exp(-o.r * when),
        vanna=0.0,
        volga=0.0,
        charm=o.q * delta if at_expiry else 0.0,
    )


def _slope(f: list[float], step: float) -> float:
    return (8.0 * (f[2] - f[1]) - (f[3] - f[0])) / (12.0 * step)


def _moved(sign: float, o: Put, high: bool, name: str, step: float) -> list[tuple[float, float, float]]:
    terms = {field: getattr(o, field) for field in Put.__slots__}
    return [_value(sign, Put(**{**terms, name: terms[name] + i * step}), high) for i in (-2, -1, 1, 2)]


def point(sign: float, o: Put, high: bool, full: bool) -> tuple[float, ...]:
    """Price, or price and Greeks, of one option; NaN outside the model."""
    values = (o.s, o.k, o.t, o.vol, o.r, o.q)
    if not all(map(isfinite, values)) or min(values[:4]) < 0.0 or abs(sign) != 1.0:
        return (nan,) * (9 if full else 1)
    if min(values[:4]) == 0.0:
        found = certain(sign, o)
        return found if full else (found.price,)
    within = min(values[:4]) > 1e-60 and max(values[:4]) < 1e60 and o.vol * sqrt(o.t) < 100.0
    if not within or abs(o.r * o.t) >= 300.0 or abs(o.q * o.t) >= 300.0:
        return (nan,) * (9 if full else 1)
    price, delta, gamma = _value(sign, o, high)
    if not full:
        return (price,)
    if abs(delta) == 1.0 and gamma == 0.0:  # exercised now
        return (price, delta, *[0.0] * 7)
    step = 0.01 * o.vol
    by_vol = _moved(sign, o, high, "vol", step)
    prices = [v[0] for v in by_vol]
    return (
        price,
        delta,
        gamma,
        _slope(prices, step),
        o.r * price - (o.r - o.q) * o.s * delta - 0.5 * (o.vol * o.s) ** 2 * gamma,
        _slope([v[0] for v in _moved(sign, o, high, "r", 2e-4)], 2e-4),
        _slope([v[1] for v in by_vol], step),
        (16.0 * (prices[1] + prices[2]) - prices[0] - prices[3] - 30.0 * price) / (12.0 * step * step),
        -_slope([v[1] for v in _moved(sign, o, high, "t", 0.005 * o.t)], 0.005 * o.t),
    )


def _american(full: bool, kind: Any, args: tuple[Any, ...], precision: str, out: Any) -> Any:
    if precision not in ("fast", "high"):
        raise KindError(precision, '"fast" or "high"', "precision")
    code = kind_code(kind)
    if code == BOTH:
        raise KindError(kind)

    def single(*values: float) -> tuple[float, ...]:
        return point(values[6], Put(*values[:6]), precision == "high", full)

    if code is not None and out is None and all(map(is_scalar, args)):
        values = [as_float(a) for a in args]
        result = single(*values, float(code))
        reject(_NAMES, values, result, Greeks._fields if full else ("the price",))
        return Greeks(*result) if full else result[0]
    signs = kind if code is None else float(code)
    found = over_arrays(single, (*_NAMES, "kind"), (*args, signs), 9 if full else 1, out)
    return Greeks(*found) if full else found[0]


def american(
    kind: Any, spot: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, dividend: Any = 0.0, *,
    precision: str = "fast", out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _american(False, kind, (spot, strike, years, vol, rate, dividend), precision, out)


def american_greeks(
    kind: Any, spot: Any, strike: Any, years: Any, vol: Any, rate: Any = 0.0, dividend: Any = 0.0, *,
    precision: str = "fast", out: Any = None, threads: int = 1,
) -> Any:  # fmt: skip
    return _american(True, kind, (spot, strike, years, vol, rate, dividend), precision, out)
