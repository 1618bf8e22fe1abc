"""strikelock token: who may use the API."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.api.scopes import Scope
from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from settlement.store.tokens import TokenBook, TokenRecord

HELP = "Make, list and take back the tokens of the API."
DAY = 86_400

app = typer.Typer(no_args_is_help=True)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What it is for, such as the name of a program.")],
    scope: Annotated[
        Scope, typer.Option(help="read; trade: propose, accept and wish too; admin: at the socket.")
    ] = Scope.READ,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="How long it is good; left out: for ever.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Make a token and show it, once. What is stored can't be turned back into it."""

    async def work(book: TokenBook) -> dict[str, Any]:
        from relayer.api.tokens import new_token
        from relayer.errors import BadRequest

        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,63}", name):
            raise BadRequest(f"{name!r} is no name: it has 1 to 64 characters of A-Z, a-z, 0-9, blank and ._-")
        record, secret = new_token(name, scope, int(time.time()), days and days * DAY)
        await book.add(record)
        return {**_document(record), "secret": secret}

    document = _with_book(work, config, json)
    emit(document, json, lambda: f"token {document['id']}, shown this once:\n{document['secret']}")


@app.command("list")
def list_tokens(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """List every token there ever was, without its secret."""

    async def work(book: TokenBook) -> dict[str, Any]:
        return {"tokens": [_document(record) for record in await book.all()]}

    document = _with_book(work, config, json)
    emit(document, json, lambda: _table(document["tokens"]))


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id.")], config: Config = DEFAULT_CONFIG, json: Json = False
) -> None:
    """Take a token back. A running daemon refuses it within a second."""

    async def work(book: TokenBook) -> dict[str, Any]:
        await book.revoke(token, int(time.time()))
        return {"token": token, "revoked": True}

    emit(_with_book(work, config, json), json, lambda: f"token {token} is good no more")


def _document(record: TokenRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "scope": record.scope,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
        "good": record.good(time.time()),
    }


def _table(tokens: list[dict[str, Any]]) -> object:
    from rich.table import Table

    from relayer.report import when

    table = Table("token", "name", "scope", "made", "ends", "good")
    for one in tokens:
        ends = when(one["revoked_at"] or one["expires_at"]) or "never"
        table.add_row(one["id"], one["name"], one["scope"], when(one["created_at"]), ends, _yes(one["good"]))
    return table


def _yes(good: bool) -> str:
    return "yes" if good else "no"


def _with_book(
    work: Callable[[TokenBook], Awaitable[dict[str, Any]]], config: Path, as_json: bool
) -> dict[str, Any]:
    async def opened() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.settings import database_url
        from settlement.store import Store

        async with await Store.open(database_url(load(config))) as store:
            return await work(store.tokens)

    return run(opened(), as_json)
