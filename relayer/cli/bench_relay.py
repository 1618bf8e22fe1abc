"""strikelock bench relay: what a relayer delivers, and what that costs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from relayer.cli.output import Json, emit, run

HELP = "Deliver a backlog between two local chains; print messages a second, gas, calls, latency, start-up."


def relay(
    backlog: Annotated[int, typer.Option(help="Messages in the backlog.", min=1)] = 100_000,
    singles: Annotated[int, typer.Option(help="Messages sent one by one.", min=1)] = 200,
    stored: Annotated[int, typer.Option(help="Messages stored before the start.", min=1)] = 1_000_000,
    json: Json = False,
) -> None:
    """See HELP."""

    async def work() -> dict[str, Any]:
        import tempfile
        from pathlib import Path

        from relayer.bench.relay import Sizes, measure

        with tempfile.TemporaryDirectory(prefix="strikelock-bench-") as folder:
            return await measure(Sizes(backlog, singles, stored), Path(folder))

    document = run(work(), json)
    emit(document, json, lambda: "\n".join(f"{name}: {value}" for name, value in document.items()))
