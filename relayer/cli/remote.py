"""Commands through the API of a running daemon: the same documents as of the database and the chains."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from relayer.cli.output import run

if TYPE_CHECKING:
    from relayer.api import models
    from relayer.api.client import Client

Api = Annotated[
    str,
    typer.Option(
        "--api",
        envvar="STRIKELOCK_API",
        metavar="URL|SOCKET",
        help="Where a daemon's API is, its token in STRIKELOCK_TOKEN; left out: the socket of the configuration"
        " where a daemon listens there, else the database.",
    ),
]
TOKEN: Final = "STRIKELOCK_TOKEN"  # noqa: S105 - the name of a variable
ANSWER_SECONDS: Final = 5.0  # that the other party's answer is waited for
PAGE: Final = 100
UNDECIDED: Final = ("offered", "received", "accepted")

Document = dict[str, Any]


def through(
    api: str,
    config: Path,
    as_json: bool,
    remote: Callable[[Client], Awaitable[Document]],
    local: Callable[[], Awaitable[Document]],
) -> Document:
    """Do a command's work through the API, or without where there is none."""

    async def work() -> Document:
        client = _client(api, config)
        if client is None:
            return await local()
        async with client:
            return await remote(client)

    return run(work(), as_json)


def _client(api: str, config: Path) -> Client | None:
    """A client of the API that is named, or of the socket at which our daemon listens."""
    from relayer.api.client import Client

    if api:
        return Client(api, os.environ.get(TOKEN))
    from relayer.loading import load

    path = load(config).api.socket
    return Client(path) if path is not None and _listens(path) else None


def _listens(path: Path) -> bool:
    """Whether somebody answers at a socket."""
    import socket

    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(ANSWER_SECONDS)
            probe.connect(str(path))
    except OSError:
        return False
    return True


# --- looking ---------------------------------------------------------------------------------------------


async def list_deals(client: Client, everything: bool) -> Document:
    """Deals and undecided proposals."""
    deals = await _all(client, "open")
    if everything:
        deals += list((await client.deals("closed", limit=PAGE)).deals)
    waiting = [one for state in UNDECIDED for one in (await client.proposals(state, limit=PAGE)).proposals]
    return {"deals": [summary(deal) for deal in deals], "proposals": [proposal(one) for one in waiting]}


async def _all(client: Client, state: Any) -> list[models.DealSummary]:
    found: list[models.DealSummary] = []
    first: int | None = 0
    while first is not None:
        page = await client.deals(state, first, PAGE)
        found += page.deals
        first = page.next
    return found


async def show(client: Client, deal: str) -> Document:
    """One deal whole."""
    return whole(await client.deal(deal))


async def watch(client: Client, deal: str, say: Callable[[Document], None]) -> Document:
    """Follow a deal until it is closed."""
    from relayer.api import models

    async with aclosing(client.events(deal)) as events:
        async for event in events:
            if not isinstance(event.data, models.Deal):
                continue
            document = whole(event.data)
            if document["outcome"] is not None:
                return document
            say(document)
    raise AssertionError("a stream of events has no end of its own")


# --- steering --------------------------------------------------------------------------------------------


async def wish(client: Client, deal: str, name: models.WishName) -> Document:
    """Say what we want of a deal."""
    wishes = await client.wish(deal, name)
    return {"deal": deal, "will": _will(wishes)}


async def decide(client: Client, id_: str, refuse: bool, backup: Any) -> Document:
    """Accept or refuse a proposal, and wait a little for what becomes of it."""
    decided = await client.decide(id_, "refuse" if refuse else "accept", backup)
    return proposal(await _answered(client, decided))


async def propose(client: Client, body: Mapping[str, Any], market: Mapping[str, Any] | None) -> Document:
    """Propose a deal. body: as the API takes it. market: of a premium that is to be priced: spot, vol, spread."""
    from pydantic import ValidationError

    from relayer.api.asks import PROPOSE, QuoteBody
    from relayer.errors import BadRequest

    try:
        if market is not None:
            legs = body["legs"]
            priced = {name: body[name] for name in ("kind", "life")} | {
                name: legs[name] for name in ("collateral", "strike")
            }
            quote = await client.quote(QuoteBody.model_validate({**priced, **market}))
            premium = {**legs["strike"], "units": quote.premium}
            body = {**body, "legs": {**legs, "premium": premium}}
            typer.secho(f"premium {quote.premium} {quote.coin}", err=True)
        asked = PROPOSE.validate_python(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return proposal(await _answered(client, await client.propose(asked)))


async def _answered(client: Client, made: models.Proposal) -> models.Proposal:
    """A proposal when the other party has answered, or has not within a moment."""
    loop = asyncio.get_running_loop()
    end, seen = loop.time() + ANSWER_SECONDS, made
    while seen.state == made.state and made.state in ("offered", "accepted") and loop.time() < end:
        await asyncio.sleep(0.2)
        seen = await client.proposal(made.id)
    return seen


# --- documents -------------------------------------------------------------------------------------------


def summary(deal: models.DealSummary) -> Document:
    """As `relayer.report.summary`."""
    return {
        "deal": deal.id,
        "protocol": deal.protocol,
        "role": deal.role,
        "outcome": deal.outcome,
        "legs": {name: f"{leg.units} {leg.chain}/{leg.asset}" for name, leg in deal.legs.items()},
        "times": dict(deal.times),
        "agreed_at": deal.agreed_at,
        "limited": deal.limited,
        "peer": deal.peer,
        "quorum": deal.quorum and deal.quorum.model_dump(mode="json"),
    }


def whole(deal: models.Deal) -> Document:
    """As `relayer.report.full`; of a deal that is over, the legs are not looked at any more."""
    return {
        **summary(deal),
        "legs": {name: _leg(deal, name) for name in deal.legs},
        "will": _will(deal.wishes),
        "vows": list(deal.vows),
        "next": [] if deal.look is None else [step.model_dump() for step in deal.look.next],
        "transactions": [_transaction(sent) for sent in deal.transactions],
    }


def _leg(deal: models.Deal, name: str) -> Document:
    worth = deal.legs[name]
    plain = {"chain": worth.chain, "asset": worth.asset, "amount": int(worth.units)}
    seen = next((leg for leg in deal.look.legs if leg.name == name), None) if deal.look else None
    if seen is None:
        return {**plain, "address": "", "funder": None, "state": "not looked at", "held": 0}
    found: Document = {
        **plain,
        "address": seen.address,
        "funder": seen.funder,
        "state": seen.state,
        "held": int(seen.held),
    }
    if seen.state != "absent":
        found["depth"] = seen.depth
    if seen.state == "spent":
        found["path"] = seen.path
    return found


def _transaction(sent: Any) -> Document:
    return {
        "chain": sent.chain,
        "leg": sent.leg,
        "step": sent.step,
        "txid": sent.txid,
        "signed_at": sent.signed_at,
        "phase": sent.phase,
        "fee": int(sent.fee),
    }


def _will(wishes: models.Wishes) -> Document:
    return {"exercise": wishes.exercise, "let_go": wishes.release, "stop": wishes.refund}


def proposal(found: models.Proposal) -> Document:
    """As `relayer.cli.deal.proposal_document`."""
    return {
        "proposal": found.id,
        "sent": found.sent,
        "protocol": found.protocol,
        "role": found.role,
        "peer": found.peer,
        "url": found.url,
        "until": found.until,
        "state": found.state,
        "deal": found.deal,
        "reason": found.reason,
        "quorum": found.quorum and found.quorum.model_dump(mode="json"),
    }
