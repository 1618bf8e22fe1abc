"""strikelock relayer: carry messages between EVM chains, push spends of watched deals. strikelock query: look."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, Set, emit, level_of
from relayer.cli.output import run as run_work
from relayer.cli.run import load_settings, stop_on_signal
from relayer.exits import Exit

if TYPE_CHECKING:
    from relayer.messages.relayer import Relayer

T = TypeVar("T")

HELP = "Carry messages between EVM chains, and push spends of watched deals. It holds nothing but its gas."
QUERY_HELP = "Look at messages and lanes."

app = typer.Typer(no_args_is_help=True)
query = typer.Typer(no_args_is_help=True)

LaneName = Annotated[str, typer.Argument(help="A lane of the configuration.", metavar="LANE")]


@app.command()
def start(config: Config = DEFAULT_CONFIG, set_: Set = None, json: Json = False) -> None:
    """Carry until SIGTERM or Ctrl-C."""
    settings = load_settings(config, set_ or (), json)

    async def work() -> None:
        from relayer.messages.relayer import Relayer
        from relayer.notify import READY, notify
        from relayer.party import load_seed

        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop_on_signal, stop)
        async with Relayer.open(settings, load_seed(settings)) as relayer:
            accounts = {name: pusher.address for name, pusher in relayer.pushers.items()}
            names = {"lanes": sorted(relayer.runners), "feeds": sorted(relayer.feeds)}
            document = {"ready": True, **names, "accounts": accounts}
            what = ", ".join((*names["lanes"], *names["feeds"])) or "spends only"
            emit(document, json, lambda: f"ready: {what}")
            notify(READY)
            await relayer.run(stop)

    run_work(work(), json, level_of(settings.log.level))
    typer.secho("stopped", err=True)


@app.command()
def clear(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Deliver everything that can be delivered now, and end. The relayer must not be running."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        await relayer.clear()
        return await _pending(relayer)

    document = _with_relayer(work, config, json, drive=True)
    emit(document, json, lambda: _table(document))


@app.command()
def retry(
    message: Annotated[str, typer.Argument(help="The id of a message that its recipient did not take.")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Try a message again that failed at its recipient. The relayer must not be running."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        return {"txid": await relayer.retry(_id(message))}

    document = _with_relayer(work, config, json, drive=True)
    emit(document, json, lambda: document["txid"])


@app.command()
def prove(
    feed: Annotated[str, typer.Argument(help="A feed of the configuration.", metavar="FEED")],
    outpoint: Annotated[str, typer.Argument(help="What pays a leg on Bitcoin.", metavar="TXID:OUTPUT")],
    spent_by: Annotated[str, typer.Option(help="Prove that this transaction spends it.", metavar="TXID")] = "",
    block: Annotated[str, typer.Option(help="The block of the transaction, where the node has no index.")] = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Ask for an output to be put on record in the feed's registry; a running relayer does it once it is deep
    enough."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        from settlement.store.proofs import ProofRequest

        txid, output = _outpoint(outpoint)
        spender, where = (_hash(word) if word else "" for word in (spent_by, block))
        await relayer.prove(ProofRequest(feed, txid, output, spender, where))
        return {"feed": feed, "outpoint": f"{txid}:{output}", "asked": True}

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: f"{document['outpoint']} will be on record, once it is deep enough")


@app.command()
def pause(lane: LaneName, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Deliver nothing on a lane; a running relayer takes note at once."""
    _set_paused(lane, True, config, json)


@app.command()
def resume(lane: LaneName, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Go on with a lane that was paused or halted."""
    _set_paused(lane, False, config, json)


@app.command("health-check")
def health_check(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Look at chains, account and lanes; exit code 3 where anything is not well."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        for runner in relayer.runners.values():
            await runner.look()
        await relayer.look_at_feeds()
        return (await relayer.health()).document()

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: _health(document))
    if not document["ready"]:
        raise typer.Exit(Exit.UNHEALTHY)


# --- looking


@query.command()
def pending(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """How many messages are where, by lane."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        for runner in relayer.runners.values():
            await runner.look()
        return await _pending(relayer)

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: _table(document))


@query.command()
def message(
    id_: Annotated[str, typer.Argument(help="The id of the message, in hex.", metavar="ID")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Where one message is: final, attested, submitted, delivered, settled or failed."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        return await relayer.message(_id(id_))

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: "\n".join(f"{name}: {value}" for name, value in document.items()))


@query.command()
def lanes(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Every lane and every feed, with its ends and its troubles."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        await relayer.look_at_feeds()
        return await relayer.lanes()

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: _table(document))


@query.command()
def feeds(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """How far each light client of Bitcoin is, and how many proofs are asked for."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        await relayer.look_at_feeds()
        return {name: feed.counts() for name, feed in relayer.feeds.items()}

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: _table(document, "feed"))


@query.command()
def proofs(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """What was asked to be proved, the newest first, and how it stands."""

    async def work(relayer: Relayer) -> dict[str, Any]:
        await relayer.look_at_feeds()
        return await relayer.proofs()

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: _table(document, "outpoint"))


# --- inside


def _with_relayer(work: Callable[[Relayer], Awaitable[T]], config: Path, json: bool, drive: bool = False) -> T:
    settings = load_settings(config, (), json)

    async def run() -> T:
        from relayer.messages.relayer import Relayer
        from relayer.party import load_seed

        async with Relayer.open(settings, load_seed(settings), drive=drive) as relayer:
            return await work(relayer)

    return run_work(run(), json)


def _set_paused(lane: str, paused: bool, config: Path, json: bool) -> None:
    async def work(relayer: Relayer) -> dict[str, Any]:
        await relayer.pause(lane, paused)
        return {"lane": lane, "paused": paused}

    document = _with_relayer(work, config, json)
    emit(document, json, lambda: f"{lane} {'is paused' if paused else 'goes on'}")


def _id(text: str) -> bytes:
    from relayer.errors import BadRequest

    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise BadRequest(f"{text!r} is not the id of a message: 32 bytes in hex")
    return raw


def _outpoint(text: str) -> tuple[str, int]:
    from relayer.errors import BadRequest

    txid, _, output = text.partition(":")
    if not output.isdecimal() or int(output) >= 2**32:
        raise BadRequest(f"{text!r} is no outpoint: TXID:OUTPUT")
    return _hash(txid), int(output)


def _hash(text: str) -> str:
    from relayer.errors import BadRequest

    if len(text) != 64 or not all(digit in "0123456789abcdef" for digit in text.lower()):
        raise BadRequest(f"{text!r} is no hash of Bitcoin: 64 hexadecimal digits")
    return text.lower()


async def _pending(relayer: Relayer) -> dict[str, Any]:
    return {name: runner.counts() for name, runner in relayer.runners.items()}


def _table(document: dict[str, Any], first: str = "lane") -> object:
    from rich.table import Table

    columns = list(next(iter(document.values()), {}))
    table = Table(first, *columns)
    for name, row in document.items():
        table.add_row(name, *(str(row[column]) for column in columns))
    return table


def _health(document: dict[str, Any]) -> object:
    from relayer.cli.run import health_table

    return health_table(document)
