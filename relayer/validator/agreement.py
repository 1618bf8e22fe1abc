"""What several nodes of one chain agree on about an outbox. A node that lies, lags or is silent is outvoted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from chains.errors import ChainError
from relayer.errors import LaneError, NoAgreement
from relayer.messages.ends import Block, Outbox

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Agreed:
    """A final block, and the lane's messages and root there. by: the endpoints that said so."""

    block: Block
    count: int
    root: bytes
    by: tuple[Outbox, ...]


class Endpoints:
    """An outbox by several nodes, `needed` of which must say the same."""

    def __init__(self, chain: str, outboxes: Sequence[Outbox], needed: int) -> None:
        self.chain = chain
        self._outboxes = tuple(outboxes)
        self._needed = needed
        self._announced = asyncio.Event()  # set, and replaced, when a node announces a block

    def listen(self) -> None:
        """Take note of blocks as nodes announce them: those at WebSocket addresses do."""
        for outbox in self._outboxes:
            outbox.client.on_block(self._announce)

    @property
    def announcement(self) -> asyncio.Event:
        """Set once a node announces a block. Take it before a look, so that none comes unnoticed after it."""
        return self._announced

    def _announce(self) -> None:
        self._announced.set()
        self._announced = asyncio.Event()

    async def agree(self) -> Agreed:
        """The newest final block that enough endpoints have reached, and what they agree stands there. Raises
        NoAgreement."""
        heights = await self._all("final", lambda outbox: outbox.final())
        known = sorted((block.height for block in heights.values()), reverse=True)
        if len(known) < self._needed:
            raise NoAgreement(self.chain, self._needed, (f"{len(known)} of {len(self._outboxes)} answer",))
        height = known[self._needed - 1]
        said = await self._all("checkpoint", lambda outbox: _look(outbox, height))
        return self._vote({name: (block, count, root) for name, (block, count, root) in said.items()})

    async def block(self, height: int) -> Block:
        """The block at a height that enough endpoints agree on. Raises NoAgreement."""
        said = await self._all("block", lambda outbox: outbox.block(height))
        votes = Counter(said.values())
        for block, number in votes.most_common(1):
            if number >= self._needed:
                return block
        raise NoAgreement(self.chain, self._needed, tuple(f"block {height}: {block.hash}" for block in votes))

    def _vote(self, said: dict[int, tuple[Block, int, bytes]]) -> Agreed:
        votes = Counter(said.values())
        for answer, number in votes.most_common(1):
            if number >= self._needed:
                by = tuple(self._outboxes[place] for place, found in said.items() if found == answer)
                self._name_others(said, answer)
                return Agreed(*answer, by)
        words = tuple(
            f"block {b.height} {b.hash}: {count} messages, root 0x{root.hex()}" for b, count, root in votes
        )
        raise NoAgreement(self.chain, self._needed, words)

    def _name_others(self, said: dict[int, tuple[Block, int, bytes]], answer: tuple[Block, int, bytes]) -> None:
        for place, found in said.items():
            if found != answer:
                log.warning("an endpoint says something else", chain=self.chain, endpoint=place)

    async def _all(self, what: str, ask: Callable[[Outbox], Awaitable[T]]) -> dict[int, T]:
        """What each endpoint says, by its place; those that fail are left out."""
        answers = await asyncio.gather(*(ask(outbox) for outbox in self._outboxes), return_exceptions=True)
        found: dict[int, T] = {}
        for place, answer in enumerate(answers):
            if isinstance(answer, ChainError | LaneError):
                log.info("endpoint fails", chain=self.chain, endpoint=place, what=what, reason=str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found[place] = answer
        return found


async def _look(outbox: Outbox, height: int) -> tuple[Block, int, bytes]:
    block = await outbox.block(height)
    return block, *(await outbox.checkpoint(block))
