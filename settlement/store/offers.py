"""Offers of ours, and takings of them and by us. Nothing is sold twice: what is left of an offer is counted, and a
part of it reserved, in the transaction that stores the proposal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Select, exists, false, func, insert, or_, select, update

from htlc.ports import FUND
from htlc.protocols.option import WRITER
from htlc.terms import Contribution
from settlement.errors import NoSuchOffer, NoSuchTaking, TakingOver
from settlement.offers import SignedOffer, read_offer
from settlement.proposal import WITHDRAWN, Agreed, Lapsed, Offered, Proposal, Refused
from settlement.store import forms
from settlement.store.book import Book
from settlement.store.database import Database, Transact
from settlement.store.requests import RequestKey, note_made
from settlement.store.tables import changes, deals, intents, offers, preimages, proposals, takings
from settlement.takings import MEMORY_SECONDS, Standing, Taking, TakingState

FELL_THROUGH = ("unfunded", "abandoned")  # outcomes of deals that never became an option


@dataclass(frozen=True, slots=True)
class OwnOffer:
    """An offer of ours. remaining: what no taking holds. withdrawn_at, spot_at: UNIX seconds. spot: the price of a
    whole coin of the underlying in whole coins of money, that its maker gave."""

    offer: SignedOffer
    remaining: int
    withdrawn_at: int | None
    spot: float | None
    spot_at: int | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is to know before so much of an offer is sold to somebody: the offer, every taking that is not
    decided yet, and those of that peer that fell through lately."""

    own: OwnOffer
    standings: tuple[Standing, ...]


