"""A deal as a document: for `deal show`, `deal list` and the demo. Everything in it is derived when it is made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from chains.legs import Quorum
from htlc.observer import Observation
from htlc.ports import Deal, Intent
from htlc.protocols.base import Absent, Funded, LegState, Spent


def summary(deal: Deal) -> dict[str, Any]:
    """One deal in short, from the journal alone."""
    return {
        "deal": deal.id,
        "protocol": deal.terms.protocol,
        "role": deal.role,
        "outcome": deal.outcome,
        "legs": {name: f"{leg.amount} {leg.chain}/{leg.asset}" for name, leg in deal.terms.legs.items()},
        "times": dict(deal.terms.times),
        "agreed_at": deal.agreed_at,
        "limited": deal.limited,
        "peer": deal.peer,
        "quorum": quorum_document(deal.terms.quorum),
    }


def quorum_document(quorum: Quorum | None) -> dict[str, Any] | None:
    """The attesters of a deal, and what relying on them means for each side."""
    if quorum is None:
        return None
    count, needed = len(quorum.members), quorum.threshold
    trust = (
        f"the strike is attested by {needed} of {count}: so many that lie let the holder take the collateral and"
        " pay nothing; if fewer answer, it can't exercise. Without the holder they can take nothing"
    )
    return {"threshold": needed, "members": list(quorum.members), "trust": trust}


def full(seen: Observation, intents: Iterable[Intent]) -> dict[str, Any]:
    """One deal whole, as the chains show it now."""
    deal = seen.deal
    return {
        **summary(deal),
        "legs": {name: _leg(seen, name) for name in deal.terms.legs},
        "will": {"exercise": deal.will.exercise, "let_go": deal.will.let_go, "stop": deal.will.stop},
        "vows": sorted(deal.vows),
        "next": [{"who": step.who, "text": step.text, "by": step.by} for step in seen.explain()],
        "transactions": [transaction(intent) for intent in intents],
    }


def transaction(intent: Intent) -> dict[str, Any]:
    """A transaction of ours: what it was for, and the chain's last word on it if there is one."""
    final = intent.final
    return {
        "chain": intent.tx.chain,
        "leg": intent.leg,
        "step": intent.step,
        "txid": intent.tx.txid,
        "signed_at": intent.signed_at,
        "phase": final.phase.value if final else None,
        "fee": final.fee if final else None,
        "size": final.size if final else None,
    }


def _leg(seen: Observation, name: str) -> dict[str, Any]:
    leg = seen.known.legs[name]
    return {
        "chain": leg.chain,
        "asset": leg.asset,
        "amount": leg.amount,
        "address": seen.known.addresses[name],
        "funder": seen.known.protocol.funder(name),
        **_state(seen.view.legs[name]),
    }


def _state(state: LegState) -> dict[str, Any]:
    match state:
        case Absent(held):
            return {"state": "absent", "held": held}
        case Funded(depth, held):
            return {"state": "funded", "depth": depth, "held": held}
        case Spent(path, depth, held):
            return {"state": "spent", "path": path, "depth": depth, "held": held}


def when(moment: int | None) -> str:
    """A UNIX time for people, in UTC."""
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
