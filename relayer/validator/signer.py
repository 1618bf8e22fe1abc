"""Signs checkpoints of one lane: only what is final, what several nodes agree on, and what fits its own tree.

Never two roots for one count. The table of votes makes that impossible in one database; one that was restored from
a backup does not know what it signed, so it signs nothing at or below a floor that an operator gives.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import coincurve
import structlog

from chains.errors import ChainError, StrikelockError
from chains.evm.codec import public_address
from chains.evm.messaging.message import Lane
from chains.evm.messaging.quorum import Checkpoint, sign
from chains.evm.messaging.tree import CHUNK
from relayer.errors import LogsContradict, NotYet, SafetyHalt
from relayer.messages.log import LaneLog
from relayer.messages.signatures import Claim, document, file_name
from relayer.validator.agreement import Agreed, Endpoints
from settlement.spans import Spans
from settlement.store.messages import MessageBook, Vote

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.05  # between two looks at the chain that questions may cause
HOLD_SECONDS: Final = 0.25  # that a question is held for a block that we have not seen yet
QUESTIONS: Final = 64  # held at once; others are answered with what is known
FLOOR: Final = "floor:"  # and the lane's name: spans of counts that are never signed


class LaneSigner:
    """One lane, and our key for it."""

    def __init__(
        self,
        name: str,
        lane: Lane,
        number: int,
        endpoints: Endpoints,
        book: MessageBook,
        key: coincurve.PrivateKey,
        folder: Path,
        since: int,
    ) -> None:
        self.name = name
        self.lane = lane
        self.number = number
        self.address = public_address(key.public_key)
        self.seen = 0
        self._endpoints = endpoints
        self._book = book
        self._key = key
        self._folder = folder
        self._log = LaneLog(name, book, since)
        self._at: Agreed | None = None
        self._newest: Vote | None = None  # for the highest count
        self._floor = Spans()  # counts that are never signed
        self._turn = asyncio.Lock()  # one step or signature at a time
        self._stepped = 0.0  # monotonic seconds
        self._held = 0  # questions
        self._looked = asyncio.Event()  # set, and replaced, after a step

    async def open(self) -> None:
        """Take up what is stored. Raises SafetyHalt where this lane was halted."""
        await self._book.open_lane(self.lane, self.name)
        note = (await self._book.notes())[self.lane.id]
        if note.halted is not None:
            raise SafetyHalt(f"lane {self.name}: {note.halted}")
        await self._log.open(self.lane.id)
        self._floor = await self._book.spans(FLOOR + self.name)
        self._endpoints.listen()
        self._newest = await self._book.last_vote(self.lane.id)
        if self._newest is not None:
            self._leave(_claim(self._newest))  # we may have died after storing it, before anybody saw it

    @property
    def announcement(self) -> asyncio.Event:
        """Set once a node announces a block. Take it before a step, so that none comes unnoticed after it."""
        return self._endpoints.announcement

    async def step(self) -> None:
        """Follow the chain, and sign what is new in final blocks. Raises SafetyHalt where a block that we signed
        for is gone, NoAgreement, LogsContradict, ChainUnavailable."""
        async with self._turn:
            self._stepped = time.monotonic()
            try:
                await self._step()
            finally:
                self._looked.set()
                self._looked = asyncio.Event()
        await self._log.flush()  # whoever waits for the signature has it already

    async def _step(self) -> None:
        agreed = await self._endpoints.agree()
        await self._check_past(agreed)
        await self._follow(agreed)
        self._at, self.seen = agreed, agreed.count
        signed = self._newest.count if self._newest else 0
        for count in range((signed // CHUNK + 1) * CHUNK, agreed.count, CHUNK):
            await self._sign(agreed, count)  # everybody signs these: a folder of signatures has a quorum of them
        if agreed.count > signed:
            await self._sign(agreed, agreed.count)

    async def vote(self, number: int, count: int) -> Claim:
        """Our signature for a count, made now if it can be. Raises NotYet, AlreadyVoted; see also `step`."""
        if number != self.number:
            raise NotYet(self.name, count, 0)
        if count > self.seen and self._held < QUESTIONS:
            self._held += 1
            try:
                await self._wait_for(count)
            finally:
                self._held -= 1
        known, newest = self._newest_for(count), self._newest
        if known is None and newest is not None and count <= newest.count:
            known = await self._book.voted(self.lane.id, count, number)
        return _claim(known) if known is not None else await self._sign_now(count)

    async def _sign_now(self, count: int) -> Claim:
        async with self._turn:  # a step that is under way may sign it meanwhile
            if (known := self._newest_for(count)) is not None:
                return _claim(known)
            if self._at is None or not 0 < count <= self._at.count:
                raise NotYet(self.name, count, self.seen)
            return await self._sign(self._at, count)

    def _newest_for(self, count: int) -> Vote | None:
        newest = self._newest
        return newest if newest is not None and (newest.count, newest.set) == (count, self.number) else None

    async def _wait_for(self, count: int) -> None:
        """See so many messages, if that is a matter of moments: whoever asks may have seen a block before us."""
        deadline = time.monotonic() + HOLD_SECONDS
        while count > self.seen and (now := time.monotonic()) < deadline:
            if now >= self._stepped + LOOK_SECONDS and not self._turn.locked():
                await self.step()
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._looked.wait(), LOOK_SECONDS)

    # --- inside

    async def _check_past(self, agreed: Agreed) -> None:
        """A block that we signed for is still there, or we stop for good: what we said is final was not."""
        last = self._newest
        if last is None or last.height > agreed.block.height:
            return
        there = await self._endpoints.block(last.height)
        if there.hash != last.block:
            reason = f"block {last.height} was {last.block} when we signed for it, and is {there.hash}"
            await self._book.halt(self.lane.id, reason)
            raise SafetyHalt(f"lane {self.name}: {reason}")

    async def _follow(self, agreed: Agreed) -> None:
        """Our own tree over the events, which must be the outbox's. Another endpoint is asked where one's events
        do not fit."""
        failure: StrikelockError | None = None
        for outbox in agreed.by:
            try:
                await self._log.advance(outbox, agreed.block, agreed.count, agreed.root, lambda _: None)
            except (LogsContradict, ChainError) as error:
                log.warning("events do not fit", lane=self.name, reason=str(error))
                failure = error
            else:
                return
        if failure is not None:
            raise failure

    async def _sign(self, agreed: Agreed, count: int) -> Claim:
        """Sign, store, then show."""
        if count in self._floor:
            raise NotYet(self.name, count, self.seen)
        root = await self._log.root(self.lane.id, count)
        digest = Checkpoint(self.number, self.lane, count, root).digest
        vote = Vote(count, self.number, root, agreed.block.height, agreed.block.hash, sign(digest, self._key))
        stored = await self._book.vote(self.lane.id, vote)
        if self._newest is None or count >= self._newest.count:
            self._newest = stored
        claim = _claim(stored)
        self._leave(claim)
        log.info("signed", lane=self.name, count=count, root="0x" + root.hex())
        return claim

    def _leave(self, claim: Claim) -> None:
        """Put a signature into the folder, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / file_name(self.lane, claim.count, self.address)
        draft = path.with_suffix(".part")
        draft.write_bytes(document(claim))
        draft.replace(path)


def _claim(vote: Vote) -> Claim:
    return Claim(vote.set, vote.count, vote.root, vote.signature)
