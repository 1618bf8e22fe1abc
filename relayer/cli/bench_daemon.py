"""strikelock bench daemon: what one party's process, or several on one database, carry."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from relayer.cli.output import Json, emit, run

HELP = "Run two parties on nodes with a block a second; print deals a minute, memory, answer times, start-up."


def daemon(
    deals: Annotated[int, typer.Option(help="Deals open at once.", min=1)] = 1000,
    stored: Annotated[int, typer.Option(help="Deals stored before the second start.", min=1)] = 10_000,
    seconds: Annotated[float, typer.Option(help="Length of each measurement.", min=1)] = 60.0,
    flying: Annotated[int, typer.Option(help="Swaps under way at once.", min=1)] = 60,
    postgres: Annotated[bool, typer.Option(help="The maker's database is on a PostgreSQL server.")] = False,
    daemons: Annotated[int, typer.Option(help="Of the maker; several need --postgres.", min=1, max=16)] = 1,
    json: Json = False,
) -> None:
    """See HELP."""
    if daemons > 1 and not postgres:
        raise typer.BadParameter("several daemons share a PostgreSQL server only: add --postgres")

    async def work() -> dict[str, Any]:
        import tempfile
        from pathlib import Path

        from relayer.bench.arena import Shape
        from relayer.bench.daemon import Sizes, measure

        with tempfile.TemporaryDirectory(prefix="strikelock-bench-") as folder:
            sizes = Sizes(deals, stored, seconds, flying)
            return await measure(
                sizes, Shape(daemons, postgres), Path(folder), lambda line: typer.secho(line, err=True)
            )

    document = run(work(), json)
    emit(document, json, lambda: "\n".join(f"{name}: {value}" for name, value in document.items()))
