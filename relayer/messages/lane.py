"""One lane, from its log to what is delivered for good. Every step looks first, and may be repeated.

What stands where is derived each time: final, from the source's depth; attested, from a quorum's checkpoint;
delivered, from the inbox's bits; settled, from those bits in a final block. Stored is only what spares a look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from chains.evm.messaging import calls
from chains.evm.messaging.errors import TooFewSignatures
from chains.evm.messaging.message import HEAD_BYTES, Lane, Message
from chains.evm.messaging.quorum import Checkpoint, SignerSet
from chains.port import TxState
from htlc.errors import Fenced
from htlc.ports import Clock
from relayer.errors import Undeliverable
from relayer.messages.ends import GROUP, Block, Inbox, Outbox
from relayer.messages.governor import DAY, judge, terms_of, value_of
from relayer.messages.log import LaneLog
from relayer.messages.pusher import Pusher
from relayer.messages.signatures import Asked, Signatures
from relayer.messages.waiting import together
from relayer.settings import LaneSettings, RelaySettings
from settlement.spans import Spans
from settlement.store.messages import LaneNote, MessageBook, Proved, Push

log = structlog.get_logger(__name__)

MESSAGE_GAS: Final = 9_000  # that a delivery costs besides what its recipient uses
BATCH_GAS: Final = 120_000  # that a batch costs besides its messages: signatures, proof, the transaction
RESERVE_GAS: Final = 60_000  # that the inbox wants to have left when it calls a recipient
MOST: Final = 1500  # messages in a batch
LEAST_GAS: Final = 2_000  # that a recipient is counted with
LEARN_ABOVE: Final = 5, 4  # the next batch counts with so much more than the last one used
GROUPS: Final = 16  # words of bits looked at in one step for settling
QUARANTINE: Final = 365 * DAY

Watch = Callable[[bytes], int | None]  # terms of a leg -> deadline of its deal, if it is watched


@dataclass(slots=True)
class LaneState:
    """What a look at the lane showed, for queries and health. Counts of messages."""

    final: int = 0
    attested: int = 0
    settled: Spans = field(default_factory=Spans)  # delivered in final blocks
    seen: Spans = field(default_factory=Spans)  # delivered in any block of ours to see
    held: dict[int, tuple[int, str]] = field(default_factory=dict)
    urgent: dict[int, int] = field(default_factory=dict)  # deadline by index
    trouble: str | None = None


class LaneRunner:
    """Carries one lane's messages."""

    def __init__(
        self,
        name: str,
        lane: Lane,
        settings: LaneSettings,
        relay: RelaySettings,
        book: MessageBook,
        outbox: Outbox,
        inbox: Inbox,
        pusher: Pusher,
        clock: Clock,
        watch: Watch,
    ) -> None:
        self.name = name
        self.lane = lane
        self.id = lane.id
        self.source, self.destination = settings.source, settings.destination
        self.state = LaneState()
        self._settings = settings
        self._relay = relay
        self._book = book
        self._outbox = outbox
        self._inbox = inbox
        self._pusher = pusher
        self._clock = clock
        self._watch = watch
        self._log = LaneLog(name, book, settings.since)
        self._signatures = Signatures(name, lane, book, settings.validators, settings.signatures)
        self._signers: SignerSet | None = None
        self._proved: Proved | None = None  # by the newest checkpoint
        self._unstored: Proved | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._glanced: frozenset[int] = frozenset()  # groups that were looked at since the last delivery
        self.unsigned = False  # the last look found too few signatures: they may come any moment
        self._used: dict[str, int] = {}  # gas that a recipient used for a message, at most, of late
        self._recipients: dict[int, frozenset[str]] = {}  # of deliveries of this process, by number
        self._brought: dict[bytes, bool] = {}  # the root that we brought last: whether the inbox accepted it
        self._settled_at = ("", 0)  # the final block, and how many were delivered, when that was looked at
        self._settling = f"settled:{name}"

    async def open(self) -> None:
        """Check both ends and take up what is stored. Raises BadLane, ChainUnavailable."""
        await self._inbox.paused()
        await self._book.open_lane(self.lane, self.name)
        await self._log.open(self.lane.id)
        self.state.settled = await self._book.spans(self._settling)
        self.state.seen = Spans(self.state.settled)
        self.state.held = await self._book.held_back(self.lane.id)
        self._believe(await self._book.proved(self.lane.id))
        if self._settings.herald:
            first = next(self.state.settled.gaps(0, self._log.tree.count), (self._log.tree.count, 0))[0]
            self._notice(await self._book.sent_by(self.lane, self._settings.herald, first))

    async def take_up(self) -> None:
        """Go on where another process stopped. What we found out before and did not store was its to find out.
        Raises as `open` does."""
        if self._keeping is not None:
            await asyncio.gather(self._keeping, return_exceptions=True)
        self._keeping = self._unstored = None
        self._glanced, self._brought, self._settled_at = frozenset(), {}, ("", 0)
        await self.open()

    async def close(self) -> None:
        await self._signatures.close()
        with suppress(Fenced):  # whoever holds it now finds out what we did not store
            await self.kept()

    @property
    def head(self) -> str:
        """The hash of the source's best block at the last look."""
        return self._outbox.head

    @property
    def stored(self) -> int:
        """How many messages are stored."""
        return self._log.tree.count

    # --- one step

    async def step(self) -> bool:
        """Do what can be done now; whether there is more of it. Raises LogsContradict, ChainError, LaneError."""
        try:
            more = await self.advance()
        finally:
            await self.kept()
        await self.settle()
        return more

    async def advance(self) -> bool:
        """Deliver what can be delivered now; whether there is more of it. Raises as `step` does.

        What takes time is done at once: validators are asked while the events are still read. What is stored to
        spare a look is stored in the end: only the delivery itself must be on disk before it is sent."""
        looking = asyncio.ensure_future(self._book.notes())
        try:
            final = await self._outbox.final()
            count, root = await self._outbox.checkpoint(final)
            asked = await self._ask(count)
            await self._read(final, count, root)
            return self._may_go_on((await looking)[self.lane.id]) and await self._bring(count, asked)
        finally:
            await asyncio.wait({looking})
            self._keep_beside()

    async def _ask(self, count: int) -> Asked | None:
        """Ask for signatures, where we have none for so many messages."""
        if count <= self.state.attested:
            return None
        return self._signatures.ask((await self._set_in_force()).number, count)

    def _may_go_on(self, note: LaneNote) -> bool:
        self.state.trouble, self.unsigned = None, False
        if note.halted or note.paused:
            self.state.trouble = f"halted: {note.halted}" if note.halted else "paused"
        return self.state.trouble is None

    async def _bring(self, count: int, asked: Asked | None) -> bool:
        """Attest and deliver; whether there is more of it."""
        await together(self._attest(asked), self._glance(count))
        return await self._deliver()

    def _keep_beside(self) -> None:
        """Have stored what a step found out, while the next one goes on: a disk that is slow holds up nothing that
        could be found out again."""
        if self._keeping is not None:
            if not self._keeping.done():
                return  # the next step's turn
            keeping, self._keeping = self._keeping, None
            keeping.result()
        self._keeping = asyncio.create_task(self._keep())

    async def kept(self) -> None:
        """Return when all that was found out is stored."""
        if self._keeping is not None:
            await self._keeping
        self._keeping = None
        await self._keep()

    async def _keep(self) -> None:
        await self._log.flush()
        if (proved := self._unstored) is not None:
            await self._book.prove(self.lane.id, proved)
            self._unstored = None if self._unstored is proved else self._unstored

    async def learn(self) -> None:
        """Follow the source to its newest final block, unless another process does so."""
        if not self._book.carries(self.id):
            return
        final = await self._outbox.final()
        await self._read(final, *(await self._outbox.checkpoint(final)))
        await self._log.flush()

    async def _read(self, final: Block, count: int, root: bytes) -> None:
        await self._log.advance(self._outbox, final, count, root, self._notice)
        self.state.final = self._log.tree.count

    def _notice(self, fresh: Iterable[Message]) -> None:
        """Messages about a leg of a deal that somebody waits for go first."""
        for message in fresh:
            terms = terms_of(message, self._settings.herald)
            if terms is not None and (deadline := self._watch(terms)) is not None:
                self.state.urgent[message.index] = deadline

    # --- attested

    async def _attest(self, asked: Asked | None = None) -> None:
        """Get a quorum's signatures for all that is final."""
        count = self._log.tree.count
        if count <= self.state.attested:
            return
        signers = await self._set_in_force()
        root = self._log.tree.root()
        try:
            signatures = await self._signatures.gather(signers, count, root, asked)
        except TooFewSignatures as error:
            self.state.trouble = str(error)
            self.unsigned = True
            return
        self._unstored = Proved(count, signers.number, root, signatures)
        self._believe(self._unstored)

    def _believe(self, proved: Proved | None) -> None:
        self._proved = proved
        self.state.attested = proved.count if proved else 0

    async def _set_in_force(self) -> SignerSet:
        if self._signers is None:
            self._signers = await self._inbox.signers(self._settings.regtest)
        return self._signers

    # --- delivered and settled

    async def settle(self) -> None:
        """Read off the inbox's final bits what is delivered for good."""
        block = await self._final_there()
        if block is None or (block.hash, self.state.seen.size) == self._settled_at:
            return
        waiting = [span for span in self.state.seen if not self._all_settled(span)]
        groups = sorted({n for low, high in waiting for n in range(low // GROUP, (high - 1) // GROUP + 1)})
        found = Spans()
        for group, bits in (await self._inbox.delivered(groups[:GROUPS], block)).items():
            _add_bits(found, group, bits)
        if len(groups) <= GROUPS:
            self._settled_at = (block.hash, self.state.seen.size)
        before = self.state.settled.size
        for low, high in found:
            self.state.settled.add(low, high)
        if self.state.settled.size > before:
            await self._book.put_progress(self.id, self._settling, self.state.settled)
            self._forget_done()

    def _all_settled(self, span: tuple[int, int]) -> bool:
        return next(self.state.settled.gaps(*span), None) is None

    def _forget_done(self) -> None:
        self.state.urgent = {i: by for i, by in self.state.urgent.items() if i not in self.state.settled}

    async def _final_there(self) -> Block | None:
        """The newest final block of the destination, as of the last look."""
        chain = self._pusher.chain
        tip = chain.tip
        if tip is None:
            return None
        there = Outbox(chain.client, self.lane, chain.timing.depth, 1)
        return await there.block(max(0, tip.height - chain.timing.depth + 1))

    async def look_at(self, groups: Iterable[int]) -> None:
        """Renew what is delivered in some groups, as of the best block."""
        for group, bits in (await self._inbox.delivered(sorted(set(groups)))).items():
            self.state.seen.remove(group * GROUP, (group + 1) * GROUP)
            _add_bits(self.state.seen, group, bits)
        for low, high in self.state.settled:
            self.state.seen.add(low, high)

    # --- delivering

    async def _deliver(self) -> bool:
        """Send the next batches; whether there is more than could be sent now."""
        await self._pusher.catch_up()  # what an earlier process sent is not sent again
        glanced, self._glanced = self._glanced, frozenset()
        while (proved := self._proved) is not None:
            span = await self._next(proved.count, glanced)
            if span is None:
                return False
            if self._pusher.full(self._relay.flights):
                return True
            if not await self._send(proved, *span):
                return False
            glanced = frozenset()
        return False

    async def _glance(self, count: int) -> None:
        """Ask ahead about what will be delivered next."""
        if count > self.state.attested and (span := self._candidate(count)) is not None:
            groups = self._groups(span)
            await self.look_at(groups)
            self._glanced = frozenset(groups)

    def _groups(self, span: tuple[int, int]) -> range:
        return range(span[0] // GROUP, (span[1] - 1) // GROUP + 1)

    async def _next(self, count: int, glanced: frozenset[int]) -> tuple[int, int] | None:
        """The next span to deliver: what has the nearest deadline, else the oldest. The inbox is asked first, for
        somebody else may have been there."""
        for _ in range(count // GROUP + 2):
            span = self._candidate(count)
            if span is None:
                return None
            groups = self._groups(span)
            if glanced.issuperset(groups):
                return span
            before = self.state.seen.size
            await self.look_at(groups)
            if self.state.seen.size == before:
                return span
        return None

    def _candidate(self, count: int) -> tuple[int, int] | None:
        taken = Spans(self.state.seen)
        for push in self._pusher.waiting:
            if push.lane == self.lane.id:
                taken.add(push.first, push.end)
        now = int(self._clock.now())
        for index, (until, _) in self.state.held.items():
            if until > now:
                taken.add(index, index + 1)
        for index in sorted(self.state.urgent, key=self.state.urgent.__getitem__):
            if index < count and index not in taken:
                return index, index + 1
        first = next(taken.gaps(0, count), None)
        return None if first is None else (first[0], min(first[1], first[0] + MOST))

    async def _send(self, proved: Proved, first: int, end: int) -> bool:
        """Deliver as much of a span as one transaction takes; whether anything was done."""
        batch, gas = await self._batch(await self._log.messages(self.lane, first, end))
        if not batch:
            return True  # the first is held back now: there may be others
        data = await self._call(proved, batch)
        try:
            await self._pusher.simulate(self.name, self.lane.inbox, data, gas)
        except Undeliverable as error:
            return await self._refused(proved, batch, error)
        first, end = batch[0].index, batch[-1].index + 1
        push = await self._pusher.push(self.lane.id, first, end, self.lane.inbox, data, gas)
        self._recipients[push.number] = frozenset(message.recipient for message in batch)
        log.info("delivering", lane=self.name, first=push.first, end=push.end, txid=push.tx.txid)
        return True

    async def _call(self, proved: Proved, batch: Sequence[Message]) -> bytes:
        first, end = batch[0].index, batch[-1].index + 1
        proof = await self._log.prove(self.lane.id, first, end, proved.count)
        known = await self._is_accepted(proved)
        signers = None if known else await self._set_in_force()
        checkpoint = Checkpoint(proved.set, self.lane, proved.count, proved.root)
        return calls.deliver(checkpoint, signers, b"" if known else proved.signatures, batch, proof)

    async def _is_accepted(self, proved: Proved) -> bool:
        """Whether the inbox knows a checkpoint. It is asked only where we brought it: an answer costs a call, and
        signatures that are not needed cost ten thousand gas, once."""
        if proved.root not in self._brought:
            self._brought = {proved.root: False}
        elif not self._brought[proved.root]:
            self._brought[proved.root] = await self._inbox.accepted(proved.root) == proved.count
        return self._brought[proved.root]

    async def _batch(self, found: Sequence[Message]) -> tuple[list[Message], int]:
        """Messages from the first on that fit into one delivery and that the governor lets out, and their gas."""
        batch: list[Message] = []
        gas, size, dearest = BATCH_GAS, 0, 0
        for message in found:
            likely = self._used.get(message.recipient, message.gas)
            needed = gas + MESSAGE_GAS + min(likely, message.gas) + 40 * len(message.payload)
            dearest = max(dearest, message.gas)
            size += HEAD_BYTES + len(message.payload)
            if needed + dearest + RESERVE_GAS > self._relay.gas or size > self._relay.bytes:
                break
            if not await self._released(message):
                break
            batch.append(message)
            gas = needed
        if not batch and found and found[0].index not in self.state.held:
            await self._hold(found[0].index, QUARANTINE, "it does not fit into a delivery")
        return batch, gas + dearest + RESERVE_GAS

    async def _released(self, message: Message) -> bool:
        """Whether the governor lets a message out; it is noted either way."""
        value = value_of(message, self._settings.herald)
        if value is None or value.asset not in self._relay.limits:
            return True
        now = int(self._clock.now())
        waits = self.state.held.get(message.index)
        if waits is None:
            spent = await self._book.outflow(value.asset, now - DAY)
            held = judge(value, self._relay.limits, spent, now)
            if held is not None:
                await self._hold(message.index, held.until - now, held.reason)
                return False
        await self._book.let_out(self.lane.id, [(message.index, value.asset, value.amount)], now)
        self.state.held.pop(message.index, None)
        return True

    async def _hold(self, index: int, seconds: int, reason: str) -> None:
        log.warning("message held back", lane=self.name, index=index, seconds=seconds, reason=reason)
        until = int(self._clock.now()) + seconds
        await self._book.hold_back(self.lane.id, index, until, reason)
        self.state.held[index] = (until, reason)

    async def _refused(self, proved: Proved, batch: Sequence[Message], error: Undeliverable) -> bool:
        """What to make of a delivery that would fail: new signatures, a smaller batch, or wait."""
        match error.error:
            case "NotInForce" | "NotTheMembers" | "NotEnough" | "BadSignature":
                self._signers = None  # the set was replaced
                await self.kept()
                await self._book.unprove(self.lane.id, proved.count)
                self._unstored = None
                self._believe(await self._book.proved(self.lane.id))
                self.state.trouble = str(error)
                return False
            case _ if len(batch) > 1:  # more gas than was learned: count with what the messages say
                for message in batch:
                    self._used.pop(message.recipient, None)
                self.state.trouble = str(error)
                return True
            case _:
                self.state.trouble = str(error)
                return False

    def learned(self, push: Push, state: TxState) -> None:
        """A delivery was mined: what its recipients used is what the next batch counts with."""
        recipients = self._recipients.pop(push.number, frozenset())
        if not state.succeeded or push.end <= push.first:
            return
        each = max(0, state.size - BATCH_GAS // 2) // (push.end - push.first) - MESSAGE_GAS
        for recipient in recipients:
            self._used[recipient] = max(LEAST_GAS, each * LEARN_ABOVE[0] // LEARN_ABOVE[1])

    # --- looking

    async def look(self) -> None:
        """See what is final, attested and delivered now, and deliver nothing."""
        await self.learn()
        self._believe(await self._book.proved(self.lane.id))
        self.state.held = await self._book.held_back(self.lane.id)
        gaps = self.state.settled.gaps(0, self.state.final)
        await self.look_at({n for low, high in gaps for n in range(low // GROUP, (high - 1) // GROUP + 1)})

    def counts(self) -> dict[str, int]:
        """How many messages are where."""
        state = self.state
        return {
            "final": state.final,
            "attested": state.attested,
            "delivered": state.seen.size,
            "settled": state.settled.size,
            "held back": len(state.held),
            "pending": state.final - state.seen.size,
        }

    def document(self, note: LaneNote) -> dict[str, Any]:
        """The lane for people and programs."""
        return {
            "id": "0x" + self.lane.id.hex(),
            "from": f"{self.source} {self.lane.outbox}",
            "to": f"{self.destination} {self.lane.inbox}",
            "paused": note.paused,
            "halted": note.halted,
            "trouble": self.state.trouble,
        }

    async def where(self, id_: bytes) -> dict[str, Any] | None:
        """Where one of this lane's messages is."""
        found = await self._book.find(id_)
        if found is None or found[0] != self.lane.id:
            return None
        _, index, height = found
        await self.look()
        flying = [push for push in await self._book.flying() if push.lane == self.lane.id]
        carried = next((push.tx.txid for push in flying if push.first <= index < push.end), None)
        message = (await self._book.messages(self.lane, index, index + 1))[0]
        held = self.state.held.get(index)
        return {
            "id": "0x" + id_.hex(),
            "lane": self.name,
            "index": index,
            "sender": message.sender,
            "recipient": message.recipient,
            "payload": "0x" + message.payload.hex(),
            "state": await self._state_of(id_, index, carried),
            "height": height,
            "transaction": carried,
            "held back": held[1] if held else None,
        }

    async def _state_of(self, id_: bytes, index: int, carried: str | None) -> str:
        if index in self.state.seen and await self._inbox.failed(id_):
            return "failed"
        if index in self.state.settled:
            return "settled"
        if index in self.state.seen:
            return "delivered"
        if carried is not None:
            return "submitted"
        return "attested" if index < self.state.attested else "final"

    async def retry(self, id_: bytes) -> str | None:
        """Try one of this lane's messages again that failed; the transaction. Raises Undeliverable."""
        found = await self._book.find(id_)
        if found is None or found[0] != self.lane.id:
            return None
        message = (await self._book.messages(self.lane, found[1], found[1] + 1))[0]
        data = calls.retry(message)
        gas = message.gas + BATCH_GAS + RESERVE_GAS
        await self._pusher.simulate(self.name, self.lane.inbox, data, gas)
        return (await self._pusher.push(b"", 0, 0, self.lane.inbox, data, gas)).tx.txid  # whoever holds the lane


def _add_bits(spans: Spans, group: int, bits: int) -> None:
    """The numbers of a group whose bits are set."""
    at = 0
    while bits >> at:
        low = at + ((bits >> at) & -(bits >> at)).bit_length() - 1
        inverted = ~(bits >> low)
        high = low + (inverted & -inverted).bit_length() - 1
        spans.add(group * GROUP + low, group * GROUP + high)
        at = high
