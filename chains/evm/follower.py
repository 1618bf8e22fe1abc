"""One follower per chain: reads each block once, however many legs are watched, and takes back what a
reorganisation took back.

A block costs two requests: the factory's logs, and the balances of all watched vaults, both pinned to the block's
hash, so that a lagging or reorganising node answers with an error and never with silence. Blocks that can't be
read one by one (before a leg was watched, after a long absence) are searched: logs by range, and where a leg is
full by now, the block that made it so by bisection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import ChainUnavailable, RpcError
from chains.evm.balances import read_balances
from chains.evm.choices import flat
from chains.evm.client import Client
from chains.evm.history import History
from chains.evm.vaults import NotASpend, Spent, decode_spent, spent_filter
from chains.legs import Leg
from chains.port import LegFacts, Spend

MAX_GAP = 100  # blocks read one by one; common nodes keep the state of 128
KEPT = 1024  # headers kept to find a fork; for a deeper one everything is searched anew
FILTERED = 100  # vaults up to which a search names them; for more it takes all that the factory says
SETTLED = 100  # blocks for which a leg was full, at least, where how many they are matters no more
AT_ONCE = 8  # questions about old blocks under way
ATTEMPTS = 5  # looks at a chain whose best block changes while it is read, or whose nodes lag behind each other
PAUSE = 0.05  # seconds before the second of them; doubled each time


@dataclass(frozen=True, slots=True)
class Header:
    """A block as the follower needs it. stamp: its timestamp, UNIX seconds."""

    height: int
    hash: str
    parent: str
    stamp: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Spent event and where it stands."""

    height: int
    txid: str
    spent: Spent


@dataclass(slots=True)
class _Watched:
    """since: no deposit before this height. watchers: how often it was asked for."""

    history: History
    since: int
    watchers: int = 1


@dataclass(slots=True)
class _Sought:
    """The first block at which a leg was full is searched for between two heights. held: at `high`, units."""

    trial: History
    low: int
    high: int
    held: int


