"""strikelock validator: sign what outboxes say, so that inboxes elsewhere believe it."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, Set, emit, level_of
from relayer.cli.output import run as run_work
from relayer.cli.run import load_settings, stop_on_signal

HELP = "Sign roots of outboxes that are seen in final blocks, by several nodes that agree."

app = typer.Typer(no_args_is_help=True)


@app.command()
def start(config: Config = DEFAULT_CONFIG, set_: Set = None, json: Json = False) -> None:
    """Sign and serve signatures until SIGTERM or Ctrl-C. Ends with 79, for good, where a block that it signed
    for is gone, or its database was restored."""
    settings = load_settings(config, set_ or (), json)

    async def work() -> None:
        from relayer.party import load_seed
        from relayer.validator.service import Validator

        stop, ready = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop_on_signal, stop)
        async with Validator.open(settings, load_seed(settings)) as validator:
            running = asyncio.create_task(validator.run(stop, ready))
            await asyncio.wait({running, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if ready.is_set():
                address = next(iter(validator.signers.values())).address
                document = {"ready": True, "signer": address, "listen": settings.validator.listen}
                emit(document, json, lambda: f"ready: {address} at {settings.validator.listen}")
            await running

    run_work(work(), json, level_of(settings.log.level))
    typer.secho("stopped", err=True)


@app.command()
def show(config: Config = DEFAULT_CONFIG, set_: Set = None, json: Json = False) -> None:
    """Show the address that signs, for whoever puts together a set of signers."""
    settings = load_settings(config, set_ or (), json)

    async def work() -> dict[str, Any]:
        from chains.evm.vaults import public_address
        from relayer.party import load_seed
        from relayer.validator.service import signing_key

        return {"signer": public_address(signing_key(load_seed(settings)).public_key)}

    document = run_work(work(), json)
    emit(document, json, lambda: document["signer"])


@app.command()
def floor(
    lanes: Annotated[list[str], typer.Argument(help="LANE=COUNT for every lane.", metavar="LANE=COUNT...")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Let a restored validator sign again, above counts that are higher than any it ever signed; relayers and the
    folder of signatures know those."""
    settings = load_settings(config, (), json)

    async def work() -> dict[str, int]:
        from relayer.errors import BadRequest
        from relayer.validator.service import DATABASE_FILE, set_floor
        from settlement.store import Store

        floors = {}
        for word in lanes:
            name, equals, count = word.partition("=")
            if not equals or not count.isdigit():
                raise BadRequest(f"{word!r} is not LANE=COUNT")
            floors[name] = int(count)
        async with await Store.open(str(settings.party.folder / DATABASE_FILE), drive=True) as store:
            await set_floor(store, settings, floors)
        return floors

    document = run_work(work(), json)
    emit(document, json, lambda: "\n".join(f"{name}: nothing at or below {n}" for name, n in document.items()))
