"""One follower per chain: reads each block once, however many legs are watched, and takes back what a
reorganisation took back.

A block costs two requests: the factory's logs, and the balances of all watched vaults, both pinned to the block's
hash, so that a lagging or reorganising node answers with an error and never with silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chains.errors import ChainUnavailable, RpcError
from chains.evm.balances import read_balances
from chains.evm.client import Client
from chains.evm.history import History
from chains.evm.vaults import NotASpend, Spent, decode_spent
from chains.legs import Leg
from chains.port import LegFacts, Spend

MAX_GAP = 100  # blocks read one by one; after a longer absence the legs are searched anew, as after a restart.
# Common nodes keep the state of 128 blocks.
KEPT = 1024  # headers kept to find a fork; a deeper reorganisation also means searching anew
ATTEMPTS = 5  # looks at a chain whose best block changes while it is read
FILTERED = 100  # legs up to which a search by range names the vaults it wants


@dataclass(frozen=True, slots=True)
class Header:
    """A block as the follower needs it. stamp: its timestamp, UNIX seconds. base_fee: wei per gas."""

    height: int
    hash: str
    parent: str
    stamp: int
    base_fee: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Spent event and where it stands."""

    height: int
    txid: str
    spent: Spent


class Follower:
    """Follows one node. Not re-entrant: its owner holds a lock around `advance`."""

    def __init__(self, client: Client, factory: str, log_range: int) -> None:
        self.client = client
        self.factory = factory
        self.tip: Header | None = None
        self._log_range = log_range
        self._chain: dict[int, Header] = {}
        self._legs: dict[str, History] = {}

    # --- what is watched

    def watch(self, leg: Leg, address: str, since: int) -> None:
        """Report this leg from the next `advance` on. Watching twice takes unwatching twice."""
        if address in self._legs:
            self._legs[address].watchers += 1
        else:
            self._legs[address] = History(leg, address, since)

    def unwatch(self, address: str) -> None:
        if (history := self._legs.get(address)) is not None:
            history.watchers -= 1
            if not history.watchers:
                del self._legs[address]

    def facts(self) -> dict[str, LegFacts]:
        """Facts of every leg, by vault, as of `tip`."""
        assert self.tip is not None  # noqa: S101 - the owner advanced first
        return {
            address: history.facts(self.tip.height) for address, history in self._legs.items() if history.ready
        }

    # --- following

    async def advance(self) -> Header:
        """Go to the node's best block. Raises ChainUnavailable, RpcError."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._advance()
            except _Moved as moved:
                if attempt == ATTEMPTS - 1 and moved.cause is not None:
                    raise moved.cause from moved
        raise ChainUnavailable(self.client.name, "its best block changes faster than it can be read")

    async def header(self, block: str) -> Header | None:
        """The header at a tag or a height in hex, or of a hash."""
        method = "eth_getBlockByHash" if len(block) == 66 else "eth_getBlockByNumber"
        raw = await self.client.call(method, block, False)
        return None if raw is None else _header(raw)

    async def canonical(self, height: int, block_hash: str) -> bool:
        """Whether this block is on the chain that `tip` ends."""
        known = self._chain.get(height)
        if known is None and self.tip is not None and height < self.tip.height:
            known = await self.header(hex(height))
        return known is not None and known.hash == block_hash

    async def _advance(self) -> Header:
        latest = await self.header("latest")
        if latest is None:
            raise ChainUnavailable(self.client.name, "the node has no best block")
        branch = await self._branch(latest)
        if branch is None:
            self._restart(latest)
        else:
            self._rewind(branch[0].height - 1 if branch else latest.height)
            await self._follow(branch, latest)
        fresh = [history for history in self._legs.values() if not history.ready]
        if fresh:
            await self._search(fresh, latest)
        return latest

    async def _follow(self, branch: list[Header], latest: Header) -> None:
        """Read the blocks up to `latest`. Where the node serves the state of an older one no more, the legs are
        searched anew."""
        for header in branch:
            try:
                await self._read(header)
            except RpcError as error:
                if header == latest:
                    raise _Moved(error) from error
                self._restart(latest)
                return
            self._accept(header)

    async def _branch(self, latest: Header) -> list[Header] | None:
        """The blocks from the fork with our chain up to `latest`, oldest first; None if that is too far."""
        if self.tip is None or latest.height > self.tip.height + MAX_GAP:
            return None
        branch: list[Header] = []
        header = latest
        while not self._knows(header.height, header.hash):
            branch.append(header)
            if header.height - 1 < min(self._chain):
                return None
            parent = await self.header(header.parent)
            if parent is None:
                raise _Moved
            header = parent
        return branch[::-1]

    def _knows(self, height: int, block_hash: str) -> bool:
        return height in self._chain and self._chain[height].hash == block_hash

    def _rewind(self, height: int) -> None:
        if self.tip is None or height >= self.tip.height:
            return
        self._chain = {at: header for at, header in self._chain.items() if at <= height}
        self.tip = self._chain[height]
        for history in self._legs.values():
            history.rewind(height)

    def _restart(self, latest: Header) -> None:
        self._chain = {latest.height: latest}
        self.tip = latest
        for history in self._legs.values():
            history.reset()

    def _accept(self, header: Header) -> None:
        self._chain[header.height] = header
        self._chain.pop(header.height - KEPT, None)
        self.tip = header

    async def _read(self, header: Header) -> None:
        legs = [history for history in self._legs.values() if history.ready]
        if not legs:
            return
        block = {"blockHash": header.hash}
        logs, balances = await asyncio.gather(
            self.client.call("eth_getLogs", {**block, "address": self.factory}),
            read_balances(self.client, [(leg.leg.asset, leg.address) for leg in legs], block),
        )
        events = _sightings(logs)
        for history, balance in zip(legs, balances, strict=True):
            _record(history, events)
            history.observe(header.height, balance or 0)

    # --- searching the past

    async def _search(self, fresh: list[History], tip: Header) -> None:
        """Find what happened to legs not followed so far, back to each one's `since`."""
        try:
            first = min(history.since for history in fresh)
            events = await self._range(min(first, tip.height), tip.height, [history.address for history in fresh])
            pairs = [(history.leg.asset, history.address) for history in fresh]
            balances = await read_balances(self.client, pairs, {"blockHash": tip.hash})
        except RpcError as error:
            raise _Moved(error) from error
        for history in fresh:
            history.reset()
            _record(history, events)
        starts = await asyncio.gather(
            *(self._full_since(h, balance or 0, tip) for h, balance in zip(fresh, balances, strict=True))
        )
        # Requests by height are of this chain only if its tip still is on the best chain after them.
        still = await self.header(hex(tip.height))
        if still is None or still.hash != tip.hash:
            raise _Moved
        for history, balance, start in zip(fresh, balances, starts, strict=True):
            if start is not None and start < tip.height:
                history.observe(start, max(0, history.leg.amount - history.spent(start)))
            history.observe(tip.height, balance or 0)
            history.ready = True

    async def _full_since(self, history: History, held: int, tip: Header) -> int | None:
        """The first height at which the leg was full and has been since, as far as the node still serves old
        state: where it doesn't, the leg counts from where it does. What is held and was spent never shrinks."""
        if held + history.spent(tip.height) < history.leg.amount:
            return None
        low, high = min(max(history.since, 0), tip.height), tip.height  # full at high
        while low < high:
            middle = (low + high) // 2
            if await self._was_full(history, middle):
                high = middle
            else:
                low = middle + 1
        return high

    async def _was_full(self, history: History, height: int) -> bool:
        try:
            [held] = await read_balances(self.client, [(history.leg.asset, history.address)], hex(height))
        except RpcError:
            return False  # pruned
        return (held or 0) + history.spent(height) >= history.leg.amount

    async def _range(self, first: int, last: int, addresses: list[str]) -> list[Sighting]:
        """Spent events of these vaults from block `first` to `last`, in ranges that the node accepts."""
        events: list[Sighting] = []
        while first <= last:
            end = min(last, first + self._log_range - 1)
            query = {"address": self.factory, "fromBlock": hex(first), "toBlock": hex(end)}
            try:
                logs = await self.client.call("eth_getLogs", query)
            except RpcError:
                if end == first:
                    raise
                self._log_range = max(1, (end - first + 1) // 2)
                continue
            events += _sightings(logs)
            first = end + 1
        return events


def _record(history: History, sightings: Iterable[Sighting]) -> None:
    """Add what left this leg. Another asset than the leg's says nothing of its state, whatever path it took; but
    the preimages it showed are public."""
    leg = history.leg
    mine = [seen for seen in sightings if seen.spent.vault == history.address and seen.height >= history.since]
    moved = {seen.txid for seen in mine if seen.spent.asset == leg.asset}
    for seen in mine:
        spent = seen.spent
        if spent.asset == leg.asset:
            path = leg.paths[spent.path].name if spent.path < len(leg.paths) else None
            history.record(seen.height, Spend(seen.txid, path, spent.amount, spent.preimages, depth=0))
        elif spent.preimages and seen.txid not in moved:
            history.record(seen.height, Spend(seen.txid, None, 0, spent.preimages, depth=0))


class _Moved(Exception):
    """The block that was read is no longer the node's: start over from its new best block."""

    def __init__(self, cause: RpcError | None = None) -> None:
        super().__init__()
        self.cause = cause


def _header(raw: dict[str, Any]) -> Header:
    return Header(
        height=int(raw["number"], 16),
        hash=raw["hash"],
        parent=raw["parentHash"],
        stamp=int(raw["timestamp"], 16),
        base_fee=int(raw.get("baseFeePerGas") or "0x0", 16),
    )


def _sightings(logs: Iterable[dict[str, Any]]) -> list[Sighting]:
    """What the factory's log entries say; entries of any other kind are skipped."""
    seen = []
    for log in logs:
        with contextlib.suppress(NotASpend):
            seen.append(Sighting(int(log["blockNumber"], 16), log["transactionHash"], decode_spent(log)))
    return seen
