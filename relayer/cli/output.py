"""What every command shares: one JSON document or words on stdout, logs on stderr, errors as exit codes."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from chains.errors import StrikelockError
from relayer.exits import Exit

T = TypeVar("T")

PIPE_WIDTH = 200  # of tables where no terminal says how wide it is
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="STRIKELOCK_CONFIG", help="The configuration file.", show_default=True),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Wins over file and environment: peer.listen=127.0.0.1:9956."),
]
DEFAULT_CONFIG = Path("strikelock.toml")


def emit(document: Any, as_json: bool, words: Callable[[], object]) -> None:
    """Print the document, or call `words` for people. `words` returns a rich renderable or a string."""
    if as_json:
        typer.echo(json.dumps(document, indent=2, default=str))
        return
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    shown = words()
    Console(highlight=False, width=width).print(shown, soft_wrap=isinstance(shown, str))


def fail(error: StrikelockError, as_json: bool) -> None:
    """Say what went wrong and leave with the exit code that fits."""
    if as_json:
        typer.echo(json.dumps({"error": error_document(error)}, indent=2))
    typer.secho(f"error: {error}", err=True, fg="red")
    raise typer.Exit(_exit_code(error))


def _exit_code(error: StrikelockError) -> Exit:
    """By the type of the failure; most are of the kind that a user can act on and try again."""
    from relayer.errors import BadConfig, NoConfig, SafetyHalt
    from settlement.errors import SeedDamaged, SeedExposed, SeedMissing, WrongPassphrase
    from settlement.store.errors import DatabaseInUse

    match error:
        case BadConfig() | NoConfig() | SeedMissing() | SeedExposed() | SeedDamaged() | WrongPassphrase():
            return Exit.CONFIG
        case DatabaseInUse():
            return Exit.IN_USE
        case SafetyHalt():
            return Exit.HALT
        case _:
            return Exit.FAILURE


def error_document(error: StrikelockError) -> dict[str, Any]:
    """An error for programs: its type, its message, its fields."""
    from relayer.errors import error_fields

    return {"type": type(error).__name__, "message": str(error), **error_fields(error)}


def run(work: Coroutine[Any, Any, T], as_json: bool, level: int = logging.WARNING) -> T:
    """Run a command's work; errors of ours become a message and an exit code. SIGTERM takes it back like Ctrl-C,
    and it ends what it started; who drains instead has a handler of its own."""
    import asyncio

    log_to_stderr(level)
    try:
        return asyncio.run(_terminable(work))
    except StrikelockError as error:
        fail(error, as_json)
    except BaseExceptionGroup as group:
        ours = group.subgroup(StrikelockError)
        if ours is None:
            raise
        fail(_first(ours), as_json)
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.secho("interrupted", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    raise AssertionError("not reached")


async def _terminable(work: Coroutine[Any, Any, T]) -> T:
    import asyncio
    import signal

    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _first(group: BaseExceptionGroup[StrikelockError]) -> StrikelockError:
    """The first error in a group of groups."""
    found: StrikelockError | BaseExceptionGroup[StrikelockError] = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def run_until_done(work: Coroutine[Any, Any, None], as_json: bool) -> None:
    """Run a process of ours: as `run`, with what it does in the log."""
    run(work, as_json, logging.INFO)


def level_of(name: str) -> int:
    """A level of the log by its name in the configuration."""
    return logging.getLevelNamesMapping()[name.upper()]


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Logs never go to stdout, which belongs to the document."""
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
