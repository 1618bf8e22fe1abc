"""Proofs that a transaction is in a block, for a contract that knows the block's header.

Pure: what a node gives goes in as bytes. Hashes are in the order in which they are hashed; a txid as text is
reversed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.bitcoin.blocks import HEADER_BYTES
from chains.bitcoin.encoding import OUTPOINT_BYTES, double_sha256, var_bytes
from chains.bitcoin.transaction import Reader
from chains.errors import StrikelockError

AMBIGUOUS_BYTES: Final = 64  # of a transaction that may be an inner node of a Merkle tree as well (CVE-2017-12842)
_WITNESS: Final = 1  # flag of a transaction (BIP144)


@dataclass(eq=False)
class NotProvable(StrikelockError):
    """There is no proof of what was asked for."""

    txid: str
    reason: str
    template = "{txid} can't be proved: {reason}"


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a transaction is in a block: the contract's struct of the same name, and the transaction.

    transaction, coinbase: without witnesses. headers: the block's, then those after it up to one that the contract
    knows. path, coinbase_path: siblings from the leaf to the root.
    """

    transaction: bytes
    headers: bytes
    index: int
    path: tuple[bytes, ...]
    coinbase: bytes
    coinbase_path: tuple[bytes, ...]

    @property
    def txid(self) -> bytes:
        return double_sha256(self.transaction)


def prove(block: bytes, txid: str, later: bytes = b"") -> Inclusion:
    """The proof of a transaction of a raw block. later: headers after it. Raises NotProvable; ValueError where
    the bytes are no block."""
    wanted = bytes.fromhex(txid)[::-1]
    stripped = transactions_of(block)
    txids = [double_sha256(raw) for raw in stripped]
    if wanted not in txids:
        raise NotProvable(txid, "it is not in this block")
    index = txids.index(wanted)
    if AMBIGUOUS_BYTES in (len(stripped[index]), len(stripped[0])):
        raise NotProvable(txid, "a transaction of 64 bytes is no proof of anything")
    return Inclusion(
        transaction=stripped[index],
        headers=block[:HEADER_BYTES] + later,
        index=index,
        path=merkle_path(txids, index),
        coinbase=stripped[0],
        coinbase_path=merkle_path(txids, 0),
    )


def transactions_of(block: bytes) -> list[bytes]:
    """A raw block's transactions without their witnesses, as they are hashed to their txids. Raises ValueError."""
    reader = Reader(block)
    reader.take(HEADER_BYTES)
    found = [_stripped(reader) for _ in range(reader.count())]
    if reader.position != len(block):
        raise ValueError("the block goes on after its transactions")
    return found


def strip(raw: bytes) -> bytes:
    """A transaction without its witnesses. Raises ValueError if it is none."""
    reader = Reader(raw)
    stripped = _stripped(reader)
    if reader.position != len(raw):
        raise ValueError("the transaction goes on after its end")
    return stripped


def _stripped(reader: Reader) -> bytes:
    version = reader.take(4)
    flag = 0
    if reader.data[reader.position : reader.position + 1] == b"\0":
        reader.take(1)
        flag = reader.number(1)
        if flag != _WITNESS:
            raise ValueError(f"a transaction with unknown parts ({flag:#x})")
    body = reader.position
    inputs = reader.count()
    for _ in range(inputs):
        reader.take(OUTPOINT_BYTES)
        reader.take(reader.count())
        reader.take(4)
    for _ in range(reader.count()):
        reader.take(8)
        reader.take(reader.count())
    middle = reader.data[body : reader.position]
    if flag:
        for _ in range(inputs):
            for _ in range(reader.count()):
                reader.take(reader.count())
    return version + middle + reader.take(4)


def merkle_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings of leaf `index`, from below. An odd level's last node is its own sibling."""
    path = []
    level = list(leaves)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        path.append(level[index ^ 1])
        level = [double_sha256(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
        index //= 2
    return tuple(path)


def merkle_root(leaf: bytes, index: int, path: Sequence[bytes]) -> bytes:
    """The root that a path leads to."""
    for other in path:
        leaf = double_sha256(other + leaf if index % 2 else leaf + other)
        index //= 2
    return leaf


def output_script(program: bytes) -> bytes:
    """The script of a P2WSH output with this witness program, the SHA-256 of its script (BIP141)."""
    return b"\x00" + var_bytes(program)
