"""The store: everything of ours that the chains don't know, in one database.

Implements `htlc.ports.Journal`. Every call is one transaction, on disk when it returns; an error means that it
had no effect. Opening never changes an existing database's schema unless asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

from sqlalchemy import Connection, insert, select, update

from chains.port import SignedTx, TxState
from htlc.ports import Deal, Intent
from htlc.protocols.base import Vow, Will
from settlement.store import journal, schema, sqlite
from settlement.store.book import Book, limit_proposals
from settlement.store.database import Database
from settlement.store.epoch import Epoch
from settlement.store.errors import NotDriving
from settlement.store.lock import DriverLock
from settlement.store.messages import MessageBook
from settlement.store.offers import OfferBook, withdraw_all
from settlement.store.requests import RequestBook
from settlement.store.tables import changes, meta
from settlement.store.tokens import TokenBook

T = TypeVar("T")

EPOCH = "epoch"


class Store:
    """An open database. Made by `open`, ended by `aclose` (`close` closes a deal), or used with `async with`.

    driving: whether this process holds the database's lock, and so may sign.
    restored: whether this opening found that the database is an older copy; open deals are limited then.
    book: proposals, hashes ever used, peers. offers: ours, and takings. messages: what a relayer and a validator
    keep. tokens, requests: what the API needs.
    """

    def __init__(self, database: Database, lock: DriverLock, epoch: Epoch) -> None:
        self._database = database
        self._lock = lock
        self._epoch = epoch
        self._epoch_id = ""
        self._deals: dict[str, tuple[int, Deal]] = {}
        self._intents: dict[str, tuple[Intent, ...]] = {}
        self._unsettled: tuple[Intent, ...] | None = None
        self._writes = 0
        self.restored = False
        self.book = Book(self._read, self._write, database)
        self.offers = OfferBook(self._read, self._write, database, self.book)
        self.messages = MessageBook(self._read, self._write, database, self._must_drive)
        self.tokens = TokenBook(self._read, self._write)
        self.requests = RequestBook(self._read, self._write, database)

    # life

    @classmethod
    async def open(cls, url: str, *, drive: bool = False, upgrade: bool = False) -> Self:
        """Open the database at a path or `sqlite:///PATH`, creating it if there is none.

        drive: be the one process that signs for it. upgrade: bring an older schema up to date. Raises
        DatabaseInUse, SchemaTooNew, SchemaTooOld, NotOurDatabase, StoreUnavailable, UnsupportedDatabase.
        """
        backend = sqlite.parse(url)
        lock = DriverLock(backend.path)
        if drive or upgrade:
            lock.acquire()
        store: Self | None = None
        try:
            store = cls(Database(backend), lock, Epoch(backend.path))
            await schema.ensure(store._database, upgrade)
            await store._check_epoch()
        except BaseException:
            if store is not None:
                await store.aclose()
            lock.release()
            raise
        if not drive:
            lock.release()
        return store

    async def aclose(self) -> None:
        """Finish what is being written, let go of the files and of the lock."""
        await self._database.close()
        self._epoch.close()
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
        """Every deal that is not closed, oldest first."""
        self._deals = await self._read(self._refresh)
        self._intents = {id_: known for id_, known in self._intents.items() if id_ in self._deals}
        return tuple(deal for _, deal in self._deals.values())

    def _refresh(self, connection: Connection) -> dict[str, tuple[int, Deal]]:
        """The open deals, read again only where their revision is another than that of our copy."""
        revisions = journal.open_revisions(connection)
        known = {id_: copy for id_, copy in self._deals.items() if revisions.get(id_) == copy[0]}
        known.update(journal.load(connection, [id_ for id_ in revisions if id_ not in known]))
        return {id_: known[id_] for id_ in revisions}

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
            self._intents.update({id_: found[id_] for id_ in wanted if id_ in self._deals})
        return found[deal]

    def _uncached(self, deal: str) -> list[str]:
        """A deal and, for a driver, the others that it will ask for next: all are read at once after a start."""
        others = [id_ for id_ in self._deals if id_ not in self._intents and id_ != deal] if self.driving else []
        return [deal, *others[: journal.BATCH - 1]]

    async def unsettled(self) -> tuple[Intent, ...]:
        """Everything we signed, for any deal, of which the chain's last word is not final; in order."""
        if self._unsettled is not None:
            return self._unsettled
        writes = self._writes
        found = await self._read(journal.unsettled)
        if self.driving and writes == self._writes:
            self._unsettled = found
        return found

    def _forget_intents(self, deal: str | None) -> None:
        """Nobody but a driver signs, so its copies hold until it writes; every write of intents ends here,
        also one that failed or that nobody waits for any more."""
        self._writes += 1
        self._unsettled = None
        if deal is None:
            self._intents.clear()
        else:
            self._intents.pop(deal, None)

    async def preimage(self, value: bytes) -> bytes | None:
        """The preimage of a hash, if any deal ever saw it on a chain."""
        return await self._read(lambda connection: journal.preimage_of(connection, value))

    # journal: writing

    async def add(self, deal: Deal) -> None:
        """Open a deal. Its hashes and nonces count as used from now on. Raises DealExists, HashReused."""

        def work(connection: Connection) -> None:
            self.book.use_terms(connection, deal.terms, deal.id, deal.agreed_at)
            journal.insert_deal(connection, deal)

        await self._write(work)

    async def sign(self, deal: str, leg: str, step: str, tx: SignedTx, at: int) -> Intent:
        """Store a signed transaction, before it is broadcast. Raises NoSuchDeal, NotDriving."""
        self._must_drive()
        return await self._write(
            lambda connection: journal.insert_intent(connection, self._database, deal, leg, step, tx, at),
            lambda _: self._forget_intents(deal),
        )

    async def sign_together(self, deal: str, step: str, txs: Mapping[str, SignedTx], at: int) -> None:
        """Store signed transactions that are of no use without each other, by leg: all of them or none. Raises
        NoSuchDeal, NotDriving."""
        self._must_drive()

        def work(connection: Connection) -> None:
            for leg, tx in txs.items():
                journal.insert_intent(connection, self._database, deal, leg, step, tx, at)

        await self._write(work, lambda _: self._forget_intents(deal))

    async def settle(self, number: int, state: TxState) -> None:
        """Store the final word of the chain on a transaction we signed. Raises NoSuchIntent, NotDriving."""
        self._must_drive()
        await self._write(
            lambda connection: journal.settle_intent(connection, number, state), self._forget_intents
        )

    async def learn(self, deal: str, preimages: Mapping[bytes, bytes]) -> None:
        """Store preimages seen on a chain, by hash. They are never forgotten."""
        copy = self._deals.get(deal)
        if copy is not None and preimages.items() <= copy[1].preimages.items():
            return  # the driver tells us at every look
        database = self._database
        await self._write(lambda connection: journal.insert_preimages(connection, database, deal, preimages))

    async def swear(self, deal: str, vow: Vow) -> None:
        """Store a promise, before anything that relies on it. Raises NoSuchDeal, NotDriving."""
        self._must_drive()
        await self._write(lambda connection: journal.insert_vow(connection, self._database, deal, vow))

    async def give_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        """Store a release signature of ours, before it leaves the machine. Raises NoSuchDeal, NotDriving."""
        self._must_drive()
        await self._write(lambda connection: journal.put_consent(connection, deal, True, leg, path, consent))

    async def hold_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        """Store the other party's release signature."""
        await self._write(lambda connection: journal.put_consent(connection, deal, False, leg, path, consent))

    async def resolve(self, deal: str, will: Will) -> None:
        """Store what the user wants."""
        await self._write(lambda connection: journal.set_will(connection, deal, will))

    async def close(self, deal: str, outcome: str, at: int) -> None:
        """Store that a deal is over."""
        await self._write(lambda connection: journal.set_outcome(connection, deal, outcome, at))

    # transactions

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._database.read(work)

    async def _write(self, work: Callable[[Connection], T], after: Callable[[T | None], None] | None = None) -> T:
        """Run `work` as one transaction that also counts as a change; then tell the side file of it."""

        def counted(connection: Connection) -> tuple[T, int]:
            return work(connection), _count_change(connection)

        def over(result: tuple[T, int] | None) -> None:
            if after is not None:
                after(None if result is None else result[0])
            if result is not None:
                self._epoch.advance(self._epoch_id, result[1])

        return (await self._database.write(counted, over))[0]

    def _must_drive(self) -> None:
        if not self.driving:
            raise NotDriving(self.name)

    # epoch

    async def _check_epoch(self) -> None:
        """Find out whether this is the newest database; a driver limits the deals of one that is not."""
        self._epoch_id, count = await self._database.read(_epoch)
        if self._epoch.matches(self._epoch_id, count):
            return
        if self._epoch_id and not self.driving:
            return  # a reader changes nothing; the driver will find the same
        self._epoch_id, self.restored = await self._database.write(self._adopt)

    def _adopt(self, connection: Connection) -> tuple[str, bool]:
        """Start a new epoch; every open deal of a database that is not new becomes limited, and so does every deal
        that comes of its proposals.

        The side file is written first: a crash before the commit leaves the two different, the safe side.
        """
        known, count = _epoch(connection)
        if known and self._epoch.matches(known, count):
            return known, False  # a new database, and another process was faster
        fresh = self._epoch.renew()
        journal.limit_open_deals(connection)
        limit_proposals(connection)
        withdraw_all(connection, int(time.time()))
        if connection.execute(update(meta).where(meta.c.name == EPOCH).values(value=fresh)).rowcount == 0:
            connection.execute(insert(meta).values(name=EPOCH, value=fresh))
            connection.execute(insert(changes).values(count=0))
        return fresh, bool(known)


def _epoch(connection: Connection) -> tuple[str, int]:
    id_ = connection.execute(select(meta.c.value).where(meta.c.name == EPOCH)).scalar_one_or_none()
    count = connection.execute(select(changes.c.count)).scalar_one_or_none()
    return id_ or "", count or 0


_COUNT = update(changes).values(count=changes.c.count + 1).returning(changes.c.count)


def _count_change(connection: Connection) -> int:
    return int(connection.execute(_COUNT).scalar_one())