class OfferBook:
    """Part of a `Store`; every call is one transaction."""

    def __init__(self, read: Transact, write: Transact, database: Database, book: Book) -> None:
        self._read = read
        self._write = write
        self._database = database
        self._book = book

    # offers of ours

    async def publish(
        self, offer: SignedOffer, spot: float | None, at: int, request: RequestKey | None = None
    ) -> OwnOffer:
        """Store an offer of ours, and the request it is made for; one that is stored already is left as it is."""

        def work(connection: Connection) -> OwnOffer:
            row = {"id": offer.id, "text": offer.text, "until": offer.conditions.until, **_spot(spot, at)}
            connection.execute(self._database.insert_new(offers).values(row))
            note_made(connection, request, offer.id)
            return _offer(connection, offer.id)

        return await self._write(work)

    async def offer(self, id_: str) -> OwnOffer:
        """One of ours. Raises NoSuchOffer."""
        return await self._read(lambda connection: _offer(connection, id_))

    async def offers(self, now: int, open_: bool = False, limit: int = 100, skip: int = 0) -> tuple[OwnOffer, ...]:
        """Our offers, newest first; `open_`: those that are neither withdrawn nor over."""
        query = select(offers).order_by(offers.c.number.desc()).limit(limit).offset(skip)
        if open_:
            query = query.where(offers.c.withdrawn_at.is_(None), offers.c.until >= now)
        return await self._read(
            lambda connection: tuple(_own(connection, row) for row in connection.execute(query).mappings())
        )

    async def withdraw(self, id_: str, at: int) -> OwnOffer:
        """Nothing more of an offer is sold; what was taken stays. Raises NoSuchOffer."""

        def work(connection: Connection) -> OwnOffer:
            query = update(offers).where(offers.c.id == id_, offers.c.withdrawn_at.is_(None))
            connection.execute(query.values(withdrawn_at=at))
            return _offer(connection, id_)

        return await self._write(work)

    async def set_spot(self, id_: str, spot: float, at: int) -> OwnOffer:
        """Store the price that an offer is quoted by from now on. Raises NoSuchOffer."""

        def work(connection: Connection) -> OwnOffer:
            connection.execute(update(offers).where(offers.c.id == id_).values(_spot(spot, at)))
            return _offer(connection, id_)

        return await self._write(work)

    # takings

    async def shelf(self, id_: str, peer: str, now: int) -> Shelf:
        """What there is to know before an offer is sold to a peer. Raises NoSuchOffer."""
        return await self._read(lambda connection: _shelf(connection, id_, peer, now))

    async def reserve(
        self, taking: Taking, proposal: Proposal, parties: Iterable[Contribution], judge: Callable[[Shelf], None]
    ) -> Standing:
        """Store a taking of an offer of ours with the proposal that it becomes, if `judge` does not raise: all of
        it or nothing. One of the same quote is left as it is and returned.

        Raises NoSuchOffer, HashReused, NonceReused, and what `judge` raises.
        """

        def work(connection: Connection) -> Standing:
            connection.execute(select(changes).with_for_update())  # takers queue here, whoever serves them
            known = _find(connection, taking.id, taking.created_at)
            if known is not None:
                return known
            judge(_shelf(connection, taking.offer, taking.peer, taking.created_at))
            self._book.enter(connection, proposal, parties)
            connection.execute(insert(takings).values({**_row(taking), "proposal": proposal.id}))
            return _load(connection, taking.id, taking.created_at)

        return await self._write(work)

    async def want(self, taking: Taking, request: RequestKey | None = None) -> Standing:
        """Store that we take a part of another's offer, before it is told, and the request for it. One of the same
        quote is returned."""

        def work(connection: Connection) -> Standing:
            connection.execute(self._database.insert_new(takings).values(_row(taking)))
            note_made(connection, request, taking.id)
            return _load(connection, taking.id, taking.created_at)

        return await self._write(work)

    async def admit(self, proposal: Proposal, quote: str, now: int) -> Proposal:
        """Store a proposal that answers a taking of ours: one proposal for one taking, for ever. Raises
        NoSuchTaking, TakingOver."""

        def work(connection: Connection) -> Proposal:
            standing = _load(connection, quote, now)
            if standing.proposal not in (None, proposal.id):
                raise TakingOver(quote, standing.state.value)
            entered = self._book.enter(connection, proposal, ())
            connection.execute(update(takings).where(takings.c.id == quote).values(proposal=proposal.id))
            return entered

        return await self._write(work)

    async def taking(self, id_: str, now: int) -> Standing:
        """The taking by a quote. Raises NoSuchTaking."""
        return await self._read(lambda connection: _load(connection, id_, now))

    async def find(self, id_: str, now: int) -> Standing | None:
        """The taking by a quote, if there is one."""
        return await self._read(lambda connection: _find(connection, id_, now))

    async def takings(
        self, now: int, offer: str | None = None, limit: int = 100, skip: int = 0
    ) -> tuple[Standing, ...]:
        """Takings, of one offer or of all, newest first."""
        query = _STANDINGS.order_by(takings.c.number.desc()).limit(limit).offset(skip)
        if offer is not None:
            query = query.where(takings.c.offer == offer)
        return await self._read(lambda connection: _standings(connection, query, now))


def withdraw_all(connection: Connection, at: int) -> None:
    """End every offer: an older copy of the database does not know what was taken since, and would sell it
    again."""
    connection.execute(update(offers).where(offers.c.withdrawn_at.is_(None)).values(withdrawn_at=at))


# --- what stands -----------------------------------------------------------------------------------------

_STANDINGS: Select[tuple[object, ...]] = (
    select(
        takings,
        proposals.c.role,
        proposals.c.stage,
        proposals.c.deal,
        deals.c.outcome,
        deals.c.closed_at,
        exists().where(preimages.c.deal == deals.c.id).label("live"),
        exists().where(intents.c.deal == deals.c.id, intents.c.step == FUND).label("funded"),
    )
    .select_from(takings)
    .outerjoin(proposals, proposals.c.id == takings.c.proposal)
    .outerjoin(deals, deals.c.id == proposals.c.deal)
)
_THEIRS = takings.c.sent == false()
_OFFERED = select(proposals.c.id).where(proposals.c.state == Offered.name)
_RUNNING = select(proposals.c.id).join(deals, deals.c.id == proposals.c.deal).where(deals.c.outcome.is_(None))
_FAILED = or_(proposals.c.state.in_((Lapsed.name, Refused.name)), deals.c.outcome.in_(FELL_THROUGH))
_HELD = (  # what `TakingState.holds` says, for many rows
    select(takings.c.size)
    .join(proposals, proposals.c.id == takings.c.proposal)
    .outerjoin(deals, deals.c.id == proposals.c.deal)
    .where(_THEIRS, proposals.c.state.in_((Offered.name, Agreed.name)))
    .where(func.coalesce(deals.c.outcome, "").not_in(FELL_THROUGH))
)


