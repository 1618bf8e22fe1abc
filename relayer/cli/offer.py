"""strikelock offer: publish options for others to take in parts, and take parts of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from relayer.cli import remote, remote_offers
from relayer.cli.deal import AUTO, LEG, Kind, OptionRole, PeerOption, leg_body, leg_terms, with_party
from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit
from relayer.cli.remote import Api

if TYPE_CHECKING:
    from relayer.api.client import Client
    from relayer.party import Party
    from settlement.offers import Premium

app = typer.Typer(no_args_is_help=True)
HELP = "Publish options for others to take in parts, and take parts of theirs."

LASTS = 3600  # seconds that an offer is open for unless it says
OfferId = Annotated[str, typer.Argument(help="The offer's id.")]
SomePeer = Annotated[
    str | None, typer.Option("--peer", help="Whose offers, by URL or IDENTITY@URL; our own if left out.")
]
Size = Annotated[int, typer.Option(help="How much of the underlying, smallest units.")]


@app.callback()
def group() -> None:
    """Publish options for others to take in parts, and take parts of theirs."""


@app.command()
def publish(
    underlying: Annotated[str, typer.Option(help=f"What the option is on, all of it: {LEG}.")],
    strike: Annotated[str, typer.Option(help=f"What all of it costs at exercise: {LEG}.")],
    premium: Annotated[
        str,
        typer.Option(
            help="For all of it, in smallest units of what the holder pays with; auto: by --vol, anew"
            " for each quote."
        ),
    ],
    expiry: Annotated[int | None, typer.Option(help="The last moment of exercise, UNIX seconds.")] = None,
    life: Annotated[int | None, typer.Option(help="Or in so many seconds from now.")] = None,
    kind: Annotated[Kind, typer.Option(help="The right to buy or to sell the underlying.")] = Kind.CALL,
    role: Annotated[
        OptionRole, typer.Option(help="Ours: a writer sells options, a holder buys.")
    ] = OptionRole.WRITER,
    least: Annotated[
        int | None, typer.Option(help="The least that is taken at once; all of it if left out.")
    ] = None,
    step: Annotated[int | None, typer.Option(help="Parts are multiples of this; as --least if left out.")] = None,
    lasts: Annotated[
        int | None,
        typer.Option(help="How long the offer is open, seconds; an hour, but not after expiry, if left out."),
    ] = None,
    vol: Annotated[
        float | None, typer.Option(help="Volatility per year that it is priced by; 0.6 is 60 %.")
    ] = None,
    spread: Annotated[float, typer.Option(help="Ours, on the fair premium; 0.05 is 5 %.")] = 0.0,
    spot: Annotated[
        float | None,
        typer.Option(help="Price of a whole coin of the underlying, where the configuration has no source of it."),
    ] = None,
    releases: Annotated[bool, typer.Option(help="Let money go back early by agreement.")] = True,
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Publish an offer. The running party serves it at once, until it ends, is sold or is withdrawn."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.offer_report import own_document
        from settlement.offers import Conditions, Place

        coin, money = leg_terms("underlying", underlying), leg_terms("strike", strike)
        now = int(party.clock.now())
        last, until = last_moments(expiry, life, lasts, now)
        conditions = Conditions(
            kind=kind.value,
            role=role.value,
            networks={},
            underlying=Place(coin.chain, coin.asset),
            money=Place(money.chain, money.asset),
            size=coin.amount,
            least=least or coin.amount,
            step=step or least or coin.amount,
            strike=money.amount,
            premium=_premium(premium, vol, spread),
            expiry=last,
            until=until,
            releases=releases,
        )
        return own_document(await party.shop.publish(conditions, spot))

    async def ask(client: Client) -> dict[str, Any]:
        body = {
            "kind": kind.value,
            "role": role.value,
            "underlying": leg_body(leg_terms("underlying", underlying)),
            "strike": leg_body(leg_terms("strike", strike)),
            "premium": _premium_body(premium, vol, spread),
            "least": least and str(least),
            "step": step and str(step),
            "expiry": expiry,
            "spot": spot,
            "releases": releases,
        }
        return await remote_offers.publish(client, body, life, lasts)

    document = remote.through(api, config, json, ask, lambda: with_party(work, config))
    emit(document, json, lambda: f"offer {document['offer']} is published")


def _premium(text: str, vol: float | None, spread: float) -> Premium:
    """The premium as the command line gives it. Raises BadRequest."""
    from htlc.terms import parse_amount
    from relayer.errors import BadRequest
    from settlement.offers import MILLION, Fixed, Priced

    if text != AUTO:
        return Fixed(parse_amount(text, "premium"))
    if vol is None:
        raise BadRequest("--premium auto needs --vol")
    return Priced(round(vol * MILLION), round(spread * MILLION))


def _premium_body(text: str, vol: float | None, spread: float) -> dict[str, Any]:
    """The same as the API takes it. Raises BadRequest."""
    from settlement.offers import Fixed

    found = _premium(text, vol, spread)
    return {"units": str(found.amount)} if isinstance(found, Fixed) else {"vol": vol, "spread": spread}


def last_moments(expiry: int | None, life: int | None, lasts: int | None, now: int) -> tuple[int, int]:
    """When an option can be exercised last, and when its offer ends, UNIX seconds. Raises BadRequest."""
    from relayer.errors import BadRequest

    if (expiry is None) == (life is None):
        raise BadRequest("an offer has either --expiry or --life")
    last = expiry if expiry is not None else now + (life or 0)
    return last, min(now + LASTS, last - 1) if lasts is None else now + lasts


@app.command("list")
def list_offers(
    peer: SomePeer = None,
    everything: Annotated[bool, typer.Option("--all", help="Ours that are over or withdrawn, too.")] = False,
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """List our offers, or those of another party."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.offer_report import offer_document, own_document

        if peer is None:
            return {"offers": [own_document(own) for own in await party.shop.own(everything)]}
        found = await party.taker.every_offer(await party.peer(peer))
        return {"offers": [offer_document(listed.offer, listed.remaining) for listed in found]}

    document = remote.through(
        api,
        config,
        json,
        lambda client: remote_offers.list_offers(client, peer, everything),
        lambda: with_party(work, config),
    )
    emit(document, json, lambda: _table(document["offers"]))


