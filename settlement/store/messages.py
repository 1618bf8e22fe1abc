"""What a relayer and a validator keep: messages of final blocks, progress, checkpoints, deliveries, votes.

Part of a `Store`, as `book` is; every call is one transaction. Where several relayers share the database, each of
them holds some lanes and feeds, and stores what comes of carrying these alone (Fenced). A process that only looks
stores what it finds, and an operator's wish is stored whoever holds the lane.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from chains.evm.messaging.message import Lane, Message
from chains.evm.messaging.tree import CHUNK
from chains.port import SignedTx, TxState
from htlc.errors import Fenced
from settlement.spans import Spans
from settlement.store import forms
from settlement.store.database import Database, Transact
from settlement.store.errors import AlreadyVoted
from settlement.store.leases import LANE, Leases
from settlement.store.lineages import Lineages
from settlement.store.tables import (
    checkpoints,
    chunks,
    delays,
    evidence,
    lanes,
    messages,
    outflows,
    progress,
    pushes,
    votes,
)

T = TypeVar("T")

ACCOUNT: Final = "relayer/"  # of the accounts that deliveries are paid from, before the chain's name


@dataclass(frozen=True, slots=True)
class LaneNote:
    """What an operator, or we, decided about a lane. halted: why nothing goes on there."""

    name: str
    paused: bool
    halted: str | None


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it is stored. height: of its block on the source."""

    lane: bytes
    index: int
    id: bytes
    height: int
    sender: str
    recipient: str
    gas: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Proved:
    """A checkpoint with a quorum's signatures, as call data takes them."""

    count: int
    set: int
    root: bytes
    signatures: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """A transaction of ours that delivers messages `first` to before `end` of a lane."""

    number: int
    lane: bytes
    first: int
    end: int
    tx: SignedTx
    since: int
    signed_at: int
    final: TxState | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """What a validator signed, and the block in which it saw it."""

    count: int
    set: int
    root: bytes
    height: int
    block: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a signer did that no honest one does. kind: "lie" against the chain, "equivocation" against itself."""

    lane: bytes
    signer: str
    count: int
    kind: str
    detail: str
    at: int


class MessageBook:
    """See the module."""

    def __init__(
        self,
        read: Transact,
        write: Transact,
        database: Database,
        drive: Callable[[], None],
        leases: Leases,
        lineages: Lineages,
    ) -> None:
        self._read = read
        self._write = write
        self._database = database
        self._must_drive = drive
        self._leases = leases
        self._lineages = lineages
        self._carried: dict[str, int] = {}  # the lease under which we took up each lane or feed

    # --- who carries what

    async def share(self, ids: Iterable[bytes]) -> None:
        """Let these lanes and feeds be held, and take up what of them falls to us: nothing of them was read yet.
        Raises NotDriving."""
        self._must_drive()
        if not self._leases.shared:
            return
        names = [id_.hex() for id_ in ids]

        def work(connection: Connection) -> None:
            for name in names:
                self._leases.open(connection, LANE, name, ours=False)

        await self._write(work)
        await self._leases.distribute(LANE, names)
        self._carried = self._leases.known(LANE)

    async def distribute(self, ids: Iterable[bytes]) -> None:
        """Take on what nobody holds of lanes and feeds that were shared, and hand over what is too much."""
        if self._leases.shared:
            await self._leases.distribute(LANE, [id_.hex() for id_ in ids])

    def lease(self, id_: bytes) -> int | None:
        """The epoch of our lease on a lane or feed, as far as we know; None where another process holds it."""
        return self._leases.held(LANE, id_.hex())

    def take_up(self, id_: bytes, epoch: int) -> None:
        """Carry a lane or feed: under this lease we have read what others stored of it."""
        self._carried[id_.hex()] = epoch

    def carries(self, id_: bytes) -> bool:
        """Whether a lane or feed is ours to carry: we took it up, and hold it since, as far as we know. Everything
        is where nobody else can."""
        epoch = self._carried.get(id_.hex())
        return not self._leases.shared or (epoch is not None and epoch == self.lease(id_))

    def check(self, connection: Connection, id_: bytes) -> None:
        """Within a write: raise Fenced where we drive, and do not carry the lane or feed."""
        if not self.carries(id_):
            raise Fenced(f"{LANE} {id_.hex()}")
        if self._leases.shared:
            self._leases.check(connection, LANE, id_.hex())

    async def _carry(self, id_: bytes, work: Callable[[Connection], T]) -> T:
        """Store what carrying a lane or feed has brought. Raises Fenced."""

        def fenced(connection: Connection) -> T:
            self.check(connection, id_)
            return work(connection)

        return await self._write(fenced)

    # --- lanes

    async def open_lane(self, lane: Lane, name: str) -> None:
        """Know a lane by its name."""
        row = {"id": lane.id, "name": name, "paused": False, "halted": None}
        query = self._database.insert_new(lanes)
        await self._write(lambda connection: connection.execute(query, row) and None)

    async def notes(self) -> Mapping[bytes, LaneNote]:
        """Every lane that was ever opened."""

        def work(connection: Connection) -> dict[bytes, LaneNote]:
            rows = connection.execute(select(lanes)).all()
            return {row.id: LaneNote(row.name, row.paused, row.halted) for row in rows}

        return await self._read(work)

    async def pause(self, lane: bytes, paused: bool) -> None:
        """The operator's wish."""
        query = update(lanes).where(lanes.c.id == lane).values(paused=paused)
        await self._write(lambda connection: connection.execute(query) and None)

    async def halt(self, lane: bytes, reason: str | None) -> None:
        """Stop a lane for good, or let it go on (None), which is the operator's wish. The first reason stays.
        Raises Fenced."""
        query = update(lanes).where(lanes.c.id == lane).values(halted=reason)
        if reason is None:
            await self._write(lambda connection: connection.execute(query) and None)
            return
        first = query.where(lanes.c.halted.is_(None))
        await self._carry(lane, lambda connection: connection.execute(first) and None)

    # --- messages

    async def add(
        self,
        lane: bytes,
        found: Sequence[tuple[int, Message]],
        roots: Mapping[int, bytes],
        name: str,
        spans: Spans,
    ) -> None:
        """Store messages with the heights of their blocks, the chunks they complete, and how far the search for
        them has come; all or nothing. Raises Fenced."""
        rows = [_row(height, message) for height, message in found]
        whole = [{"lane": lane, "number": number, "root": root} for number, root in roots.items()]

        def work(connection: Connection) -> None:
            if rows:
                connection.execute(self._database.insert_new(messages), rows)
            if whole:
                connection.execute(self._database.insert_new(chunks), whole)
            _put_spans(connection, name, spans)

        await self._carry(lane, work)

    async def forget(self, lane: bytes, first: int, name: str, spans: Spans) -> None:
        """Messages from `first` on were not there after all; they are looked for again. Raises Fenced."""

        def work(connection: Connection) -> None:
            connection.execute(delete(messages).where(messages.c.lane == lane, messages.c.index >= first))
            connection.execute(delete(chunks).where(chunks.c.lane == lane, chunks.c.number >= first // CHUNK))
            connection.execute(delete(checkpoints).where(checkpoints.c.lane == lane, checkpoints.c.count > first))
            _put_spans(connection, name, spans)

        await self._carry(lane, work)

    async def count(self, lane: bytes) -> int:
        """How many messages of a lane are stored; they are those with the indexes below it."""
        query = select(func.max(messages.c.index)).where(messages.c.lane == lane)
        found = await self._read(lambda connection: connection.execute(query).scalar_one())
        return 0 if found is None else int(found) + 1

    async def messages(self, lane: Lane, first: int, end: int) -> tuple[Message, ...]:
        """Messages from `first` to before `end`."""
        query = (
            select(messages)
            .where(messages.c.lane == lane.id, messages.c.index >= first, messages.c.index < end)
            .order_by(messages.c.index)
        )
        return await self._read(
            lambda connection: tuple(_message(row, lane) for row in connection.execute(query).mappings())
        )

    async def stored(self, lane: bytes, first: int, limit: int) -> tuple[StoredMessage, ...]:
        """At most so many messages of a lane from `first` on, by index."""
        query = (
            select(messages)
            .where(messages.c.lane == lane, messages.c.index >= first)
            .order_by(messages.c.index)
            .limit(limit)
        )
        return await self._read(
            lambda connection: tuple(StoredMessage(**row) for row in connection.execute(query).mappings())
        )

    async def sent_by(self, lane: Lane, sender: str, first: int) -> tuple[Message, ...]:
        """Messages of one sender from `first` on."""
        query = (
            select(messages)
            .where(messages.c.lane == lane.id, messages.c.sender == sender, messages.c.index >= first)
            .order_by(messages.c.index)
        )
        return await self._read(
            lambda connection: tuple(_message(row, lane) for row in connection.execute(query).mappings())
        )

    async def find(self, id_: bytes) -> tuple[bytes, int, int] | None:
        """Lane, index and height of the message with an id, if it is stored."""
        query = select(messages.c.lane, messages.c.index, messages.c.height).where(messages.c.id == id_)
        row = await self._read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else (row["lane"], row["index"], row["height"])

    async def height(self, lane: bytes, index: int) -> int | None:
        """The height of the block that a message stands in, if it is stored."""
        query = select(messages.c.height).where(messages.c.lane == lane, messages.c.index == index)
        return await self._read(lambda connection: connection.execute(query).scalar_one_or_none())

    async def ids(self, lane: bytes, chunk: int) -> tuple[bytes, ...]:
        """The leaves of a chunk, as many as are stored."""
        start = chunk * CHUNK
        query = (
            select(messages.c.id)
            .where(messages.c.lane == lane, messages.c.index >= start, messages.c.index < start + CHUNK)
            .order_by(messages.c.index)
        )
        return await self._read(lambda connection: tuple(connection.execute(query).scalars()))

    async def chunk_roots(self, lane: bytes) -> tuple[bytes, ...]:
        """The nodes above whole chunks, in order."""
        query = select(chunks.c.root).where(chunks.c.lane == lane).order_by(chunks.c.number)
        return await self._read(lambda connection: tuple(connection.execute(query).scalars()))

    # --- progress

    async def spans(self, name: str) -> Spans:
        """A stored set of numbers; empty if there is none of that name."""
        query = select(progress.c.spans).where(progress.c.name == name)
        stored = await self._read(lambda connection: connection.execute(query).scalar_one_or_none())
        return Spans() if stored is None else Spans(forms.load_spans(stored))

    async def put_spans(self, name: str, spans: Spans) -> None:
        """Store a set of numbers that is no lane's."""
        await self._write(lambda connection: _put_spans(connection, name, spans))

    async def put_progress(self, lane: bytes, name: str, spans: Spans) -> None:
        """Store a set of numbers of a lane. Raises Fenced."""
        await self._carry(lane, lambda connection: _put_spans(connection, name, spans))

    # --- checkpoints

    async def prove(self, lane: bytes, proved: Proved) -> None:
        """Store a checkpoint that a quorum signed. Raises Fenced."""
        row = {
            "lane": lane,
            "count": proved.count,
            "set": proved.set,
            "root": proved.root,
            "signatures": proved.signatures,
        }
        query = self._database.insert_new(checkpoints)
        await self._carry(lane, lambda connection: connection.execute(query, row) and None)

    async def proved(self, lane: bytes) -> Proved | None:
        """The checkpoint with the most messages."""
        query = select(checkpoints).where(checkpoints.c.lane == lane).order_by(checkpoints.c.count.desc()).limit(1)
        row = await self._read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else Proved(row["count"], row["set"], row["root"], row["signatures"])

    async def unprove(self, lane: bytes, count: int) -> None:
        """Forget a checkpoint whose set is not in force any more. Raises Fenced."""
        query = delete(checkpoints).where(checkpoints.c.lane == lane, checkpoints.c.count == count)
        await self._carry(lane, lambda connection: connection.execute(query) and None)

    # --- deliveries

    @asynccontextmanager
    async def turn(self, chain: str) -> AsyncIterator[bool]:
        """Our turn to sign deliveries on a chain; gives whether others may have signed there since we did. Raises
        LineageBusy; `push` within raises LineageMoved if somebody signed all the same."""
        async with self._lineages.turn(ACCOUNT + chain) as moved:
            yield moved

    async def push(self, lane: bytes, first: int, end: int, tx: SignedTx, since: int, at: int) -> Push:
        """Store a delivery, before it is broadcast; one of no lane (b"") is anybody's to make. Raises NotDriving,
        Fenced, LineageMoved."""
        self._must_drive()
        row = {
            "lane": lane,
            "first": first,
            "end": end,
            "chain": tx.chain,
            "txid": tx.txid,
            "raw": tx.raw,
            "claims": forms.dump_claims(tx.claims),
            "price": tx.price,
            "fee": tx.fee,
            "since": since,
            "signed_at": at,
        }
        query = insert(pushes).returning(pushes.c.number)

        def work(connection: Connection) -> int:
            if lane:
                self.check(connection, lane)
            self._lineages.check(connection, ACCOUNT + tx.chain)
            return int(connection.execute(query, row).scalar_one())

        number = await self._write(work)
        self._lineages.stored(ACCOUNT + tx.chain)
        return Push(number, lane, first, end, tx, since, at)

    async def flying(self) -> tuple[Push, ...]:
        """Deliveries of which the chain's last word is not final, oldest first."""
        query = select(pushes).where(pushes.c.final.is_(None)).order_by(pushes.c.number)
        return await self._read(
            lambda connection: tuple(_push(row) for row in connection.execute(query).mappings())
        )

    async def settle(self, push: Push, state: TxState) -> None:
        """Store the chain's last word on a delivery. Raises Fenced."""
        query = update(pushes).where(pushes.c.number == push.number).values(final=forms.dump_tx_state(state))

        def work(connection: Connection) -> None:
            if push.lane:
                self.check(connection, push.lane)
            connection.execute(query)

        await self._write(work)

    async def spent(self) -> dict[str, tuple[int, int, int]]:
        """By chain: final deliveries, their gas, what they cost."""
        totals: dict[str, tuple[int, int, int]] = {}

        def work(connection: Connection) -> None:
            query = select(pushes.c.chain, pushes.c.final).where(pushes.c.final.is_not(None))
            for chain, final in connection.execute(query):
                state = forms.load_tx_state(final)
                number, gas, fee = totals.get(chain, (0, 0, 0))
                totals[chain] = (number + 1, gas + state.size, fee + state.fee)

        await self._read(work)
        return totals

    # --- the governor

    async def outflow(self, asset: str, since: int) -> int:
        """Units of an asset that went out from a time on."""
        query = select(outflows.c.amount).where(outflows.c.asset == asset, outflows.c.at >= since)
        return await self._read(lambda connection: sum(connection.execute(query).scalars()))

    async def let_out(self, lane: bytes, rows: Iterable[tuple[int, str, int]], at: int) -> None:
        """Note what goes out: (index, asset, amount). What was held back is so no more. Raises Fenced."""
        values = [
            {"lane": lane, "index": index, "asset": asset, "amount": amount, "at": at}
            for index, asset, amount in rows
        ]

        def work(connection: Connection) -> None:
            if values:
                connection.execute(self._database.insert_new(outflows), values)
                indexes = [value["index"] for value in values]
                connection.execute(delete(delays).where(delays.c.lane == lane, delays.c.index.in_(indexes)))

        await self._carry(lane, work)

    async def hold_back(self, lane: bytes, index: int, until: int, reason: str) -> None:
        """Hold a message back until a time; one that is held back already stays so for no longer. Raises
        Fenced."""
        row = {"lane": lane, "index": index, "until": until, "reason": reason}
        query = self._database.insert_new(delays)
        await self._carry(lane, lambda connection: connection.execute(query, row) and None)

    async def held_back(self, lane: bytes) -> dict[int, tuple[int, str]]:
        """(until, reason) by index."""
        query = select(delays).where(delays.c.lane == lane)

        def work(connection: Connection) -> dict[int, tuple[int, str]]:
            rows = connection.execute(query).mappings()
            return {row["index"]: (row["until"], row["reason"]) for row in rows}

        return await self._read(work)

    # --- votes and evidence

    async def vote(self, lane: bytes, vote: Vote) -> Vote:
        """Store what we sign, before anybody sees the signature; the vote that stands. Raises AlreadyVoted where
        we signed another root for that count, NotDriving."""
        self._must_drive()
        row = {
            "lane": lane,
            "count": vote.count,
            "set": vote.set,
            "root": vote.root,
            "height": vote.height,
            "block": vote.block,
            "signature": vote.signature,
        }

        def work(connection: Connection) -> Vote:
            signed = _votes(connection, lane, vote.count)
            for known in signed:
                if known.root != vote.root:
                    raise AlreadyVoted(lane.hex(), vote.count, known.root.hex(), vote.root.hex())
            for known in signed:
                if known.set == vote.set:
                    return known
            connection.execute(insert(votes).values(row))
            return vote

        return await self._write(work)

    async def voted(self, lane: bytes, count: int, number: int) -> Vote | None:
        """What we signed for a count as members of a set."""
        found = await self._read(lambda connection: _votes(connection, lane, count))
        return next((vote for vote in found if vote.set == number), None)

    async def last_vote(self, lane: bytes) -> Vote | None:
        """What we signed for the highest count."""

        def work(connection: Connection) -> Vote | None:
            query = select(func.max(votes.c.count)).where(votes.c.lane == lane)
            count = connection.execute(query).scalar_one()
            return None if count is None else _votes(connection, lane, count)[-1]

        return await self._read(work)

    async def accuse(self, found: Evidence) -> None:
        """Keep the first thing that a signer did wrong on a lane. Raises Fenced."""
        row = {
            "lane": found.lane,
            "signer": found.signer,
            "count": found.count,
            "kind": found.kind,
            "detail": found.detail,
            "at": found.at,
        }
        query = self._database.insert_new(evidence)
        await self._carry(found.lane, lambda connection: connection.execute(query, row) and None)

    async def accused(self, lane: bytes) -> tuple[Evidence, ...]:
        """What signers of a lane did wrong."""
        query = select(evidence).where(evidence.c.lane == lane).order_by(evidence.c.at)
        return await self._read(
            lambda connection: tuple(Evidence(**row) for row in connection.execute(query).mappings())
        )


def _row(height: int, message: Message) -> dict[str, object]:
    return {
        "lane": message.lane.id,
        "index": message.index,
        "id": message.id,
        "height": height,
        "sender": message.sender,
        "recipient": message.recipient,
        "gas": message.gas,
        "payload": message.payload,
    }


def _message(row: RowMapping, lane: Lane) -> Message:
    return Message(lane, row["index"], row["sender"], row["recipient"], row["gas"], row["payload"])


def _push(row: RowMapping) -> Push:
    claims = forms.load_claims(row["claims"])
    tx = SignedTx(row["chain"], row["txid"], row["raw"], claims, row["price"], row["fee"])
    final = None if row["final"] is None else forms.load_tx_state(row["final"])
    return Push(row["number"], row["lane"], row["first"], row["end"], tx, row["since"], row["signed_at"], final)


def _votes(connection: Connection, lane: bytes, count: int) -> list[Vote]:
    """What was signed for a count, by set."""
    query = select(votes).where(votes.c.lane == lane, votes.c.count == count).order_by(votes.c.set)
    return [
        Vote(row["count"], row["set"], row["root"], row["height"], row["block"], row["signature"])
        for row in connection.execute(query).mappings()
    ]


def _put_spans(connection: Connection, name: str, spans: Spans) -> None:
    stored = forms.dump_spans(tuple(spans))
    if connection.execute(update(progress).where(progress.c.name == name).values(spans=stored)).rowcount == 0:
        connection.execute(insert(progress).values(name=name, spans=stored))
