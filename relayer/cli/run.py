"""strikelock run: a party as a process."""

from __future__ import annotations

import asyncio
import signal

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run_until_done

HELP = "Run a party: drive its deals and answer its counterparties, until SIGTERM or Ctrl-C."


def run(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """See HELP. Says that it is ready on stdout, and logs to stderr."""

    async def work() -> None:
        from relayer.party import Party
        from relayer.settings import load

        stop, ready = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with Party.open(load(config), drive=True) as party:
            serving = asyncio.create_task(party.serve(stop, ready))
            await asyncio.wait({serving, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if ready.is_set():
                document = {"ready": True, "identity": party.identity, "url": party.agreement.url}
                emit(document, json, lambda: f"ready: {party.identity}@{party.agreement.url}")
            await serving

    run_until_done(work(), json)
    typer.secho("stopped", err=True)
