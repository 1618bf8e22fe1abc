"""strikelock attester: a member of the quorums of attested options, as a process."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run, run_until_done

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Attest strikes of attested options.

    An attester signs the exercise of a deal that names it, when it sees at nodes of its own that the deal's
    strike is full and final. It holds nobody's money. More than two thirds of a quorum that lie, together with the
    holder, can take the collateral for nothing; by themselves they can only refuse, and so prevent an exercise.
    """


@app.command()
def key(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show the public key by which this configuration's seed stands in quorums."""

    async def work() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.passphrase import passphrase
        from relayer.settings import SEED_FILE
        from settlement import seed

        settings = load(config)
        own = seed.load(settings.party.folder / SEED_FILE, passphrase(settings))
        return {"member": seed.public_member(own.attester()), "url": f"http://{settings.attester.listen}"}

    document = run(work(), json)
    emit(document, json, lambda: f'"{document["member"]}" = "{document["url"]}"')


@app.command()
def start(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Answer holders until SIGTERM or Ctrl-C. What was signed is kept in `attestations` in the party's folder."""

    async def work() -> None:
        from relayer.attest.attester import Attester
        from relayer.attest.service import Service
        from relayer.listening import listen
        from relayer.loading import load
        from relayer.passphrase import passphrase
        from relayer.settings import SEED_FILE
        from settlement import seed

        settings = load(config)
        own = seed.load(settings.party.folder / SEED_FILE, passphrase(settings))
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with Attester.open(settings, own) as attester, AsyncExitStack() as stack:
            address = settings.attester.listen
            port = await listen(stack, "attester", Service(attester).application(), address)
            url = f"http://{address.rpartition(':')[0]}:{port}"
            document = {"ready": True, "member": attester.member, "url": url}
            emit(document, json, lambda: f'ready: "{document["member"]}" = "{document["url"]}"')
            await stop.wait()

    run_until_done(work(), json)
    typer.secho("stopped", err=True)
