"""strikelock bench: measure costs and speed."""

from __future__ import annotations

from typing import Any

import typer

from relayer.cli.output import Json, emit, run

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Measure costs and speed."""


@app.command()
def costs(json: Json = False) -> None:
    """Fund, claim, refund and release on each chain; print measured virtual bytes and gas."""

    async def work() -> dict[str, Any]:
        import tempfile
        from pathlib import Path

        from chains.testing.errors import NodeMissing
        from chains.testing.locate import find
        from relayer.bench.costs import measure

        names = []
        for name, program in (("bitcoin", "bitcoind"), ("litecoin", "litecoind"), ("evm", "anvil")):
            try:
                find(program)
            except NodeMissing as error:
                typer.secho(f"{name} is left out: {error}", err=True, fg="yellow")
            else:
                names.append(name)
        with tempfile.TemporaryDirectory(prefix="strikelock-bench-") as folder:
            return {**await measure(tuple(names), Path(folder))}

    document = run(work(), json)
    emit(document, json, lambda: _table(document))


def _table(document: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table("chain", "step", "cost", title="Costs of a leg")
    for chain, steps in document.items():
        for name, value in steps.items():
            step, _, unit = name.rpartition("_")
            table.add_row(chain, step.replace("_", " "), f"{value:,} {unit}")
    return table
