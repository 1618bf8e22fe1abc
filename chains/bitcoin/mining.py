"""Headers and blocks made at will, at difficulties that a few hashes meet: for measurements and tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Final

from chains.bitcoin.encoding import compact_size, double_sha256, var_bytes
from chains.bitcoin.headers import target_of
from chains.bitcoin.transaction import TxOut

VERSION: Final = 0x20000000
_SEQUENCE: Final = b"\xff\xff\xff\xff"


def mine(previous: bytes, root: bytes, time: int, bits: int) -> bytes:
    """The header with the lowest nonce whose hash meets the target."""
    target = target_of(bits)
    front = b"".join(
        (VERSION.to_bytes(4, "little"), previous, root, time.to_bytes(4, "little"), bits.to_bytes(4, "little"))
    )
    for nonce in count():
        header = front + nonce.to_bytes(4, "little")
        if int.from_bytes(double_sha256(header), "little") <= target:
            return header
    raise AssertionError  # pragma: no cover - count() has no end


def block(previous: bytes, time: int, bits: int, transactions: Sequence[bytes]) -> bytes:
    """A raw block of a coinbase transaction and these."""
    every = [coinbase(time), *transactions]
    header = mine(previous, root_of([double_sha256(raw) for raw in every]), time, bits)
    return header + compact_size(len(every)) + b"".join(every)


def coinbase(salt: int) -> bytes:
    """A block's first transaction, of 110 bytes."""
    unlocking = salt.to_bytes(8, "little") + bytes(8)
    spent = bytes(32) + _SEQUENCE
    return payment(spent, TxOut(5_000_000_000, b"\x00\x20" + bytes(32)), unlocking)


def payment(outpoint: bytes, output: TxOut, unlocking: bytes = b"") -> bytes:
    """A transaction of one input and one output, without witnesses."""
    inputs = compact_size(1) + outpoint + var_bytes(unlocking) + _SEQUENCE
    return (2).to_bytes(4, "little") + inputs + compact_size(1) + output.to_bytes() + bytes(4)


def root_of(level: Sequence[bytes]) -> bytes:
    """The Merkle root of txids. An odd level's last node is its own sibling."""
    while len(level) > 1:
        pairs = [*level, level[-1]] if len(level) % 2 else level
        level = [double_sha256(pairs[at] + pairs[at + 1]) for at in range(0, len(pairs), 2)]
    return level[0]
