"""`strikelock offer` through the API of a running daemon: the same documents as `relayer.offer_report` makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from relayer.api import models
    from relayer.api.client import Client

Document = dict[str, Any]

PAGE: Final = 100
MOST_PAGES: Final = 40  # of another party's offers, whatever it says there is
AMOUNTS: Final = ("size", "least", "step", "remaining", "strike", "premium")
OURS: Final = ("withdrawn_at", "spot", "spot_at")


async def publish(client: Client, body: Mapping[str, Any], life: int | None, lasts: int | None) -> Document:
    """Publish an offer. body: as the API takes it, but for its times, where they are counted from now. Raises
    BadRequest."""
    from pydantic import ValidationError

    from relayer.api.asks import OfferBody
    from relayer.cli.offer import last_moments
    from relayer.errors import BadRequest

    now = (await client.party()).now
    expiry, until = last_moments(body.get("expiry"), life, lasts, now)
    try:
        asked = OfferBody.model_validate({**body, "expiry": expiry, "until": until})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return offer(await client.publish(asked))


async def list_offers(client: Client, peer: str | None, everything: bool) -> Document:
    """Our offers, or those of another party."""
    if peer is not None:
        return {"offers": [theirs(one) for one in await _theirs(client, peer)]}
    found: list[models.Offer] = []
    first: int | None = 0
    while first is not None:
        page = await client.offers("all" if everything else "open", first, PAGE)
        found += page.offers
        first = page.next
    return {"offers": [offer(one) for one in found]}


async def _theirs(client: Client, peer: str) -> list[models.Offer]:
    found: list[models.Offer] = []
    skip: int | None = 0
    for _ in range(MOST_PAGES):
        if skip is None:
            break
        page = await client.their_offers(peer, skip)
        found += page.offers
        skip = page.next
    return found


async def show(client: Client, id_: str, peer: str | None) -> Document:
    """One offer, and what was taken of it. Raises NoSuchOffer."""
    from settlement.errors import NoSuchOffer

    takings = [taking(one) for one in (await client.takings(id_, limit=PAGE)).takings]
    if peer is None:
        return {**offer(await client.offer(id_)), "takings": takings}
    for one in await _theirs(client, peer):
        if one.id == id_:
            return {**theirs(one), "takings": takings}
    raise NoSuchOffer(id_)


async def quote(client: Client, peer: str, id_: str, size: int) -> Document:
    """What a part of another's offer costs."""
    found = await client.ask(peer, id_, size)
    legs = {
        name: {"chain": leg.chain, "asset": leg.asset, "amount": int(leg.units)}
        for name, leg in found.legs.items()
    }
    return {
        "quote": found.id,
        "offer": found.offer,
        "size": int(found.size),
        "premium": int(found.premium),
        "premium_asset": found.premium_coin,
        "legs": legs,
        "times": dict(found.times),
        "until": found.until,
    }


async def take(client: Client, peer: str, id_: str, size: int, limit: int | None) -> Document:
    """Take a part of another's offer."""
    return taking(await client.take(peer, id_, size, limit))


async def withdraw(client: Client, id_: str) -> Document:
    """Sell no more of an offer."""
    return offer(await client.withdraw(id_))


async def spot(client: Client, id_: str, price: float) -> Document:
    """Give the price that an offer is quoted by."""
    return offer(await client.set_spot(id_, price))


# --- documents -------------------------------------------------------------------------------------------


def offer(found: models.Offer) -> Document:
    """One of ours."""
    document = found.model_dump(mode="json")
    amounts = {name: None if document[name] is None else int(document[name]) for name in AMOUNTS}
    rest = {name: value for name, value in document.items() if name not in ("id", "premium_coin", *AMOUNTS)}
    return {"offer": found.id, **rest, **amounts, "premium_asset": found.premium_coin}


def theirs(found: models.Offer) -> Document:
    """Another party's, without what only its maker knows."""
    return {name: value for name, value in offer(found).items() if name not in OURS}


def taking(found: models.Taking) -> Document:
    """What was taken."""
    document = found.model_dump(mode="json")
    del document["id"]
    return {"taking": found.id, **document, "size": int(found.size), "premium": int(found.premium)}
