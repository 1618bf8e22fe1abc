"""strikelock leg: look at what a leg is on its chain."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run

if TYPE_CHECKING:
    from chains.port import Chain

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look at what a leg is on its chain."""


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="The leg file, JSON; - reads standard input.", allow_dash=True)],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Print a leg's address, and its script and descriptor or its vault's terms hash.

    Needs no node. Without a configuration the chains are local ones: bitcoin and litecoin on regtest, and evm with
    chain id 31337 and the factory at its usual address.
    """

    async def work() -> dict[str, Any]:
        from htlc.legs import read_leg

        leg = read_leg(typer.get_binary_stream("stdin").read() if str(file) == "-" else _read(file))
        chain = _chain(leg.chain, config)
        leg = replace(leg, asset=chain.asset(leg.asset))
        chain.check(leg)
        return asdict(chain.address(leg))

    document = run(work(), json)
    emit(document, json, lambda: "\n".join(f"{key:12} {value}" for key, value in document.items() if value))


def _read(file: Path) -> bytes:
    from relayer.errors import BadRequest

    try:
        return file.read_bytes()
    except OSError as error:
        raise BadRequest(f"the leg file can't be read: {error}") from error


def _chain(name: str, config: Path) -> Chain:
    """The chain of a leg, as the configuration has it, or a local one where there is no configuration."""
    from chains.registry import make_chain
    from relayer.errors import BadRequest
    from relayer.loading import load
    from relayer.settings import LOCAL_CHAINS

    sections = load(config).chains if config != DEFAULT_CONFIG or config.exists() else LOCAL_CHAINS
    if name not in sections:
        raise BadRequest(f"the configuration has no chain {name!r}; it has {', '.join(sections)}")
    return make_chain(name, sections[name])
