"""The same work by other libraries, in the rows' units; or why there is no figure."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from options.bench.rows import book, columns, paper_grid, smile
from options.bench.timing import Effort, best

Peer = Callable[[Effort, int], float]
_BLOCK = 4096


def _numpy_block(s: Any, k: Any, t: Any, vol: Any, r: Any) -> tuple[Any, Any]:
    ndtr = import_module("scipy.special").ndtr
    v = vol * np.sqrt(t)
    d1 = (np.log(s / k) + r * t) / v + 0.5 * v
    cash = k * np.exp(-r * t)
    call = s * ndtr(d1) - cash * ndtr(d1 - v)
    return call, call - s + cash


def _numpy_european(effort: Effort, seed: int) -> float:
    terms = columns(effort.options, seed)

    def work() -> None:
        for at in range(0, effort.options, _BLOCK):
            _numpy_block(*(c[at : at + _BLOCK] for c in terms))

    return best(work, effort.runs) / effort.options * 1e9


def _fast_vollib_european(effort: Effort, seed: int) -> float:
    price = import_module("fast_vollib").fast_black_scholes
    s, k, t, vol, r = columns(effort.options, seed)
    flags = np.array(["c"] * effort.options)

    def work() -> None:
        price(flags, s, k, t, r, vol, return_as="numpy")

    return 2.0 * best(work, max(2, effort.runs // 3)) / effort.options * 1e9


def _quantlib_scalar(effort: Effort, seed: int) -> float:
    ql = import_module("QuantLib")
    price, call = ql.blackFormula, ql.Option.Call
    return best(lambda: price(call, 105.0, 100.0, 0.2 * 0.5**0.5, 0.995), effort.runs, 5000) * 1e9


def _vollib_scalar(effort: Effort, seed: int) -> float:
    price = import_module("vollib.black_scholes").black_scholes
    return best(lambda: price("c", 100.0, 105.0, 0.5, 0.01, 0.2), effort.runs, 500) * 1e9


def _fast_vollib_implied(effort: Effort, seed: int) -> float:
    invert = import_module("fast_vollib").fast_implied_volatility_black
    price, forward, strike, years, sign, _ = smile(effort.options, seed)
    flags = np.where(sign > 0, "c", "p")
    forwards, rates = np.full(effort.options, forward), np.zeros(effort.options)

    def work() -> None:
        invert(price, forwards, strike, rates, years, flags, return_as="numpy", on_error="ignore")

    return best(work, max(2, effort.runs // 3)) / effort.options * 1e9


def _vollib_implied(effort: Effort, seed: int) -> float:
    invert = import_module("vollib.black.implied_volatility").implied_volatility
    price, forward, strike, years, sign, _ = smile(300, seed)
    rows = list(zip(price, strike, years, sign, strict=True))

    def work() -> None:
        for p, k, t, kind in rows:
            invert(p, forward, k, 0.0, t, "c" if kind > 0 else "p")

    return best(work, effort.runs) / len(rows) * 1e9


def _quantlib_implied(effort: Effort, seed: int) -> float:
    ql = import_module("QuantLib")
    price, forward, strike, _, sign, _ = smile(300, seed)
    call, put = ql.Option.Call, ql.Option.Put
    rows = [(call if z > 0 else put, float(k), float(p)) for p, k, z in zip(price, strike, sign, strict=True)]

    def work() -> None:
        for kind, k, p in rows:
            ql.blackFormulaImpliedStdDevLiRS(kind, k, forward, p)

    return best(work, effort.runs) / len(rows) * 1e9


def _quantlib_american(effort: Effort, seed: int) -> float:
    """QdFp, the fast scheme; a new option and engine for each price, as with changing terms."""
    ql = import_module("QuantLib")
    today = ql.Date(1, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    count, scheme = ql.Actual365Fixed(), ql.QdFpAmericanEngine.fastScheme()
    options = []
    for spot, years, vol, rate, dividend in list(zip(*(c.tolist() for c in paper_grid()), strict=True))[::5]:
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, dividend, count)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count)),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)),
        )
        exercise = ql.AmericanExercise(today, today + round(365 * years))
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, 100.0), exercise)
        option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
        options.append(option)

    def work() -> None:
        for option in options:
            option.recalculate()

    return best(work, effort.runs) / len(options) * 1e6


def _numba_asian(effort: Effort, seed: int) -> float:
    numba = import_module("numba")
    paths, fixings = 4000, 252

    def simulate(drift: float, scale: float) -> float:
        total = 0.0
        for _ in range(paths):
            log_price, mean = 0.0, 0.0
            for _ in range(fixings):
                log_price += drift + scale * np.random.normal()
                mean += np.exp(log_price)
            total += max(mean / fixings - 1.0, 0.0)
        return total / paths

    compiled = numba.njit(simulate)
    return best(lambda: compiled(0.00002, 0.0189), effort.runs) / (paths * fixings) * 1e9


def _numpy_scenarios(effort: Effort, seed: int) -> float:
    terms, moves, shifts = book(seed)
    s, k, t, vol, r = (terms[name] for name in ("spot", "strike", "years", "vol", "rate"))

    def work() -> None:
        _numpy_block(s * (1.0 + moves[:, None]), k, t, vol + shifts[:, None], r)

    return best(work, effort.runs, 20) * 1e6


PEERS: dict[str, dict[str, Peer]] = {
    "european call+put": {"numpy+scipy": _numpy_european, "fast-vollib": _fast_vollib_european},
    "scalar call": {"QuantLib": _quantlib_scalar, "vollib": _vollib_scalar},
    "implied volatility": {
        "fast-vollib": _fast_vollib_implied, "vollib": _vollib_implied, "QuantLib": _quantlib_implied,
    },
    "american": {"QuantLib QdFp fast": _quantlib_american},
    "arithmetic Asian path-step": {"numba": _numba_asian},
    "scenario grid 128 x 33": {"numpy+scipy": _numpy_scenarios},
}  # fmt: skip


def measure_peers(names: list[str], effort: Effort, seed: int) -> dict[str, dict[str, float | str]]:
    """By row and library: a figure, or the reason there is none."""
    found: dict[str, dict[str, float | str]] = {}
    for name in names:
        for peer, measure in PEERS.get(name, {}).items():
            try:
                value: float | str = measure(effort, seed)
            except ImportError as error:
                value = f"not installed: {error.name}"
            except Exception as error:  # another library's failure must not lose our own figures
                value = f"failed: {type(error).__name__}: {error}"
            found.setdefault(name, {})[peer] = value
    return found
