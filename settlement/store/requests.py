"""What was asked for under an idempotency key, and what was answered. Part of a `Store`; every call is one
transaction.

A request is claimed before anything is done for it and answered after it. What is made for it, a proposal, an
offer or a taking, is noted in the transaction that stores it, so that a crash in between can't have it made twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, select, update

from settlement.store.database import Database, Transact
from settlement.store.leases import Leases
from settlement.store.tables import requests

KEPT_SECONDS = 86_400  # for so long a request is known by its key


@dataclass(frozen=True, slots=True)
class RequestKey:
    """caller: whose key it is; others' keys of that name are other keys."""

    caller: str
    key: str


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """digest: of what was asked. made: the id of what was made for it, if anything was. status, answer: None while
    there is no answer. busy: another process that lives is working on it."""

    digest: bytes
    at: int
    made: str | None
    status: int | None
    answer: str | None
    busy: bool = False


class RequestBook:
    """See the module."""

    def __init__(self, read: Transact, write: Transact, database: Database, leases: Leases) -> None:
        self._read = read
        self._write = write
        self._database = database
        self._leases = leases

    async def claim(self, key: RequestKey, digest: bytes, now: int) -> RequestRecord | None:
        """Take a key for a request: None where it was free, else what it was taken for. What a process that is
        gone was working on is ours from then on. Keys older than KEPT_SECONDS are forgotten."""

        def work(connection: Connection) -> RequestRecord | None:
            connection.execute(delete(requests).where(requests.c.at <= now - KEPT_SECONDS))
            us = self._leases.me
            row = {"caller": key.caller, "key": key.key, "digest": digest, "at": now, "holder": us}
            if connection.execute(self._database.insert_new(requests).values(row)).rowcount:
                return None
            known = connection.execute(select(requests).where(_is(key)).with_for_update()).mappings().one()
            if known["status"] is not None or known["holder"] == us:
                return _record(known)
            busy = self._leases.living(connection, known["holder"])
            if not busy:
                connection.execute(update(requests).where(_is(key)).values(holder=us))
            return _record(known, busy)

        return await self._write(work)

    async def answer(self, key: RequestKey, status: int, text: str) -> None:
        """Store what a request was answered."""
        query = update(requests).where(_is(key)).values(status=status, answer=text)
        await self._write(lambda connection: connection.execute(query) and None)

    async def release(self, key: RequestKey) -> None:
        """Nothing came of a request: its key is free again, unless something was made for it after all."""
        query = delete(requests).where(_is(key), requests.c.made.is_(None), requests.c.status.is_(None))
        await self._write(lambda connection: connection.execute(query) and None)

    async def find(self, key: RequestKey) -> RequestRecord | None:
        """What a key was taken for."""
        query = select(requests).where(_is(key))
        row = await self._read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else _record(row)


def note_made(connection: Connection, key: RequestKey | None, id_: str) -> None:
    """Note, in the caller's transaction, what is made for a request, if it is made for one."""
    if key is not None:
        connection.execute(update(requests).where(_is(key)).values(made=id_))


def _is(key: RequestKey) -> ColumnElement[bool]:
    return and_(requests.c.caller == key.caller, requests.c.key == key.key)


def _record(row: RowMapping, busy: bool = False) -> RequestRecord:
    return RequestRecord(row["digest"], row["at"], row["made"], row["status"], row["answer"], busy)
