"""The book of proposals: what was offered by whom and what became of it, hashes ever used, peers ever met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from htlc.errors import HashReused
from htlc.ports import Deal
from htlc.terms import Contribution, Terms
from settlement.errors import NonceReused
from settlement.proposal import Agreed, Proposal, Stage
from settlement.store import forms, journal
from settlement.store.database import Database, Transact
from settlement.store.errors import NoSuchProposal
from settlement.store.requests import RequestKey, note_made
from settlement.store.tables import meta, peers, proposals, used

HASH = "hash"
NONCE = "nonce"
RESTORED = "restored-proposals"  # the last proposal that a restored copy held
BACKUP = "backup/"  # how the deal of a proposal is backed up, by the first part of the proposal's id
BACKUP_HEX = 40


OpenDeal = Callable[[Connection, Deal], None]


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Somebody we had an exchange with. Times are UNIX seconds."""

    identity: str
    url: str
    first_seen: int
    last_seen: int


class Book:
    """Part of a `Store`; every call is one transaction."""

    def __init__(self, read: Transact, write: Transact, database: Database, open_deal: OpenDeal) -> None:
        self._read = read
        self._write = write
        self._database = database
        self._open_deal = open_deal

    # proposals

    async def proposal(self, id_: str) -> Proposal:
        """Raises NoSuchProposal."""
        return await self._read(lambda connection: _load(connection, id_))

    async def find(self, id_: str) -> Proposal | None:
        """The proposal of that id, if we know it."""
        return await self._read(lambda connection: _find(connection, id_))

    async def proposals(self, state: str | None = None, limit: int = 100, offset: int = 0) -> tuple[Proposal, ...]:
        """Proposals, newest first; `state` is the name of a stage."""
        query = select(proposals).order_by(proposals.c.number.desc()).limit(limit).offset(offset)
        if state is not None:
            query = query.where(proposals.c.state == state)
        return await self._read(
            lambda connection: tuple(_proposal(row) for row in connection.execute(query).mappings())
        )

    async def pending(self) -> tuple[Proposal, ...]:
        """Those whose last message of ours the other side has not confirmed, oldest first."""
        query = select(proposals).where(proposals.c.pending.is_(True)).order_by(proposals.c.number)
        return await self._read(
            lambda connection: tuple(_proposal(row) for row in connection.execute(query).mappings())
        )

    async def overdue(self, state: str, now: int) -> tuple[Proposal, ...]:
        """Proposals in a stage whose `until` is past."""
        query = select(proposals).where(proposals.c.state == state, proposals.c.until < now)
        return await self._read(
            lambda connection: tuple(_proposal(row) for row in connection.execute(query).mappings())
        )

    async def waiting(self, state: str, peer: str | None = None) -> int:
        """How many proposals are in a stage, from one peer or from all."""
        query = select(func.count()).select_from(proposals).where(proposals.c.state == state)
        if peer is not None:
            query = query.where(proposals.c.peer == peer)
        return await self._read(lambda connection: int(connection.execute(query).scalar_one()))

    async def add(
        self, proposal: Proposal, parties: Iterable[Contribution] = (), request: RequestKey | None = None
    ) -> Proposal:
        """Store a new proposal, the hashes and nonces of `parties` as used by it, and the request it is made for.

        One that is stored already is left as it is and returned. Raises HashReused, NonceReused.
        """

        return await self._write(lambda connection: self.enter(connection, proposal, parties, request))

    def enter(
        self,
        connection: Connection,
        proposal: Proposal,
        parties: Iterable[Contribution],
        request: RequestKey | None = None,
    ) -> Proposal:
        """`add`, in the caller's transaction."""
        known = _find(connection, proposal.id)
        if known is not None:
            return known
        for party in parties:
            self._use(connection, party, proposal.id, proposal.created_at)
        connection.execute(insert(proposals).values(_row(proposal)))
        note_made(connection, request, proposal.id)
        return proposal

    async def move(
        self,
        id_: str,
        expected: type[Stage],
        stage: Stage,
        *,
        pending: bool,
        at: int,
        parties: Iterable[Contribution] = (),
        deal: Deal | None = None,
    ) -> Proposal:
        """Bring a proposal to its next stage, store what `parties` use up, and open `deal`: all of it or nothing.

        If it is not in the `expected` stage any more, nothing is done; the caller gets it as it is. Raises
        NoSuchProposal, HashReused, NonceReused, DealExists.
        """

        def work(connection: Connection) -> Proposal:
            if not isinstance(_load(connection, id_).stage, expected):
                return _load(connection, id_)
            for party in parties:
                self._use(connection, party, id_, at)
            if deal is not None:
                limited = deal.limited or _restored(connection, id_)
                self._open_deal(connection, replace(deal, limited=limited))
            values = {**_stage_columns(stage), "pending": pending}
            connection.execute(update(proposals).where(proposals.c.id == id_).values(values))
            return _load(connection, id_)

        return await self._write(work)

    async def confirm(self, id_: str) -> None:
        """Our last message has arrived. Raises NoSuchProposal."""

        def work(connection: Connection) -> None:
            query = update(proposals).where(proposals.c.id == id_).values(pending=False)
            if connection.execute(query).rowcount == 0:
                raise NoSuchProposal(id_)

        await self._write(work)

    async def back_up(self, id_: str, mode: str) -> None:
        """Note how the deal of a proposal is to be backed up, before there is one. Raises NoSuchProposal."""

        def work(connection: Connection) -> None:
            _load(connection, id_)
            row = {"name": BACKUP + id_[:BACKUP_HEX], "value": mode}
            if connection.execute(self._database.insert_new(meta).values(row)).rowcount == 0:
                connection.execute(update(meta).where(meta.c.name == row["name"]).values(value=mode))

        await self._write(work)

    async def backups(self, deals: Sequence[str]) -> dict[str, str]:
        """How deals are to be backed up, for those of which somebody chose."""

        def work(connection: Connection) -> dict[str, str]:
            chosen = {
                row.name.removeprefix(BACKUP): row.value
                for row in connection.execute(select(meta).where(meta.c.name.startswith(BACKUP)))
            }
            if not chosen:
                return {}
            found = {}
            for start in range(0, len(deals), journal.BATCH):
                some = proposals.c.deal.in_(deals[start : start + journal.BATCH])
                for row in connection.execute(select(proposals.c.deal, proposals.c.id).where(some)):
                    if row.id[:BACKUP_HEX] in chosen:
                        found[row.deal] = chosen[row.id[:BACKUP_HEX]]
            return found

        return await self._read(work)

    # what was ever used

    async def check_unused(self, parties: Iterable[Contribution], origin: str) -> None:
        """Raise HashReused or NonceReused if anything of `parties` was used before, but for `origin` itself."""
        parties = tuple(parties)

        def work(connection: Connection) -> None:
            for party in parties:
                for value in party.hashes.values():
                    if _origin(connection, HASH, value) not in (None, origin):
                        raise HashReused(value.hex())
                if _origin(connection, NONCE, party.nonce) not in (None, origin):
                    raise NonceReused(party.nonce.hex())

        await self._read(work)

    def use_terms(self, connection: Connection, terms: Terms, origin: str, at: int) -> None:
        """Store every hash and nonce of the terms as used, in the caller's transaction."""
        for party in terms.parties.values():
            self._use(connection, party, origin, at)

    def _use(self, connection: Connection, party: Contribution, origin: str, at: int) -> None:
        for value in party.hashes.values():
            if not self._take(connection, HASH, value, origin, at):
                raise HashReused(value.hex())
        if not self._take(connection, NONCE, party.nonce, origin, at):
            raise NonceReused(party.nonce.hex())

    def _take(self, connection: Connection, kind: str, value: bytes, origin: str, at: int) -> bool:
        """Whether `value` is `origin`'s, from now on or already."""
        row = {"kind": kind, "value": value, "origin": origin, "at": at}
        connection.execute(self._database.insert_new(used).values(row))
        return _origin(connection, kind, value) == origin

    # peers

    async def meet(self, identity: str, url: str, at: int) -> None:
        """Note that we heard of a peer; an empty URL leaves the one we know."""

        def work(connection: Connection) -> None:
            row = {"identity": identity, "url": url, "first_seen": at, "last_seen": at}
            if connection.execute(self._database.insert_new(peers).values(row)).rowcount == 0:
                values = {"last_seen": at, **({"url": url} if url else {})}
                connection.execute(update(peers).where(peers.c.identity == identity).values(values))

        await self._write(work)

    async def peers(self) -> tuple[PeerRecord, ...]:
        """Everybody we met, the last one first."""
        query = select(peers).order_by(peers.c.last_seen.desc(), peers.c.identity)
        return await self._read(
            lambda connection: tuple(PeerRecord(**row) for row in connection.execute(query).mappings())
        )


