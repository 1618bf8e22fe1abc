"""strikelock deal: propose, accept, watch and steer deals."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run

if TYPE_CHECKING:
    from htlc.protocols.base import Will
    from htlc.terms import LegTerms
    from relayer.party import Party

app = typer.Typer(no_args_is_help=True)
propose_app = typer.Typer(no_args_is_help=True)
app.add_typer(propose_app, name="propose", help="Propose a deal to another party.")

DealId = Annotated[str, typer.Argument(help="The deal's id.")]
PeerOption = Annotated[str, typer.Option("--peer", help="Where the other party is: its URL, or IDENTITY@URL.")]


class BackupMode(StrEnum):
    FILE = "file"
    CHAIN = "chain"
    NONE = "none"


BackupOption = Annotated[
    BackupMode | None, typer.Option("--backup", help="How we back this deal up; left out: as configured.")
]
AUTO = "auto"
LEG = "CHAIN/ASSET:AMOUNT, in smallest units"


class OptionRole(StrEnum):
    WRITER = "writer"
    HOLDER = "holder"


class SwapRole(StrEnum):
    INITIATOR = "initiator"
    PARTICIPANT = "participant"


class Kind(StrEnum):
    CALL = "call"
    PUT = "put"


class Exercise(StrEnum):
    PREFUNDED = "prefunded"
    ATTESTED = "attested"


PROTOCOLS = {Exercise.PREFUNDED: "option", Exercise.ATTESTED: "attested"}


# --- agreeing --------------------------------------------------------------------------------------------


@propose_app.command("option")
def propose_option(
    peer: PeerOption,
    collateral: Annotated[str, typer.Option(help=f"What the writer locks: {LEG}.")],
    premium: Annotated[str, typer.Option(help=f"What the holder pays: {LEG}; auto: priced by --spot and --vol.")],
    strike: Annotated[str, typer.Option(help=f"What an exercise costs: {LEG}.")],
    life: Annotated[int, typer.Option(help="How long it can be exercised once it is live, seconds.")],
    kind: Annotated[Kind, typer.Option(help="What both call it.")] = Kind.CALL,
    role: Annotated[OptionRole, typer.Option(help="Ours.")] = OptionRole.WRITER,
    exercise: Annotated[
        Exercise,
        typer.Option(help="prefunded: the strike is locked from the start; attested: only when it is used."),
    ] = Exercise.PREFUNDED,
    quorum: Annotated[
        list[str] | None,
        typer.Option(help="Public key of an attester, for each; all of the configuration unless given."),
    ] = None,
    releases: Annotated[bool, typer.Option(help="Let money go back early by agreement; prefunded only.")] = True,
    spot: Annotated[
        float | None, typer.Option(help="Price of a whole underlying coin in whole coins of the money.")
    ] = None,
    vol: Annotated[float | None, typer.Option(help="Volatility per year; 0.6 is 60 %.")] = None,
    spread: Annotated[float, typer.Option(help="On top of the fair premium; 0.05 is 5 %.")] = 0.0,
    backup: BackupOption = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Propose a covered option, with the shortest deadlines that are safe for both.

    With `--exercise attested` no strike is locked until the option is used. It takes trust. The writer's: that not
    more than two thirds of the attesters lie, for those could let the holder take the collateral without paying.
    The holder's: that more than two thirds answer, for else it can't exercise. Attesters alone can take nothing.
    """
    legs = {"collateral": collateral, "premium": premium, "strike": strike}
    options = {"kind": kind.value}
    if exercise is Exercise.PREFUNDED:
        options["releases"] = "yes" if releases else "no"
    members = tuple(quorum or ()) if exercise is Exercise.ATTESTED else None
    name = PROTOCOLS[exercise]
    _propose(name, role.value, legs, options, peer, life, backup, config, json, (spot, vol, spread), members)


