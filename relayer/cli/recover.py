"""strikelock recover, and strikelock deal export: out of every deal from the seed alone, and what it takes."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run

if TYPE_CHECKING:
    from relayer.settings import Settings
    from settlement.seed import Seed

HELP = "Refund and claim every open deal from the seed, the chains and the deals' descriptors, without a database."
DAYS = 30  # four times the longest lock that is usual


def recover(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Descriptors, or folders of them; left out: the configuration's backup folder."),
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Ask for the seed's words instead of reading the seed file.")
    ] = False,
    from_chain: Annotated[
        bool, typer.Option("--from-chain", help="Find the records of deals on the chains; FILES only if given.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, help="How far back to look for records.")] = DAYS,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """See HELP. Progress goes to stderr. It ends when every deal is closed; SIGTERM or Ctrl-C stops it, and the
    same command goes on."""

    async def work() -> dict[str, Any]:
        from relayer.errors import BadRequest
        from relayer.loading import load
        from relayer.recover import Recovery
        from settlement.backup import read_files

        settings = load(config)
        found = read_files(files or ([] if from_chain else [settings.backup.folder]))
        if not found and not from_chain:
            raise BadRequest(f"there is no descriptor in {', '.join(map(str, files or [settings.backup.folder]))}")
        seed = _seed(settings, words)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with Recovery.open(settings, seed, found, days if from_chain else None) as recovery:
            await recovery.run(lambda text: typer.echo(text, err=True), stop)
            return {"complete": await recovery.over(), **await recovery.document()}

    document = run(work(), json, logging.WARNING)
    emit(document, json, lambda: _words_of(document))
    if not document["complete"]:
        raise typer.Exit(1)


def _seed(settings: Settings, words: bool) -> Seed:
    """The seed from words that are typed in, or from its file."""
    from relayer.passphrase import passphrase
    from relayer.settings import SEED_FILE
    from settlement import seed

    if words:
        return seed.from_words(typer.prompt("the words", hide_input=True, err=True))
    return seed.load(settings.party.folder / SEED_FILE, passphrase(settings))


def _words_of(document: dict[str, Any]) -> str:
    lines = [f"deal {deal['deal']}: {deal['outcome'] or 'still open'}" for deal in document["deals"]]
    if not document["complete"]:
        lines.append("stopped before the end: run the same command again")
    return "\n".join(lines)


def export(
    deal: Annotated[str, typer.Argument(help="The deal's id.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; left out: the backup folder.")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Write a deal's descriptor: with it and the seed, `strikelock recover` settles the deal. Holds no secret."""

    async def work() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.settings import database_url
        from settlement.backup import describe, file_name, write_file
        from settlement.store import Store

        settings = load(config)
        identity = _seed(settings, words=False).identity()
        async with await Store.open(database_url(settings)) as store:
            found = await store.deal(deal)
        path = out or settings.backup.folder / file_name(found)
        write_file(path, describe(found, identity).text)
        return {"deal": deal, "file": str(path)}

    document = run(work(), json)
    emit(document, json, lambda: f"descriptor of deal {deal} written to {document['file']}")
