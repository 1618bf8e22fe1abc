"""strikelock keys: make and show the seed of a party."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run

app = typer.Typer(no_args_is_help=True)


@app.command()
def new(
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    restore: Annotated[bool, typer.Option(help="Ask for words you have instead of making new ones.")] = False,
) -> None:
    """Make the party's seed, and show its words once. Write them down: they are all you need to get money back."""

    async def work() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.passphrase import passphrase
        from relayer.settings import SEED_FILE
        from settlement import seed

        settings = load(config)
        words = typer.prompt("the words", hide_input=True, err=True) if restore else seed.new_words()
        settings.party.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = seed.save(settings.party.folder / SEED_FILE, words, passphrase(settings, confirm=True))
        return {
            "identity": made.identity().public,
            "file": str(settings.party.folder / SEED_FILE),
            "words": None if restore else words,
        }

    document = run(work(), json)
    emit(document, json, lambda: _words(document))


@app.command()
def show(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show the party's identity, and where each chain's wallet is paid. Shows no secret."""

    async def work() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.party import Party

        async with Party.open(load(config), drive=False) as party:
            return {
                "identity": party.identity,
                "wallets": {name: wallet.address for name, wallet in party.wallets.items()},
                "balances": await party.balances(),
            }

    document = run(work(), json)
    emit(document, json, lambda: _wallets(document))


def _words(document: dict[str, Any]) -> str:
    lines = [f"seed saved in {document['file']}", f"identity {document['identity']}"]
    if document["words"]:
        lines += [
            "",
            "Write these words down and keep them offline; they are shown only now:",
            "",
            document["words"],
        ]
    return "\n".join(lines)


def _wallets(document: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table("chain", "address", "asset", "balance", title=f"identity {document['identity']}")
    for name, address in document["wallets"].items():
        held = {
            key.split("/")[1]: value for key, value in document["balances"].items() if key.split("/")[0] == name
        }
        for number, (asset, amount) in enumerate(held.items()):
            table.add_row("" if number else name, "" if number else address, asset, f"{amount:,}")
    return table
