"""`strikelock nodes`: regtest nodes of a developer's own, in the background."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run
from relayer.exits import Exit

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
        raise typer.Exit(Exit.FAILURE)


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


@app.command()
def config(
    party: Annotated[Path, typer.Argument(help="Folder of the party's seed and database.")],
    listen: Annotated[str, typer.Option(help="Where the party listens.")] = "127.0.0.1:9955",
    database: Annotated[str, typer.Option(help="A database that several daemons of the party share.")] = "",
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Print a party's configuration for the nodes that run; deploys the contracts it needs."""
    from chains.testing import running

    async def work() -> dict[str, Any]:
        from relayer.testing.playground import configuration

        return await configuration((folder or running.default_folder()).resolve(), party, listen, database)

    document = run(work(), json)
    emit(document, json, lambda: _toml(document))


@app.command()
def fund(config: Config = DEFAULT_CONFIG, folder: Folder = None, json: Json = False) -> None:
    """Give a party's wallets play money, and mine it."""
    from chains.testing import running

    async def work() -> dict[str, int]:
        from relayer.loading import load
        from relayer.party import Party
        from relayer.testing import playground

        async with Party.open(load(config), drive=False) as party:
            addresses = {name: wallet.address for name, wallet in party.wallets.items()}
        return await playground.fund((folder or running.default_folder()).resolve(), addresses)

    paid = run(work(), json)
    emit(paid, json, lambda: "\n".join(f"{amount:,} {asset}" for asset, amount in paid.items()))


@app.command()
def mine(
    blocks: Annotated[int, typer.Option(help="So many on each chain.", min=1)] = 1,
    every: Annotated[
        float | None, typer.Option(help="Again every so many seconds, until Ctrl-C.", min=0.05)
    ] = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Mine blocks on the nodes that run."""
    from chains.testing import running

    async def work() -> dict[str, int]:
        import asyncio

        from relayer.testing import playground

        place = (folder or running.default_folder()).resolve()
        heights = await playground.mine(place, blocks)
        while every is not None:
            await asyncio.sleep(every)
            heights = await playground.mine(place, blocks)
        return heights

    heights = run(work(), json)
    emit(heights, json, lambda: "\n".join(f"{chain} {height}" for chain, height in heights.items()))


@app.command()
def postgres(
    port: Annotated[int | None, typer.Option(help="Its port. A free one if left out.", min=1, max=65535)] = None,
    password: Annotated[str | None, typer.Option(help="Of its user. A new one if left out.")] = None,
    json: Json = False,
) -> None:
    """Run a PostgreSQL server on loopback until Ctrl-C, for daemons that share a database; its data go with it."""

    async def work() -> None:
        import asyncio

        from chains.testing.postgres import Postgres

        async with Postgres(port=port, password=password) as server:
            emit({"url": server.url}, json, lambda: server.url)
            sys.stdout.flush()
            await asyncio.Event().wait()

    run(work(), json)


def _toml(document: dict[str, Any]) -> str:
    import tomli_w
    from rich.markup import escape

    return escape(tomli_w.dumps(document))


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
