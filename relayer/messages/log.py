"""The log of a lane: every message in final blocks of its source, stored, and the tree over them.

What a node says is believed only as far as it fits the root that the outbox itself has: events that are missing,
doubled or made up make another tree. Then what no quorum has proved yet is forgotten and looked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import structlog

from chains.evm.messaging.message import Lane, Message
from chains.evm.messaging.tree import CHUNK, Tree
from relayer.errors import LogsContradict
from relayer.messages.ends import Block, Outbox
from settlement.spans import Spans
from settlement.store.messages import MessageBook

log = structlog.get_logger(__name__)

MANY: Final = 2000  # messages that are read at once
UNSAVED: Final = 256  # blocks without messages after which it is stored that they were searched


Notice = Callable[[Sequence[Message]], None]


class LaneLog:
    """One lane's messages. `tree.count` of them were read."""

    def __init__(self, name: str, book: MessageBook, since: int) -> None:
        self.name = name
        self.tree = Tree()
        self._book = book
        self._since = since
        self._lane = b""
        self._searched = f"searched:{name}"
        self._spans = Spans()
        self._unsaved = 0  # blocks
        self._unstored: list[tuple[int, Message]] = []  # with their heights; in the tree already
        self._roots: dict[int, bytes] = {}  # of chunks that they complete
        self._flushing = asyncio.Lock()
        self._latest: tuple[Message, ...] = ()  # of the last piece that was read

    async def open(self, lane: bytes) -> None:
        """Build the tree again from what is stored: one node for each chunk, and the last leaves."""
        self._lane, self.tree = lane, Tree()
        for root in await self._book.chunk_roots(lane):
            self.tree.append_chunk(root)
        for leaf in await self._book.ids(lane, len(self.tree.levels[0])):
            self.tree.append(leaf)
        self._spans = await self._book.spans(self._searched)
        self._unsaved, self._unstored, self._roots, self._latest = 0, [], {}, ()

    async def advance(self, outbox: Outbox, final: Block, count: int, root: bytes, notice: Notice) -> None:
        """Read what came up to a final block, at which the outbox has `count` messages and this root. `notice` is
        given it in pieces; all is stored by the next `flush`. Raises LogsContradict, ChainUnavailable."""
        for low, high in outbox.ranges(list(self._spans.gaps(self._since, final.height + 1))):
            there = count if high == final.height + 1 else await outbox.count_at(high - 1)
            await self._search(outbox, low, high, there, notice)
        await self._compare(outbox, count, root)

    async def flush(self) -> None:
        """Store what was read."""
        async with self._flushing:
            if not self._unstored and self._unsaved < UNSAVED:
                return  # a block without messages is searched again in no time
            stored, roots = list(self._unstored), dict(self._roots)
            await self._book.add(self._lane, stored, roots, self._searched, self._spans)
            del self._unstored[: len(stored)]
            self._roots = {number: node for number, node in self._roots.items() if number not in roots}
            self._unsaved = 0

    async def messages(self, lane: Lane, first: int, end: int) -> tuple[Message, ...]:
        """Messages from `first` to before `end`, of those that were read."""
        start = self._latest[0].index if self._latest else end
        if start <= first and end <= start + len(self._latest):
            return self._latest[first - start : end - start]
        await self.flush()
        return await self._book.messages(lane, first, end)

    async def _search(self, outbox: Outbox, low: int, high: int, count: int | None, notice: Notice) -> None:
        """Read what blocks from `low` to before `high` hold, in pieces of bounded size. count: of all messages at
        their end, where the node knows it."""
        new = 0 if count is None else count - self.tree.count
        if new > MANY and high - low > 1:
            middle = (low + high) // 2
            await self._search(outbox, low, middle, await outbox.count_at(middle - 1), notice)
            await self._search(outbox, middle, high, count, notice)
            return
        if new > MANY:
            async for part in outbox.sent_in(low):
                await self._take(part, low, low, notice)
            found = []
        else:
            found = [] if count is not None and new <= 0 else await outbox.sent(low, high - 1)
        await self._take(found, low, high, notice)

    async def _take(self, found: list[tuple[int, Message]], low: int, high: int, notice: Notice) -> None:
        """Append what is new of a range of blocks, and note that it was searched."""
        fresh = [(height, message) for height, message in found if message.index >= self.tree.count]
        for place, (_, message) in enumerate(fresh, self.tree.count):
            if message.index != place:
                reason = f"message {place} is missing before block {high}"
                await self._again(message.lane.id, reason)
        for _, message in fresh:
            before = len(self.tree.levels[0])
            self.tree.append(message.id)
            if len(self.tree.levels[0]) > before:
                self._roots[before] = self.tree.levels[0][-1]
        self._spans.add(low, high)
        self._unsaved += high - low
        self._unstored += fresh
        if fresh:
            self._latest = tuple(message for _, message in fresh)
            notice(self._latest)
        if len(self._unstored) >= MANY:
            await self.flush()

    async def _compare(self, outbox: Outbox, count: int, root: bytes) -> None:
        if count != self.tree.count:
            await self._again(outbox.lane.id, f"the outbox has {count} messages, its logs show {self.tree.count}")
        if self.tree.root() != root:
            await self._again(outbox.lane.id, f"its logs make another root than it has for {count} messages")

    async def _again(self, lane: bytes, reason: str) -> NoReturn:
        """Forget what no quorum has proved, and say why."""
        proved = await self._book.proved(lane)
        kept = min(proved.count if proved else 0, self.tree.count)
        height = await self._book.height(lane, kept - 1) if kept else self._since
        spans = Spans(self._spans)
        spans.remove(self._since if height is None else height, 2**63)
        async with self._flushing:
            await self._book.forget(lane, kept, self._searched, spans)
            await self.open(lane)
        raise LogsContradict(self.name, reason)

    async def root(self, lane: bytes, count: int) -> bytes:
        """The root when the lane had `count` messages, at most those that are stored."""
        return self.tree.root(count, await self._leaves(lane, self.tree.chunks(0, 0, count)))

    async def prove(self, lane: bytes, first: int, end: int, count: int) -> tuple[bytes, ...]:
        """The proof of messages from `first` to before `end` against the root at `count`."""
        leaves = await self._leaves(lane, self.tree.chunks(first, end, count))
        return self.tree.prove(first, end, count, leaves)

    async def _leaves(self, lane: bytes, chunks: Sequence[int]) -> dict[int, tuple[bytes, ...]]:
        whole = [number for number in chunks if number < self.tree.count // CHUNK]
        if whole:
            await self.flush()
        return {number: await self._book.ids(lane, number) for number in whole}
