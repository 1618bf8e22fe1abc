"""Follows one node: reads each block once, whatever the number of deals, and keeps what concerns us.

New scripts are looked for in older blocks together, in one pass; the wallet's coins come from a scan of the UTXO
set at a known block and from then on from the blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from chains.bitcoin.blocks import read_block
from chains.bitcoin.ledger import Ledger
from chains.bitcoin.mempool import Mempool
from chains.bitcoin.node import BLOCKS, CHUNK, Node
from chains.bitcoin.params import GENESIS_PREFIX, Network
from chains.bitcoin.rpc import MISC_ERROR
from chains.errors import ChainUnavailable, RpcError, WrongNetwork
from chains.port import Tip

ROUNDS: Final = 20  # how often the best block may change while we catch up
KEPT_SPENT: Final = 2016  # blocks for which a spent wallet coin is remembered
PRUNE_EVERY: Final = 144


class _Moved(Exception):
    """The node's best chain changed while we read it: begin the round again."""


class Follower:
    """The ledger and the mempool view of one node, and the only writer of both."""

    def __init__(self, chain: str, network: Network, node: Node, scan_timeout: float) -> None:
        self.ledger = Ledger()
        self.mempool = Mempool(node)
        self.tip: Tip | None = None
        self._chain = chain
        self._network = network
        self._node = node
        self._scan_timeout = scan_timeout
        self._lock = asyncio.Lock()  # one reader of blocks at a time
        self._scan_lock = asyncio.Lock()  # one scan of the UTXO set at a time, without holding up the readers
        self._since: dict[bytes, int] = {}  # watched scripts of legs
        self._new: dict[bytes, int] = {}  # those not yet looked for in older blocks
        self._wallet: set[bytes] = set()
        self._unscanned: set[bytes] = set()
        self._scanned_at = 0  # height of the wallet's scan
        self._standing: tuple[int, list[bytes]] = (-1, [])  # the ledger's version, and what stood then

    # --- what to follow

    async def watch(self, script: bytes, since: int) -> None:
        """Look for a script from block `since` on. Takes effect at the next advance."""
        async with self._lock:
            known = self._since.get(script)
            if known is None or since < known:
                self._standing = (-1, [])
                self._since[script] = self._new[script] = max(since, 0)

    async def unwatch(self, script: bytes) -> None:
        async with self._lock:
            self._since.pop(script, None)
            self._new.pop(script, None)
            self.ledger.forget(script)

    def watch_wallet(self, scripts: Iterable[bytes]) -> None:
        """Know all coins of these scripts, from the next `advance_coins` on."""
        fresh = set(scripts) - self._wallet
        self._wallet |= fresh
        self._unscanned |= fresh

    def standing(self) -> list[bytes]:
        """Outpoints of all unspent coins at watched legs."""
        if self._standing[0] != self.ledger.version:
            found = [coin.outpoint for script in self._since for coin in self.ledger.coins(script)]
            self._standing = (self.ledger.version, found)
        return self._standing[1]

    # --- following

    async def advance(self) -> Tip:
        """Follow to the node's best block. Raises ChainUnavailable, WrongNetwork, RpcError.

        Wallet coins are followed as well, but not looked up: legs with deadlines don't wait for that."""
        async with self._lock:
            return await self._advance()

    async def advance_coins(self) -> Tip:
        """Follow to the node's best block and know every coin of the wallet there. Raises as `advance`."""
        for _ in range(ROUNDS):
            tip = await self.advance()  # before the scan, so that its block is among those followed
            if self._unscanned:
                await self._scan_wallet()
                tip = await self.advance()
            if not self._unscanned:
                return tip
        raise self._restless()

    async def _advance(self) -> Tip:
        for _ in range(ROUNDS):
            try:
                best = await self._best()
                await self._catch_up(best)
                await self._scan_back()
                await self.mempool.refresh(self.standing())
                if await self._best() == best == self.ledger.hash(self.ledger.tip):
                    self.tip = await self._tip(best)
                    return self.tip
            except _Moved:
                continue
        raise self._restless()

    def _restless(self) -> ChainUnavailable:
        return ChainUnavailable(self._chain, "its best block changes faster than it can be followed")

    async def _best(self) -> str:
        best, genesis = await self._node.best()
        if genesis != self._network.genesis:
            found = f"bip122:{genesis[:GENESIS_PREFIX]}"
            raise WrongNetwork(self._chain, self._network.identity, found)
        return best

    async def _tip(self, best: str) -> Tip:
        if self.tip is not None and self.tip.hash == best:
            return self.tip
        return await self._node.tip(best)

    async def _catch_up(self, best: str) -> None:
        ledger = self.ledger
        if not ledger.empty and ledger.hash(ledger.tip) == best:
            return
        tip = await self._node.tip(best)
        if ledger.empty:
            ledger.start(tip.height, best)
            return
        fork = await self._fork(tip.height)
        if fork is None:  # deeper than all we have seen
            ledger.start(tip.height, best)
            self._new = dict(self._since)
            self._unscanned = set(self._wallet)
            return
        ledger.cut(fork)
        if fork < self._scanned_at:  # coins spent before the scan may be back
            self._unscanned = set(self._wallet)
        await self._extend(tip.height)

    async def _fork(self, height: int) -> int | None:
        """The highest of our blocks that is still on the node's best chain, which has `height` blocks."""
        ledger = self.ledger
        high = min(ledger.tip, height)
        step = 1
        while high >= ledger.base:
            low = max(high - step + 1, ledger.base)
            heights = list(range(high, low - 1, -1))
            for at, found in zip(heights, await self._hashes(heights), strict=True):
                if ledger.hash(at) == found:
                    return at
            high, step = low - 1, min(4 * step, CHUNK)
        return None

    async def _extend(self, height: int) -> None:
        ledger = self.ledger
        for start in range(ledger.tip + 1, height + 1, BLOCKS):
            heights = range(start, min(start + BLOCKS, height + 1))
            hashes = await self._hashes(heights)
            for at, raw in zip(heights, await self._node.blocks(hashes), strict=True):
                block = read_block(raw, at, ledger.scripts, ledger.outpoints)
                if block.previous != ledger.hash(at - 1):
                    raise _Moved
                ledger.extend(at, block)
                if at % PRUNE_EVERY == 0:
                    ledger.prune(self._wallet, at - KEPT_SPENT)

    async def _hashes(self, heights: Sequence[int]) -> list[str]:
        try:
            return await self._node.hashes(heights)
        except RpcError as error:
            if error.code == MISC_ERROR:  # "Block height out of range"
                raise _Moved from error
            raise

    # --- older blocks

    async def _scan_wallet(self) -> None:
        """Take the coins of new wallet scripts from the UTXO set, then what happened since that block. It takes
        minutes on a large chain, in which blocks are followed as ever."""
        async with self._scan_lock:
            if not self._unscanned:
                return
            scripts = set(self._unscanned)
            found = await self._node.scan(scripts, self._scan_timeout)
            async with self._lock:
                await self._advance()
                ledger = self.ledger
                if not ledger.knows(found.height) or ledger.hash(found.height) != found.block:
                    return  # that block is gone: scan again
                ledger.add_receipts(found.coins)
                await self._reread(found.height + 1, scripts, {coin.outpoint for coin in found.coins})
                ledger.scripts |= scripts
                self._unscanned -= scripts
                self._scanned_at = max(self._scanned_at, found.height)

    async def _scan_back(self) -> None:
        """Look for new legs in the blocks since their oldest possible deposit."""
        if not self._new:
            return
        fresh = dict(self._new)
        await self._lower(min(fresh.values()))
        await self._reread(min(fresh.values()), set(fresh), set())
        self.ledger.scripts |= fresh.keys() & self._since.keys()
        self._new = {script: since for script, since in self._new.items() if fresh.get(script) != since}

    async def _lower(self, since: int) -> None:
        """Have the hashes of the blocks from `since` on."""
        base = self.ledger.base
        if since >= base:
            return
        heights = list(range(since, base + 1))
        hashes = await self._hashes(heights)
        if hashes[-1] != self.ledger.hash(base):
            raise _Moved
        self.ledger.lower(dict(zip(heights, hashes, strict=True)))

    async def _reread(self, low: int, scripts: set[bytes], points: set[bytes]) -> None:
        """Read known blocks from height `low` to the tip again, for these scripts and coins, and for what spends
        the coins found on the way, which are added to `points`."""
        end = self.ledger.tip + 1
        for start in range(low, end, BLOCKS):
            heights = range(start, min(start + BLOCKS, end))
            hashes = [self.ledger.hash(at) for at in heights]
            for at, raw in zip(heights, await self._node.blocks(hashes), strict=True):
                block = read_block(raw, at, scripts, points)
                self.ledger.add(block)
                points |= {one.outpoint for one in block.receipts}

    async def search(self, points: Iterable[bytes], since: int) -> None:
        """Look in the blocks from `since` on for what spends these outpoints, and note it."""
        async with self._lock:
            try:
                await self._lower(max(since, 0))
            except _Moved:
                raise ChainUnavailable(self._chain, "its best chain changed while it was read") from None
            await self._reread(max(since, 0), set(), set(points))