class Follower:
    """Follows one node. Not re-entrant: its owner holds a lock around `advance`."""

    def __init__(self, client: Client, factory: str, log_range: int, depth: int = 0) -> None:
        self.client = client
        self.factory = factory
        self.tip: Header | None = None
        self._log_range = log_range
        self._settled = max(SETTLED, depth)
        self._chain: dict[int, Header] = {}  # of the best chain, by height; may have holes
        self._watched: dict[str, _Watched] = {}

    # --- what is watched

    def watch(self, leg: Leg, address: str, since: int) -> None:
        """Report this leg from the next `advance` on. Watching twice takes unwatching twice."""
        if address in self._watched:
            self._watched[address].watchers += 1
        else:
            self._watched[address] = _Watched(History(leg, address, max(since, 0)), max(since, 0))

    def unwatch(self, address: str) -> None:
        if (watched := self._watched.get(address)) is not None:
            watched.watchers -= 1
            if not watched.watchers:
                del self._watched[address]

    def facts(self) -> dict[str, LegFacts]:
        """Facts of every leg, by vault, as of `tip`."""
        assert self.tip is not None  # noqa: S101 - the owner advanced first
        tip = self.tip.height
        return {at: one.history.facts(tip) for at, one in self._watched.items() if one.history.next > tip}

    # --- following

    async def advance(self) -> Header:
        """Go to the node's best block. Raises ChainUnavailable, RpcError."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._advance()
            except _Moved as moved:
                if attempt == ATTEMPTS - 1 and moved.cause is not None:
                    raise moved.cause from moved
                await asyncio.sleep(PAUSE * 2**attempt)
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
        if branch is not None:
            self._rewind(branch[0].height - 1 if branch else latest.height)
            await self._follow(branch)
        elif not await self._descends():
            self._restart()
        while behind := self._behind(latest):  # more than once if a leg came to be watched in the meantime
            await self._search(behind, latest)
        self._accept(latest)
        return latest

    def _behind(self, tip: Header) -> list[History]:
        return [one.history for one in self._watched.values() if one.history.next <= tip.height]

    async def _branch(self, latest: Header) -> list[Header] | None:
        """The blocks from the fork with our chain up to `latest`, oldest first; None if that is too far."""
        if self.tip is None or latest.height > self.tip.height + MAX_GAP:
            return None
        branch: list[Header] = []
        header = latest
        while not self._knows(header):
            branch.append(header)
            if header.height <= min(self._chain):
                return None
            parent = await self.header(header.parent)
            if parent is None:
                raise _Moved
            header = parent
        return branch[::-1]

    def _knows(self, header: Header) -> bool:
        known = self._chain.get(header.height)
        return known is not None and known.hash == header.hash

    async def _descends(self) -> bool:
        """Whether the node's chain has our last block in it."""
        if self.tip is None:
            return False
        found = await self.header(hex(self.tip.height))
        return found is not None and found.hash == self.tip.hash

    def _rewind(self, height: int) -> None:
        if self.tip is None or height >= self.tip.height:
            return
        self._chain = {at: header for at, header in self._chain.items() if at <= height}
        self.tip = self._chain[height]
        for one in self._watched.values():
            one.history.rewind(height)

    def _restart(self) -> None:
        self._chain.clear()
        self.tip = None
        for one in self._watched.values():
            one.history = History(one.history.leg, one.history.address, one.since)

    def _accept(self, header: Header) -> None:
        self._chain[header.height] = header
        if len(self._chain) > KEPT:
            del self._chain[min(self._chain)]
        self.tip = header

    async def _follow(self, branch: Sequence[Header]) -> None:
        """Read blocks one by one, as far as that goes: the node may serve an old one's state no more."""
        for header in branch:
            try:
                await self._read(header)
            except RpcError as error:
                if header == branch[-1]:
                    raise _Moved(error) from error
                return
            self._accept(header)

    async def _read(self, header: Header) -> None:
        histories = [w.history for w in self._watched.values() if w.history.next == header.height]
        if not histories:
            return
        block = {"blockHash": header.hash}
        logs, balances = await asyncio.gather(
            self.client.call("eth_getLogs", {**spent_filter(self.factory), **block}),
            read_balances(self.client, [(one.leg.asset, one.address) for one in histories], block),
        )
        sightings = _by_vault(_sightings(logs))
        for history, balance in zip(histories, balances, strict=True):
            if history.address in sightings:
                _record(history, sightings[history.address])
            history.observe(header.height, balance or 0)

    # --- searching

    async def _search(self, histories: Sequence[History], tip: Header) -> None:
        """Bring histories from wherever they are to `tip`."""
        trials = [history.copy() for history in histories]
        pairs = [(trial.leg.asset, trial.address) for trial in trials]
        try:
            sightings = await self._range(trials, tip.height)
            balances = [held or 0 for held in await read_balances(self.client, pairs, {"blockHash": tip.hash})]
        except RpcError as error:
            raise _Moved(error) from error
        starts = await self._begin(trials, sightings, balances, tip)
        # What was asked for by height is of this chain only if its tip still is on the best chain afterwards.
        still = await self.header(hex(tip.height))
        if still is None or still.hash != tip.hash:
            raise _Moved
        for history, trial, held, start in zip(histories, trials, balances, starts, strict=True):
            trial.jump(start, tip.height, held)
            history.take(trial)

    async def _begin(
        self, trials: Sequence[History], sightings: Iterable[Sighting], balances: Sequence[int], tip: Header
    ) -> list[tuple[int, int] | None]:
        """Record the spends and find for each leg the first block from `next` on at which it was full, and what it
        held there. None if it is not full, or was before.

        One that was full long ago counts from then: nobody asks for more confirmations than that."""
        seen = _by_vault(sightings)
        wanted: dict[int, _Sought] = {}
        for number, (trial, held) in enumerate(zip(trials, balances, strict=True)):
            before = trial.full_since
            if trial.address in seen:
                _record(trial, seen[trial.address])
            if before is None and trial.lacks(held, tip.height) <= 0:
                wanted[number] = _Sought(trial, trial.next, tip.height, held)
        await self._ask_at(tip.height - self._settled, [one for one in wanted.values() if one.low < one.high])
        done = {number: one for number, one in wanted.items() if one.high == tip.height - self._settled}
        await self._bisect([one for number, one in wanted.items() if number not in done])
        return [
            (wanted[number].high, wanted[number].held) if number in wanted else None
            for number in range(len(trials))
        ]

    async def _bisect(self, sought: Sequence[_Sought]) -> None:
        """Deposits and spends only ever add up, which bisection relies on; where the node serves the state of old
        blocks no more, a leg counts from the first that it does serve. Legs that are asked for at the same block
        are asked for together."""
        while left := [one for one in sought if one.low < one.high]:
            groups: dict[int, list[_Sought]] = {}
            for one in left:
                groups.setdefault((one.low + one.high) // 2, []).append(one)
            places = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for height, some in groups.items():
                    group.create_task(self._ask_at(height, some, places))

    async def _ask_at(
        self, height: int, sought: Sequence[_Sought], places: asyncio.Semaphore | None = None
    ) -> None:
        """Narrow each search down by what its leg held at a block."""
        inside = [one for one in sought if one.low <= height < one.high]
        if not inside:
            return
        pairs = [(one.trial.leg.asset, one.trial.address) for one in inside]
        async with places or contextlib.nullcontext():
            try:
                found = await read_balances(self.client, pairs, hex(height))
            except RpcError:
                found = [None] * len(pairs)  # pruned
        for one, held in zip(inside, found, strict=True):
            if held is not None and one.trial.lacks(held, height) <= 0:
                one.high, one.held = height, held
            else:
                one.low = height + 1

    async def _range(self, histories: Sequence[History], last: int) -> list[Sighting]:
        """What left these vaults up to block `last`, asked for in ranges that the node accepts."""
        named = [history.address for history in histories] if len(histories) <= FILTERED else []
        wanted = spent_filter(self.factory, named)
        first = min(history.next for history in histories)
        sightings: list[Sighting] = []
        while first <= last:
            end = min(last, first + self._log_range - 1)
            query = {**wanted, "fromBlock": hex(first), "toBlock": hex(end)}
            try:
                sightings += _sightings(await self.client.call("eth_getLogs", query))
            except RpcError:
                if end == first:
                    raise
                self._log_range = max(1, (end - first + 1) // 2)
                continue
            first = end + 1
        return sightings


class _Moved(Exception):
    """The block that was read is no longer the node's: start over from its new best block."""

    def __init__(self, cause: RpcError | None = None) -> None:
        super().__init__()
        self.cause = cause


def _record(history: History, sightings: Iterable[Sighting]) -> None:
    """Add what left this leg in blocks not seen yet. Another asset than the leg's says nothing of its state,
    whatever path it took; but the preimages it showed are public."""
    leg = history.leg
    paths = flat(leg).paths
    mine = [seen for seen in sightings if seen.spent.vault == history.address and seen.height >= history.next]
    moved = {seen.txid for seen in mine if seen.spent.asset == leg.asset}
    for seen in mine:
        spent = seen.spent
        if spent.asset == leg.asset:
            path = paths[spent.path].name if spent.path < len(paths) else None
            history.record(seen.height, Spend(seen.txid, path, spent.amount, spent.preimages, depth=0))
        elif spent.preimages and seen.txid not in moved:
            history.record(seen.height, Spend(seen.txid, None, 0, spent.preimages, depth=0))


def _by_vault(sightings: Iterable[Sighting]) -> dict[str, list[Sighting]]:
    found: dict[str, list[Sighting]] = {}
    for seen in sightings:
        found.setdefault(seen.spent.vault, []).append(seen)
    return found


def _header(raw: dict[str, Any]) -> Header:
    return Header(int(raw["number"], 16), raw["hash"], raw["parentHash"], int(raw["timestamp"], 16))


def _sightings(logs: Iterable[dict[str, Any]]) -> list[Sighting]:
    """What the factory's log entries say; entries of any other kind are skipped."""
    seen = []
    for log in logs:
        with contextlib.suppress(NotASpend):
            seen.append(Sighting(int(log["blockNumber"], 16), log["transactionHash"], decode_spent(log)))
    return seen
