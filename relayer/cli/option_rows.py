"""What the option commands compute: from flags and columns to arguments, from arguments to columns."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relayer.cli.option_tables import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from options.volatility import Fit

    Columns = dict[str, NDArray[Any]]
    Smiles = dict[float, tuple[NDArray[Any], NDArray[Any]]]

CHUNK = 100_000  # rows priced at a time, between two moves of the bar
HOURS_PER_YEAR = 365.0 * 24.0


class UsageError(Exception):
    """Flags and columns that don't fit together."""


class Model(StrEnum):
    BLACK_SCHOLES = "black-scholes"
    BLACK76 = "black76"
    AMERICAN = "american"
    DIGITAL = "digital"
    BARRIER = "barrier"
    DOUBLE_BARRIER = "double-barrier"
    ASIAN = "asian"
    LOOKBACK = "lookback"


class Kind(StrEnum):
    CALL = "call"
    PUT = "put"


# What each model takes, in the order of its arguments.
ARGUMENTS = ("kind", "spot", "strike", "years", "vol", "rate", "dividend")
_EXTRAS: dict[Model, tuple[str, ...]] = {
    Model.BLACK_SCHOLES: (),
    Model.BLACK76: (),
    Model.AMERICAN: (),
    Model.DIGITAL: ("pays", "cash"),
    Model.BARRIER: ("style", "rebate", "observations"),
    Model.DOUBLE_BARRIER: ("style", "rebate", "observations"),
    Model.ASIAN: ("average", "fixings"),
    Model.LOOKBACK: ("extreme", "observations"),
}


def flags_of(
    kind: Kind,
    spot: float | None,
    strike: float | None,
    years: float | None,
    hours: float | None,
    vol: float | None,
    rate: float,
    dividend: float | None,
) -> dict[str, Any]:
    if hours is not None:
        years = hours / (HOURS_PER_YEAR)
    values = (kind.value, spot, strike, years, vol, rate, dividend)
    return dict(zip(ARGUMENTS, values, strict=True))


def need(row: dict[str, Any], name: str) -> Any:
    value = row.get(name)
    if value is None:
        raise UsageError(f"{name} is missing: give --{name.replace('_', '-')} or a column of that name")
    return value


def priced(table: Columns, flags: dict[str, Any], work: Callable[[dict[str, Any]], dict[str, Any]]) -> Columns:
    import numpy as np

    rows = len(next(iter(table.values()))) if table else 0
    if "hours" in table and "years" not in table:
        table = table | {"years": table["hours"] / (HOURS_PER_YEAR)}
    parts: list[dict[str, Any]] = []
    with progress(rows, CHUNK) as slices:
        for part in slices:
            columns = {name: column[part] for name, column in table.items()}
            parts.append({n: np.broadcast_to(v, part.stop - part.start) for n, v in work(flags | columns).items()})
    names = parts[0] if parts else work(flags | table)
    return table | {name: np.concatenate([p[name] for p in parts]) if parts else np.empty(0) for name in names}


def price_of(model: Model, row: dict[str, Any], threads: int) -> Any:
    import options

    exotic: Any = options  # their arguments come from a table: no signature to check here
    terms = [need(row, name) for name in ARGUMENTS if not (name == "strike" and model is Model.LOOKBACK)]
    extras = {name: row[name] for name in _EXTRAS[model] if row.get(name) is not None}
    match model:
        case Model.BLACK_SCHOLES:
            return options.black_scholes(*terms, threads=threads)
        case Model.BLACK76:
            return options.black76(*terms[:-1], threads=threads)
        case Model.AMERICAN:
            return options.american(*terms)
        case Model.DIGITAL:
            return exotic.digital(*terms, **extras)
        case Model.BARRIER:
            return exotic.barrier(*terms[:3], need(row, "barrier"), *terms[3:], **extras)
        case Model.DOUBLE_BARRIER:
            levels = (need(row, "lower"), need(row, "upper"))
            return exotic.double_barrier(*terms[:3], *levels, *terms[3:], **extras)
        case Model.ASIAN:
            return exotic.asian(*terms, **extras)
        case Model.LOOKBACK:
            return exotic.lookback(*terms[:2], row.get("strike"), *terms[2:], **extras)


def fits_of(
    table: Columns,
) -> tuple[Smiles, dict[float, Fit], dict[float, float]]:
    """Quotes (log-moneyness and volatility), fit and forward of each expiry, in order."""
    import numpy as np

    from options.volatility import calibrate

    strike, vol, years, forward = (need(table, name) for name in ("strike", "vol", "years", "forward"))
    quotes, fits, forwards = {}, {}, {}
    for date in np.unique(years):
        rows = years == date
        ahead = float(np.mean(forward[rows]))
        quotes[float(date)] = (np.log(strike[rows] / ahead), vol[rows])
        fits[float(date)] = calibrate(*quotes[float(date)], float(date))
        forwards[float(date)] = ahead
    return quotes, fits, forwards


def slice_row(years: float, quotes: int, fit: Fit) -> dict[str, Any]:
    s = fit.slice
    row: dict[str, Any] = {"years": years, "quotes": quotes, "a": s.a, "b": s.b, "rho": s.rho, "m": s.m}
    return row | {"sigma": s.sigma, "rmse": fit.rmse, "butterfly_free": fit.butterfly.free}


def draw(greeks: bool, output: Path, flags: dict[str, Any]) -> None:
    import numpy as np

    import options
    from relayer.cli import option_plots

    strike = float(need(flags, "strike"))
    width = 3.0 * float(need(flags, "vol")) * float(need(flags, "years")) ** 0.5
    spots = strike * np.exp(np.linspace(-max(width, 0.05), max(width, 0.05), 401))
    terms = {name: need(flags | {"spot": spots}, name) for name in ARGUMENTS}
    found = options.greeks(*terms.values())
    if greeks:
        option_plots.greeks(output, spots, dict(found._asdict()))
        return
    sign = 1.0 if flags["kind"] == "call" else -1.0
    lines = {"today": found.price, "at expiry": np.maximum(sign * (spots - strike), 0.0)}
    option_plots.payoff(output, spots, lines, strike)
