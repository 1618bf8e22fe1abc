"""Who works on what. A lease is held by one process, and every write for what it is of checks it.

A lease has an epoch, which grows whenever its holder changes. A write locks the lease's row and compares: a
process that was paused for so long that others took over finds another epoch, and its transaction ends with
Fenced. Whether a holder is alive is one row for each process, renewed by the database's clock; so a thousand
leases cost no more to keep than one. Where only one process may drive, nobody else holds anything, and the rest is
the same.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from htlc.errors import Fenced
from settlement.store.database import Database
from settlement.store.errors import StoreUnavailable
from settlement.store.tables import daemons, leases

log = structlog.get_logger(__name__)

DEAL: Final = "deal"
LANE: Final = "lane"
LEASE_SECONDS: Final = 15.0  # that a process may be silent before others take over
RENEWALS: Final = 4  # within that time
BATCH: Final = 500  # taken in one transaction
SLACK: Final = 2  # leases above one's share that are not worth handing over
FORGET_MS: Final = 86_400_000  # a process that was silent for so long is not listed any more
FENCED_EPOCHS: Final = 2**32  # more than an older copy of the database can be behind


@dataclass(frozen=True, slots=True)
class Standing:
    """One kind of lease at one moment. free: there is something that anybody may take. all: how many there are.
    living: processes that drive, ourselves among them."""

    free: bool
    all: int
    living: int

    @property
    def share(self) -> int:
        """How many leases fall to each process."""
        return -(-self.all // max(1, self.living))


@dataclass(frozen=True, slots=True)
class Member:
    """A process on the database. label: its machine and process id. left: seconds until it counts as gone;
    negative since it does. held: (kind, name) of its leases."""

    label: str
    left: float
    held: tuple[tuple[str, str], ...]


class Leases:
    """What this process holds. `me` is its name, a new one each time it starts."""

    def __init__(self, database: Database, seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._held: dict[tuple[str, str], int] = {}
        self._beating: asyncio.Task[None] | None = None
        self.shared = False  # we drive, and others may as well
        self.me = secrets.token_hex(16)
        self._question = self._asking()

    # --- life

    async def start(self) -> None:
        """Be one of those that drive, until `stop`."""
        if self._database.backend.alone:
            return
        self.shared = True
        await self._renew()
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """Let go of everything at once, so that others need not wait."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
            self._beating = None
            try:
                await self._database.write_beside(self._leave)
            except StoreUnavailable as error:
                log.warning("leases are left to run out", reason=str(error))
        self._held.clear()

    def _leave(self, connection: Connection) -> None:
        connection.execute(update(leases).where(leases.c.holder == self.me).values(holder=None))
        connection.execute(delete(daemons).where(daemons.c.id == self.me))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / RENEWALS)
            try:
                await self._renew()
            except StoreUnavailable as error:
                log.warning("leases not renewed", reason=str(error))

    async def _renew(self) -> None:
        now = self._database.backend.now
        until = now + int(self._seconds * 1000)
        renewal = update(daemons).where(daemons.c.id == self.me).values(until=until)
        if not await self._database.touch(renewal.returning(daemons.c.id)):
            label = f"{socket.gethostname()}:{os.getpid()}"
            await self._database.touch(insert(daemons).values(id=self.me, label=label, until=until))
            await self._database.touch(delete(daemons).where(daemons.c.until < now - FORGET_MS))

    # --- taking and handing over

    def held(self, kind: str, name: str) -> int | None:
        """The epoch of a lease that we hold, as far as we know."""
        return self._held.get((kind, name))

    def names(self, kind: str) -> frozenset[str]:
        """What of a kind we hold, as far as we know."""
        return frozenset(name for of, name in self._held if of == kind)

    def known(self, kind: str) -> dict[str, int]:
        """The epochs of what we hold of a kind, as far as we know, by name."""
        return {name: epoch for (of, name), epoch in self._held.items() if of == kind}

    async def crew(self) -> tuple[Member, ...]:
        """Every process that drives, or holds something it has not been missed for yet; the liveliest first."""
        now = self._database.backend.now
        query = select(daemons.c.id, daemons.c.label, (daemons.c.until - now).label("left"))
        held = select(leases.c.holder, leases.c.kind, leases.c.name).where(leases.c.holder.is_not(None))

        def work(connection: Connection) -> tuple[Member, ...]:
            found: dict[str, list[tuple[str, str]]] = {}
            for row in connection.execute(held.order_by(leases.c.kind, leases.c.name)):
                found.setdefault(row.holder, []).append((row.kind, row.name))
            members = connection.execute(query.order_by(daemons.c.until.desc())).all()
            return tuple(Member(row.label, row.left / 1000, tuple(found.get(row.id, ()))) for row in members)

        return await self._database.read(work)

    def standing(self, connection: Connection, kind: str) -> Standing:
        """How leases of a kind stand, in the caller's transaction."""
        row = connection.execute(self._question, {"kind": kind}).one()
        return Standing(bool(row[0]), row[1], row[2])

    def _asking(self) -> Select[Any]:
        """What `standing` asks for, made once: it is asked in every tick."""
        of_kind = leases.c.kind == bindparam("kind")
        number = select(func.count()).select_from(leases).where(of_kind).scalar_subquery()
        living = select(func.count()).select_from(daemons).where(daemons.c.until > self._database.backend.now)
        free = select(leases.c.name).where(of_kind, self._free()).exists()
        return select(free, number, living.scalar_subquery())

    async def distribute(self, kind: str, among: Collection[str]) -> None:
        """Take and hand over what there is of a kind, as `settle` does. Raises StoreUnavailable."""
        ours = select(leases.c.name, leases.c.epoch).where(leases.c.kind == kind, leases.c.holder == self.me)
        for _ in range(2):
            known = self.known(kind)
            standing, rows = await self._database.glance(
                lambda one: (self.standing(one, kind), one.execute(ours).all())
            )
            if not await self.settle(kind, standing, {row.name: row.epoch for row in rows}, known, among):
                break

    async def settle(
        self,
        kind: str,
        standing: Standing,
        ours: Mapping[str, int],
        known: Mapping[str, int],
        among: Collection[str] | None = None,
    ) -> bool:
        """Take what is free and falls to us, hand over what is too much; whether anything changed. What we held
        and is ours no more is forgotten. ours: epochs of what is ours by the database, by name; known: what we
        held before we asked it; among: all that we can work on, where that is not everything."""
        for name, epoch in known.items():
            if ours.get(name) != epoch and self._held.get((kind, name)) == epoch:
                del self._held[kind, name]
        stray = ours.keys() - known.keys()  # taken in a call that nobody waited for
        room = standing.share - len(ours)
        surplus = -room if room < -SLACK else 0
        if surplus:
            await self._hand_over(kind, sorted(self.names(kind))[:surplus])
        if not stray and (not standing.free or room <= 0):
            return bool(surplus)
        return await self._take(kind, stray, max(0, min(room, BATCH)), among) or bool(surplus)

    async def _take(self, kind: str, stray: Collection[str], most: int, among: Collection[str] | None) -> bool:
        def work(connection: Connection) -> dict[str, int]:
            mine = and_(leases.c.kind == kind, leases.c.holder == self.me, leases.c.name.in_(stray))
            found = {row.name: row.epoch for row in connection.execute(select(leases).where(mine))}
            free = select(leases.c.name).where(leases.c.kind == kind, self._free())
            if among is not None:
                free = free.where(leases.c.name.in_(among))
            free = free.order_by(leases.c.name).limit(most).with_for_update(of=leases, skip_locked=True)
            names = list(connection.execute(free).scalars()) if most else []
            taking = update(leases).where(leases.c.kind == kind, leases.c.name.in_(names))
            taking = taking.values(holder=self.me, epoch=leases.c.epoch + 1)
            for row in connection.execute(taking.returning(leases.c.name, leases.c.epoch)):
                found[row.name] = row.epoch
            return found

        taken = await self._database.write_beside(work)
        self._held.update({(kind, name): epoch for name, epoch in taken.items()})
        if taken and not self._database.backend.alone:
            log.info("leases taken", kind=kind, names=sorted(taken))
        return bool(taken)

    async def _hand_over(self, kind: str, names: Iterable[str]) -> None:
        chosen = list(names)[:BATCH]
        for name in chosen:
            del self._held[kind, name]  # first: from now on nothing of ours is written for it
        mine = and_(leases.c.kind == kind, leases.c.holder == self.me, leases.c.name.in_(chosen))
        await self._database.touch(update(leases).where(mine).values(holder=None))
        log.info("leases handed over", kind=kind, names=chosen)

    def _free(self) -> ColumnElement[bool]:
        """Nobody holds it, or one who is gone."""
        if self._database.backend.alone:
            return or_(leases.c.holder.is_(None), leases.c.holder != self.me)
        living = exists().where(daemons.c.id == leases.c.holder, daemons.c.until > self._database.backend.now)
        return or_(leases.c.holder.is_(None), ~living)

    # --- within a write

    def living(self, connection: Connection, holder: str) -> bool:
        """Whether a process other than ours still works on this database."""
        if self._database.backend.alone:
            return False  # there is none but us
        alive = select(daemons.c.id).where(daemons.c.id == holder, daemons.c.until > self._database.backend.now)
        return connection.execute(alive).scalar_one_or_none() is not None

    def open(self, connection: Connection, kind: str, name: str, ours: bool) -> None:
        """There is something new to hold; `opened` says when that is stored."""
        holder = self.me if ours else None
        row = {"kind": kind, "name": name, "holder": holder, "epoch": int(ours)}
        connection.execute(self._database.insert_new(leases).values(row))

    def opened(self, kind: str, name: str) -> None:
        """What we opened for ourselves is stored."""
        self._held[kind, name] = 1

    def check(self, connection: Connection, kind: str, name: str) -> None:
        """Raise Fenced unless we hold it; until the transaction ends nobody else can take it."""
        epoch = self._held.get((kind, name))
        query = select(leases.c.epoch).where(
            leases.c.kind == kind, leases.c.name == name, leases.c.holder == self.me
        )
        found = connection.execute(query.with_for_update(read=True)).scalar_one_or_none()
        if epoch is None or found != epoch:
            self._held.pop((kind, name), None)
            raise Fenced(f"{kind} {name}")

    def close(self, connection: Connection, kind: str, name: str) -> None:
        """There is nothing to hold any more."""
        connection.execute(delete(leases).where(leases.c.kind == kind, leases.c.name == name))

    def fence_all(self, connection: Connection) -> None:
        """Nobody holds anything any more, and whoever did is fenced."""
        connection.execute(update(leases).values(holder=None, epoch=leases.c.epoch + FENCED_EPOCHS))
