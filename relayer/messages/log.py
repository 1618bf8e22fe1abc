"""The log of a lane: every message in final blocks of its source, stored, and the tree over them.

What a node says is believed only as far as it fits the root that the outbox itself has: events that are missing,
doubled or made up make another tree. Then what no quorum has proved yet is forgotten and looked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

import structlog

from chains.evm.messaging.message import Message
from chains.evm.messaging.tree import CHUNK, Tree
from relayer.errors import LogsContradict
from relayer.messages.ends import Block, Outbox
from settlement.spans import Spans
from settlement.store.messages import MessageBook

log = structlog.get_logger(__name__)

MANY: Final = 2000  # messages that are read at once


class LaneLog:
    """One lane's messages. `tree.count` of them are stored."""

    def __init__(self, name: str, book: MessageBook, since: int) -> None:
        self.name = name
        self.tree = Tree()
        self._book = book
        self._since = since
        self._searched = f"searched:{name}"
        self._spans = Spans()

    async def open(self, lane: bytes) -> None:
        """Build the tree again from what is stored: one node for each chunk, and the last leaves."""
        self.tree = Tree()
        for root in await self._book.chunk_roots(lane):
            self.tree.append_chunk(root)
        for leaf in await self._book.ids(lane, len(self.tree.levels[0])):
            self.tree.append(leaf)
        self._spans = await self._book.spans(self._searched)

    async def advance(self, outbox: Outbox, final: Block) -> list[Message]:
        """Store what came up to a final block; the new messages. Raises LogsContradict, ChainUnavailable."""
        fresh: list[Message] = []
        for low, high in outbox.ranges(list(self._spans.gaps(self._since, final.height + 1))):
            fresh += await self._search(outbox, low, high)
        await self._compare(outbox, *(await outbox.checkpoint(final)))
        return fresh

    async def _search(self, outbox: Outbox, low: int, high: int) -> list[Message]:
        """Store what blocks from `low` to before `high` hold, in pieces of bounded size; what is new."""
        count = await outbox.count_at(high - 1)
        new = 0 if count is None else count - self.tree.count
        if new > MANY and high - low > 1:
            middle = (low + high) // 2
            return [*await self._search(outbox, low, middle), *await self._search(outbox, middle, high)]
        fresh: list[Message] = []
        if new > MANY:
            async for part in outbox.sent_in(low):
                fresh += await self._store(part, low, low)
            return [*fresh, *await self._store([], low, high)]
        found = [] if count is not None and new <= 0 else await outbox.sent(low, high - 1)
        return await self._store(found, low, high)

    async def _store(self, found: list[tuple[int, Message]], low: int, high: int) -> list[Message]:
        """Append what is new of a range of blocks, and note that it was searched."""
        fresh = [(height, message) for height, message in found if message.index >= self.tree.count]
        roots: dict[int, bytes] = {}
        for place, (_, message) in enumerate(fresh, self.tree.count):
            if message.index != place:
                reason = f"message {place} is missing before block {high}"
                await self._again(message.lane.id, reason)
        for _, message in fresh:
            before = len(self.tree.levels[0])
            self.tree.append(message.id)
            if len(self.tree.levels[0]) > before:
                roots[before] = self.tree.levels[0][-1]
        self._spans.add(low, high)
        await self._book.add(fresh, roots, self._searched, self._spans)
        return [message for _, message in fresh]

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
        return {n: await self._book.ids(lane, n) for n in chunks if n < self.tree.count // CHUNK}
