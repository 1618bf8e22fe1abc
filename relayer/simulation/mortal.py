"""A party's journal and chains, watched at every step, and the deaths that come between two of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from chains.errors import StaleTip
from chains.port import SignedTx, Snapshot, TxState
from chains.simulated.chain import SimChain
from chains.simulated.ledger import Ledger
from chains.simulated.node import Node
from htlc.ports import Intent, Journal
from htlc.protocols.base import Vow, Will


class Death(BaseException):
    """The process is gone. Nothing catches it but the simulation."""


class Watch(Protocol):
    """Who is told of every step that a party takes."""

    def before(self, step: str) -> None: ...

    def after(self, step: str) -> None: ...

    def stored(self, intent: Intent) -> None: ...

    def sending(self, tx: SignedTx) -> None: ...

    def stale(self) -> None: ...

    def swore(self, deal: str, vow: Vow) -> None: ...

    def gave(self, deal: str, leg: str, path: str) -> None: ...

    def closed(self, deal: str, outcome: str) -> Awaitable[None]: ...


class MortalJournal:
    """A journal whose process may die before and after each commit."""

    def __init__(self, inner: Journal, watch: Watch) -> None:
        self.inner = inner
        self._watch = watch
        # Nothing happens between a read and the next step: reads are not watched.
        self.deals = inner.deals
        self.deal = inner.deal
        self.intents = inner.intents
        self.unsettled = inner.unsettled
        self.turn = inner.turn

    async def sign(self, deal: str, leg: str, step: str, tx: SignedTx, at: int) -> Intent:
        self._watch.before("sign")
        found = await self.inner.sign(deal, leg, step, tx, at)
        self._watch.stored(found)
        self._watch.after("sign")
        return found

    async def settle(self, number: int, state: TxState) -> None:
        await self._commit("settle", self.inner.settle(number, state))

    async def learn(self, deal: str, preimages: Mapping[bytes, bytes]) -> None:
        await self._commit("learn", self.inner.learn(deal, preimages))

    async def swear(self, deal: str, vow: Vow) -> None:
        self._watch.before("swear")
        await self.inner.swear(deal, vow)
        self._watch.swore(deal, vow)
        self._watch.after("swear")

    async def give_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        self._watch.gave(deal, leg, path)
        await self._commit("consent", self.inner.give_consent(deal, leg, path, consent))

    async def hold_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        await self.inner.hold_consent(deal, leg, path, consent)

    async def resolve(self, deal: str, will: Will) -> None:
        await self.inner.resolve(deal, will)

    async def close(self, deal: str, outcome: str, at: int) -> None:
        await self._watch.closed(deal, outcome)
        await self._commit("close", self.inner.close(deal, outcome, at))

    async def _commit(self, step: str, work: Awaitable[None]) -> None:
        try:
            self._watch.before(step)
        except Death:
            work.close()  # type: ignore[attr-defined]
            raise
        await work
        self._watch.after(step)


class MortalChain(SimChain):
    """A connection whose process may die before and after each broadcast. seen: the newest look. looked: when that
    was, and the one before it; None before the first."""

    def __init__(self, ledger: Ledger, node: Node, clock: Callable[[], float], watch: Watch) -> None:
        super().__init__(ledger, node, clock)
        self._watch = watch
        self.seen: Snapshot | None = None
        self.looked: tuple[float | None, float | None] = (None, None)

    async def look(self) -> Snapshot:
        try:
            self.seen = self.glimpse()
        except StaleTip:
            self._watch.stale()
            raise
        self.looked = (self.looked[1], self._clock())
        return self.seen

    async def broadcast(self, tx: SignedTx) -> None:
        self._watch.before("broadcast")
        self._watch.sending(tx)
        await super().broadcast(tx)
        self._watch.after("broadcast")
