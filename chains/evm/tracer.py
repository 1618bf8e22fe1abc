"""Where a transaction of ours stands on the chain that the follower follows."""

from __future__ import annotations

from typing import Any

from chains.errors import RpcError
from chains.evm.client import Client
from chains.evm.follower import Follower, Header
from chains.evm.transaction import claimed
from chains.port import SignedTx, TxPhase, TxState


class Tracer:
    """Answers by receipt first, by the account's nonce at the tip next, by the node's pool last."""

    def __init__(self, client: Client, follower: Follower) -> None:
        self._client = client
        self._follower = follower
        self._at = ""  # the tip as of which states are kept
        self._kept: dict[str, TxState] = {}

    async def trace(self, tx: SignedTx, since: int, tip: Header) -> TxState:
        """The state as of `tip`. Raises ChainUnavailable, RpcError (the node may have left `tip` behind).

        What is in a block stays so as long as the tip does, and is asked for once."""
        if tip.hash != self._at:
            self._at = tip.hash
            self._kept.clear()
        if tx.txid in self._kept:
            return self._kept[tx.txid]
        state = await self._ask(tx, since, tip)
        if state.depth and tip.hash == self._at:
            self._kept[tx.txid] = state
        return state

    async def _ask(self, tx: SignedTx, since: int, tip: Header) -> TxState:
        receipt = await self._client.call("eth_getTransactionReceipt", tx.txid)
        if receipt is not None and receipt.get("blockNumber"):
            height = int(receipt["blockNumber"], 16)
            if height <= tip.height and await self._follower.canonical(height, receipt["blockHash"]):
                return _mined(receipt, tip.height - height + 1)
        known = await self._client.call("eth_getTransactionByHash", tx.txid)
        if known is not None:
            # Whatever the nonce says: some nodes answer with that of the block they are making, which is not `tip`
            # yet. A node drops what can't be mined any more.
            return TxState(TxPhase.PENDING)
        account, nonce = claimed(tx)
        if await self._used(account, {"blockHash": tip.hash}) <= nonce:
            return TxState(TxPhase.UNSEEN)
        height = await self._used_since(account, nonce, since, tip.height)
        return TxState(TxPhase.DISPLACED, depth=tip.height - height + 1)

    async def _used(self, account: str, block: Any) -> int:
        """How many nonces of the account were used up at the end of a block."""
        return int(await self._client.call("eth_getTransactionCount", account, block), 16)

    async def _used_since(self, account: str, nonce: int, since: int, tip: int) -> int:
        """The block that used up the nonce, or the oldest the node still knows to have it used."""
        low, high = min(max(since, 0), tip), tip  # used at high
        while low < high:
            middle = (low + high) // 2
            try:
                used = await self._used(account, hex(middle)) > nonce
            except RpcError:
                used = False  # pruned
            low, high = (low, middle) if used else (middle + 1, high)
        return high


def _mined(receipt: dict[str, Any], depth: int) -> TxState:
    gas = int(receipt["gasUsed"], 16)
    price = int(receipt.get("effectiveGasPrice") or "0x0", 16)
    posting = int(receipt.get("l1Fee") or "0x0", 16)  # what a rollup takes for putting the data on its base chain
    return TxState(
        phase=TxPhase.MINED,
        depth=depth,
        succeeded=int(receipt.get("status", "0x1"), 16) == 1,
        fee=gas * price + posting,
        size=gas,
    )