def _standings(connection: Connection, query: Select[tuple[object, ...]], now: int) -> tuple[Standing, ...]:
    return tuple(_standing(row, now) for row in connection.execute(query).mappings())


def _standing(row: RowMapping, now: int) -> Standing:
    taking = _taking(row)
    if row["proposal"] is None:
        return Standing(taking, TakingState.ASKED if now <= taking.until else TakingState.FAILED)
    state, failed_at = _state(row, taking, now)
    return Standing(
        taking, state, row["proposal"], row["deal"], row["outcome"], failed_at, funded=bool(row["funded"])
    )


def _state(row: RowMapping, taking: Taking, now: int) -> tuple[TakingState, int | None]:
    """How a taking stands, and when it fell through by the other party's doing."""
    match forms.load_stage(row["stage"]):
        case Lapsed(reason) if reason == WITHDRAWN:
            return TakingState.WITHDRAWN, None
        case Lapsed() | Refused():
            return TakingState.FAILED, taking.until
        case Agreed():
            return _deal_state(row, taking, now)
        case _:
            return TakingState.RESERVED, None


def _deal_state(row: RowMapping, taking: Taking, now: int) -> tuple[TakingState, int | None]:
    overdue = taking.due if row["role"] != WRITER or row["funded"] else None  # a writer pays first
    if row["outcome"] in FELL_THROUGH:
        return TakingState.FAILED, None if overdue is None else min(overdue, row["closed_at"])
    if row["outcome"] is not None:
        return TakingState.DONE, None
    if row["live"]:
        return TakingState.LIVE, None
    return TakingState.AGREED, overdue if now > taking.due else None


def _find(connection: Connection, id_: str, now: int) -> Standing | None:
    found = _standings(connection, _STANDINGS.where(takings.c.id == id_), now)
    return found[0] if found else None


def _load(connection: Connection, id_: str, now: int) -> Standing:
    found = _find(connection, id_, now)
    if found is None:
        raise NoSuchTaking(id_)
    return found


def _shelf(connection: Connection, id_: str, peer: str, now: int) -> Shelf:
    undecided = or_(takings.c.proposal.in_(_OFFERED), takings.c.proposal.in_(_RUNNING))
    recent = takings.c.created_at > now - 2 * MEMORY_SECONDS  # they fail some time after they are made
    found = [
        *_standings(connection, _STANDINGS.where(_THEIRS, undecided), now),
        *_standings(connection, _STANDINGS.where(_THEIRS, takings.c.peer == peer, recent, _FAILED), now),
    ]
    return Shelf(_offer(connection, id_), tuple(found))


# --- rows ------------------------------------------------------------------------------------------------


def _offer(connection: Connection, id_: str) -> OwnOffer:
    row = connection.execute(select(offers).where(offers.c.id == id_)).mappings().one_or_none()
    if row is None:
        raise NoSuchOffer(id_)
    return _own(connection, row)


def _own(connection: Connection, row: RowMapping) -> OwnOffer:
    offer = read_offer(row["text"].encode())
    held = sum(connection.execute(_HELD.where(takings.c.offer == offer.id)).scalars())
    spot = None if row["spot"] is None else float(row["spot"])
    return OwnOffer(offer, offer.conditions.size - held, row["withdrawn_at"], spot, row["spot_at"])


def _spot(spot: float | None, at: int) -> dict[str, object]:
    return {"spot": None if spot is None else repr(spot), "spot_at": None if spot is None else at}


_FIELDS: Sequence[str] = tuple(name for name in Taking.__dataclass_fields__ if name != "text")


def _row(taking: Taking) -> dict[str, object]:
    return {"offer_text": taking.text, **{name: getattr(taking, name) for name in _FIELDS}}


def _taking(row: RowMapping) -> Taking:
    return Taking(text=row["offer_text"], **{name: row[name] for name in _FIELDS})
