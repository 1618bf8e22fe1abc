"""Offers, quotes and takings as documents: for `strikelock offer` and whoever else shows them."""

from __future__ import annotations

from typing import Any

from settlement.offers import MILLION, Fixed, Priced, SignedOffer
from settlement.store.offers import OwnOffer
from settlement.taker import Quoted
from settlement.takings import Standing


def offer_document(offer: SignedOffer, remaining: int) -> dict[str, Any]:
    """An offer, and how much of it is left. Amounts are of all of it, in smallest units."""
    conditions, premium = offer.conditions, offer.conditions.premium
    return {
        "offer": offer.id,
        "maker": offer.maker,
        "kind": conditions.kind,
        "role": conditions.role,
        "taker_role": conditions.taker_role,
        "underlying": str(conditions.underlying),
        "money": str(conditions.money),
        "size": conditions.size,
        "least": conditions.least,
        "step": conditions.step,
        "remaining": remaining,
        "strike": conditions.strike,
        "premium": premium.amount if isinstance(premium, Fixed) else None,
        "premium_asset": str(conditions.places["premium"]),
        "vol": premium.vol / MILLION if isinstance(premium, Priced) else None,
        "spread": premium.spread / MILLION if isinstance(premium, Priced) else None,
        "releases": conditions.releases,
        "expiry": conditions.expiry,
        "until": conditions.until,
        "made_at": offer.at,
        "networks": dict(conditions.networks),
    }


def own_document(own: OwnOffer) -> dict[str, Any]:
    """An offer of ours, with what nobody else is told."""
    return {
        **offer_document(own.offer, own.remaining),
        "withdrawn_at": own.withdrawn_at,
        "spot": own.spot,
        "spot_at": own.spot_at,
    }


def quote_document(quoted: Quoted) -> dict[str, Any]:
    """What a part costs."""
    body, conditions = quoted.body, quoted.conditions
    legs = conditions.legs(body.size, body.premium)
    return {
        "quote": quoted.message.id,
        "offer": body.offer,
        "size": body.size,
        "premium": body.premium,
        "premium_asset": str(conditions.places["premium"]),
        "legs": {
            name: {"chain": leg.chain, "asset": leg.asset, "amount": leg.amount} for name, leg in legs.items()
        },
        "times": dict(body.times),
        "until": body.until,
    }


def taking_document(standing: Standing) -> dict[str, Any]:
    """What was taken, and how it stands."""
    taking = standing.taking
    return {
        "taking": taking.id,
        "offer": taking.offer,
        "ours": taking.sent,
        "peer": taking.peer,
        "size": taking.size,
        "premium": taking.premium,
        "state": standing.state.value,
        "proposal": standing.proposal,
        "deal": standing.deal,
        "outcome": standing.outcome,
        "taken_at": taking.created_at,
        "failed_at": standing.failed_at,
    }
