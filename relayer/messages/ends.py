"""The two ends of a lane as nodes show them: an outbox on one chain, an inbox on another. Reads only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chains.errors import ChainUnavailable, RpcError
from chains.evm.client import Client
from chains.evm.codec import raw_bytes, words
from chains.evm.messaging import calls
from chains.evm.messaging.errors import BadEvent
from chains.evm.messaging.message import Lane, Message
from chains.evm.messaging.quorum import SignerSet
from relayer.errors import BadLane

GROUP: Final = 256  # messages whose bits the inbox keeps in one word
AT_ONCE: Final = 8  # reads of words under way at once
REMEMBERED: Final = 64  # headers kept below the newest final block


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a chain."""

    height: int
    hash: str


class Headers:
    """Blocks of the last looks that are linked to the newest one by their parents' hashes: what a node would say
    of their heights needs no asking."""

    def __init__(self, kept: int) -> None:
        self.tip = Block(-1, "")
        self._kept = kept
        self._linked: dict[int, Block] = {}  # of the chain that `tip` ends, by height; without holes

    def add(self, tip: Block, parent: str) -> None:
        """A new best block."""
        below = self._linked.get(tip.height - 1)
        if below is None or below.hash != parent:
            self._linked = {}
        self._linked = {
            at: block for at, block in self._linked.items() if tip.height - self._kept < at < tip.height
        }
        self._linked[tip.height] = self.tip = tip

    def at(self, height: int) -> Block | None:
        """The block at a height, if it is one of those."""
        return self._linked.get(height)


