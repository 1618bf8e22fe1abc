"""The calls we make of a node, with types."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from chains.bitcoin.blocks import Receipt
from chains.bitcoin.encoding import outpoint, outpoint_text
from chains.bitcoin.params import COINBASE_MATURITY
from chains.bitcoin.rpc import (
    ALREADY_IN_CHAIN,
    DESERIALIZATION_ERROR,
    INVALID_ADDRESS_OR_KEY,
    METHOD_NOT_FOUND,
    MISC_ERROR,
    NOT_AVAILABLE,
    VERIFY_ERROR,
    VERIFY_REJECTED,
    Rpc,
    price,
    satoshi,
)
from chains.errors import ChainUnavailable, Rejected, RpcError, UnsupportedChain
from chains.port import Tip

CHUNK: Final = 100  # calls in one request, where the answers are small
COINS: Final = 1000  # coins asked for in one call
KEPT: Final = 16384  # coins remembered as they are asked for: several times a block
BLOCKS: Final = 8  # blocks in one request: 32 MB of hex at most
SCAN_RETRIES: Final = 60
SCANNED_POSITION: Final = 1  # in its block; a scan does not tell


@dataclass(frozen=True, slots=True)
class MempoolEntry:
    """A transaction in the node's mempool. family_fee: with everything that spends its outputs."""

    fee: int
    vbytes: int
    family_fee: int


@dataclass(frozen=True, slots=True)
class ScannedCoins:
    """The UTXO set's coins of some scripts, as of one block."""

    height: int
    block: str
    coins: tuple[Receipt, ...]


