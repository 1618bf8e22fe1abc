"""The relayer's account on one chain, and the only writer of its nonces.

What it signs is stored before it is sent; what is stuck is replaced with a higher fee, at the same nonce; what was
displaced by somebody else with the key is settled, and its messages are looked at anew. The account is the seed's
second: a party's or a tower's spends, which have deadlines, never wait behind deliveries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from chains.errors import FeeAboveCap, Rejected
from chains.evm.account import derive_account
from chains.evm.adapter import EvmChain
from chains.evm.artifact import error_name
from chains.evm.errors import Reverted
from chains.evm.purse import Call, Purse, Slot, Standing
from chains.evm.reverts import words_of
from chains.evm.transaction import claimed, read_transaction
from chains.legs import NATIVE
from chains.port import FeeEstimate, SignedTx, TxPhase, TxState
from htlc.ports import Clock
from relayer.errors import Undeliverable
from settlement.store.messages import MessageBook, Push

log = structlog.get_logger(__name__)

ACCOUNT: Final = 1  # of the seed
PAYMENT_GAS: Final = 50_000  # of a payment of nothing to ourselves, whatever a fork makes of it
ENDED: Final = (TxPhase.MINED, TxPhase.DISPLACED)
PATIENCE: Final = 3  # times the chain's inclusion until a delivery counts as stuck


class Pusher:
    """Signs, stores, sends and follows deliveries on one chain."""

    def __init__(self, chain: EvmChain, seed: bytes, book: MessageBook, clock: Clock, cap: int) -> None:
        self.chain = chain
        self.name = chain.name
        self._purse = Purse(chain.client, chain.settings, derive_account(seed, ACCOUNT))
        self.address = self._purse.address
        self._book = book
        self._clock = clock
        self._cap = cap
        self._turn = asyncio.Lock()  # one nonce at a time
        self._following = asyncio.Lock()
        self.flying: tuple[Push, ...] = ()  # not final
        self.waiting: tuple[Push, ...] = ()  # not in a block
        self.sent = asyncio.Event()  # set when something was sent; for whoever follows
        self.freed = asyncio.Event()  # set when fewer wait than before; for whoever sends
        self._standing: tuple[str, Standing] | None = None  # of our account, with the block as of which it is
        self._followed = False

    async def balance(self) -> int:
        """Native units of the account."""
        return await self._purse.balance(NATIVE, self.address)

    async def simulate(self, lane: str, to: str, data: bytes, gas: int) -> None:
        """Raise Undeliverable if a call would fail at the best block."""
        request = {"from": self.address, "to": to, "data": "0x" + data.hex(), "gas": hex(gas)}
        try:
            await self.chain.client.call("eth_call", request, "latest")
        except Reverted as error:
            raise Undeliverable(lane, error_name(error.data), words_of(error)) from error

    async def estimate(self, to: str, data: bytes) -> int:
        """Gas of a call at the best block. Raises WouldFail, ChainUnavailable."""
        return await self._purse.estimate(Call(to, 0, data))

    async def push(self, lane: bytes, first: int, end: int, to: str, data: bytes, gas: int) -> Push:
        """Sign, store and send a delivery. Raises FeeAboveCap, InsufficientFunds, ChainUnavailable."""
        async with self._signing():
            known = await self._known()
            slot = await self._purse.slot([one.tx for one in self.flying], None, known)
            price = self._estimate(known).economical
            tx = await self._purse.sign(Call(to, 0, data), gas, slot, price, self._cap, [], known)
            return await self._send(lane, first, end, tx)

    def full(self, flights: int) -> bool:
        """Whether so many deliveries wait already. `freed` is set once fewer do."""
        if len(self.waiting) < flights:
            return False
        self.freed.clear()
        return True

    @asynccontextmanager
    async def _signing(self) -> AsyncIterator[None]:
        """Our turn to sign: one nonce at a time, of all relayers that pay from the account. What others signed is
        among what flies then, and how the account stands is asked anew."""
        async with self._turn, self._book.turn(self.name) as moved:
            if moved:
                self._standing = None
                self._add(await self._stored())
            yield

    async def _stored(self) -> list[Push]:
        return [push for push in await self._book.flying() if push.tx.chain == self.name]

    def _add(self, pushes: Iterable[Push]) -> None:
        """Let what is new of these fly and wait."""
        known = {push.number for push in self.flying}
        fresh = tuple(push for push in pushes if push.number not in known)
        self.flying = (*self.flying, *fresh)
        self.waiting = (*self.waiting, *fresh)

    def _ours(self, push: Push) -> bool:
        """Whether its lane or feed is ours to carry. One of no lane is everybody's."""
        return not push.lane or self._book.carries(push.lane)

    async def _known(self) -> Standing:
        """How our account and the market stand, asked for once a block. What we send ourselves is in `flying`."""
        tip = self.chain.tip
        if self._standing is None or tip is None or self._standing[0] != tip.hash:
            self._standing = ("" if tip is None else tip.hash, await self._purse.standing())
        return self._standing[1]

    def _estimate(self, known: Standing) -> FeeEstimate:
        return known.market.estimate(self.chain.settings.price_cap)

    async def _send(self, lane: bytes, first: int, end: int, tx: SignedTx) -> Push:
        since = self._height()
        pushed = await self._book.push(lane, first, end, tx, since, int(self._clock.now()))
        self._add([pushed])
        await self._broadcast(pushed)
        self.sent.set()
        return pushed

    async def _broadcast(self, pushed: Push) -> None:
        try:
            await self.chain.broadcast(pushed.tx)
        except Rejected as error:
            log.warning("delivery rejected", chain=self.name, txid=pushed.tx.txid, reason=error.reason)

    def _height(self) -> int:
        tip = self.chain.tip
        return 0 if tip is None else tip.height

    # --- what became of them

    async def catch_up(self) -> None:
        """Know what an earlier process sent. Raises ChainUnavailable."""
        if not self._followed:
            await self.follow()

    async def follow(self) -> list[tuple[Push, TxState]]:
        """Look at everything that flies, replace what is stuck; those that are in a block, each with its state.
        Raises ChainUnavailable."""
        async with self._following:
            self.sent.clear()
            known = {push.number for push in self.flying}
            await self.chain.look()
            flying = await self._stored()
            states = [(push, await self.chain.trace(push.tx, push.since)) for push in flying]
            final = set()
            for push, state in states:
                ended = state.phase in ENDED and state.depth >= self.chain.timing.depth
                if ended and self._ours(push):
                    await self._book.settle(push, state)
                    final.add(push.number)
            known |= {push.number for push in flying}
            self._take(flying, final, [push for push, state in states if not state.depth], known)
            await self._hurry(self.waiting)
            await self._heal()
            await self._known()
            return [(push, state) for push, state in states if state.phase is TxPhase.MINED]

    def _take(self, found: Sequence[Push], final: set[int], waiting: Sequence[Push], known: set[int]) -> None:
        """Remember what a look has shown. What was sent while it lasted it has not seen: it is not among `known`.
        What flew before and was not found was settled by another process."""
        before = len(self.waiting)
        self.flying = (
            *(push for push in found if push.number not in final),
            *(push for push in self.flying if push.number not in known),
        )
        self.waiting = (*waiting, *(push for push in self.waiting if push.number not in known))
        self._followed = True
        if len(self.waiting) < before:
            self.freed.set()

    async def _hurry(self, waiting: Sequence[Push]) -> None:
        """Send again what waits; the newest of each nonce is replaced once it has waited too long."""
        newest = {push.tx.claims: push for push in waiting}
        limit = PATIENCE * self.chain.timing.inclusion * self.chain.timing.interval
        for push in newest.values():
            if not self._ours(push) or self._clock.now() - push.signed_at < limit:
                await self._broadcast(push)
                continue
            try:
                await self._replace(push)
            except FeeAboveCap as error:
                log.warning("delivery is stuck at its cap", chain=self.name, reason=str(error))
                await self._broadcast(push)

    async def _replace(self, push: Push) -> None:
        async with self._signing():
            if any(one.tx.claims == push.tx.claims and one.number > push.number for one in self.flying):
                return  # another process did so
            old = read_transaction(push.tx)
            known = await self._purse.standing()
            slot = await self._purse.slot([one.tx for one in self.flying], push.tx, known)
            price = self._estimate(known).urgent
            call = Call(str(old.to), old.value, old.data)
            tx = await self._purse.sign(call, old.gas, slot, price, self._cap, [push.tx], known)
            log.info("delivery replaced", chain=self.name, was=push.tx.txid, txid=tx.txid)
            await self._send(push.lane, push.first, push.end, tx)

    async def _heal(self) -> None:
        """Close gaps below the nonces of what flies: until they are used, nothing above them is mined."""
        if await self._gap() is None:
            return
        async with self._signing():
            gap = await self._gap()
            if gap is None:
                return  # another process closed it
            slot, known = gap
            price = self._estimate(known).urgent
            tx = await self._purse.sign(Call(self.address), PAYMENT_GAS, slot, price, self._cap, [], known)
            log.warning("a gap in the nonces is closed", chain=self.name, nonce=slot.nonce)
            await self._send(b"", 0, 0, tx)

    async def _gap(self) -> tuple[Slot, Standing] | None:
        """The next free nonce, and how the account stands, where something that waits is above it."""
        if not self.waiting:
            return None
        known = await self._purse.standing()
        slot = await self._purse.slot([one.tx for one in self.flying], None, known)
        highest = max((claimed(push.tx)[1] for push in self.waiting), default=-1)
        return (slot, known) if slot.nonce < highest else None
