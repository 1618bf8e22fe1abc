"""The store: everything of ours that the chains don't know, in one database.

Implements `htlc.ports.Journal`. Every call is one transaction, on disk when it returns; an error means that it
had no effect. Opening never changes an existing database's schema unless asked. Several drivers may share a
database where it allows that: each sees the deals that it holds, and writes for no others.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection

from chains.port import SignedTx, TxState
from htlc.ports import Deal, Intent
from htlc.protocols.base import Vow, Will
from settlement.store import backend as backends
from settlement.store import journal, schema
from settlement.store.age import Age
from settlement.store.backend import Epoch, Lock
from settlement.store.book import Book
from settlement.store.database import Database
from settlement.store.errors import NotDriving
from settlement.store.leases import DEAL, LEASE_SECONDS, Leases
from settlement.store.lineages import Lineages
from settlement.store.messages import MessageBook
from settlement.store.offers import OfferBook
from settlement.store.proofs import ProofBook
from settlement.store.requests import RequestBook
from settlement.store.tokens import TokenBook

T = TypeVar("T")


class Store:
    """An open database. Made by `open`, ended by `aclose` (`close` closes a deal), or used with `async with`.

    driving: whether this process was opened to drive, and so may sign for the deals that it holds.
    restored: whether this opening found that the database is an older copy; open deals are limited then.
    book: proposals, hashes ever used, peers. offers: ours, and takings. messages: what a relayer and a validator
    keep. proofs: what a relayer was asked to prove. tokens, requests: what the API needs.
    """

    def __init__(self, database: Database, lock: Lock, epoch: Epoch, lease: float = LEASE_SECONDS) -> None:
        self._database = database
        self._lock = lock
        self._deals: dict[str, tuple[int, Deal]] = {}
        self._shown: dict[str, tuple[int, Deal]] = {}  # the page that was asked for last
        self._intents: dict[str, tuple[Intent, ...]] = {}
        self._unsettled: tuple[Intent, ...] | None = None
        self._writes = 0
        self.restored = False
        self.leases = Leases(database, lease)
        self.lineages = Lineages(database, self.leases.me)
        self._age = Age(database, epoch, self.leases.fence_all)
        self.book = Book(self._read, self._write, database, self._open_deal)
        self.offers = OfferBook(self._read, self._write, database, self.book)
        self.messages = MessageBook(
            self._read, self._write, database, self._must_drive, self.leases, self.lineages
        )
        self.proofs = ProofBook(self._read, self._write, database, self.messages.check)
        self.tokens = TokenBook(self._read, self._write)
        self.requests = RequestBook(self._read, self._write, database, self.leases)

    # life

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        drive: bool = False,
        upgrade: bool = False,
        folder: Path | None = None,
        lease: float = LEASE_SECONDS,
    ) -> Self:
        """Open the database at a path, `sqlite:///PATH` or `postgresql://...`, making our tables if there are
        none.

        drive: sign for it; on SQLite by this process alone. upgrade: bring an older schema up to date. folder:
        where this process remembers how far a shared database had come, so that an older copy of it is found out.
        lease: seconds that a process may be silent before others take over what it drives. Raises DatabaseInUse,
        SchemaTooNew, SchemaTooOld, NotOurDatabase, StoreUnavailable, UnsupportedDatabase, MissingDriver.
        """
        backend = backends.parse(url)
        lock = backend.lock()
        if drive or upgrade:
            lock.acquire()
        store: Self | None = None
        try:
            store = cls(Database(backend), lock, backend.epoch(folder if drive else None), lease)
            await store._start(drive, upgrade)
        except BaseException:
            if store is not None:
                await store.aclose()
            lock.release()
            raise
        if not drive:
            lock.release()
        return store

    async def _start(self, drive: bool, upgrade: bool) -> None:
        await schema.ensure(self._database, upgrade)
        self.restored = await self._age.find_out(drive or upgrade)
        if drive:
            await self.leases.start()
            await self.deals()

    async def aclose(self) -> None:
        """Finish what is being written, let go of what we hold, of the files and of the lock."""
        await self.leases.stop()
        await self._database.close()
        self._age.close()
        self._lock.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def driving(self) -> bool:
        return self._lock.held

    @property
    def name(self) -> str:
        return self._database.name

    # journal: reading

    async def deals(self) -> tuple[Deal, ...]:
        """Every deal that is not closed, oldest first; to a driver, those that it holds. It takes on what nobody
        holds, and hands over what is more than its share."""
        revisions = await (self._hold() if self.driving else self._database.glance(journal.open_revisions))
        copies = await self._load(revisions)
        held = self.leases.names(DEAL) if self.driving else copies.keys()
        self._deals = {id_: copy for id_, copy in copies.items() if id_ in held}
        self._intents = {id_: known for id_, known in self._intents.items() if id_ in self._deals}
        return tuple(deal for _, deal in self._deals.values())

    async def _hold(self) -> dict[str, int]:
        """The revisions of the deals that we hold, once what is free is distributed."""
        for _ in range(2):
            known = self.leases.known(DEAL)
            standing, found = await self._database.glance(
                lambda one: (self.leases.standing(one, DEAL), journal.held_revisions(one, self.leases.me))
            )
            ours = {id_: epoch for id_, (_, epoch) in found.items()}
            if not await self.leases.settle(DEAL, standing, ours, known):
                break
        return {id_: revision for id_, (revision, _) in found.items()}

    async def open_deals(self) -> tuple[Deal, ...]:
        """Every deal that is not closed, whoever holds it, oldest first."""
        copies = await self._load(await self._database.glance(journal.open_revisions))
        return tuple(deal for _, deal in copies.values())

    async def open_page(self, limit: int, offset: int = 0) -> tuple[Deal, ...]:
        """At most so many deals that are not closed, whoever holds them, newest first."""
        found = await self._database.glance(lambda connection: journal.open_page(connection, limit, offset))
        self._shown = await self._load(found)
        return tuple(deal for _, deal in self._shown.values())

    async def _load(self, revisions: Mapping[str, int]) -> dict[str, tuple[int, Deal]]:
        """Deals, read again only where their revision is another than that of our copy."""
        copies = itertools.chain(self._shown.items(), self._deals.items())
        known = {id_: copy for id_, copy in copies if revisions.get(id_) == copy[0]}
        missing = [id_ for id_ in revisions if id_ not in known]
        if missing:
            known.update(await self._read(lambda connection: journal.load(connection, missing)))
        return {id_: known[id_] for id_ in revisions if id_ in known}

    async def deal(self, deal: str) -> Deal:
        """One deal, closed or not. Raises NoSuchDeal."""
        return (await self._read(lambda connection: journal.load_one(connection, deal)))[1]

    async def history(self, limit: int = 100, offset: int = 0, closed: bool = False) -> tuple[Deal, ...]:
        """Deals of any state, or only closed ones, newest first."""

        def work(connection: Connection) -> tuple[Deal, ...]:
            ids = journal.all_ids(connection, limit, offset, closed)
            found = journal.load(connection, ids)
            return tuple(found[id_][1] for id_ in ids)

        return await self._read(work)

    async def intents(self, deal: str) -> tuple[Intent, ...]:
        """Everything we signed for a deal, in order."""
        if deal in self._intents:
            return self._intents[deal]
        writes = self._writes
        wanted = self._uncached(deal)
        found = await self._read(lambda connection: journal.intents_by_deal(connection, wanted))
        if self.driving and writes == self._writes:
            kept = {id_ for id_ in wanted if id_ in self._deals and self.leases.held(DEAL, id_)}
            self._intents.update({id_: found[id_] for id_ in kept})
        return found[deal]

    def _uncached(self, deal: str) -> list[str]:
        """A deal and, for a driver, the others that it will ask for next: all are read at once after a start."""
        others = [id_ for id_ in self._deals if id_ not in self._intents and id_ != deal] if self.driving else []
        return [deal, *others[: journal.BATCH - 1]]

    async def unsettled(self) -> tuple[Intent, ...]:
        """Everything we signed, for any deal, of which the chain's last word is not final; in order."""
        if self._database.backend.alone and self._unsettled is not None:
            return self._unsettled
        writes = self._writes
        known = {intent.number: intent for intent in self._unsettled or ()}
        found = await self._database.glance(lambda connection: journal.unsettled(connection, known))
        if self.driving and writes == self._writes:
            self._unsettled = found
        return found

    @asynccontextmanager
    async def turn(self, chain: str) -> AsyncIterator[tuple[SignedTx, ...]]:
        """Our turn to sign on a chain; gives every transaction there without a final word. Raises LineageBusy;
        `sign` within raises LineageMoved if somebody signed all the same."""
        async with self.lineages.turn(chain):
            yield tuple(intent.tx for intent in await self.unsettled() if intent.tx.chain == chain)

    def _keep_up(self, deal: str | None, signed: Sequence[Intent] = (), settled: int | None = None) -> None:
        """Nobody but a driver signs for its deals, so its copies hold until it writes; every write of intents ends
        here, also one that nobody waits for any more. deal: None if the write failed."""
        self._writes += 1
        if deal is None:
            self._intents.clear()
            self._unsettled = None
            return
        self._intents.pop(deal, None)
        if self._unsettled is not None:
            known = {intent.number for intent in self._unsettled}
            added = (intent for intent in signed if intent.number not in known and intent.final is None)
            kept = (intent for intent in self._unsettled if intent.number != settled)
            self._unsettled = (*kept, *added)

    async def preimage(self, value: bytes) -> bytes | None:
        """The preimage of a hash, if any deal ever saw it on a chain."""
        return await self._read(lambda connection: journal.preimage_of(connection, value))

    # journal: writing

    async def add(self, deal: Deal) -> None:
        """Open a deal. Its hashes and nonces count as used from now on. Raises DealExists, HashReused."""

        def work(connection: Connection) -> None:
            self.book.use_terms(connection, deal.terms, deal.id, deal.agreed_at)
            self._open_deal(connection, deal)

        await self._write(work)
        if self.driving:
            self.leases.opened(DEAL, deal.id)

    def _open_deal(self, connection: Connection, deal: Deal) -> None:
        """A driver that opens a deal holds it: its next look finds the lease to be its own."""
        journal.insert_deal(connection, deal)
        self.leases.open(connection, DEAL, deal.id, self.driving)

    def _check_held(self, connection: Connection, deal: str) -> None:
        """Raise Fenced unless we drive the deal, NoSuchDeal if there is none."""
        if self.leases.held(DEAL, deal) is None:
            journal.load_revision(connection, deal)
        self.leases.check(connection, DEAL, deal)

    async def sign(self, deal: str, leg: str, step: str, tx: SignedTx, at: int) -> Intent:
        """Store a signed transaction, before it is broadcast. Raises NoSuchDeal, NotDriving, Fenced,
        LineageMoved."""
        return (await self._sign(deal, step, {leg: tx}, at))[0]

    async def sign_together(self, deal: str, step: str, txs: Mapping[str, SignedTx], at: int) -> None:
        """Store signed transactions that are of no use without each other, by leg: all of them or none. Raises
        NoSuchDeal, NotDriving, Fenced, LineageMoved."""
        await self._sign(deal, step, txs, at)

    async def _sign(self, deal: str, step: str, txs: Mapping[str, SignedTx], at: int) -> list[Intent]:
        self._must_drive()
        chains = sorted({tx.chain for tx in txs.values()})

        def work(connection: Connection) -> list[Intent]:
            self._check_held(connection, deal)
            for chain in chains:
                self.lineages.check(connection, chain)
            database = self._database
            return [
                journal.insert_intent(connection, database, deal, leg, step, tx, at) for leg, tx in txs.items()
            ]

        def over(found: list[Intent] | None) -> None:
            self._keep_up(None if found is None else deal, found or ())
            for chain in chains if found is not None else ():
                self.lineages.stored(chain)

        return await self._write(work, over)

    async def settle(self, number: int, state: TxState) -> None:
        """Store the final word of the chain on a transaction we signed. Raises NoSuchIntent, NotDriving,
        Fenced."""
        self._must_drive()

        def work(connection: Connection) -> str:
            self._check_held(connection, journal.deal_of(connection, number))
            return journal.settle_intent(connection, number, state)

        await self._write(work, lambda deal: self._keep_up(deal, settled=number))

    async def learn(self, deal: str, preimages: Mapping[bytes, bytes]) -> None:
        """Store preimages seen on a chain, by hash. They are never forgotten. Raises NoSuchDeal, and Fenced where
        we drive others."""
        copy = self._deals.get(deal)
        if copy is not None and preimages.items() <= copy[1].preimages.items():
            return  # the driver tells us at every look

        def work(connection: Connection) -> None:
            if self.driving:
                self._check_held(connection, deal)
            journal.insert_preimages(connection, self._database, deal, preimages)

        await self._write(work)

    async def swear(self, deal: str, vow: Vow) -> None:
        """Store a promise, before anything that relies on it. Raises NoSuchDeal, NotDriving, Fenced."""
        self._must_drive()

        def work(connection: Connection) -> None:
            self._check_held(connection, deal)
            journal.insert_vow(connection, self._database, deal, vow)

        await self._write(work)

    async def give_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        """Store a release signature of ours, before it leaves the machine. Raises NoSuchDeal, NotDriving,
        Fenced."""
        self._must_drive()

        def work(connection: Connection) -> None:
            self._check_held(connection, deal)
            journal.put_consent(connection, deal, True, leg, path, consent)

        await self._write(work)

    async def hold_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        """Store the other party's release signature."""
        await self._write(lambda connection: journal.put_consent(connection, deal, False, leg, path, consent))

    async def resolve(self, deal: str, will: Will) -> None:
        """Store what the user wants."""
        await self._write(lambda connection: journal.set_will(connection, deal, will))

    async def close(self, deal: str, outcome: str, at: int) -> None:
        """Store that a deal is over: there is nothing to drive any more. Raises NoSuchDeal, NotDriving, Fenced."""
        self._must_drive()

        def work(connection: Connection) -> None:
            self._check_held(connection, deal)
            journal.set_outcome(connection, deal, outcome, at)
            self.leases.close(connection, DEAL, deal)

        await self._write(work)

    # transactions

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._database.read(work)

    async def _write(self, work: Callable[[Connection], T], after: Callable[[T | None], None] | None = None) -> T:
        """Run `work` as one transaction that also counts as a change; then tell the side file of it."""

        def counted(connection: Connection) -> tuple[T, int]:
            count = self._age.advance(connection)
            return work(connection), count

        def over(result: tuple[T, int] | None) -> None:
            if after is not None:
                after(None if result is None else result[0])
            if result is not None:
                self._age.stored(result[1])

        return (await self._database.write(counted, over))[0]

    def _must_drive(self) -> None:
        if not self.driving:
            raise NotDriving(self.name)
