"""strikelock option: prices, implied volatilities, Greeks, surfaces, pictures, and the premium of a deal.

Numbers come by flags or by table: a column named like a flag takes its place, row by row. Everything heavy is
imported inside the command that needs it.
"""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli.option_rows import (
    ARGUMENTS,
    Kind,
    Model,
    UsageError,
    draw,
    fits_of,
    flags_of,
    need,
    price_of,
    priced,
    slice_row,
)
from relayer.cli.option_tables import STANDARD, MissingExtraError, TableError, read_table, records, write_table

if TYPE_CHECKING:
    from options.contracts import Amount

app = typer.Typer(no_args_is_help=True)

FAILURE = 1


class Picture(StrEnum):
    PAYOFF = "payoff"
    GREEKS = "greeks"
    SMILE = "smile"


KindFlag = Annotated[Kind, typer.Option(help="call or put.")]
Spot = Annotated[float | None, typer.Option(help="Price of the underlying; the forward of black76.")]
Strike = Annotated[float | None, typer.Option(help="Strike; leave out for a floating lookback.")]
Years = Annotated[float | None, typer.Option(help="Time to expiry in years.")]
Hours = Annotated[float | None, typer.Option(help="Time to expiry in hours, instead of --years.")]
Vol = Annotated[float | None, typer.Option(help="Volatility per year, 0.6 for 60 %.")]
Rate = Annotated[float, typer.Option(help="Continuous rate per year.")]
Dividend = Annotated[float, typer.Option(help="Continuous yield of the underlying per year.")]
Input = Annotated[Path | None, typer.Option("--input", "-i", help="Table to read: .csv, .parquet, or - for CSV.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Table to write: .csv, .parquet, or -.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads; 0 takes every processor.")]


@app.callback()
def group() -> None:
    """Price options, and the premium of a deal."""


@contextmanager
def _reported(as_json: bool) -> Iterator[None]:
    """Failures of ours become one line on stderr, an error document for programs, and an exit code."""
    from options.errors import OptionsError

    try:
        yield
    except (OptionsError, TableError, MissingExtraError, UsageError) as error:
        if as_json:
            document = {"error": {"type": type(error).__name__, "message": str(error)}}
            typer.echo(json_module.dumps(document, indent=2))
        typer.secho(f"error: {error}", err=True, fg="red")
        raise typer.Exit(FAILURE) from None