class Node:
    """One node of the family. Every method raises ChainUnavailable, and RpcError where no other is named."""

    def __init__(self, chain: str, rpc: Rpc) -> None:
        self._chain = chain
        self.rpc = rpc
        self._finds_spenders: bool | None = None  # has gettxspendingprevout (Core 24)

    # --- blocks

    async def best(self) -> tuple[str, str]:
        """Hashes of the best block and of block 0: which block, on which network."""
        best, genesis = await self.rpc.all([("getbestblockhash", ()), ("getblockhash", (0,))])
        return best, genesis

    async def tip(self, block: str) -> Tip:
        """A block as a tip. `time` is its median time past, which the next block's lock times must be below."""
        header = await self.rpc.call("getblockheader", block)
        return Tip(height=header["height"], hash=block, time=header["mediantime"], stamp=header["time"])

    async def hashes(self, heights: Sequence[int]) -> list[str]:
        """Hashes of the best chain's blocks. Raises RpcError above its tip."""
        found: list[str] = []
        for start in range(0, len(heights), CHUNK):
            calls = [("getblockhash", (height,)) for height in heights[start : start + CHUNK]]
            found += await self.rpc.all(calls)
        return found

    async def blocks(self, hashes: Sequence[str]) -> list[bytes]:
        """Raw blocks, at most BLOCKS of them. Raises UnsupportedChain where the node has them no more."""
        try:
            found = await self.rpc.all([("getblock", (one, 0)) for one in hashes])
        except RpcError as error:
            if error.code != NOT_AVAILABLE:
                raise
            raise UnsupportedChain(
                self._chain,
                f"a block that open deals need can't be had: {error.message}; use a node that keeps it",
            ) from error
        return [bytes.fromhex(text) for text in found]

    async def mined(self, txid: str, block: str) -> bytes:
        """A transaction in a block, whether or not the node has an index of transactions."""
        return bytes.fromhex(await self.rpc.call("getrawtransaction", txid, False, block))

    # --- coins

    async def scan(self, scripts: Iterable[bytes], timeout: float) -> ScannedCoins:
        """Everything unspent that pays these scripts. Takes minutes on a large chain."""
        wanted = [f"raw({script.hex()})" for script in scripts]
        for attempt in range(SCAN_RETRIES):
            try:
                found = await self.rpc.call("scantxoutset", "start", wanted, timeout=timeout)
            except RpcError as error:
                if error.code != MISC_ERROR:
                    raise
                await asyncio.sleep(min(0.1 * 2**attempt, 30))  # somebody else's scan is in progress
            else:
                coins = [_coin(one) for one in await self._with_coinbase(found["unspents"])]
                return ScannedCoins(found["height"], found["bestblock"], tuple(coins))
        raise ChainUnavailable(self._chain, "it is busy with other scans of the UTXO set")

    async def _with_coinbase(self, coins: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Litecoin 0.21 leaves out whether a coin is a block reward; ask for each."""
        unsaid = [coin for coin in coins if "coinbase" not in coin]
        for start in range(0, len(unsaid), CHUNK):
            part = unsaid[start : start + CHUNK]
            found = await self.rpc.all([("gettxout", (coin["txid"], coin["vout"], False)) for coin in part])
            for coin, output in zip(part, found, strict=True):
                coin["coinbase"] = bool(output and output["coinbase"])
        return coins

    async def unspent(self, point: bytes) -> bool:
        """Whether an output is there and unspent, on the best chain or in the mempool."""
        txid, _, index = outpoint_text(point).partition(":")
        answers = await self.rpc.all([("gettxout", (txid, int(index), pool)) for pool in (False, True)])
        return any(answers)

    # --- mempool

    async def spenders(self, points: Sequence[bytes]) -> dict[bytes, str] | None:
        """Which mempool transactions spend these outpoints; None where the node can't say (Litecoin 0.21)."""
        if self._finds_spenders is False:
            return None
        found: dict[bytes, str] = {}
        for start in range(0, len(points), COINS):
            part = [_prevout(point) for point in points[start : start + COINS]]
            try:
                answers = await self.rpc.call("gettxspendingprevout", part)
            except RpcError as error:
                if error.code != METHOD_NOT_FOUND:
                    raise
                self._finds_spenders = False
                return None
            for one in answers:
                if "spendingtxid" in one:
                    found[outpoint(f"{one['txid']}:{one['vout']}")] = one["spendingtxid"]
        return found

    async def mempool(self) -> set[str]:
        """Ids of all transactions in the mempool."""
        return set(await self.rpc.call("getrawmempool"))

    async def raw_transactions(self, txids: Sequence[str]) -> dict[str, bytes]:
        """Mempool transactions; those that are gone meanwhile are left out."""
        found: dict[str, bytes] = {}
        for start in range(0, len(txids), CHUNK):
            part = txids[start : start + CHUNK]
            answers = await self.rpc.batch([("getrawtransaction", (txid,)) for txid in part])
            found |= {
                txid: bytes.fromhex(raw) for txid, raw in zip(part, answers, strict=True) if isinstance(raw, str)
            }
        return found

    async def entry(self, txid: str) -> MempoolEntry | None:
        """A mempool transaction's fees and size, or None."""
        try:
            found = await self.rpc.call("getmempoolentry", txid)
        except RpcError as error:
            if error.code == INVALID_ADDRESS_OR_KEY:
                return None
            raise
        fees = found["fees"]
        return MempoolEntry(satoshi(fees["base"]), found["vsize"], satoshi(fees["descendant"]))

    async def would_accept(self, raw: bytes) -> str | None:
        """Why the mempool would not take a transaction, or None."""
        (verdict,) = await self.rpc.call("testmempoolaccept", [raw.hex()], 0)
        return None if verdict["allowed"] else str(verdict.get("reject-reason", "no reason given"))

    async def send(self, txid: str, raw: bytes) -> None:
        """Broadcast. What the mempool or the chain has already is success. Raises Rejected."""
        try:
            await self.rpc.call("sendrawtransaction", raw.hex(), 0)  # the cap on fees is the caller's
        except RpcError as error:
            if error.code == ALREADY_IN_CHAIN:
                return
            if error.code in (VERIFY_ERROR, VERIFY_REJECTED, DESERIALIZATION_ERROR):
                raise Rejected(self._chain, txid, error.message) from error
            raise

    # --- fees

    async def estimates(self, targets: Sequence[int]) -> list[int | None]:
        """Satoshi per 1000 vbytes to be mined within each number of blocks, None where the node can't tell."""
        answers = await self.rpc.batch([("estimatesmartfee", (target,)) for target in targets])
        return [price(one["feerate"]) if isinstance(one, dict) and "feerate" in one else None for one in answers]

    async def floors(self) -> tuple[int, int]:
        """Satoshi per 1000 vbytes: the least the mempool takes now, and the least that a replacement adds."""
        mempool, network = await self.rpc.all([("getmempoolinfo", ()), ("getnetworkinfo", ())])
        least = max(price(mempool["mempoolminfee"]), price(mempool["minrelaytxfee"]))
        return least, price(network["incrementalfee"])

    # --- probing

    async def deployments(self) -> dict[str, Any]:
        """Soft forks by name, as the node describes them."""
        try:
            found = await self.rpc.call("getdeploymentinfo")
        except RpcError as error:
            if error.code != METHOD_NOT_FOUND:
                raise
            found = await self.rpc.call("getblockchaininfo")  # before Core 23
            return dict(found["softforks"])
        return dict(found["deployments"])

    async def status(self) -> dict[str, Any]:
        """getblockchaininfo."""
        return dict(await self.rpc.call("getblockchaininfo"))


@lru_cache(KEPT)
def _prevout(point: bytes) -> Mapping[str, Any]:
    txid, _, index = outpoint_text(point).partition(":")
    return {"txid": txid, "vout": int(index)}


def _coin(found: dict[str, Any]) -> Receipt:
    return Receipt(
        outpoint=outpoint(f"{found['txid']}:{found['vout']}"),
        script=bytes.fromhex(found["scriptPubKey"]),
        amount=satoshi(found["amount"]),
        height=found["height"],
        position=SCANNED_POSITION,
        maturity=COINBASE_MATURITY if found.get("coinbase") else 0,
    )
