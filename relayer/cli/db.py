"""strikelock db: look after the database."""

from __future__ import annotations

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
        from relayer.settings import database_url, load
        from settlement.store.store import Store

        url = database_url(load(config))
        async with await Store.open(url, upgrade=True):
            return url

    url = run(work(), json)
    emit({"database": url, "ok": True}, json, lambda: f"{url} is up to date")
