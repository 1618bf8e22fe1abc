"""Transactions: serialisation (BIP144), weight (BIP141) and the signature digest (BIP143).

The same inputs and outputs are used to estimate, to sign and to send: a size is never guessed twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from chains.bitcoin.encoding import (
    OUTPOINT_BYTES,
    compact_size,
    double_sha256,
    outpoint_text,
    var_bytes,
)

VERSION: Final = 2
KEPT: Final = 2048  # transactions of ours remembered as read
# Opts in to replacement (BIP125), and, unlike 0xffffffff, keeps the transaction's lock time in force (BIP65).
SEQUENCE: Final = 0xFFFFFFFD

SIGHASH_ALL: Final = 0x01
# Commits to one outpoint, its amount, script, sequence and the lock time, and to nothing else.
SIGHASH_NONE_ANYONECANPAY: Final = 0x82

# --- weights, in weight units (4 to the vbyte)
OVERHEAD_WEIGHT: Final = 4 * (4 + 1 + 1 + 4) + 2  # version, two counts below 253, lock time; marker and flag
INPUT_WEIGHT: Final = 4 * 41  # outpoint, empty script, sequence
OUTPUT_P2WPKH_WEIGHT: Final = 4 * 31
OUTPUT_P2WSH_WEIGHT: Final = 4 * 43
SIGNATURE_BYTES: Final = 71  # DER with R and S of 32 bytes each, and the hash type: at most this, by grinding R
WITNESS_P2WPKH_WEIGHT: Final = 1 + 1 + SIGNATURE_BYTES + 1 + 33

assert (OVERHEAD_WEIGHT + INPUT_WEIGHT + OUTPUT_P2WPKH_WEIGHT + WITNESS_P2WPKH_WEIGHT + 3) // 4 == 110  # noqa: S101


def vbytes(weight: int) -> int:
    """Virtual size, rounded up (BIP141)."""
    return (weight + 3) // 4


def fee_for(weight: int, price: int) -> int:
    """Satoshi at `price` satoshi per 1000 vbytes, rounded up."""
    return -(-vbytes(weight) * price // 1000)


@dataclass(frozen=True, slots=True)
class TxIn:
    """outpoint: 36 bytes. amount and code (the script the signature commits to, BIP143) are what it spends."""

    outpoint: bytes
    amount: int
    code: bytes
    witness: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TxOut:
    amount: int
    script: bytes

    def to_bytes(self) -> bytes:
        return self.amount.to_bytes(8, "little") + var_bytes(self.script)


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction of ours: version 2, every input replaceable."""

    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    lock_time: int = 0

    @property
    def fee(self) -> int:
        return sum(coin.amount for coin in self.inputs) - sum(out.amount for out in self.outputs)

    @property
    def txid(self) -> str:
        return double_sha256(self._join(b"", b""))[::-1].hex()

    @property
    def weight(self) -> int:
        return 3 * len(self._join(b"", b"")) + len(self.to_bytes())

    @property
    def claims(self) -> tuple[str, ...]:
        return tuple(outpoint_text(coin.outpoint) for coin in self.inputs)

    def to_bytes(self) -> bytes:
        """With witnesses, as it is sent."""
        witness = b"".join(
            compact_size(len(coin.witness)) + b"".join(map(var_bytes, coin.witness)) for coin in self.inputs
        )
        return self._join(b"\x00\x01", witness)

    def _join(self, marker: bytes, witness: bytes) -> bytes:
        sequence = SEQUENCE.to_bytes(4, "little")
        return b"".join(
            (
                VERSION.to_bytes(4, "little"),
                marker,
                compact_size(len(self.inputs)),
                *(coin.outpoint + b"\x00" + sequence for coin in self.inputs),
                compact_size(len(self.outputs)),
                *(out.to_bytes() for out in self.outputs),
                witness,
                self.lock_time.to_bytes(4, "little"),
            )
        )

    def digest(self, index: int, kind: int = SIGHASH_ALL) -> bytes:
        """What the signature of input `index` signs (BIP143)."""
        coin = self.inputs[index]
        if kind == SIGHASH_NONE_ANYONECANPAY:
            return consent_digest(coin, self.lock_time)
        sequence = SEQUENCE.to_bytes(4, "little")
        prevouts = double_sha256(b"".join(other.outpoint for other in self.inputs))
        sequences = double_sha256(sequence * len(self.inputs))
        outputs = double_sha256(b"".join(out.to_bytes() for out in self.outputs))
        return _digest(coin, prevouts, sequences, outputs, self.lock_time, kind)


def consent_digest(coin: TxIn, lock_time: int) -> bytes:
    """Digest under SIGHASH_NONE | ANYONECANPAY: good in any transaction of ours that spends this coin with this
    lock time, wherever it pays."""
    none = bytes(32)
    return _digest(coin, none, none, none, lock_time, SIGHASH_NONE_ANYONECANPAY)


def _digest(coin: TxIn, prevouts: bytes, sequences: bytes, outputs: bytes, lock_time: int, kind: int) -> bytes:
    return double_sha256(
        VERSION.to_bytes(4, "little")
        + prevouts
        + sequences
        + coin.outpoint
        + var_bytes(coin.code)
        + coin.amount.to_bytes(8, "little")
        + SEQUENCE.to_bytes(4, "little")
        + outputs
        + lock_time.to_bytes(4, "little")
        + kind.to_bytes(4, "little")
    )


# --- reading ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is read of a transaction: enough to know what it spends and pays. weight: of the whole."""

    inputs: tuple[bytes, ...]
    witnesses: tuple[tuple[bytes, ...], ...]
    outputs: tuple[TxOut, ...]
    txid: str
    weight: int


class Reader:
    """A cursor over bytes. Reading past the end raises ValueError."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, size: int) -> bytes:
        start = self.position
        self.position = start + size
        if self.position > len(self.data):
            raise ValueError("the transaction ends early")
        return self.data[start : self.position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def count(self) -> int:
        first = self.number(1)
        return first if first < 0xFD else self.number({0xFD: 2, 0xFE: 4, 0xFF: 8}[first])


@lru_cache(maxsize=KEPT)
def parse_ours(raw: bytes) -> Parsed:
    """The same of a transaction of ours, which is looked at again and again until it is final."""
    return parse(raw)


def parse(raw: bytes) -> Parsed:
    """Read a transaction as the node sends it. Raises ValueError if it is none.

    Litecoin's flag for an extension-block part (bit 3) is known; that part stands behind the witnesses and is
    not read."""
    reader = Reader(raw)
    version = reader.take(4)
    flag = 0
    count = reader.count()
    if count == 0:
        flag = reader.number(1)
        count = reader.count() if flag else 0
    start = len(compact_size(count))
    body = reader.position - start
    inputs = []
    for _ in range(count):
        inputs.append(reader.take(OUTPOINT_BYTES))
        reader.take(reader.count())
        reader.take(4)
    outputs = tuple(TxOut(reader.number(8), reader.take(reader.count())) for _ in range(reader.count()))
    end = reader.position
    witnesses: list[tuple[bytes, ...]] = [()] * count
    if flag & 1:
        witnesses = [tuple(reader.take(reader.count()) for _ in range(reader.count())) for _ in range(count)]
    stripped = version + raw[body:end] + raw[-4:]
    return Parsed(
        inputs=tuple(inputs),
        witnesses=tuple(witnesses),
        outputs=outputs,
        txid=double_sha256(stripped)[::-1].hex(),
        weight=3 * len(stripped) + len(raw),
    )
