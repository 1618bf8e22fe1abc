"""Writes deals' records into chains, and sees to it that they are final before a deal is driven.

A record is signed, stored and sent like everything else: as intents of its deal, of the step `record`, so that
what it claims is reserved, and whoever comes after a crash finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog

from chains.errors import ChainError, Rejected
from chains.extras import Inscribes
from chains.legs import NATIVE
from chains.port import Chain, SignedTx, TxPhase, TxState, Wallet
from htlc.fees import PERMILLE, FeePolicy
from htlc.ports import RECORD, Clock, Deal, Intent
from settlement.record import write_record
from settlement.seed import Seed

log = structlog.get_logger(__name__)

IN_FLIGHT = 8  # records on one chain at a time: recovery counts with so many transactions it does not know of
STEEPER = 1.5  # of the last bid, for the next
MOST = 30  # times the urgent price, at most


class RecordJournal(Protocol):
    """What of a journal is needed here; see `htlc.ports.Journal`."""

    async def intents(self, deal: str) -> tuple[Intent, ...]: ...

    async def unsettled(self) -> tuple[Intent, ...]: ...

    async def settle(self, number: int, state: TxState) -> None: ...

    def turn(self, chain: str) -> AbstractAsyncContextManager[Sequence[SignedTx]]: ...

    async def sign_together(self, deal: str, step: str, txs: Mapping[str, SignedTx], at: int) -> None:
        """Store signed transactions, by part, before they are broadcast: all of them or none."""
        ...


@dataclass(eq=False)
class NoRecords(ChainError):
    """Neither chain of a deal can carry its record."""

    template = "{chain}: its wallet writes no records; choose another backup"


@dataclass(frozen=True, slots=True)
class Try:
    """The transactions that were signed at one time to carry a record, in order, with where they stand."""

    intents: tuple[Intent, ...]
    states: tuple[TxState, ...]

    @property
    def begun(self) -> bool:
        return any(state.phase is TxPhase.MINED for state in self.states)

    def final(self, depth: int) -> bool:
        """The whole record is in the chain for good."""
        mined = (state.phase is TxPhase.MINED and state.succeeded for state in self.states)
        return all(mined) and min(state.depth for state in self.states) >= depth


def record_chain(networks: Mapping[str, object], chains: Mapping[str, Chain]) -> str:
    """Where a deal's record goes: the first chain whose transactions are in an account's order, where one carries
    any data, else the first one."""
    ordered = [name for name in networks if chains[name].ordered]
    return (ordered or list(networks))[0]


class Recorder:
    """Keeps the records of one party's deals."""

    def __init__(
        self,
        journal: RecordJournal,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        seed: Seed,
        fees: Mapping[str, FeePolicy],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._chains = chains
        self._wallets = wallets
        self._seed = seed
        self._fees = fees
        self._clock = clock

    async def keep(self, deal: Deal) -> bool:
        """Whether the deal's record is final; if not, what can be done for it now is done. Raises ChainError."""
        intents = [one for one in await self._journal.intents(deal.id) if one.step == RECORD]
        name = intents[0].tx.chain if intents else record_chain(deal.terms.networks, self._chains)
        depth = deal.guards.chains[name].depth
        stored = _tries(intents, {one.number: one.final for one in intents if one.final is not None})
        if any(one.final(depth) for one in stored):
            return True
        await self._chains[name].look()
        states = {
            one.number: one.final or await self._chains[name].trace(one.tx, deal.since[name]) for one in intents
        }
        tries = _tries(intents, states)
        if done := [one for one in tries if one.final(depth)]:
            await self._settle(tries, done[0], depth)
            log.info("recorded", deal=deal.id, chain=name, txids=[one.tx.txid for one in done[0].intents])
            return True
        await self._bring_on(deal, name, tries)
        return False

    async def _settle(self, tries: Sequence[Try], done: Try, depth: int) -> None:
        """Store the last word on every attempt. What comes after a transaction that was replaced is displaced with
        it, though nothing else will ever spend what it spends. The record itself comes last: it is the end."""
        for one in sorted(tries, key=lambda each: each is done):
            for intent, state in zip(one.intents, one.states, strict=True):
                if intent.final is None:
                    await self._journal.settle(
                        intent.number, state if one is done else TxState(TxPhase.DISPLACED, depth)
                    )

    async def _bring_on(self, deal: Deal, name: str, tries: Sequence[Try]) -> None:
        """Sign, sign again for more, or send again."""
        standing = next((one for one in tries if one.begun), tries[-1] if tries else None)
        if standing is None:
            await self._sign(deal, name, tries)
        elif standing.begun or self._clock.now() - standing.intents[0].signed_at < self._fees[name].patience:
            await self._send(name, standing)
        else:
            try:
                await self._sign(deal, name, tries)
            except ChainError:
                await self._send(name, standing)  # a bid that can't be raised is still a bid
                raise

    async def _sign(self, deal: Deal, name: str, tries: Sequence[Try]) -> None:
        wallet = self._wallets[name]
        if not isinstance(wallet, Inscribes):
            raise NoRecords(name)
        unsettled = await self._journal.unsettled()
        others = {one.deal for one in unsettled if one.step == RECORD and one.tx.chain == name} - {deal.id}
        if len(others) >= IN_FLIGHT:
            return
        price = int((await self._chains[name].fees()).urgent * min(STEEPER ** len(tries), MOST))
        box = write_record(deal, self._seed)
        replacing = [one.tx for one in tries[-1].intents] if tries else []
        async with self._journal.turn(name) as pending:
            made = await wallet.inscribe(box, price, self._cap(deal, name), pending, replacing)
            now = int(self._clock.now())
            parts = {f"{number}/{len(made)}": tx for number, tx in enumerate(made, 1)}
            await self._journal.sign_together(deal.id, RECORD, parts, now)
        log.info("record signed", deal=deal.id, chain=name, parts=len(made), fee=sum(tx.fee for tx in made))
        for tx in made:
            await self._broadcast(tx)

    def _cap(self, deal: Deal, name: str) -> int:
        """The most that a record may cost: what a funding may (`htlc.fees`)."""
        policy = self._fees[name]
        coins = [leg.amount for leg in deal.terms.legs.values() if (leg.chain, leg.asset) == (name, NATIVE)]
        return max(coins) * policy.share_permille // PERMILLE if coins else policy.cap

    async def _send(self, name: str, standing: Try) -> None:
        """Send again what no node has."""
        for intent, state in zip(standing.intents, standing.states, strict=True):
            if state.phase is TxPhase.UNSEEN:
                await self._broadcast(intent.tx)

    async def _broadcast(self, tx: SignedTx) -> None:
        try:
            await self._chains[tx.chain].broadcast(tx)
        except Rejected as error:
            log.warning("record rejected", chain=tx.chain, txid=tx.txid, reason=error.reason)


def _tries(intents: Sequence[Intent], states: Mapping[int, TxState]) -> list[Try]:
    """Intents by the attempt they belong to, oldest first; each begins with a first part."""
    groups: list[list[Intent]] = []
    for one in intents:
        if one.leg.startswith("1/"):
            groups.append([])
        groups[-1].append(one)
    unseen = TxState(TxPhase.UNSEEN)
    return [Try(tuple(group), tuple(states.get(one.number, unseen) for one in group)) for group in groups]
