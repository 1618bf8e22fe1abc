"""What a relayer was asked to prove of Bitcoin, in the order in which it was asked for.

Part of a `Store`, as `book` is; every call is one transaction. How a request stands the contract knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, select, update

from settlement.store.database import Database, Transact
from settlement.store.tables import proofs


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """A wish to have an output on record, or with `spender` that this transaction spends it. txids and blocks as
    nodes write them. block: in which the transaction is, where the node may not know ("": find it).
    done: UNIX seconds."""

    feed: str
    txid: str
    output: int
    spender: str = ""
    block: str = ""
    asked_at: int = 0
    done: int | None = None

    @property
    def outpoint(self) -> str:
        """As people write it."""
        return f"{self.txid}:{self.output}"


class ProofBook:
    """See the module."""

    def __init__(
        self, read: Transact, write: Transact, database: Database, check: Callable[[Connection, bytes], None]
    ) -> None:
        self._read = read
        self._write = write
        self._database = database
        self._check = check

    async def ask(self, request: ProofRequest) -> None:
        """Store a request. One that is there already is open again, and has the newer block."""
        row = {
            "feed": request.feed,
            "txid": request.txid,
            "output": request.output,
            "spender": request.spender,
            "block": request.block,
            "asked_at": request.asked_at,
            "done": None,
        }
        again = update(proofs).where(_same(request)).values(block=request.block, done=None)

        def work(connection: Connection) -> None:
            if connection.execute(again).rowcount == 0:
                connection.execute(self._database.insert_new(proofs), row)

        await self._write(work)

    async def open(self, feed: str) -> tuple[ProofRequest, ...]:
        """Requests that are not done, oldest first."""
        query = select(proofs).where(proofs.c.feed == feed, proofs.c.done.is_(None)).order_by(proofs.c.asked_at)
        return await self._read(
            lambda connection: tuple(ProofRequest(**row) for row in connection.execute(query).mappings())
        )

    async def all(self, limit: int = 1000) -> tuple[ProofRequest, ...]:
        """The newest requests of every feed, those that are done as well, newest first."""
        query = select(proofs).order_by(proofs.c.asked_at.desc()).limit(limit)
        return await self._read(
            lambda connection: tuple(ProofRequest(**row) for row in connection.execute(query).mappings())
        )

    async def finish(self, request: ProofRequest, at: int, feed: bytes) -> None:
        """Nothing is left to do for a request. feed: the id under which its feed is held. Raises Fenced."""
        query = update(proofs).where(_same(request)).values(done=at)

        def work(connection: Connection) -> None:
            self._check(connection, feed)
            connection.execute(query)

        await self._write(work)


def _same(request: ProofRequest) -> ColumnElement[bool]:
    return and_(
        proofs.c.feed == request.feed,
        proofs.c.txid == request.txid,
        proofs.c.output == request.output,
        proofs.c.spender == request.spender,
    )
