"""One light client of Bitcoin on an EVM chain: headers from a node, and proofs that somebody asked for.

Every step looks first, and may be repeated: what the client has is asked of it, what it lacks is planned anew. So
a reorganisation of either chain, a gap, a restart or another relayer on the same client needs no words of its own.
One transaction at a time is under way: a batch can be simulated only once the one before it is in a block.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from chains.bitcoin.feeding import Batch, plan
from chains.bitcoin.node import Node
from chains.bitcoin.proofs import NotProvable
from chains.bitcoin.rpc import Rpc
from chains.bitcoin.settings import UtxoSettings
from chains.errors import RpcError, WouldFail
from chains.evm.adapter import EvmChain
from chains.evm.codec import keccak256
from chains.evm.light_client import LightClient, registry_terms, submit_calldata
from chains.port import TxState
from htlc.ports import Clock
from relayer.errors import BadFeed, FeedFails
from relayer.feeds.collateral import Prover, answered
from relayer.messages.pusher import Pusher
from relayer.settings import FeedSettings
from settlement.store.messages import Push
from settlement.store.proofs import ProofBook, ProofRequest

log = structlog.get_logger(__name__)

PLANNED: Final = 20  # batches planned at a time; more headers than any reorganisation has
BEHIND: Final = 6  # blocks that a light client may lack before that is worth a word


@dataclass(slots=True)
class FeedState:
    """What the last look showed. best, known: heights of the node's chain and of the light client's. requests: how
    each open one stands, in words."""

    best: int | None = None
    known: int | None = None
    insecure: bool = False
    requests: dict[ProofRequest, str] = field(default_factory=dict)
    trouble: str | None = None

    @property
    def behind(self) -> int:
        """Blocks that the light client lacks."""
        return 0 if self.best is None or self.known is None else max(0, self.best - self.known)


class FeedRunner:
    """Brings headers and proofs. Its deliveries are stored under `id`, as a lane's are."""

    def __init__(
        self,
        name: str,
        settings: FeedSettings,
        source: UtxoSettings,
        there: EvmChain,
        pusher: Pusher,
        book: ProofBook,
        clock: Clock,
    ) -> None:
        self.name = name
        self.id = keccak256(b"feed:" + name.encode())
        self.source, self.destination = settings.source, settings.destination
        self.state = FeedState()
        self._settings = settings
        self._depth = source.params.timing.depth
        self._rpc = Rpc(settings.source, source)
        self._node = Node(settings.source, self._rpc)
        self._there = there
        self._light = LightClient(there.client, settings.client)
        self._prover = Prover(self._node, there.client, settings.client, settings.registry)
        self._pusher = pusher
        self._book = book
        self._clock = clock
        self._planned: list[Batch] = []
        self._failed = ""  # the transaction of ours that failed in its block
        self._seen: tuple[object, ...] = ()  # what the last look that found nothing to do was at

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[FeedRunner]:
        """Check the destination's end; the node may be down. Raises BadFeed, ChainUnavailable."""
        await self._rpc.open()
        try:
            await self._check()
            yield self
        finally:
            await self._rpc.close()

    async def _check(self) -> None:
        try:
            self.state.known = (await self._light.tip()).height
            self.state.insecure = await self._light.insecure()
        except (RpcError, TypeError, ValueError, IndexError) as error:
            raise BadFeed(self.name, f"there is no light client at {self._settings.client}") from error
        if not self._settings.registry:
            return
        try:
            light, _ = await registry_terms(self._there.client, self._settings.registry)
        except (RpcError, ValueError, IndexError) as error:
            raise BadFeed(self.name, f"there is no registry at {self._settings.registry}") from error
        if light != self._light.address:
            raise BadFeed(self.name, f"the registry believes the light client {light}")

    async def take_up(self) -> None:
        """Go on where another process stopped: what we planned and saw before was then."""
        self._planned, self._failed, self._seen = [], "", ()

    # --- one step

    async def step(self) -> bool:
        """Send what is to be sent next; whether something was. Raises FeedFails, NoCommonBlock, ChainError."""
        await self._pusher.catch_up()
        if any(push.lane == self.id for push in self._pusher.waiting):
            return False
        if self._failed:
            txid, self._failed = self._failed, ""
            self._planned = []
            raise FeedFails(self.name, txid)
        requests = await self._requests()
        looked_at = (await self._node.rpc.call("getbestblockhash"), self._there.tip, requests)
        if looked_at == self._seen and not self._planned:
            return False
        if await self._bring() or await self._prove(requests):
            return True
        self.state.trouble = None
        self._seen = looked_at
        return False

    async def _requests(self) -> tuple[ProofRequest, ...]:
        return await self._book.open(self.name) if self._settings.registry else ()

    async def _bring(self) -> bool:
        """Send the next batch of headers."""
        if not self._planned:
            self._planned = (await plan(self._node, self._light, self._settings.batch, PLANNED))[::-1]
            await self._measure()
        if not self._planned:
            return False
        batch = self._planned[-1]
        await self._send(batch.height - batch.fresh, batch.height, self._settings.client, submit_calldata(batch))
        self._planned.pop()
        return True

    async def _prove(self, requests: tuple[ProofRequest, ...]) -> bool:
        """Send the next proof that can be given; whether there was one."""
        self.state.requests = {}
        for request in requests:
            record = await self._prover.record(request)
            if answered(request, record):
                self.state.requests[request] = await self._finish(request)
                continue
            try:
                data = await self._prover.call_data(request)
                await self._send(0, 0, self._settings.registry, data)
            except (NotProvable, WouldFail) as error:
                self.state.requests[request] = f"waiting: {error}"
                log.info("proof waits", feed=self.name, outpoint=request.outpoint, reason=str(error))
                continue
            self.state.requests[request] = "submitted"
            return True
        return False

    async def _send(self, first: int, end: int, to: str, data: bytes) -> None:
        gas = await self._pusher.estimate(to, data)
        push = await self._pusher.push(self.id, first, end, to, data, gas)
        log.info("bringing", feed=self.name, first=first, end=end, txid=push.tx.txid)

    async def _finish(self, request: ProofRequest) -> str:
        """Say how what is on record stands; beyond the reorganisation horizon of both chains it is done."""
        tip = self._there.tip
        final = None if tip is None else tip.height - self._there.timing.depth + 1
        if final is None or final < 0:
            return "registered"
        record = await self._prover.record(request, hex(final))
        depth = record.spend if request.spender else record.funding or 0
        if depth < self._depth:
            return "registered"
        await self._book.finish(request, int(self._clock.now()), self.id)
        return "final"

    def learned(self, push: Push, state: TxState) -> None:
        """A transaction of ours is in a block."""
        if push.lane == self.id and not state.succeeded and state.depth == 1:
            self._failed = push.tx.txid

    # --- looking

    async def _measure(self) -> None:
        self.state.best = (await self._node.tip(await self._rpc.call("getbestblockhash"))).height
        self.state.known = (await self._light.tip()).height

    async def look(self) -> None:
        """See how client and requests stand, and send nothing."""
        await self._measure()
        for request in await self._requests():
            record = await self._prover.record(request)
            self.state.requests[request] = "registered" if answered(request, record) else "waiting"

    @property
    def trouble(self) -> str | None:
        """What an operator should know."""
        if self.state.trouble is None and self.state.behind > BEHIND:
            return f"the light client is {self.state.behind} blocks behind"
        return self.state.trouble

    def document(self) -> Mapping[str, Any]:
        """The feed for people and programs, with the same keys as a lane."""
        return {
            "id": "0x" + self.id.hex(),
            "from": self.source,
            "to": f"{self.destination} {self._settings.client}",
            "paused": False,
            "halted": None,
            "trouble": self.trouble,
        }

    def counts(self) -> dict[str, Any]:
        """Heights, and what is open."""
        state = self.state
        open_ = len(state.requests)
        return {"best": state.best, "known": state.known, "behind": state.behind, "open requests": open_}