# --- restored copies -------------------------------------------------------------------------------------


def limit_proposals(connection: Connection) -> None:
    """Note that every proposal so far is from before a restore. A deal that still comes of one may have been open
    and signed for already, in what was lost; it must be opened, to get money back, but limited."""
    last = connection.execute(select(func.coalesce(func.max(proposals.c.number), 0))).scalar_one()
    if connection.execute(update(meta).where(meta.c.name == RESTORED).values(value=str(last))).rowcount == 0:
        connection.execute(insert(meta).values(name=RESTORED, value=str(last)))


def _restored(connection: Connection, id_: str) -> bool:
    last = connection.execute(select(meta.c.value).where(meta.c.name == RESTORED)).scalar_one_or_none()
    number = connection.execute(select(proposals.c.number).where(proposals.c.id == id_)).scalar_one()
    return last is not None and int(number) <= int(last)


# --- rows ------------------------------------------------------------------------------------------------


def _origin(connection: Connection, kind: str, value: bytes) -> str | None:
    query = select(used.c.origin).where(used.c.kind == kind, used.c.value == value)
    return connection.execute(query).scalar_one_or_none()


def _load(connection: Connection, id_: str) -> Proposal:
    found = _find(connection, id_)
    if found is None:
        raise NoSuchProposal(id_)
    return found


def _find(connection: Connection, id_: str) -> Proposal | None:
    row = connection.execute(select(proposals).where(proposals.c.id == id_)).mappings().one_or_none()
    return None if row is None else _proposal(row)


def _stage_columns(stage: Stage) -> dict[str, str | None]:
    return {
        "state": stage.name,
        "stage": forms.dump_stage(stage),
        "deal": stage.deal if isinstance(stage, Agreed) else None,
    }


def _row(proposal: Proposal) -> dict[str, object]:
    return {
        "id": proposal.id,
        "sent": proposal.sent,
        "protocol": proposal.protocol,
        "role": proposal.role,
        "peer": proposal.peer,
        "url": proposal.url,
        "message": proposal.message,
        "until": proposal.until,
        "created_at": proposal.created_at,
        "pending": proposal.pending,
        **_stage_columns(proposal.stage),
    }


def _proposal(row: RowMapping) -> Proposal:
    return Proposal(
        id=row["id"],
        sent=row["sent"],
        protocol=row["protocol"],
        role=row["role"],
        peer=row["peer"],
        url=row["url"],
        message=row["message"],
        until=row["until"],
        created_at=row["created_at"],
        stage=forms.load_stage(row["stage"]),
        pending=row["pending"],
    )
