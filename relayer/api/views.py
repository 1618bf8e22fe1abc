"""From what the daemon holds to what the API says. No I/O: everything is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from htlc.driver import Report
from htlc.ports import Deal, Intent
from htlc.protocols.base import Will
from htlc.terms import LegTerms, Terms
from relayer.api import models
from relayer.dashboard.cards import Explorers, deal_card, leg_state
from relayer.dashboard.models import TransactionCard
from relayer.report import quorum_document
from settlement.bodies import ProposalBody
from settlement.messages import read
from settlement.proposal import Proposal

T = TypeVar("T")

WISHES: Final[Mapping[models.WishName, str]] = {"exercise": "exercise", "release": "let_go", "refund": "stop"}
NAMES: Final[Mapping[str, models.WishName]] = {ours: name for name, ours in WISHES.items()}
PARSED: Final = 2048  # proposals whose terms are kept parsed


def piece(found: Sequence[T], first: int, limit: int) -> tuple[Sequence[T], dict[str, Any]]:
    """A piece of a whole list, and where it stands in it."""
    end = first + limit
    return found[first:end], {"first": first, "total": len(found), "next": end if end < len(found) else None}


def part(found: Sequence[T], first: int, limit: int) -> tuple[Sequence[T], dict[str, Any]]:
    """A piece of a list that is not counted; `found` begins at `first` and has one more than asked for, if there
    is one."""
    return found[:limit], {"first": first, "total": None, "next": first + limit if len(found) > limit else None}


# --- deals -----------------------------------------------------------------------------------------------


def summary(deal: Deal, report: Report | None, margin: int | None) -> models.DealSummary:
    """A deal in short."""
    return models.DealSummary(**_summary(deal, report, margin))


def whole(
    deal: Deal, report: Report | None, margin: int | None, intents: Iterable[Intent], explorers: Explorers
) -> models.Deal:
    """A deal with all that is known of it."""
    look, sent = None, tuple(_settled(intent) for intent in intents)
    if report is not None:
        card = deal_card(report, margin, explorers)
        sent = card.transactions
        look = models.Look(
            at=report.observation.now.latest,
            troubles=card.troubles,
            next=card.steps,
            legs=card.legs,
            deadlines=card.deadlines,
            may=tuple(NAMES[wish] for wish in card.may),
        )
    return models.Deal(
        **_summary(deal, report, margin), vows=tuple(sorted(deal.vows)), transactions=sent, look=look
    )


def _summary(deal: Deal, report: Report | None, margin: int | None) -> dict[str, Any]:
    terms = deal.terms
    states = {} if report is None else report.observation.view.legs
    return {
        "id": deal.id,
        "protocol": terms.protocol,
        "role": deal.role,
        "kind": terms.options.get("kind"),
        "peer": deal.peer,
        "agreed_at": deal.agreed_at,
        "limited": deal.limited,
        "outcome": deal.outcome,
        "margin": margin,
        "legs": {
            name: _worth(leg, leg_state(states[name])[0] if name in states else None)
            for name, leg in terms.legs.items()
        },
        "times": dict(terms.times),
        "wishes": wishes(deal.will),
        "quorum": _quorum(terms),
    }


def wishes(will: Will) -> models.Wishes:
    return models.Wishes(exercise=will.exercise, release=will.let_go, refund=will.stop)


def _worth(leg: LegTerms, state: str | None = None) -> models.LegWorth:
    return models.LegWorth.model_validate(
        {"chain": leg.chain, "asset": leg.asset, "units": str(leg.amount), "state": state}
    )


def _quorum(terms: Terms) -> models.Quorum | None:
    found = quorum_document(terms.quorum)
    return None if found is None else models.Quorum(**{**found, "members": tuple(found["members"])})


def _settled(intent: Intent) -> TransactionCard:
    """A transaction of a deal that is not looked at: as the journal has it."""
    return TransactionCard(
        chain=intent.tx.chain,
        leg=intent.leg,
        step=intent.step,
        txid=intent.tx.txid,
        link=None,
        signed_at=intent.signed_at,
        phase=intent.final.phase.value if intent.final else "unknown",
        depth=intent.final.depth if intent.final else 0,
        need=0,
        fee=str(intent.final.fee if intent.final else intent.tx.fee),
    )


# --- proposals -------------------------------------------------------------------------------------------


def proposal(found: Proposal) -> models.Proposal:
    """A proposal with its terms."""
    terms = _terms(found.message)
    return models.Proposal.model_validate(
        {
            "id": found.id,
            "sent": found.sent,
            "protocol": found.protocol,
            "role": found.role,
            "peer": found.peer,
            "url": found.url,
            "state": found.stage.name,
            "pending": found.pending,
            "created_at": found.created_at,
            "until": found.until,
            "deal": getattr(found.stage, "deal", None),
            "reason": getattr(found.stage, "reason", None),
            "legs": {name: _worth(leg) for name, leg in terms.legs.items()},
            "times": dict(terms.times),
            "options": dict(terms.options),
            "quorum": _quorum(terms),
        }
    )


@lru_cache(PARSED)
def _terms(message: str) -> Terms:
    """The terms in a signed proposal. Its signature is checked whenever it is parsed, which is too dear for each
    line of a list."""
    return ProposalBody.parse(read(message.encode()).body).terms
