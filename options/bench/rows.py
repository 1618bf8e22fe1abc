"""The rows: what is measured, how, and the figure to reach on an AVX-512 machine of two cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

import options
from options.bench.timing import Effort, best
from options.montecarlo import Run
from options.montecarlo import asian as simulate_asian

Measured = dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    unit: str
    target: float
    measure: Callable[[Effort, int], Measured]  # "value" in the row's unit, and whatever else is worth knowing
    floor: str | None = None  # the roofline's figure


def columns(count: int, seed: int) -> tuple[Any, ...]:
    """Spot, strike, years, vol and rate of `count` options."""
    rng = np.random.default_rng(seed)
    ranges = ((80.0, 120.0), (80.0, 120.0), (0.1, 1.1), (0.1, 0.6), (0.0, 0.05))
    return tuple(rng.uniform(low, high, count) for low, high in ranges)


def _arrays(count: int, width: int) -> tuple[Any, ...]:
    return tuple(np.zeros(count) for _ in range(width))


def _european(threads: int) -> Callable[[Effort, int], Measured]:
    def measure(effort: Effort, seed: int) -> Measured:
        s, k, t, vol, r = columns(effort.options, seed)
        out = _arrays(effort.options, 2)
        timed = best(
            lambda: options.black_scholes("both", s, k, t, vol, r, out=out, threads=threads),
            3 * effort.runs if threads == 1 else 20 * effort.runs,  # a quiet moment for both cores is rarer
            wall=threads > 1,
        )
        fresh = best(
            lambda: options.black_scholes("both", s, k, t, vol, r, threads=threads), effort.runs, wall=threads > 1
        )
        return {"value": timed / effort.options * 1e9, "with_new_arrays": fresh / effort.options * 1e9}

    return measure


def _greeks(effort: Effort, seed: int) -> Measured:
    s, k, t, vol, r = columns(effort.options, seed)
    out = _arrays(effort.options, 10)
    timed = best(lambda: options.greeks("both", s, k, t, vol, r, out=out), 3 * effort.runs)
    fresh = best(lambda: options.greeks("both", s, k, t, vol, r), effort.runs)
    return {"value": timed / effort.options * 1e9, "with_new_arrays": fresh / effort.options * 1e9}


def _scalar(effort: Effort, seed: int) -> Measured:
    call = options.black_scholes
    full = options.greeks
    timed = best(lambda: call("call", 100.0, 105.0, 0.5, 0.2, 0.01), effort.runs, 20_000)
    empty = best(lambda: None, effort.runs, 20_000)
    greeks = best(lambda: full("call", 100.0, 105.0, 0.5, 0.2, 0.01), effort.runs, 20_000)
    return {"value": (timed - empty) * 1e9, "greeks": (greeks - empty) * 1e9}


def smile(count: int, seed: int) -> tuple[Any, ...]:
    """Out-of-the-money prices, forward, strikes, years, signs and the volatilities they came from."""
    rng = np.random.default_rng(seed)
    strike = 100.0 * np.exp(rng.normal(0.0, 0.3, count))
    years, vol = rng.uniform(0.05, 2.0, count), rng.uniform(0.1, 0.8, count)
    sign = np.where(strike > 100.0, 1.0, -1.0)
    return options.black76(sign, 100.0, strike, years, vol), 100.0, strike, years, sign, vol


def attainable_error() -> Measured:
    """Worst error over F = 100, K = 100 e^k, |k| <= 8, vol sqrt(T) from 1e-6 to 8, by mpmath's prices.

    The unit is what a rounded price allows: half an ulp of the price, as volatility, and half an ulp of that.
    """
    try:
        import mpmath as mp
    except ImportError:
        return {}
    worst, failures, count = 0.0, 0, 0
    with mp.workdps(50):
        for k, s in product(np.linspace(-8, 8, 33), np.exp(np.linspace(np.log(1e-6), np.log(8.0), 40))):
            strike, sign = 100.0 * float(np.exp(k)), 1 if k >= 0 else -1
            d1 = mp.log(mp.mpf(100) / strike) / s + mp.mpf(s) / 2
            legs = (
                [mp.erfc(-sign * d / mp.sqrt(2)) / 2 for d in (d1, d1 - s)] if abs(d1) < 1e5 else [mp.mpf(0)] * 2
            )
            price = float(sign * (100 * legs[0] - strike * legs[1]))
            if not 1e-307 < price < min(100.0, strike):
                continue
            vega = float(100 * mp.npdf(d1))
            found = options.implied_vol(sign, np.array([price]), 100.0, strike, 1.0)[0]
            count += 1
            failures += bool(np.isnan(found))
            worst = max(worst, abs(found - s) / (np.spacing(price) / 2 / vega + np.spacing(s) / 2))
    return {"worst_error_in_attainable": float(worst), "failures": float(failures), "grid_points": float(count)}


def _implied(effort: Effort, seed: int) -> Measured:
    price, forward, strike, years, sign, _ = smile(effort.options, seed)
    out = np.zeros(effort.options)
    timed = best(lambda: options.implied_vol(sign, price, forward, strike, years, out=out), effort.runs)
    return {"value": timed / effort.options * 1e9, **attainable_error()}


def paper_grid() -> tuple[Any, ...]:
    """720 puts over the ranges of Andersen, Lake and Offengenden: spot, years, vol, rate, dividend."""
    ranges = ([80.0, 100.0, 120.0], [0.25, 1.0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.02, 0.04, 0.06, 0.08, 0.1])
    return tuple(np.array(list(product(*ranges, [0.0, 0.04, 0.08, 0.12]))).T)


def _american(effort: Effort, seed: int) -> Measured:
    spot, years, vol, rate, dividend = paper_grid()
    out = np.zeros(len(spot))
    timed = best(
        lambda: options.american("put", spot, 100.0, years, vol, rate, dividend, out=out), 3 * effort.runs
    )
    pick = slice(None, None, 9 if effort.runs < 10 else 1)
    terms = (years[pick], vol[pick], rate[pick], dividend[pick])
    exact = options.american("put", spot[pick], 100.0, *terms, precision="high")
    high = best(lambda: options.american("put", 100.0, 100.0, 1.0, 0.3, 0.05, 0.02, precision="high"), effort.runs)
    error = out[pick] - exact
    return {
        "value": timed / len(spot) * 1e6,
        "rmse": float(np.sqrt(np.mean(error**2))),
        "worst_error": float(np.max(np.abs(error))),
        "high_precision": high * 1e6,
    }


def _asian(effort: Effort, seed: int) -> Measured:
    paths, fixings = 20_000 if effort.runs < 10 else 100_000, 252
    run = Run(paths=paths, seed=seed)
    timed = best(
        lambda: simulate_asian("call", 100.0, 100.0, 1.0, 0.3, 0.05, fixings=fixings, run=run), effort.runs
    )
    return {"value": timed / (paths * fixings) * 1e9}


def book(seed: int) -> tuple[dict[str, Any], Any, Any]:
    """128 options, and 33 scenarios: eleven spots by three volatilities."""
    s, k, t, vol, r = columns(128, seed)
    terms = {"kind": np.where(k > s, 1.0, -1.0), "spot": s, "strike": k, "years": t, "vol": vol, "rate": r}
    return terms, np.repeat(np.linspace(-0.16, 0.16, 11), 3), np.tile([-0.05, 0.0, 0.05], 11)


def _scenarios(effort: Effort, seed: int) -> Measured:
    terms, moves, shifts = book(seed)
    out = np.zeros((33, 128))
    work = options.scenario_grid
    timed = best(lambda: work(**terms, spot_moves=moves, vol_moves=shifts, out=out), 4 * effort.runs, 50)
    return {"value": timed * 1e6}


ROWS = (
    Row("european call+put", "ns/option", 8.5, _european(1), "european_ns"),
    Row("european call+put, two threads", "ns/option", 4.5, _european(2)),
    Row("call+put and eight Greeks", "ns/option", 15.0, _greeks, "greeks_ns"),
    Row("scalar call", "ns/call", 200.0, _scalar),
    Row("implied volatility", "ns/option", 100.0, _implied),
    Row("american", "us/option", 6.0, _american),
    Row("arithmetic Asian path-step", "ns/step", 3.0, _asian),
    Row("scenario grid 128 x 33", "us/grid", 25.0, _scenarios, "scenario_us"),
)


def measure_row(row: Row, effort: Effort, seed: int, floor: dict[str, float]) -> dict[str, Any]:
    """One row's figures, beside its target and the roofline."""
    found = row.measure(effort, seed)
    value = found.pop("value")
    lowest = floor.get(row.floor) if row.floor else None
    return {
        "name": row.name,
        "unit": row.unit,
        "value": value,
        "target": row.target,
        "met": value <= row.target,
        "roofline": lowest,
        "roofline_ratio": None if lowest is None else value / lowest,
        **found,
    }
