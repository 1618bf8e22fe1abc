"""strikelock demo: a swap or an option between two parties on real nodes."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli.output import Json, emit, run

if TYPE_CHECKING:
    from relayer.demo.play import Played

app = typer.Typer(no_args_is_help=True)


class OutcomeName(StrEnum):
    EXERCISED = "exercised"
    EXPIRED = "expired"
    ABANDONED = "abandoned"
    UNFUNDED = "unfunded"


class KindName(StrEnum):
    CALL = "call"
    PUT = "put"


class Pair(StrEnum):
    BITCOIN_EVM = "bitcoin/evm"
    LITECOIN_EVM = "litecoin/evm"
    BITCOIN_LITECOIN = "bitcoin/litecoin"
    EVM_EVM = "evm/evm"


OutcomeOption = Annotated[OutcomeName, typer.Option("--outcome", help="How it shall end.")]
PairOption = Annotated[
    Pair | None,
    typer.Option("--chains", help="The two chains. bitcoin/evm unless given, or what nodes there are."),
]
FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="Where nodes and parties keep their files; a temporary folder unless given."),
]


@app.command()
def option(
    outcome: OutcomeOption = OutcomeName.EXERCISED,
    kind: Annotated[KindName, typer.Option(help="A call locks the coin, a put locks the money.")] = KindName.CALL,
    chains: PairOption = None,
    folder: FolderOption = None,
    json: Json = False,
) -> None:
    """A covered option: collateral, premium and strike, from offer to exercise or expiry."""
    _demo("option", outcome, kind, chains, folder, json)


@app.command()
def swap(
    outcome: OutcomeOption = OutcomeName.EXERCISED,
    chains: PairOption = None,
    folder: FolderOption = None,
    json: Json = False,
) -> None:
    """An atomic swap. exercised: both are paid; expired: one side funds; abandoned: nobody claims."""
    _demo("swap", outcome, KindName.CALL, chains, folder, json)


@app.command()
def relay(folder: FolderOption = None, json: Json = False) -> None:
    """Messages: a premium taken on one EVM chain, and a collateral on Bitcoin, become known on another."""

    async def work() -> dict[str, Any]:
        import tempfile

        from relayer.demo.messages import play

        place = folder or Path(tempfile.mkdtemp(prefix="strikelock-demo-"))
        return await play(place, _sayer())

    document = run(work(), json)
    emit(document, json, lambda: _facts(document))


def _facts(document: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table("", "", "", title="What the second chain knows")
    for name, facts in document.items():
        for fact, value in facts.items():
            table.add_row(name, fact, f"{value:,}" if isinstance(value, int) else value)
    return table


def _sayer() -> Callable[[str], None]:
    """Lines on stderr with the seconds since now."""
    import time

    began = time.monotonic()

    def say(line: str) -> None:
        typer.echo(f"{time.monotonic() - began:7.1f} s  {line}", err=True)

    return say


def _demo(
    protocol: str, outcome: OutcomeName, kind: KindName, chains: Pair | None, folder: Path | None, json: bool
) -> None:
    async def work() -> Played:
        import tempfile

        from relayer.demo.play import play
        from relayer.demo.plot import Outcome

        say = _sayer()
        pair = chains or _usual_pair(say)
        place = folder or Path(tempfile.mkdtemp(prefix="strikelock-demo-"))
        return await play(protocol, Outcome(outcome.value), kind.value, pair.value, place, say)

    played = run(work(), json)
    emit(played.to_json(), json, lambda: _tables(played))


def _usual_pair(say: Callable[[str], None]) -> Pair:
    """Bitcoin against EVM; where a node of that can't be had, the first pair whose nodes can."""
    from chains.testing.errors import NodeMissing
    from chains.testing.locate import find

    missing = set()
    for chain, program in (("bitcoin", "bitcoind"), ("litecoin", "litecoind"), ("evm", "anvil")):
        try:
            find(program)
        except NodeMissing as error:
            missing.add(chain)
            say(f"going on without {chain}: {error}")
    usable = [pair for pair in Pair if not missing & set(pair.value.split("/"))]
    return usable[0] if usable else Pair.BITCOIN_EVM  # which then says what is missing


def _tables(played: Played) -> Any:
    from rich.console import Group
    from rich.table import Table

    steps = Table(title="Transactions")
    for heading in ("party", "step", "chain", "size", "fee", "transaction"):
        right = heading in ("size", "fee")
        steps.add_column(heading, justify="right" if right else "left", overflow="fold")
    for (role, intent), row in zip(played.transactions, played.to_json()["transactions"], strict=True):
        unit = played.units[intent.tx.chain]
        size = f"{row[unit]:,} {'vB' if unit == 'vbytes' else unit}"
        step = f"{intent.leg}/{intent.step}"
        steps.add_row(role, step, intent.tx.chain, size, f"{row['fee']:,}", intent.tx.txid)
    balances = Table(title="Balances, in smallest units")
    for heading in ("party", "asset", "before", "after", "change", "of it fees"):
        right = heading not in ("party", "asset")
        balances.add_column(heading, justify="right" if right else "left", overflow="fold")
    for role, account in played.accounts.items():
        for key, before in account.before.items():
            chain, asset = key.split("/")
            name = f"{chain}/{asset if len(asset) < 12 else asset[:8] + '…'}"
            after, fee = account.after[key], account.fees.get(key, 0)
            balances.add_row(role, name, f"{before:,}", f"{after:,}", f"{after - before:+,}", f"{fee:,}")
    verdict = f"The {played.plot.protocol} is {played.verdict}, {played.seconds:.1f} s after the start."
    return Group(steps, balances, verdict)
