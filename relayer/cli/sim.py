"""strikelock sim: the whole system on simulated chains, against adversaries, faults and crashes."""

from __future__ import annotations

import json as jsonlib
import os
from typing import Annotated, Any

import typer

from relayer.cli.output import Json, emit
from relayer.exits import Exit

app = typer.Typer(no_args_is_help=True)

Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes; one for each core unless given. It changes nothing that happens."),
]


@app.callback()
def group() -> None:
    """Play deals on simulated chains; see docs/simulation.md for what that proves and what not."""


@app.command("run")
def run_(
    deals: Annotated[int, typer.Option(min=1, help="How many deals to play.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="One seed gives one run, bit for bit.")] = 1,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Play deals, every one with chains, parties and troubles of its own. Exit code 1 if any invariant broke."""
    from relayer.simulation.run import run_shared

    tally = run_shared(seed, deals, workers or os.cpu_count() or 1)
    document = tally.to_json()
    emit(document, json, lambda: _words(document))
    if tally.failures:
        raise typer.Exit(Exit.FAILURE)


@app.command()
def replay(
    seed: Annotated[int, typer.Argument(help="The seed of one deal, as `sim run` gives it for a failure.")],
    json: Json = False,
) -> None:
    """Play one deal again, and say what happens."""
    from relayer.simulation.run import Stage

    judge = Stage().play(seed, transcript=True)
    failures = [{"seed": f.seed, "invariant": f.invariant, "detail": f.detail} for f in judge.failures]
    document = {"seed": seed, "transcript": judge.transcript, "failures": failures}
    emit(document, json, lambda: "\n".join([*(judge.transcript or []), *_failures(document)]))
    if judge.failures:
        raise typer.Exit(Exit.FAILURE)


@app.command()
def explore(
    large: Annotated[bool, typer.Option("--large", help="Also the questions that take minutes.")] = False,
    only: Annotated[str, typer.Option(help="Only questions whose name holds this.")] = "",
    json: Json = False,
) -> None:
    """Every interleaving of both roles, honest and deviating, over discrete time. Exit code 1 if an answer is
    not the expected one."""
    from htlc.explorer.suite import report, run

    answers = []
    for answer in run(large, only):
        answers.append(answer)
        finding = answer.result.finding
        said = "safe" if finding is None else f"lost: {finding.reason}"
        mark = "" if answer.right else "  UNEXPECTED"
        line = f"{answer.result.states:>9,} states  {answer.question.name}: {said}{mark}"
        typer.echo(line, err=json)
    document = report(answers)
    if json:
        typer.echo(jsonlib.dumps(document, indent=2))
    else:
        typer.echo(f"{document['states']:,} states, {len(document['failures'])} unexpected answers")
    if document["failures"]:
        raise typer.Exit(Exit.FAILURE)


def _words(document: dict[str, Any]) -> str:
    never = [event for event, number in document["sometimes"].items() if not number]
    speed = (
        f"{document['deals_per_second']} deals a second on {document['workers']} cores, "
        f"{document['deals_per_cpu_second']} on one of them"
    )
    lines = [
        f"{document['deals']:,} deals, {document['lost_units']} units lost, {speed}",
        f"faults: {', '.join(f'{kind} {n:,}' for kind, n in document['faults'].items())}",
        f"sometimes: {', '.join(f'{event} {n:,}' for event, n in document['sometimes'].items() if n)}",
        f"never happened: {', '.join(never) or 'nothing on the list'}",
        f"worst margin of a claim to its deadline: {document['worst_margin_seconds']} s",
    ]
    return "\n".join([*lines, *_failures(document)])


def _failures(document: dict[str, Any]) -> list[str]:
    found = [
        f"{f['invariant']}: {f['detail']}{os.linesep}    strikelock sim replay {f['seed']}"
        for f in document["failures"]
    ]
    return found or ["every invariant held"]
