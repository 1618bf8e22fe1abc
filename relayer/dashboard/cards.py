"""A deal as a card of the page: from the driver's last report of it, without a look of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import quote

from chains.port import TxPhase
from htlc.driver import Report
from htlc.lineage import Attempt
from htlc.observer import Observation
from htlc.protocols import option
from htlc.protocols.base import Absent, Funded, LegState, Spent
from relayer.dashboard.coins import coin_key
from relayer.dashboard.models import DeadlineCard, DealCard, LegCard, StepCard, TransactionCard
from relayer.dashboard.option import is_option
from relayer.settings import ExplorerSettings

Explorers = Mapping[str, ExplorerSettings]
State = Literal["absent", "funded", "spent"]

WISHES = ("exercise", "let_go", "stop")


def deal_card(report: Report, margin: int | None, explorers: Explorers) -> DealCard:
    """One open deal. margin: seconds to its nearest deadline of ours, if any."""
    seen = report.observation
    deal, terms = seen.deal, seen.deal.terms
    return DealCard(
        id=deal.id,
        protocol=terms.protocol,
        kind=terms.options.get("kind"),
        option=is_option(terms),
        role=deal.role,
        peer=deal.peer,
        agreed_at=deal.agreed_at,
        limited=deal.limited,
        margin=margin,
        troubles=report.troubles,
        steps=tuple(StepCard(who=step.who, text=step.text, by=step.by) for step in seen.explain()),
        legs=tuple(leg_card(seen, name, explorers) for name in terms.legs),
        deadlines=tuple(_deadlines(seen)),
        transactions=tuple(_transaction(seen, attempt, explorers) for attempt in seen.attempts.all),
        will=tuple(wish for wish in WISHES if getattr(deal.will, wish)),
        may=tuple(_may(seen)),
    )


def urgency(report: Report, margin: int | None) -> tuple[int, str]:
    """What cards are sorted by: seconds to what is due, else to the next deadline of the terms."""
    seen = report.observation
    ahead = [at - seen.now.latest for at in seen.deal.terms.times.values() if at > seen.now.latest]
    return (margin if margin is not None else min(ahead, default=0), seen.deal.id)


def leg_card(seen: Observation, name: str, explorers: Explorers) -> LegCard:
    """One leg of an open deal."""
    leg = seen.known.legs[name]
    address = seen.known.addresses[name]
    state, path, depth = leg_state(seen.view.legs[name])
    return LegCard(
        name=name,
        chain=leg.chain,
        coin=coin_key(leg.chain, leg.asset),
        units=str(leg.amount),
        address=address,
        link=address_link(explorers, leg.chain, address),
        funder=seen.known.protocol.funder(name),
        state=state,
        path=path,
        depth=depth,
        need=seen.deal.guards.chains[leg.chain].depth,
        held=str(seen.view.legs[name].held),
        until=max((path.after for path in leg.paths if path.after is not None), default=None),
    )


def leg_state(state: LegState) -> tuple[State, str | None, int]:
    """The state of a leg as a word, the path that spent it, and how deep that is."""
    match state:
        case Absent():
            return "absent", None, 0
        case Funded(depth):
            return "funded", None, depth
        case Spent(path, depth):
            return "spent", path, depth


def _deadlines(seen: Observation) -> Iterator[DeadlineCard]:
    """The times of the terms, in their order. One that is named after a leg is when that leg's money may go back;
    another one, such as an option's expiry, counts where its first leg is taken."""
    terms = seen.deal.terms
    for name in seen.known.protocol.times:
        leg = name if name in terms.legs else next(iter(terms.legs))
        text = f"{name} may go back to the {seen.known.protocol.funder(leg)}" if leg == name else "exercise ends"
        over = isinstance(seen.view.legs[leg], Spent)
        yield DeadlineCard(name=name, at=terms.times[name], chain=terms.legs[leg].chain, text=text, over=over)


def _transaction(seen: Observation, attempt: Attempt, explorers: Explorers) -> TransactionCard:
    intent, chain = attempt.intent, attempt.tx.chain
    state = intent.final or attempt.state
    return TransactionCard(
        chain=chain,
        leg=intent.leg,
        step=intent.step,
        txid=attempt.tx.txid,
        link=transaction_link(explorers, chain, attempt.tx.txid),
        signed_at=intent.signed_at,
        phase=state.phase.value,
        depth=state.depth,
        need=seen.attempts.depths[chain],
        fee=str(state.fee if state.phase is TxPhase.MINED else attempt.tx.fee),
    )


def _may(seen: Observation) -> Iterator[str]:
    """What the user could still ask for. The plan decides whether it is safe; here stands what makes sense."""
    deal = seen.deal
    if deal.limited:
        return
    if not deal.will.exercise and _exercisable(seen):
        yield "exercise"
    if not deal.will.let_go and deal.terms.options.get("releases") == "yes":
        yield "let_go"
    if not deal.will.stop:
        yield "stop"


def _exercisable(seen: Observation) -> bool:
    deal, terms = seen.deal, seen.deal.terms
    if not is_option(terms) or deal.role != option.HOLDER:
        return False
    live = terms.hash(*option.A) in seen.view.public
    standing = isinstance(seen.view.legs[option.COLLATERAL], Funded)
    return live and standing and seen.now.latest < terms.times[option.EXPIRY]


def address_link(explorers: Explorers, chain: str, address: str) -> str | None:
    """Where a block explorer shows an address, if one is configured."""
    explorer = explorers.get(chain)
    return explorer.address.replace("{address}", quote(address)) if explorer and explorer.address else None


def transaction_link(explorers: Explorers, chain: str, txid: str) -> str | None:
    """Where a block explorer shows a transaction, if one is configured."""
    explorer = explorers.get(chain)
    return explorer.transaction.replace("{txid}", quote(txid)) if explorer and explorer.transaction else None
