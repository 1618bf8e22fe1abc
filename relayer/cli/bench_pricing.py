"""strikelock bench pricing: speed and error of the pricing core, beside C and other libraries."""

from __future__ import annotations

import json as json_module
from typing import Annotated, Any

import typer

HELP = "Speed and error of option pricing here, beside a C roofline and other libraries."


def pricing(
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    quick: Annotated[bool, typer.Option(help="Fewer repetitions and shorter arrays.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="A row by name; may be given again.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random terms.")] = None,
) -> None:
    from options.bench import ROWS, SEED, measure

    names = [row.name for row in ROWS]
    for name in only or ():
        if name not in names:
            raise typer.BadParameter(f"no row {name!r}; there are: {', '.join(names)}", param_hint="--only")
    found = measure(only or None, quick=quick, seed=SEED if seed is None else seed)
    if json:
        typer.echo(json_module.dumps(found, indent=2))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    machine = found["machine"]
    table = Table(title=f"{machine['cpu']}: kernel {machine['kernel']}", title_justify="left")
    for column in ("work", "measured", "to reach", "C roofline", "others"):
        table.add_column(column, justify="left" if column in ("work", "others") else "right")
    for row in found["rows"]:
        others = [f"{name} {peer['value']:.3g} ({peer['ratio']:.1f}x)" for name, peer in row["peers"].items()]
        floor = "" if row["roofline"] is None else f"{row['roofline']:.3g} ({row['roofline_ratio']:.2f}x)"
        mark = "" if row["met"] else " !"
        value = f"{row['value']:.3g} {row['unit']}{mark}"
        table.add_row(row["name"], value, f"{row['target']:g}", floor, ", ".join(others))
    Console().print(table)