@app.command()
def price(
    kind: KindFlag = Kind.CALL,
    spot: Spot = None,
    strike: Strike = None,
    years: Years = None,
    hours: Hours = None,
    vol: Vol = None,
    rate: Rate = 0.0,
    dividend: Dividend = 0.0,
    model: Annotated[Model, typer.Option(help="What to price.")] = Model.BLACK_SCHOLES,
    barrier: Annotated[float | None, typer.Option(help="The level of a barrier option.")] = None,
    lower: Annotated[float | None, typer.Option(help="The lower level of a double barrier.")] = None,
    upper: Annotated[float | None, typer.Option(help="The upper level of a double barrier.")] = None,
    style: Annotated[str | None, typer.Option(help="down-out, down-in, up-out, up-in; out, in if double.")] = None,
    rebate: Annotated[float | None, typer.Option(help="Rebate of a barrier option.")] = None,
    observations: Annotated[int | None, typer.Option(help="Dates watched; 0 is continuous.")] = None,
    average: Annotated[str | None, typer.Option(help="arithmetic or geometric.")] = None,
    fixings: Annotated[int | None, typer.Option(help="Dates averaged; 0 is continuous.")] = None,
    pays: Annotated[str | None, typer.Option(help="A digital pays cash or asset.")] = None,
    cash: Annotated[float | None, typer.Option(help="The cash of a digital.")] = None,
    extreme: Annotated[float | None, typer.Option(help="The extreme so far of a lookback.")] = None,
    source: Input = None,
    output: Output = None,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Price options of any model."""
    flags = flags_of(kind, spot, strike, years, hours, vol, rate, dividend)
    extras = {"barrier": barrier, "lower": lower, "upper": upper, "style": style, "rebate": rebate}
    extras |= {"observations": observations, "average": average, "fixings": fixings}
    extras |= {"pays": pays, "cash": cash, "extreme": extreme}
    with _reported(json):
        _table_command(flags | extras, lambda row: {"price": price_of(model, row, threads)}, source, output, json)


@app.command()
def greeks(
    kind: KindFlag = Kind.CALL,
    spot: Spot = None,
    strike: Strike = None,
    years: Years = None,
    hours: Hours = None,
    vol: Vol = None,
    rate: Rate = 0.0,
    dividend: Dividend = 0.0,
    source: Input = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Price and Greeks of European options."""
    flags = flags_of(kind, spot, strike, years, hours, vol, rate, dividend)

    def work(row: dict[str, Any]) -> dict[str, Any]:
        import options

        return dict(options.greeks(*(need(row, name) for name in ARGUMENTS))._asdict())

    with _reported(json):
        _table_command(flags, work, source, output, json)


@app.command()
def iv(
    kind: KindFlag = Kind.CALL,
    price: Annotated[float | None, typer.Option(help="Price of the option.")] = None,
    forward: Annotated[float | None, typer.Option(help="Forward of the underlying to expiry.")] = None,
    strike: Strike = None,
    years: Years = None,
    hours: Hours = None,
    rate: Rate = 0.0,
    source: Input = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Implied volatility of European options; outside the arbitrage bounds there is none."""
    flags = flags_of(kind, None, strike, years, hours, None, rate, None) | {"price": price, "forward": forward}

    def work(row: dict[str, Any]) -> dict[str, Any]:
        import options

        names = ("kind", "price", "forward", "strike", "years", "rate")
        return {"vol": options.implied_vol(*(need(row, name) for name in names))}

    with _reported(json):
        _table_command(flags, work, source, output, json)


@app.command()
def surface(
    source: Annotated[Path, typer.Option("--input", "-i", help="Quotes: columns strike, vol, years, forward.")],
    output: Output = None,
    json: Json = False,
) -> None:
    """Fit a slice to the quotes of each expiry, and look for butterfly and calendar arbitrage."""
    with _reported(json):
        from options.volatility import Expiry, Surface

        quotes, fits, forwards = fits_of(read_table(source))
        whole = Surface(tuple(Expiry(years, forwards[years], fits[years].slice) for years in sorted(fits)))
        arbitrage = whole.arbitrage()
        rows = [slice_row(years, len(quotes[years][0]), fit) for years, fit in fits.items()]
        crossed = [{"from": one, "to": two, "k": c.k, "excess": c.excess} for one, two, c in arbitrage.calendars]
        if output is not None:
            import numpy as np

            write_table(output, {name: np.array([row[name] for row in rows]) for name in rows[0]})
        document = {"slices": rows, "calendar_arbitrage": crossed, "free": arbitrage.free}
        if json:
            typer.echo(json_module.dumps(document, indent=2))
        elif output != STANDARD:
            for row in rows:
                typer.echo("  ".join(f"{name} {_word(value)}" for name, value in row.items()))
            typer.echo(
                "free of arbitrage" if arbitrage.free else f"ARBITRAGE; calendars that cross: {len(crossed)}"
            )


@app.command()
def plot(
    picture: Annotated[Picture, typer.Argument(help="payoff, greeks or smile.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to: .png or .svg.")],
    kind: KindFlag = Kind.CALL,
    spot: Spot = None,
    strike: Strike = None,
    years: Years = None,
    hours: Hours = None,
    vol: Vol = None,
    rate: Rate = 0.0,
    dividend: Dividend = 0.0,
    source: Annotated[
        Path | None, typer.Option("--input", "-i", help="Quotes of a smile, as for surface.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw a payoff, the Greeks or a smile."""
    with _reported(json):
        from relayer.cli import option_plots

        if picture is Picture.SMILE:
            if source is None:
                raise UsageError("a smile needs --input with quotes")
            quotes, fits, _ = fits_of(read_table(source))
            option_plots.smile(output, quotes, fits)
        else:
            flags = flags_of(kind, spot, strike, years, hours, vol, rate, dividend)
            draw(picture is Picture.GREEKS, output, flags)
        typer.echo(json_module.dumps({"written": str(output)}) if json else f"wrote {output}")


@app.command()
def quote(
    spot: Annotated[float, typer.Option(help="Whole strike coins for one whole underlying coin.")],
    vol: Annotated[float, typer.Option(help="Volatility per year, 0.6 for 60 %.")],
    underlying: Annotated[str, typer.Option(help="Amount in whole coins, symbol and decimals: 0.1:BTC:8.")],
    strike: Annotated[str, typer.Option(help="What the holder pays or gets in all: 6000:USDC:6.")],
    exercise_by: Annotated[int, typer.Option(help="Last moment of exercise, UNIX seconds.")],
    activate_by: Annotated[int | None, typer.Option(help="The premium's deadline, UNIX seconds.")] = None,
    now: Annotated[int | None, typer.Option(help="Now, UNIX seconds; the clock if left out.")] = None,
    kind: KindFlag = Kind.CALL,
    rate: Rate = 0.0,
    dividend: Dividend = 0.0,
    spread: Annotated[float, typer.Option(help="What the writer adds, 0.1 for 10 %.")] = 0.0,
    json: Json = False,
) -> None:
    """The premium of a deal's option, in smallest units of the asset the holder pays with."""
    with _reported(json):
        from options.amounts import format_units
        from options.contracts import OptionContract
        from options.quoting import Market, Window
        from options.quoting import quote as price_deal

        start = int(time.time()) if now is None else now
        contract = OptionContract(kind.value, _amount(underlying), _amount(strike), exercise_by)
        window = Window(start, start if activate_by is None else activate_by, exercise_by)
        found = price_deal(contract, Market(spot, vol, rate, dividend), window, spread)
        asset, units = found.premium.asset, found.premium.units
        document = {"premium": units, "asset": asset.symbol, "decimals": asset.decimals, "fair": found.fair}
        document |= {"per_hour": found.per_hour, "hours": found.hours, "delta": found.delta, "vega": found.vega}
        document |= {"theta": found.theta, "free_look": found.free_look}
        if json:
            typer.echo(json_module.dumps(document, indent=2))
            return
        typer.echo(f"premium    {format_units(units, asset.decimals)} {asset.symbol} ({units} units)")
        for name in ("fair", "per_hour", "hours", "delta", "vega", "theta", "free_look"):
            typer.echo(f"{name:10} {_word(document[name])}")


def _table_command(
    flags: dict[str, Any],
    work: Callable[[dict[str, Any]], dict[str, Any]],
    source: Path | None,
    output: Path | None,
    json: bool,
) -> None:
    """Runs `work` on the flags, or on a table with the flags where it has no column; prints or writes."""
    if source is None:
        results = {name: float(value) for name, value in work(flags).items()}
        if output is not None:
            raise UsageError("--output needs --input: a single result is printed")
        if json:
            given = {name: value for name, value in flags.items() if value is not None}
            typer.echo(json_module.dumps(given | results, indent=2))
        elif len(results) == 1:
            typer.echo(repr(next(iter(results.values()))))
        else:
            for name, value in results.items():
                typer.echo(f"{name:6} {_word(value)}")
        return
    table = priced(read_table(source), flags, work)
    if json:
        typer.echo(json_module.dumps({"rows": records(table)}, indent=2))
    if output is not None or not json:
        write_table(output or STANDARD, table)


def _word(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) and isfinite(value) else str(value)


def _amount(text: str) -> Amount:
    """ "0.1:BTC:8" as an amount."""
    from options.amounts import parse_units
    from options.contracts import Amount, Asset

    coins, _, rest = text.partition(":")
    symbol, _, decimals = rest.partition(":")
    if not symbol or not decimals.isdigit():
        raise UsageError(f"{text!r}: an amount is written like 0.1:BTC:8, with symbol and decimals")
    asset = Asset(symbol, int(decimals))
    return Amount(asset, parse_units(coins, asset.decimals))
