"""Reading blocks: what of a block concerns us, in one pass over its bytes.

Raw bytes rather than the node's JSON: measured, a sixth of the size and some ten times faster to read, node
included (docs/utxo.md).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from chains.bitcoin.encoding import OUTPOINT_BYTES, double_sha256
from chains.bitcoin.params import COINBASE_MATURITY, PEGOUT_MATURITY

HEADER_BYTES: Final = 80
_SEGWIT, _EXTENSION = 1, 8  # flags of a transaction; 8 is Litecoin's (LIP-0002)


@dataclass(frozen=True, slots=True)
class Receipt:
    """An output that pays a script we watch. position: of its transaction in the block. maturity: confirmations
    before it can be spent, where consensus asks for any."""

    outpoint: bytes
    script: bytes
    amount: int
    height: int
    position: int
    maturity: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """An input that spends an output we watch. height: 0 in the mempool."""

    outpoint: bytes
    txid: str
    witness: tuple[bytes, ...]
    height: int
    position: int


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What a block has to do with us."""

    hash: str
    previous: str
    receipts: tuple[Receipt, ...]
    payments: tuple[Payment, ...]


def read_block(raw: bytes, height: int, scripts: Container[bytes], outpoints: Container[bytes]) -> BlockFacts:
    """Find outputs to `scripts` and inputs that spend `outpoints` or an output found in this block.

    Raises ValueError or IndexError where the bytes are no block."""
    reader = _Block(raw, height, scripts, outpoints)
    reader.read()
    return BlockFacts(
        hash=double_sha256(raw[:HEADER_BYTES])[::-1].hex(),
        previous=raw[4:36][::-1].hex(),
        receipts=tuple(reader.receipts),
        payments=tuple(reader.payments),
    )


class _Block:
    """One pass. Written for speed: a block has some ten thousand inputs and outputs, of which none matter."""

    def __init__(self, raw: bytes, height: int, scripts: Container[bytes], outpoints: Container[bytes]) -> None:
        self._raw = raw
        self._at = HEADER_BYTES
        self._height = height
        self._scripts = scripts
        self._outpoints = outpoints
        self._own: set[bytes] = set()  # found in this very block
        self.receipts: list[Receipt] = []
        self.payments: list[Payment] = []

    def read(self) -> None:
        for position in range(self._count()):
            self._transaction(position)
        if self._at > len(self._raw):
            raise ValueError("the block ends early")

    def _count(self) -> int:
        raw, at = self._raw, self._at
        first = raw[at]
        if first < 0xFD:
            self._at = at + 1
            return first
        size = 1 << (first - 0xFC)
        self._at = at + 1 + size
        return int.from_bytes(raw[at + 1 : at + 1 + size], "little")

    def _transaction(self, position: int) -> None:
        start = self._at
        self._at += 4
        flag = 0
        if self._raw[self._at] == 0:
            flag = self._raw[self._at + 1]
            self._at += 2
        body = self._at
        spends = self._inputs()
        inputs = self._input_count
        found = self._outputs()
        end = self._at
        maturity = PEGOUT_MATURITY if flag & _EXTENSION else COINBASE_MATURITY if position == 0 else 0
        witnesses = self._witnesses(inputs, spends) if flag & _SEGWIT else {}
        if flag & _EXTENSION:
            self._skip_extension()
        self._at += 4
        if spends or found:
            raw = self._raw
            txid = double_sha256(raw[start : start + 4] + raw[body:end] + raw[self._at - 4 : self._at])
            self._note_spends(txid, position, spends, witnesses)
            self._note_found(txid, position, found, maturity)

    def _inputs(self) -> list[tuple[int, bytes]]:
        """Skip the inputs; those that concern us, by their index."""
        raw, outpoints, own = self._raw, self._outpoints, self._own
        self._input_count = self._count()
        at = self._at
        spends = []
        for index in range(self._input_count):
            outpoint = raw[at : at + OUTPOINT_BYTES]
            if outpoint in outpoints or outpoint in own:
                spends.append((index, outpoint))
            at += OUTPOINT_BYTES
            size = raw[at]
            if size < 0xFD:
                at += 5 + size
            else:
                self._at = at
                at = self._count() + self._at + 4
        self._at = at
        return spends

    def _outputs(self) -> list[tuple[int, int, bytes]]:
        """Skip the outputs; index, amount and script of those that concern us."""
        raw, scripts = self._raw, self._scripts
        count = self._count()
        at = self._at
        found = []
        for index in range(count):
            size = raw[at + 8]
            if size < 0xFD:
                begin = at + 9
            else:
                self._at = at + 8
                size = self._count()
                begin = self._at
            script = raw[begin : begin + size]
            if script in scripts:
                found.append((index, int.from_bytes(raw[at : at + 8], "little"), script))
            at = begin + size
        self._at = at
        return found

    def _witnesses(self, inputs: int, spends: list[tuple[int, bytes]]) -> dict[int, tuple[bytes, ...]]:
        raw = self._raw
        wanted = {index for index, _ in spends}
        kept: dict[int, tuple[bytes, ...]] = {}
        for index in range(inputs):
            items = []
            for _ in range(self._count()):
                size = self._count()
                if index in wanted:
                    items.append(raw[self._at : self._at + size])
                self._at += size
            if index in wanted:
                kept[index] = tuple(items)
        return kept

    def _skip_extension(self) -> None:
        """In a block, only the transaction that stands for the extension block has this part, and it is empty."""
        if self._raw[self._at] != 0:
            raise ValueError("an extension-block transaction among a block's own")
        self._at += 1

    def _note_spends(
        self,
        txid: bytes,
        position: int,
        spends: list[tuple[int, bytes]],
        witnesses: dict[int, tuple[bytes, ...]],
    ) -> None:
        for index, spent in spends:
            payment = Payment(spent, txid[::-1].hex(), witnesses.get(index, ()), self._height, position)
            self.payments.append(payment)

    def _note_found(self, txid: bytes, position: int, found: list[tuple[int, int, bytes]], maturity: int) -> None:
        for index, amount, script in found:
            outpoint = txid + index.to_bytes(4, "little")
            self._own.add(outpoint)
            self.receipts.append(Receipt(outpoint, script, amount, self._height, position, maturity))
