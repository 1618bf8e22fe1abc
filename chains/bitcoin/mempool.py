"""What the mempool says of coins we watch: which of them are being spent, and by what."""

from __future__ import annotations

from collections.abc import Sequence

from chains.bitcoin.blocks import Payment
from chains.bitcoin.node import Node
from chains.bitcoin.transaction import parse


class Mempool:
    """Spends of watched coins that are not in a block yet.

    Nodes that can be asked for the spender of a coin (Bitcoin, from Core 24) are; of others every transaction
    that enters the mempool is read once.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._inputs: dict[str, tuple[bytes, ...]] = {}  # of every transaction, on nodes that can't be asked
        self._payments: dict[bytes, Payment] = {}

    def payment(self, outpoint: bytes) -> Payment | None:
        """What spends an outpoint in the mempool, as of the last refresh."""
        return self._payments.get(outpoint)

    @property
    def spenders(self) -> dict[bytes, str]:
        """Outpoint to transaction, as of the last refresh."""
        return {point: one.txid for point, one in self._payments.items()}

    async def glance(self, points: Sequence[bytes]) -> dict[bytes, str]:
        """Which transactions spend these outpoints right now."""
        if not points:
            return {}
        found = await self._node.spenders(points)
        return await self._read_all(points) if found is None else found

    async def refresh(self, points: Sequence[bytes]) -> None:
        """Learn what spends these outpoints, with witnesses."""
        spenders = await self.glance(points)
        kept = {point: one for point, one in self._payments.items() if spenders.get(point) == one.txid}
        wanted = sorted({txid for point, txid in spenders.items() if point not in kept})
        for txid, raw in (await self._node.raw_transactions(wanted)).items():
            parsed = parse(raw)
            for point, witness in zip(parsed.inputs, parsed.witnesses, strict=True):
                if spenders.get(point) == txid:
                    kept[point] = Payment(point, txid, witness, height=0, position=0)
        self._payments = kept

    async def _read_all(self, points: Sequence[bytes]) -> dict[bytes, str]:
        present = await self._node.mempool()
        for gone in self._inputs.keys() - present:
            del self._inputs[gone]
        fresh = sorted(present - self._inputs.keys())
        for txid, raw in (await self._node.raw_transactions(fresh)).items():
            self._inputs[txid] = parse(raw).inputs
        wanted = set(points)
        return {point: txid for txid, inputs in self._inputs.items() for point in inputs if point in wanted}
