"""Where a transaction of ours stands."""

from __future__ import annotations

from chains.bitcoin.encoding import outpoint
from chains.bitcoin.follower import Follower
from chains.bitcoin.node import Node
from chains.bitcoin.transaction import Parsed, parse_ours, vbytes
from chains.port import SignedTx, TxPhase, TxState


class Tracer:
    """Answers from the ledger; asks the node for what the ledger can't know, such as what was mined while we were
    not running."""

    def __init__(self, node: Node, follower: Follower) -> None:
        self._node = node
        self._follower = follower
        self._searched: dict[bytes, int] = {}  # coins looked for in older blocks, and from which height on

    async def trace(self, tx: SignedTx, since: int) -> TxState:
        """See the port."""
        points = [outpoint(claim) for claim in tx.claims]
        self._follower.ledger.outpoints.update(points)  # what spends them is seen from now on
        parsed = parse_ours(tx.raw)
        if state := self._mined(tx, parsed, points):
            return state
        if entry := await self._node.entry(tx.txid):
            return TxState(TxPhase.PENDING, fee=entry.fee, size=entry.vbytes)
        for point in points:
            if not await self._stands(point):
                await self._find(point, since)
                break
        return self._mined(tx, parsed, points) or TxState(TxPhase.UNSEEN, fee=tx.fee, size=vbytes(parsed.weight))

    def is_mined(self, tx: SignedTx) -> bool:
        """Whether it was mined, as of the last look."""
        state = self._mined(tx, parse_ours(tx.raw), [outpoint(claim) for claim in tx.claims])
        return state is not None and state.phase is TxPhase.MINED

    def _mined(self, tx: SignedTx, parsed: Parsed, points: list[bytes]) -> TxState | None:
        """Mined or displaced, if the ledger knows."""
        ledger = self._follower.ledger
        size = vbytes(parsed.weight)
        txid = bytes.fromhex(tx.txid)[::-1]
        for index in range(len(parsed.outputs)):
            if receipt := ledger.receipt(txid + index.to_bytes(4, "little")):
                return TxState(TxPhase.MINED, ledger.depth(receipt.height), fee=tx.fee, size=size)
        for point in points:
            if payment := ledger.payment(point):
                phase = TxPhase.MINED if payment.txid == tx.txid else TxPhase.DISPLACED
                return TxState(phase, ledger.depth(payment.height), fee=tx.fee, size=size)
        return None

    async def _stands(self, point: bytes) -> bool:
        """Whether a coin is unspent, be it that its own transaction fell back into the mempool."""
        receipt = self._follower.ledger.receipt(point)
        if receipt is not None:
            return self._follower.ledger.payment(point) is None
        return await self._node.unspent(point)

    async def _find(self, point: bytes, since: int) -> None:
        """The coin was spent just now, or while we were not running. Later blocks are read as they come."""
        await self._follower.advance()
        known = self._follower.ledger.payment(point) is not None
        if not known and self._searched.get(point, since + 1) > since:
            await self._follower.search([point], since)
            self._searched[point] = since
