"""A journal in memory: what `settlement.store.Store` keeps on disk, without the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from chains.port import SignedTx, TxState
from htlc.errors import NoSuchDeal
from htlc.ports import Deal, Intent
from htlc.protocols.base import Vow, Will


class MemoryJournal:
    """See `htlc.ports.Journal`. Values are immutable, so a copy is a few dictionaries."""

    def __init__(self) -> None:
        self._deals: dict[str, Deal] = {}
        self._open: dict[str, Deal] = {}
        self._intents: dict[str, tuple[Intent, ...]] = {}
        self._unsettled: dict[int, Intent] = {}
        self._count = 0
        self.changes = 0

    def copy(self) -> MemoryJournal:
        """As it is now: a backup."""
        found = MemoryJournal()
        found._deals, found._open = dict(self._deals), dict(self._open)
        found._intents, found._unsettled = dict(self._intents), dict(self._unsettled)
        found._count, found.changes = self._count, self.changes
        return found

    def limit(self) -> None:
        """This is a restored backup: every open deal is limited from now on."""
        for id_ in self._open:
            self._change(id_, limited=True)

    async def add(self, deal: Deal) -> None:
        self._deals[deal.id] = self._open[deal.id] = deal

    async def deals(self) -> tuple[Deal, ...]:
        return tuple(self._open.values())

    async def deal(self, deal: str) -> Deal:
        if deal not in self._deals:
            raise NoSuchDeal(deal)
        return self._deals[deal]

    async def intents(self, deal: str) -> tuple[Intent, ...]:
        return self._intents.get(deal, ())

    async def unsettled(self) -> tuple[Intent, ...]:
        return tuple(self._unsettled.values())

    @asynccontextmanager
    async def turn(self, chain: str) -> AsyncIterator[tuple[SignedTx, ...]]:
        yield tuple(intent.tx for intent in self._unsettled.values() if intent.tx.chain == chain)

    async def sign(self, deal: str, leg: str, step: str, tx: SignedTx, at: int) -> Intent:
        for known in self._intents.get(deal, ()):
            if (known.leg, known.step, known.tx.txid) == (leg, step, tx.txid):
                return known
        self.changes += 1
        self._count += 1
        intent = Intent(self._count, deal, leg, step, tx, at)
        self._intents[deal] = (*self._intents.get(deal, ()), intent)
        self._unsettled[intent.number] = intent
        return intent

    async def settle(self, number: int, state: TxState) -> None:
        self.changes += 1
        intent = self._unsettled.pop(number, None)
        if intent is not None:
            final = replace(intent, final=state)
            before = self._intents[intent.deal]
            self._intents[intent.deal] = tuple(final if one.number == number else one for one in before)

    async def learn(self, deal: str, preimages: Mapping[bytes, bytes]) -> None:
        known = self._deals[deal].preimages
        if not preimages.items() <= known.items():
            self._change(deal, preimages={**known, **preimages})

    async def swear(self, deal: str, vow: Vow) -> None:
        self._change(deal, vows=self._deals[deal].vows | {vow})

    async def give_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        self._change(deal, consents_given={**self._deals[deal].consents_given, (leg, path): consent})

    async def hold_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        self._change(deal, consents_held={**self._deals[deal].consents_held, (leg, path): consent})

    async def resolve(self, deal: str, will: Will) -> None:
        self._change(deal, will=will)

    async def close(self, deal: str, outcome: str, at: int) -> None:
        self._change(deal, outcome=outcome)
        self._open.pop(deal, None)

    def _change(self, deal: str, **values: object) -> None:
        self.changes += 1
        changed = self._deals[deal] = replace(self._deals[deal], **values)  # type: ignore[arg-type]
        if deal in self._open:
            self._open[deal] = changed