@propose_app.command("swap")
def propose_swap(
    peer: PeerOption,
    x: Annotated[str, typer.Option(help=f"What the initiator pays: {LEG}.")],
    y: Annotated[str, typer.Option(help=f"What the participant pays: {LEG}.")],
    role: Annotated[SwapRole, typer.Option(help="Ours.")] = SwapRole.INITIATOR,
    backup: BackupOption = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Propose an atomic swap, with the shortest deadlines that are safe for both."""
    _propose("swap", role.value, {"x": x, "y": y}, {}, peer, 0, backup, config, json)


def _propose(
    name: str,
    role: str,
    legs: dict[str, str],
    options: dict[str, str],
    peer: str,
    life: int,
    backup: str | None,
    config: Path,
    as_json: bool,
    market: tuple[float | None, float | None, float] = (None, None, 0.0),
    attesters: tuple[str, ...] | None = None,
) -> None:
    async def work(party: Party) -> dict[str, Any]:
        quorum = None if attesters is None else party.quorum(attesters)
        parsed = {leg: leg_terms(leg, text) for leg, text in legs.items() if text != AUTO}
        chains = {leg: parsed["strike" if legs[leg] == AUTO else leg].chain for leg in legs}
        times = party.ladder(name, chains, life, backup)
        if legs.get("premium") == AUTO:
            parsed["premium"] = await _priced(party, options["kind"], parsed, times, market)
        return proposal_document(await party.propose(name, role, parsed, options, times, peer, quorum, backup))

    document = with_party(work, config, as_json)
    emit(document, as_json, lambda: _proposal_words(document))


async def _priced(
    party: Party,
    kind: str,
    legs: dict[str, LegTerms],
    times: dict[str, int],
    market: tuple[float | None, float | None, float],
) -> LegTerms:
    """The premium at its price, in the strike's asset."""
    from options.errors import OptionsError
    from options.quoting import Market
    from relayer.errors import BadRequest

    spot, vol, spread = market
    if spot is None or vol is None:
        raise BadRequest("--premium auto needs --spot and --vol")
    try:
        quote = await party.quote(kind, legs, times, Market(spot, vol), spread)
    except OptionsError as error:
        raise BadRequest(str(error)) from error
    typer.secho(f"premium {quote.premium.units} {quote.premium.asset.symbol}", err=True)
    return replace(legs["strike"], amount=quote.premium.units)


def leg_terms(leg: str, text: str) -> LegTerms:
    from htlc.terms import LegTerms, parse_amount
    from relayer.errors import BadRequest

    place, _, amount = text.rpartition(":")
    chain, _, asset = place.partition("/")
    if not (chain and asset):
        raise BadRequest(f"--{leg} must be {LEG}, as in bitcoin/native:100000; it is {text!r}")
    return LegTerms(chain, asset, parse_amount(amount, leg))


def proposal_document(proposal: Any) -> dict[str, Any]:
    """A proposal as a document."""
    from relayer.report import quorum_document
    from settlement.desk import proposal_body

    stage = proposal.stage
    return {
        "proposal": proposal.id,
        "sent": proposal.sent,
        "protocol": proposal.protocol,
        "role": proposal.role,
        "peer": proposal.peer,
        "url": proposal.url,
        "until": proposal.until,
        "state": stage.name,
        "deal": getattr(stage, "deal", None),
        "reason": getattr(stage, "reason", None),
        "quorum": quorum_document(proposal_body(proposal).terms.quorum),
    }


def _proposal_words(document: dict[str, Any]) -> str:
    from relayer.report import when

    lines = [f"proposal {document['proposal']} is {document['state']}"]
    if document["quorum"]:
        lines.append(document["quorum"]["trust"])
    if document["deal"]:
        lines.append(f"deal {document['deal']}")
    if document["reason"]:
        lines.append(f"because {document['reason']}")
    if document["state"] == "offered":
        lines.append(f"it waits for the other party until {when(document['until'])}")
    return "\n".join(lines)


@app.command()
def accept(
    proposal: Annotated[str, typer.Argument(help="The proposal's id.")],
    refuse: Annotated[bool, typer.Option(help="Refuse it instead.")] = False,
    backup: BackupOption = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Accept a proposal that was sent to us, or refuse it."""

    async def work(party: Party) -> dict[str, Any]:
        if backup is not None:
            await party.store.book.back_up(proposal, backup)
        decide = party.agreement.refuse if refuse else party.agreement.accept
        return proposal_document(await party.mailer.send(await decide(proposal)))

    document = with_party(work, config, json)
    emit(document, json, lambda: _proposal_words(document))


# --- looking ---------------------------------------------------------------------------------------------


@app.command("list")
def list_deals(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """List deals, and proposals that are not decided."""

    async def work() -> dict[str, Any]:
        from relayer.report import summary
        from relayer.settings import database_url, load
        from settlement.store import Store

        async with await Store.open(database_url(load(config))) as store:
            deals = await (store.history() if everything else store.deals())
            waiting = [
                p for state in ("offered", "received", "accepted") for p in await store.book.proposals(state)
            ]
            return {
                "deals": [summary(deal) for deal in deals],
                "proposals": [proposal_document(proposal) for proposal in waiting],
            }

    document = run(work(), json)
    emit(document, json, lambda: _list_words(document))


def _list_words(document: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.table import Table

    from relayer.report import when

    deals = Table("deal", "protocol", "role", "legs", "last deadline", "outcome", title="Deals")
    for deal in document["deals"]:
        legs = "\n".join(f"{name}: {text}" for name, text in deal["legs"].items())
        last = when(max(deal["times"].values()))
        deals.add_row(deal["deal"], deal["protocol"], deal["role"], legs, last, deal["outcome"] or "open")
    proposals = Table("proposal", "protocol", "our role", "state", "until", title="Proposals")
    for item in document["proposals"]:
        state = item["state"] if item["sent"] else f"{item['state']}, from them"
        proposals.add_row(item["proposal"], item["protocol"], item["role"], state, when(item["until"]))
    return Group(deals, proposals) if document["proposals"] else deals


@app.command()
def show(deal: DealId, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show a deal as the chains show it now, and say what happens next and by when."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.report import full

        seen = await party.observe(deal)
        return full(seen, await party.store.intents(deal))

    document = with_party(work, config, json)
    emit(document, json, lambda: _deal_words(document))


@app.command()
def watch(deal: DealId, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Follow a deal until it is closed; says each change on stderr. `strikelock run` must be at work."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.report import full

        last = None
        while True:
            seen = await party.observe(deal)
            document = full(seen, await party.store.intents(deal))
            now = {name: _leg_state(leg) for name, leg in document["legs"].items()}
            if now != last:
                typer.echo("  ".join(f"{name} {state}" for name, state in now.items()), err=True)
                last = now
            if document["outcome"] is not None:
                return document
            await asyncio.sleep(1)

    document = with_party(work, config, json)
    emit(document, json, lambda: _deal_words(document))


def _leg_state(leg: dict[str, Any]) -> str:
    match leg["state"]:
        case "funded":
            return f"funded, {leg['depth']} deep"
        case "spent":
            return f"spent by {leg['path']}, {leg['depth']} deep"
        case state:
            return f"{state}, {leg['held']} there" if leg["held"] else str(state)


def _deal_words(document: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.table import Table

    from relayer.report import when

    head = f"deal {document['deal']}: {document['protocol']}, we are the {document['role']}"
    legs = Table("leg", "amount", "chain/asset", "address", "state")
    for name, leg in document["legs"].items():
        legs.add_row(name, f"{leg['amount']:,}", f"{leg['chain']}/{leg['asset']}", leg["address"], _leg_state(leg))
    times = Table("deadline", "time")
    for name, moment in document["times"].items():
        times.add_row(name, when(moment))
    if document["quorum"]:
        head += f"\n{document['quorum']['trust']}"
    lines = [f"{step['who']} {step['text']}{_by(step['by'])}" for step in document["next"]]
    title = "Outcome" if document["outcome"] else "What happens next"
    text = document["outcome"] or "\n".join(f"  {line}" for line in lines)
    return Group(head, legs, times, f"{title}:", text)


def _by(moment: int | None) -> str:
    from relayer.report import when

    return f", by {when(moment)}" if moment else ""


# --- steering --------------------------------------------------------------------------------------------


@app.command()
def exercise(deal: DealId, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Exercise an option we hold. `strikelock run` does it as soon as it is safe.

    Of an attested option it pays the strike first, and takes the collateral when the attesters have signed.
    """
    _steer(deal, config, json, exercise=True)


@app.command()
def release(deal: DealId, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Let the other party's money go early, and get ours, where the terms allow it."""
    _steer(deal, config, json, let_go=True)


@app.command()
def refund(deal: DealId, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Go no further: fund and reveal nothing more, and take our money back as soon as its time has come."""
    _steer(deal, config, json, stop=True)


def _steer(deal: str, config: Path, as_json: bool, **wishes: bool) -> None:
    """Store what the user wants. The running party finds it there at its next look."""

    async def work() -> dict[str, Any]:
        from relayer.settings import database_url, load
        from settlement.store import Store

        async with await Store.open(database_url(load(config))) as store:
            will: Will = replace((await store.deal(deal)).will, **wishes)
            await store.resolve(deal, will)
            return {"deal": deal, "will": {name: getattr(will, name) for name in ("exercise", "let_go", "stop")}}

    document = run(work(), as_json)
    emit(document, as_json, lambda: f"noted for deal {deal}; the running party acts on it")


def with_party(work: Any, config: Path, as_json: bool) -> dict[str, Any]:
    async def opened() -> dict[str, Any]:
        from relayer.party import Party
        from relayer.settings import load

        async with Party.open(load(config), drive=False) as party:
            return dict(await work(party))

    return run(opened(), as_json)