def _table(offers: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    from relayer.report import when

    table = Table("offer", "maker's role", "kind", "left / size", "strike", "premium", "expiry", "open until")
    for one in offers:
        state = when(one["until"]) if not one.get("withdrawn_at") else "withdrawn"
        size = f"{one['remaining']:,} / {one['size']:,} {one['underlying']}"
        strike = f"{one['strike']:,} {one['money']}"
        table.add_row(
            one["offer"], one["role"], one["kind"], size, strike, _premium_words(one), when(one["expiry"]), state
        )
    return table


def _premium_words(one: dict[str, Any]) -> str:
    if one["premium"] is not None:
        return f"{one['premium']:,} {one['premium_asset']}"
    return f"vol {one['vol']:.1%}, spread {one['spread']:.1%}"


@app.command()
def show(
    offer: OfferId, peer: SomePeer = None, api: Api = "", config: Config = DEFAULT_CONFIG, json: Json = False
) -> None:
    """Show one offer, and what was taken of it."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.offer_report import offer_document, own_document, taking_document

        takings = [taking_document(standing) for standing in await party.shop.takings(offer)]
        if peer is None:
            return {**own_document(await party.shop.offer(offer)), "takings": takings}
        listed = await party.taker.offer(await party.peer(peer), offer)
        return {**offer_document(listed.offer, listed.remaining), "takings": takings}

    document = remote.through(
        api, config, json, lambda client: remote_offers.show(client, offer, peer), lambda: with_party(work, config)
    )
    emit(document, json, lambda: _offer_words(document))


def _offer_words(document: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.table import Table

    from relayer.report import when

    takings = Table("taking", "peer", "size", "premium", "state", "deal", "taken at", title="Takings")
    for one in document["takings"]:
        size, premium = f"{one['size']:,}", f"{one['premium']:,}"
        row = (one["taking"], one["peer"], size, premium, one["state"], one["deal"] or "", when(one["taken_at"]))
        takings.add_row(*row)
    parts = f"in parts of at least {document['least']:,}, in steps of {document['step']:,}"
    head = _table([document])
    return Group(head, parts, takings) if document["takings"] else Group(head, parts)


@app.command()
def quote(
    offer: OfferId,
    peer: PeerOption,
    size: Size,
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Ask what a part of an offer costs now. Nothing is bound by it."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.offer_report import quote_document

        maker = await party.peer(peer)
        listed = await party.taker.offer(maker, offer)
        return quote_document(await party.taker.quote(maker, listed.offer, size))

    document = remote.through(
        api,
        config,
        json,
        lambda client: remote_offers.quote(client, peer, offer, size),
        lambda: with_party(work, config),
    )
    emit(document, json, lambda: f"premium {document['premium']:,} {document['premium_asset']}")


@app.command()
def take(
    offer: OfferId,
    peer: PeerOption,
    size: Size,
    limit: Annotated[
        int | None, typer.Option(help="The most we pay as a holder, or the least we sell for as a writer.")
    ] = None,
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Take a part of an offer: ask for a quote, take it, and agree on the deal. `strikelock run` does the rest."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.offer_report import taking_document

        maker = await party.peer(peer)
        listed = await party.taker.offer(maker, offer)
        quoted = await party.taker.quote(maker, listed.offer, size)
        return taking_document(await party.taker.take(maker, quoted, limit))

    document = remote.through(
        api,
        config,
        json,
        lambda client: remote_offers.take(client, peer, offer, size, limit),
        lambda: with_party(work, config),
    )
    emit(document, json, lambda: _taken_words(document))


def _taken_words(document: dict[str, Any]) -> str:
    words = f"{document['size']:,} taken for a premium of {document['premium']:,}; it is {document['state']}"
    return f"{words}\ndeal {document['deal']}" if document["deal"] else words


@app.command()
def withdraw(offer: OfferId, api: Api = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Sell no more of an offer. What was taken stays."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.offer_report import own_document

        return own_document(await party.shop.withdraw(offer))

    document = remote.through(
        api, config, json, lambda client: remote_offers.withdraw(client, offer), lambda: with_party(work, config)
    )
    emit(document, json, lambda: f"offer {offer} is withdrawn")


@app.command()
def spot(
    offer: OfferId,
    price: Annotated[float, typer.Argument(help="Of a whole coin of the underlying, in whole coins of money.")],
    api: Api = "",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Give the price that an offer is quoted by from now on, for as long as `offers.spot_age` lets it count."""

    async def work(party: Party) -> dict[str, Any]:
        from relayer.offer_report import own_document

        return own_document(await party.shop.set_spot(offer, price))

    document = remote.through(
        api,
        config,
        json,
        lambda client: remote_offers.spot(client, offer, price),
        lambda: with_party(work, config),
    )
    emit(document, json, lambda: f"offer {offer} is quoted by {price}")
