"""The Merkle tree of a lane, of any size, in little memory.

Whole subtrees of CHUNK leaves are kept as one hash each; leaves are read from wherever they are stored, a chunk at
a time, when a proof needs them. A million messages take 4,000 hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from Crypto.Hash import keccak

DEPTH: Final = 32
CHUNK_HEIGHT: Final = 8
CHUNK: Final = 1 << CHUNK_HEIGHT  # leaves below one kept hash
EMPTY_LEAF: Final = bytes(32)


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours."""
    return keccak.new(digest_bits=256, data=left + right).digest()


@cache
def empty(height: int) -> bytes:
    """The node at a height above empty leaves alone."""
    return EMPTY_LEAF if height == 0 else node(empty(height - 1), empty(height - 1))


@dataclass(slots=True)
class Tree:
    """The tree of `count` leaves. `levels[h]` are the nodes at height CHUNK_HEIGHT + h above whole chunks;
    `tail[h]` those at height h that stand above leaves after the last whole chunk, and above no others."""

    levels: list[list[bytes]] = field(default_factory=lambda: [[]])
    tail: list[list[bytes]] = field(default_factory=lambda: [[] for _ in range(CHUNK_HEIGHT)])

    @property
    def count(self) -> int:
        """How many leaves there are."""
        return len(self.levels[0]) * CHUNK + len(self.tail[0])

    def append(self, leaf: bytes) -> None:
        """The next leaf."""
        found = leaf
        for level in self.tail:
            level.append(found)
            if len(level) % 2:
                return
            found = node(level[-2], level[-1])
        self.tail = [[] for _ in range(CHUNK_HEIGHT)]
        self.append_chunk(found)

    def append_chunk(self, root: bytes) -> None:
        """CHUNK leaves at once, by the node above them: for a tree that is built again from stored nodes. Only
        between whole chunks."""
        if self.tail[0]:
            raise ValueError("a chunk can be appended to whole chunks only")
        for height in range(DEPTH - CHUNK_HEIGHT):
            if len(self.levels) == height:
                self.levels.append([])
            self.levels[height].append(root)
            if len(self.levels[height]) % 2:
                return
            root = node(*self.levels[height][-2:])

    def chunks(self, first: int, end: int, count: int) -> tuple[int, ...]:
        """The chunks whose leaves `root` and `prove` need for the leaves from `first` to `end` (exclusive) in the
        tree when it had `count`: those that hold the range's ends, and the one that was not whole then."""
        found = set(range(first >> CHUNK_HEIGHT, ((end - 1) >> CHUNK_HEIGHT) + 1)) if end > first else set()
        if count % CHUNK:
            found.add(count >> CHUNK_HEIGHT)
        return tuple(sorted(found))

    def root(self, count: int | None = None, leaves: Mapping[int, Sequence[bytes]] | None = None) -> bytes:
        """The root when the tree had `count` leaves (None: now). leaves: see `prove`."""
        return self._node(DEPTH, 0, self.count if count is None else count, leaves or {})

    def prove(self, first: int, end: int, count: int, leaves: Mapping[int, Sequence[bytes]]) -> tuple[bytes, ...]:
        """The proof of the leaves from `first` to `end` (exclusive) against the root at `count`, as the inbox
        takes it: at each height the node left of the range, then the one right of it, where they are needed and do
        not stand above empty leaves alone. leaves: by number of the chunk, those that `chunks` names, except of
        the last one, which the tree has."""
        if not 0 <= first < end <= count <= self.count:
            raise ValueError(f"there is no range from {first} to {end} in {count} of {self.count} leaves")
        proof = []
        low, high, total = first, end, count
        for height in range(DEPTH):
            if low % 2:
                proof.append(self._node(height, low - 1, count, leaves))
            if high % 2 and high < total:
                proof.append(self._node(height, high, count, leaves))
            low, high, total = low >> 1, (high + 1) >> 1, (total + 1) >> 1
        return tuple(proof)

    def _node(self, height: int, place: int, count: int, leaves: Mapping[int, Sequence[bytes]]) -> bytes:
        """The node at `place` of a height, in the tree of `count` leaves."""
        start = place << height
        if start >= count:
            return empty(height)
        if start + (1 << height) <= count and (kept := self._kept(height, place)) is not None:
            return kept
        if height == 0:
            return leaves[start >> CHUNK_HEIGHT][start % CHUNK]
        left = self._node(height - 1, 2 * place, count, leaves)
        return node(left, self._node(height - 1, 2 * place + 1, count, leaves))

    def _kept(self, height: int, place: int) -> bytes | None:
        """A node above whole subtrees, if it is one of those that are kept."""
        if height >= CHUNK_HEIGHT:
            level = self.levels[height - CHUNK_HEIGHT] if height - CHUNK_HEIGHT < len(self.levels) else []
        else:
            level = self.tail[height]
            place -= len(self.levels[0]) << (CHUNK_HEIGHT - height)
        return level[place] if 0 <= place < len(level) else None


def chunk_root(leaves: Sequence[bytes]) -> bytes:
    """The node above CHUNK leaves."""
    if len(leaves) != CHUNK:
        raise ValueError(f"a chunk has {CHUNK} leaves, not {len(leaves)}")
    return _fold(leaves)[-1][0]


def _fold(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    levels: list[Sequence[bytes]] = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node(below[i], below[i + 1]) for i in range(0, len(below), 2)])
    return levels
