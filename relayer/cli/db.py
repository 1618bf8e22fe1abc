"""strikelock db: look after the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look after the database."""


@app.command()
def upgrade(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Bring the database to the schema of this version. Make a copy first if you may want to go back."""

    async def work() -> str:
        from relayer.loading import load
        from relayer.settings import database_url
        from settlement.store.store import Store

        async with await Store.open(database_url(load(config)), upgrade=True) as store:
            return store.name

    name = run(work(), json)
    emit({"database": name, "ok": True}, json, lambda: f"{name} is up to date")


@app.command()
def daemons(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """List the daemons that share the database: machine and process, until when they are counted on, and how many
    deals each drives. Empty on SQLite, where there is only one."""

    async def work() -> list[dict[str, object]]:
        from relayer.loading import load
        from relayer.settings import database_url
        from settlement.store.leases import DEAL
        from settlement.store.store import Store

        async with await Store.open(database_url(load(config))) as store:
            return [
                {
                    "daemon": member.label,
                    "live": member.left > 0,
                    "seconds": round(member.left, 1),
                    "deals": [name for kind, name in member.held if kind == DEAL],
                }
                for member in await store.leases.crew()
            ]

    found = run(work(), json)
    emit({"daemons": found}, json, lambda: crew_table(found))


def crew_table(found: list[dict[str, object]]) -> object:
    """Daemons for people."""
    from rich.table import Table

    table = Table("daemon", "", "seconds", "deals")
    for one in found:
        deals = one["deals"]
        number = len(deals) if isinstance(deals, list) else 0
        table.add_row(str(one["daemon"]), "live" if one["live"] else "gone", str(one["seconds"]), str(number))
    return table


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Write the whole database, as of now, into a file. The party may be running. Keep the file as you keep
    money's records: it holds no secret, and it tells what you trade."""

    async def work() -> int:
        from relayer.loading import load
        from relayer.settings import database_url
        from settlement.store.copies import back_up

        return await back_up(database_url(load(config)), file)

    rows = run(work(), json)
    emit({"file": str(file), "rows": rows}, json, lambda: f"{rows} rows written to {file}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `db backup` wrote, of this version or an older one.")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Fill an empty database with a backup. Deals that were open in it only claim and refund from then on: what
    was signed since the backup is not known to us, and known to others."""

    async def work() -> int:
        from relayer.loading import load
        from relayer.settings import database_url
        from settlement.store.copies import restore as fill

        return await fill(file, database_url(load(config)))

    rows = run(work(), json)
    emit({"file": str(file), "rows": rows}, json, lambda: f"{rows} rows restored; open deals are limited now")
