"""strikelock run: a party as a process. strikelock health-check: whether it is well."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, Set, emit, fail, level_of
from relayer.cli.output import run as run_work
from relayer.exits import Exit
from relayer.garbage import put_off as put_off_garbage

if TYPE_CHECKING:
    from relayer.settings import Settings

HELP = "Run a party: drive its deals and answer its counterparties, until SIGTERM or Ctrl-C."
HEALTH_HELP = "Say whether a party is well: it runs, its chains are seen, its coin and its deadlines hold out."
ASK_SECONDS = 10


def run(config: Config = DEFAULT_CONFIG, set_: Set = None, json: Json = False) -> None:
    """See HELP. Says that it is ready on stdout, and logs to stderr. The first SIGTERM or SIGINT finishes what is
    being done; a second one stops at once, which costs nothing but time at the next start."""
    put_off_garbage()
    settings = load_settings(config, set_ or (), json)

    async def work() -> None:
        from relayer.daemon import Daemon

        stop, ready = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop_on_signal, stop)
        async with Daemon.open(settings) as daemon:
            running = asyncio.create_task(daemon.run(stop, ready))
            await asyncio.wait({running, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if ready.is_set():
                party = daemon.party
                document = {"ready": True, "identity": party.identity, "url": party.agreement.url}
                emit(document, json, lambda: f"ready: {party.identity}@{party.agreement.url}")
                sys.stdout.flush()
            await running

    run_work(work(), json, level_of(settings.log.level))
    typer.secho("stopped", err=True)


def stop_on_signal(stop: asyncio.Event) -> None:
    """The first signal asks to stop, the second one stops at once."""
    if stop.is_set():
        typer.secho("stopped hard", err=True)
        sys.stderr.flush()
        os._exit(Exit.INTERRUPTED)  # everything that matters is on disk before it takes effect
    typer.secho("stopping: what is being done is finished; once more stops at once", err=True)
    stop.set()


def load_settings(config: Path, overrides: Iterable[str], json: bool) -> Settings:
    """The configuration, or a message and an exit code."""
    from chains.errors import StrikelockError
    from relayer.loading import load

    try:
        return load(config, overrides)
    except StrikelockError as error:
        fail(error, json)
        raise


def health_check(config: Config = DEFAULT_CONFIG, set_: Set = None, json: Json = False) -> None:
    """See HEALTH_HELP. Asks the running party at `ops.listen`; without that, looks at the chains itself. Exit
    code 3 where anything is not well."""
    settings = load_settings(config, set_ or (), json)
    document = run_work(_ask(settings) if settings.ops.listen else _look(settings), json)
    emit(document, json, lambda: health_table(document))
    if not document["ready"]:
        raise typer.Exit(Exit.UNHEALTHY)


async def _ask(settings: Settings) -> dict[str, Any]:
    """What the running party says of itself."""
    import aiohttp

    from relayer.errors import OpsUnreachable

    url = f"http://{settings.ops.listen}/ready"
    limit = aiohttp.ClientTimeout(total=ASK_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as response:
            return dict(await response.json())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise OpsUnreachable(url, str(error) or type(error).__name__) from error


async def _look(settings: Settings) -> dict[str, Any]:
    """The same judgement of the chains, by a look of our own."""
    from chains.errors import ChainError
    from chains.legs import NATIVE
    from relayer.daemon import chain_vitals
    from relayer.health import Vitals, judge
    from relayer.party import Party

    async with Party.open(settings, drive=False, late=True) as party:
        await party.observer.look()
        coin = {}
        for name in party.observer.live:
            try:
                coin[name] = await party.wallets[name].balance(NATIVE)
            except ChainError:
                continue  # then it counts as not known
        found = {name: chain_vitals(party, name, party.observer, coin.get(name)) for name in party.chains}
        return judge(Vitals(found)).document()


def health_table(document: dict[str, Any]) -> object:
    """Checks for people."""
    from rich.table import Table

    table = Table("", "", "")
    for name, check in document["checks"].items():
        table.add_row("ok" if check["ok"] else "[red]NOT WELL[/red]", name, check["detail"])
    return table
