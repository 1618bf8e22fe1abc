"""Pictures of options, PNG or SVG, by matplotlib where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relayer.cli.option_tables import MissingExtraError, TableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from options.volatility import Fit

FORMATS = (".png", ".svg")
GREEKS = ("delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm")


def _figure(rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plot", "matplotlib") from None
    figure = Figure(figsize=(4.0 * columns + 3.0, 2.6 * rows + 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)


def _save(figure: Any, path: Path) -> None:
    if path.suffix not in FORMATS:
        raise TableError(path, f"must end in {' or '.join(FORMATS)}")
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise TableError(path, f"can't be written: {error}") from error


def payoff(path: Path, spots: NDArray[Any], lines: dict[str, NDArray[Any]], strike: float) -> None:
    """Value today, and at expiry, against the spot."""
    figure, axes = _figure()
    for name, values in lines.items():
        axes.plot(spots, values, label=name)
    axes.axvline(strike, color="0.7", linewidth=0.8)
    axes.set_xlabel("spot")
    axes.set_ylabel("value")
    axes.legend()
    _save(figure, path)


def greeks(path: Path, spots: NDArray[Any], values: dict[str, NDArray[Any]]) -> None:
    """Every Greek against the spot."""
    figure, axes = _figure(2, 4)
    for axis, name in zip(axes.flat, GREEKS, strict=True):
        axis.plot(spots, values[name])
        axis.set_title(name)
    _save(figure, path)


def smile(path: Path, quotes: dict[float, tuple[NDArray[Any], NDArray[Any]]], fits: dict[float, Fit]) -> None:
    """Quoted volatilities, and the fitted slice of each expiry, against log-moneyness."""
    import numpy as np

    figure, axes = _figure()
    for years, (k, vols) in quotes.items():
        (dots,) = axes.plot(k, vols, "o", markersize=4)
        margin = 0.1 * (k.max() - k.min())
        grid = np.linspace(k.min() - margin, k.max() + margin, 201)
        axes.plot(grid, fits[years].slice.vol(grid, years), color=dots.get_color(), label=f"{years:.4g} years")
    axes.set_xlabel("ln(strike / forward)")
    axes.set_ylabel("volatility")
    axes.legend()
    _save(figure, path)
