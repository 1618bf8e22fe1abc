"""strikelock deal: propose, accept, watch and steer deals."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli import remote
from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit
from relayer.cli.remote import Api

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from htlc.protocols.base import Will
    from htlc.terms import LegTerms
    from relayer.api.client import Client
    from relayer.api.models import WishName
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


# What commands ask for, and how the journal calls it.
WILLS: Mapping[WishName, str] = {"exercise": "exercise", "release": "let_go", "refund": "stop"}
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
    api: Api = "",
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
    _propose(name, role.value, legs, options, peer, life, backup, api, config, json, (spot, vol, spread), members)


@propose_app.command("swap")
def propose_swap(
    peer: PeerOption,
    x: Annotated[str, typer.Option(help=f"What the initiator pays: {LEG}.")],
    y: Annotated[str, typer.Option(help=f"What the participant pays: {LEG}.")],
    role: Annotated[SwapRole, typer.Option(help="Ours.")] = SwapRole.INITIATOR,
    backup: BackupOption = None,
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Propose an atomic swap, with the shortest deadlines that are safe for both."""
    _propose("swap", role.value, {"x": x, "y": y}, {}, peer, 0, backup, api, config, json)


def _propose(
    name: str,
    role: str,
    legs: dict[str, str],
    options: dict[str, str],
    peer: str,
    life: int,
    backup: str | None,
    api: str,
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

    async def ask(client: Client) -> dict[str, Any]:
        body = _body(name, role, legs, options, peer, life, backup, attesters)
        return await remote.propose(client, body, _market(market) if legs.get("premium") == AUTO else None)

    document = remote.through(api, config, as_json, ask, lambda: with_party(work, config))
    emit(document, as_json, lambda: _proposal_words(document))


def _body(
    name: str,
    role: str,
    legs: Mapping[str, str],
    options: Mapping[str, str],
    peer: str,
    life: int,
    backup: str | None,
    attesters: tuple[str, ...] | None,
) -> dict[str, Any]:
    """A proposal as the API takes it; a premium that is to be priced is left out."""
    parsed = {leg: leg_terms(leg, text) for leg, text in legs.items() if text != AUTO}
    body: dict[str, Any] = {"protocol": name, "role": role, "peer": peer, "backup": backup and str(backup)}
    body["legs"] = {leg: leg_body(terms) for leg, terms in parsed.items()}
    if name != "swap":
        body |= {"kind": options["kind"], "life": life}
    if "releases" in options:
        body["releases"] = options["releases"] == "yes"
    if attesters is not None:
        body["quorum"] = attesters
    return body


def _market(market: tuple[float | None, float | None, float]) -> dict[str, float]:
    """What an option is priced at. Raises BadRequest."""
    from relayer.errors import BadRequest

    spot, vol, spread = market
    if spot is None or vol is None:
        raise BadRequest("--premium auto needs --spot and --vol")
    return {"spot": spot, "vol": vol, "spread": spread}


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

    at = _market(market)
    try:
        quote = await party.quote(kind, legs, times, Market(at["spot"], at["vol"]), at["spread"])
    except OptionsError as error:
        raise BadRequest(str(error)) from error
    typer.secho(f"premium {quote.premium.units} {quote.premium.asset.symbol}", err=True)
    return replace(legs["strike"], amount=quote.premium.units)


def leg_body(leg: LegTerms) -> dict[str, str]:
    """A leg as the API takes it."""
    return {"chain": leg.chain, "asset": leg.asset, "units": str(leg.amount)}


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
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Accept a proposal that was sent to us, or refuse it."""

    async def work(party: Party) -> dict[str, Any]:
        if backup is not None:
            await party.store.book.back_up(proposal, backup)
        decide = party.agreement.refuse if refuse else party.agreement.accept
        return proposal_document(await party.mailer.send(await decide(proposal)))

    document = remote.through(
        api,
        config,
        json,
        lambda client: remote.decide(client, proposal, refuse, backup and str(backup)),
        lambda: with_party(work, config),
    )
    emit(document, json, lambda: _proposal_words(document))


# --- looking ---------------------------------------------------------------------------------------------


@app.command("list")
def list_deals(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """List deals, and proposals that are not decided."""

    async def work() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.report import summary
        from relayer.settings import database_url
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

    document = remote.through(api, config, json, lambda client: remote.list_deals(client, everything), work)
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
def show(deal: DealId, api: Api = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show a deal as the chains show it now, and say what happens next and by when."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.report import full

        seen = await party.observe(deal)
        return full(seen, await party.store.intents(deal))

    document = remote.through(
        api, config, json, lambda client: remote.show(client, deal), lambda: with_party(work, config)
    )
    emit(document, json, lambda: _deal_words(document))


@app.command()
def watch(deal: DealId, api: Api = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Follow a deal until it is closed; says each change on stderr. `strikelock run` must be at work."""
    said: list[str] = []

    def say(document: dict[str, Any]) -> None:
        now = "  ".join(f"{name} {_leg_state(leg)}" for name, leg in document["legs"].items())
        if [now] != said[-1:]:
            typer.echo(now, err=True)
            said.append(now)

    async def work(party: Party) -> dict[str, Any]:
        from relayer.report import full

        while True:
            seen = await party.observe(deal)
            document = full(seen, await party.store.intents(deal))
            say(document)
            if document["outcome"] is not None:
                return document
            await asyncio.sleep(1)

    document = remote.through(
        api, config, json, lambda client: remote.watch(client, deal, say), lambda: with_party(work, config)
    )
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
def exercise(deal: DealId, api: Api = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Exercise an option we hold. `strikelock run` does it as soon as it is safe.

    Of an attested option it pays the strike first, and takes the collateral when the attesters have signed.
    """
    _steer(deal, "exercise", api, config, json)


@app.command()
def release(deal: DealId, api: Api = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Let the other party's money go early, and get ours, where the terms allow it."""
    _steer(deal, "release", api, config, json)


@app.command()
def refund(deal: DealId, api: Api = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Go no further: fund and reveal nothing more, and take our money back as soon as its time has come."""
    _steer(deal, "refund", api, config, json)


def _steer(deal: str, wish: WishName, api: str, config: Path, as_json: bool) -> None:
    """Store what the user wants. The running party finds it there at its next look."""
    wishes = {WILLS[wish]: True}

    async def work() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.settings import database_url
        from settlement.store import Store

        async with await Store.open(database_url(load(config))) as store:
            will: Will = replace((await store.deal(deal)).will, **wishes)
            await store.resolve(deal, will)
            return {"deal": deal, "will": {name: getattr(will, name) for name in WILLS.values()}}

    document = remote.through(api, config, as_json, lambda client: remote.wish(client, deal, wish), work)
    emit(document, as_json, lambda: f"noted for deal {deal}; the running party acts on it")


async def with_party(work: Callable[[Party], Awaitable[dict[str, Any]]], config: Path) -> dict[str, Any]:
    from relayer.loading import load
    from relayer.party import Party

    async with Party.open(load(config), drive=False) as party:
        return await work(party)
