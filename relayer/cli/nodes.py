"""`strikelock nodes`: regtest nodes of a developer's own, in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.output import FAILURE, Json, emit, run

if TYPE_CHECKING:
    from rich.table import Table

    from chains.testing.running import Running


class ChainName(StrEnum):
    """Chains that a node can be started for."""

    BITCOIN = "bitcoin"
    LITECOIN = "litecoin"
    EVM = "evm"


Folder = Annotated[
    Path | None, typer.Option(help="Where data folders and the state file are.", show_default=".nodes/run")
]
Only = Annotated[list[ChainName] | None, typer.Option(help="One chain; may be given again. All if left out.")]

app = typer.Typer(no_args_is_help=True)


@app.command()
def up(folder: Folder = None, only: Only = None, json: Json = False) -> None:
    """Start bitcoind, litecoind and anvil on free ports; those that run already are left alone."""
    from chains.testing import running

    place = folder or running.default_folder()
    nodes, missing = run(running.up(place.resolve(), _names(only)), json)
    document = {**_document(place, nodes), "missing": missing}
    emit(document, json, lambda: _table(nodes))
    for chain, reason in missing.items():
        typer.secho(f"no {chain}: {reason}", err=True, fg="yellow")
    if not nodes:
        raise typer.Exit(FAILURE)


@app.command()
def down(folder: Folder = None, only: Only = None, json: Json = False) -> None:
    """End the nodes that `nodes up` started, and no others; their chains stay for the next time."""
    from chains.testing import running

    place = folder or running.default_folder()
    ended = run(running.down(place.resolve(), _names(only)), json)
    emit({"ended": ended}, json, lambda: f"ended: {', '.join(ended)}" if ended else "no node was running")


@app.command()
def status(folder: Folder = None, json: Json = False) -> None:
    """Show the nodes that run, with their addresses and data folders."""
    from chains.testing import running

    place = folder or running.default_folder()
    nodes = running.read(place.resolve())
    emit(_document(place, nodes), json, lambda: _table(nodes) if nodes else "no node is running")


def _names(only: list[ChainName] | None) -> tuple[str, ...]:
    return tuple(chain.value for chain in only or ChainName)


def _document(place: Path, nodes: Mapping[str, Running]) -> dict[str, object]:
    return {"folder": str(place.resolve()), "nodes": {name: asdict(node) for name, node in nodes.items()}}


def _table(nodes: Mapping[str, Running]) -> Table:
    from rich.table import Table

    table = Table("chain", "pid", "address", "data folder")
    for name, node in nodes.items():
        table.add_row(name, str(node.pid), node.wallet or node.url, node.folder)
    return table
