"""What the follower has seen on the best chain, by block: receipts of watched scripts and what spent them.

Nothing is ever undone: a reorganisation drops what stands above the fork, and every answer is derived from the
rest. No I/O here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chains.bitcoin.blocks import BlockFacts, Payment, Receipt


class Ledger:
    """Blocks from `base` to `tip`, contiguous, and their events. Empty until `start`."""

    def __init__(self) -> None:
        self.scripts: set[bytes] = set()  # watched
        self.outpoints: set[bytes] = set()  # ever seen to pay a watched script, or asked for
        self._hashes: dict[int, str] = {}
        self._receipts: dict[bytes, Receipt] = {}
        self._payments: dict[bytes, Payment] = {}
        self._by_script: dict[bytes, set[bytes]] = {}
        self.version = 0  # grows with every change of what stands, or of what became of it
        self._changed: dict[bytes, int] = {}  # by script: the version in which something about it changed last
        self._started = 0  # the version that holds for all other scripts
        self.base = 0
        self.tip = -1

    # --- blocks

    @property
    def empty(self) -> bool:
        return self.tip < self.base

    def start(self, height: int, block: str) -> None:
        """Forget all events and begin with this block, whose own events are not known. What is watched stays."""
        self._receipts.clear()
        self._payments.clear()
        self._by_script.clear()
        self._hashes = {height: block}
        self.base = self.tip = height
        self.version += 1
        self._changed.clear()
        self._started = self.version

    def hash(self, height: int) -> str:
        return self._hashes[height]

    def knows(self, height: int) -> bool:
        return self.base <= height <= self.tip

    def extend(self, height: int, block: BlockFacts) -> None:
        """Add the block after the tip."""
        if height != self.tip + 1 or block.previous != self._hashes[self.tip]:
            raise ValueError(f"block {block.hash} does not follow the tip")
        self._hashes[height] = block.hash
        self.tip = height
        self.add(block)

    def lower(self, hashes: dict[int, str]) -> None:
        """Learn of the blocks below the base, which link up with it."""
        self._hashes |= hashes
        self.base = min(self._hashes)

    def cut(self, height: int) -> None:
        """Drop every block above `height` and its events."""
        if height >= self.tip:
            return
        for gone in range(height + 1, self.tip + 1):
            del self._hashes[gone]
        self.tip = height
        for payment in [one for one in self._payments.values() if one.height > height]:
            del self._payments[payment.outpoint]
            self._note_payment(payment)
        for receipt in [one for one in self._receipts.values() if one.height > height]:
            self._drop(receipt)

    # --- events

    def add(self, block: BlockFacts) -> None:
        """Note a block's events; noting them again changes nothing."""
        self.add_receipts(block.receipts)
        for payment in block.payments:
            self._payments[payment.outpoint] = payment
            self._note_payment(payment)

    def add_receipts(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            self._receipts[receipt.outpoint] = receipt
            self._by_script.setdefault(receipt.script, set()).add(receipt.outpoint)
            self.outpoints.add(receipt.outpoint)
            self._note(receipt.script)

    def forget(self, script: bytes) -> None:
        """Stop watching a script."""
        self.scripts.discard(script)
        for outpoint in self._by_script.pop(script, set()):
            self._receipts.pop(outpoint)
            self._payments.pop(outpoint, None)
            self.outpoints.discard(outpoint)
        self.version += 1
        self._changed.pop(script, None)

    def prune(self, scripts: Iterable[bytes], height: int) -> None:
        """Drop receipts of these scripts that were spent at or below `height`."""
        for script in scripts:
            for receipt in list(self.receipts(script)):
                payment = self._payments.get(receipt.outpoint)
                if payment is not None and payment.height <= height:
                    self._drop(receipt)
                    self._payments.pop(receipt.outpoint)
                    self.outpoints.discard(receipt.outpoint)

    def _drop(self, receipt: Receipt) -> None:
        # its outpoint stays watched: the same transaction may be mined again
        del self._receipts[receipt.outpoint]
        points = self._by_script[receipt.script]
        points.discard(receipt.outpoint)
        if not points:
            del self._by_script[receipt.script]
        self._note(receipt.script)

    def _note_payment(self, payment: Payment) -> None:
        """A payment of a coin that is not known yet is noted when the coin is."""
        if (receipt := self._receipts.get(payment.outpoint)) is not None:
            self._note(receipt.script)

    def _note(self, script: bytes) -> None:
        self.version += 1
        self._changed[script] = self.version

    # --- answers

    def changed(self, script: bytes) -> int:
        """The version in which something about a script changed last: while it is the same, its receipts are,
        and what spent them."""
        return self._changed.get(script, self._started)

    def receipts(self, script: bytes) -> list[Receipt]:
        """Everything that paid a script, oldest first."""
        found = [self._receipts[point] for point in self._by_script.get(script, ())]
        return found if len(found) < 2 else sorted(found, key=lambda one: (one.height, one.position, one.outpoint))

    def receipt(self, outpoint: bytes) -> Receipt | None:
        return self._receipts.get(outpoint)

    def payment(self, outpoint: bytes) -> Payment | None:
        """What spent an outpoint on the best chain."""
        return self._payments.get(outpoint)

    def coins(self, script: bytes) -> Iterator[Receipt]:
        """What stands at a script, oldest first."""
        return (one for one in self.receipts(script) if one.outpoint not in self._payments)

    def ripe(self, receipt: Receipt) -> bool:
        """Whether consensus lets the next block spend it."""
        return self.ripens(receipt) <= self.tip

    @staticmethod
    def ripens(receipt: Receipt) -> int:
        """The height of the block from which on consensus lets the next one spend it."""
        return receipt.height + max(receipt.maturity, 1) - 1

    def depth(self, height: int) -> int:
        """Confirmations of something at `height`."""
        return self.tip - height + 1
