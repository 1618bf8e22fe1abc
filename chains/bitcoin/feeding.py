"""What a light client on another chain lacks: which headers to bring, in which batches, and proofs that it can
check.

Nothing here is trusted: the client judges every header itself. Nothing is kept either; each plan begins with
what the client has now, so that two relayers, a restart or a reorganisation need no words of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chains.bitcoin.headers import EPOCH, Anchor, bits_in, split, time_of
from chains.bitcoin.node import CHUNK, Node
from chains.bitcoin.params import MEDIAN_SPAN
from chains.bitcoin.proofs import Inclusion, NotProvable, prove
from chains.bitcoin.rpc import INVALID_ADDRESS_OR_KEY
from chains.errors import RpcError, StrikelockError

MOST: Final = 500  # headers in a batch: some 1.5 million gas and 40 kB of call data
LOOKED_BACK: Final = 64  # checkpoints asked for at a time; doubled where the fork lies deeper


@dataclass(eq=False)
class NoCommonBlock(StrikelockError):
    """No checkpoint of the light client is on the node's best chain, its anchor neither: they follow different
    chains."""

    tip: str
    template = "the light client's chain, which ends in {tip}, has no block in common with the node's"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A header that a light client has stored. hash: in the order in which it is hashed. work: of the chain up
    to it."""

    hash: bytes
    height: int
    work: int

    @property
    def text(self) -> str:
        """The hash as nodes write it."""
        return self.hash[::-1].hex()


class LightClientView(Protocol):
    """What a plan asks of the light client."""

    async def tip(self) -> Checkpoint: ...

    async def latest(self, count: int) -> list[bytes]:
        """Hashes of the best chain's last checkpoints, latest first; fewer only where they end at the anchor."""
        ...

    async def checkpoint(self, block: bytes) -> Checkpoint | None: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """One call of `submit`. known: how many of the headers, the first ones, the client has already. end: hash of
    the last one, and its height."""

    known: int
    headers: bytes
    end: bytes
    height: int

    @property
    def fresh(self) -> int:
        """Headers that are new to the client."""
        return len(list(split(self.headers))) - self.known


async def plan(
    node: Node, client: LightClientView, most: int = MOST, batches_at_most: int | None = None
) -> list[Batch]:
    """The batches, in order, after which the client's best chain is the node's, or the first of them; none where
    it has as much work already.

    Raises NoCommonBlock, ChainUnavailable, RpcError."""
    tip = await client.tip()
    best = await node.rpc.call("getbestblockhash")
    header = await node.rpc.call("getblockheader", best)
    if int(header["chainwork"], 16) <= tip.work:
        return []
    fork = await _fork(node, client, tip)
    batches: list[Batch] = []
    parent = fork
    while parent < header["height"] and len(batches) != batches_at_most:
        end = min(parent + most, header["height"])
        first = max(0, parent + 1 - MEDIAN_SPAN)
        headers = await read_headers(node, first, end)
        hashes = await node.hashes([end])
        batches.append(Batch(parent + 1 - first, headers, bytes.fromhex(hashes[0])[::-1], end))
        parent = end
    return batches


async def _fork(node: Node, client: LightClientView, tip: Checkpoint) -> int:
    """Height of the client's last checkpoint on the node's best chain."""
    count = LOOKED_BACK
    seen = 0
    while True:
        found = await client.latest(count)
        for block in found[seen:]:
            height = await _on_best_chain(node, block)
            if height is not None:
                return height
        if len(found) < count:
            raise NoCommonBlock(tip.text)
        seen, count = len(found), 2 * count


async def _on_best_chain(node: Node, block: bytes) -> int | None:
    try:
        header = await node.rpc.call("getblockheader", block[::-1].hex())
    except RpcError as error:
        if error.code != INVALID_ADDRESS_OR_KEY:
            raise
        return None  # of a branch that this node never saw
    return int(header["height"]) if header["confirmations"] > 0 else None


async def read_headers(node: Node, first: int, last: int) -> bytes:
    """The best chain's headers from one height to another, both included."""
    found: list[str] = []
    hashes = await node.hashes(range(first, last + 1))
    for start in range(0, len(hashes), CHUNK):
        found += await node.rpc.all([("getblockheader", (one, False)) for one in hashes[start : start + CHUNK]])
    return bytes.fromhex("".join(found))


async def read_anchor(node: Node, height: int) -> Anchor:
    """What a light client is to trust: the best chain's header at this height. Compare its hash with other sources
    before money depends on it. Raises ChainUnavailable, RpcError."""
    begin, at = await node.hashes([height - height % EPOCH, height])
    first, header, told = await node.rpc.all(
        [("getblockheader", (begin, False)), ("getblockheader", (at, False)), ("getblockheader", (at,))]
    )
    return Anchor(
        header=bytes.fromhex(header),
        height=height,
        work=int(told["chainwork"], 16),
        epoch_time=time_of(bytes.fromhex(first)),
        epoch_bits=bits_in(bytes.fromhex(first)),
    )


async def prove_deep(node: Node, client: LightClientView, block: str, txid: str) -> Inclusion:
    """The proof of a transaction in this block of the node's best chain, with headers up to the client's first
    checkpoint from there on.

    Raises NotProvable (where the client does not reach the block yet, too), ChainUnavailable, RpcError."""
    height = await _on_best_chain(node, bytes.fromhex(block)[::-1])
    if height is None:
        raise NotProvable(txid, f"block {block} is not on the best chain")
    end = await _checkpoint_after(node, client, height)
    if end is None:
        raise NotProvable(txid, "the light client has no header from its block on")
    (raw,) = await node.blocks([block])
    later = await read_headers(node, height + 1, end) if end > height else b""
    return prove(raw, txid, later)


async def _checkpoint_after(node: Node, client: LightClientView, height: int) -> int | None:
    """Height of the client's lowest checkpoint from `height` on that the node has on its best chain."""
    lowest: int | None = None
    count, seen = LOOKED_BACK, 0
    while True:
        found: Sequence[bytes] = await client.latest(count)
        for block in found[seen:]:
            at = await _on_best_chain(node, block)
            if at is not None and at < height:
                return lowest
            lowest = at if at is not None else lowest
        if len(found) < count:
            return lowest
        seen, count = len(found), 2 * count