class Outbox:
    """The source of a lane, by one node. depth: blocks until one counts as final."""

    def __init__(self, client: Client, lane: Lane, depth: int, log_range: int) -> None:
        self.client = client
        self.lane = lane
        self.depth = depth
        self._headers = Headers(depth + REMEMBERED)
        self._log_range = log_range

    @property
    def head(self) -> str:
        """Hash of the best block at the last look."""
        return self._headers.tip.hash

    async def final(self) -> Block:
        """The newest final block. Raises ChainUnavailable."""
        tip, parent = await self._header("latest")
        self._headers.add(tip, parent)
        return await self.block(max(0, tip.height - self.depth + 1))

    async def block(self, height: int) -> Block:
        """The block at a height, on the chain of the last look where it is known from there. Raises
        ChainUnavailable."""
        known = self._headers.at(height)
        return known if known is not None else (await self._header(hex(height)))[0]

    async def _header(self, block: str) -> tuple[Block, str]:
        raw = await self.client.call("eth_getBlockByNumber", block, False)
        try:
            return Block(int(raw["number"], 16), str(raw["hash"])), str(raw["parentHash"])
        except (KeyError, TypeError, ValueError) as error:
            raise ChainUnavailable(self.client.name, f"it has no block {block}") from error

    async def checkpoint(self, block: Block) -> tuple[int, bytes]:
        """How many messages the lane had at a block, and the root of their tree. Raises BadLane,
        ChainUnavailable."""
        data = "0x" + calls.checkpoint_call(self.lane.id).hex()
        request = {"to": self.lane.outbox, "data": data}
        answer = str(await self.client.call("eth_call", request, {"blockHash": block.hash}))
        if len(answer) != 2 + 128:
            raise BadLane(self.lane.id.hex(), f"there is no outbox at {self.lane.outbox}")
        return calls.read_checkpoint(answer)

    async def count_at(self, height: int) -> int | None:
        """How many messages the lane had at a height; None where the node has no state of it any more."""
        request = {"to": self.lane.outbox, "data": "0x" + calls.checkpoint_call(self.lane.id).hex()}
        try:
            answer = str(await self.client.call("eth_call", request, hex(height)))
        except RpcError:
            return None
        return calls.read_checkpoint(answer)[0] if len(answer) == 2 + 128 else 0

    async def sent_in(self, height: int) -> AsyncIterator[list[tuple[int, Message]]]:
        """The messages of one block, transaction by transaction: a block may hold more than one answer should."""
        block = await self.client.call("eth_getBlockByNumber", hex(height), False)
        for txid in (block or {}).get("transactions", ()):
            receipt = await self.client.call("eth_getTransactionReceipt", txid)
            logs = [log for log in (receipt or {}).get("logs", ()) if self._ours(log)]
            if logs:
                yield self._read(logs)

    def _ours(self, log: Mapping[str, Any]) -> bool:
        topics = log.get("topics", [])
        ours = [calls.SENT, "0x" + self.lane.id.hex()]
        return str(log.get("address", "")).lower() == self.lane.outbox.lower() and topics[:2] == ours

    async def sent(self, low: int, high: int) -> list[tuple[int, Message]]:
        """Messages in the blocks from `low` to `high`, with their heights, in order. Raises ChainUnavailable."""
        query = {"address": self.lane.outbox, "topics": [calls.SENT, "0x" + self.lane.id.hex()]}
        return self._read(
            await self.client.call("eth_getLogs", {**query, "fromBlock": hex(low), "toBlock": hex(high)})
        )

    def _read(self, logs: Any) -> list[tuple[int, Message]]:
        try:
            found = [(int(log["blockNumber"], 16), calls.read_sent(log, self.lane.source)) for log in logs]
        except (BadEvent, KeyError, TypeError, ValueError) as error:
            raise ChainUnavailable(self.client.name, f"its logs make no sense: {error}") from error
        return sorted(found, key=lambda pair: pair[1].index)

    def ranges(self, gaps: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        """Spans of blocks cut to what one request may ask for."""
        for low, high in gaps:
            for start in range(low, high, self._log_range):
                yield start, min(start + self._log_range, high)


class Inbox:
    """The destination of a lane, by one node."""

    def __init__(self, client: Client, lane: Lane) -> None:
        self.client = client
        self.lane = lane

    async def view(self, to: str, data: bytes, block: Block | None = None) -> str:
        """The answer of a contract at a block, or at the best one. Raises RpcError, ChainUnavailable."""
        at: Any = "latest" if block is None else {"blockHash": block.hash}
        return str(await self.client.call("eth_call", {"to": to, "data": "0x" + data.hex()}, at))

    async def _number(self, data: bytes, block: Block | None = None) -> int:
        """A number that the inbox answers with: zero in blocks before there was an inbox."""
        answer = await self.view(self.lane.inbox, data, block)
        if answer == "0x" and block is not None:
            return 0
        try:
            return calls.read_number(answer)
        except ValueError as error:
            raise ChainUnavailable(self.client.name, f"the inbox's answer is no number: {answer[:80]}") from error

    async def delivered(self, groups: Sequence[int], block: Block | None = None) -> dict[int, int]:
        """The inbox's words of bits, by group."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(group: int) -> int:
            async with places:
                return await self._number(calls.delivered_call(self.lane.id, group), block)

        found = await asyncio.gather(*(one(group) for group in groups))
        return dict(zip(groups, found, strict=True))

    async def accepted(self, root: bytes) -> int:
        """How many messages an accepted root covers; zero for another."""
        return await self._number(calls.accepted_call(self.lane.id, root))

    async def failed(self, id_: bytes) -> bool:
        """Whether a message waits to be tried again."""
        return bool(await self._number(calls.failed_call(id_)))

    async def paused(self) -> bool:
        """Whether the guardian paused the lane. Raises BadLane where it does not lead here."""
        try:
            return bool(calls.read_number(await self.view(self.lane.inbox, calls.paused_call(self.lane.id))))
        except (RpcError, ValueError) as error:
            reason = f"no lane from that outbox leads to the inbox {self.lane.inbox}"
            raise BadLane(self.lane.id.hex(), reason) from error

    async def signers(self, regtest: bool) -> SignerSet:
        """The set in force, from the event that installed it; its hash is compared with what the quorum says.
        Raises BadLane, also for a quorum of one unless `regtest`."""
        try:
            return await self._signers(regtest)
        except (ValueError, IndexError, BadEvent) as error:
            raise BadLane(self.lane.id.hex(), f"its inbox names no quorum: {error}") from error

    async def _signers(self, regtest: bool) -> SignerSet:
        quorum = calls.read_address(await self.view(self.lane.inbox, calls.QUORUM_CALL))
        current = calls.read_number(await self.view(quorum, calls.CURRENT_CALL))
        query = {"address": quorum, "topics": [calls.ROTATED, f"0x{current:064x}"]}
        logs = await self.client.call("eth_getLogs", {**query, "fromBlock": "0x0", "toBlock": "latest"})
        stored = words(raw_bytes(await self.view(quorum, calls.sets_call(current))))[0]
        for log in logs:
            found = calls.read_rotated(log)
            if found.hash == stored:
                if found.threshold == 1 and not regtest:
                    raise BadLane(self.lane.id.hex(), "one signer decides alone; only `regtest = true` takes that")
                return found
        raise BadLane(self.lane.id.hex(), f"the members of set {current} of quorum {quorum} can't be found")
