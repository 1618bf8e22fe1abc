"""Every table. Amounts are `Uint256`, times UNIX seconds, documents the versioned JSON of `forms`.

Rows are only ever added or marked: nothing that was stored is deleted, because every hash and nonce must be
known for ever.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from settlement.store.types import Serial, Uint256

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

WORD = 64  # the longest name of a role, leg, path, chain or step


def _deal() -> Column[str]:
    return Column("deal", String(32), ForeignKey("deals.id"), nullable=False)


meta = Table(
    "meta",
    metadata,
    Column("name", String(WORD), primary_key=True),
    Column("value", Text, nullable=False),
)

# How many changes the database has had: one row. A copy with fewer than we know of is an old one.
changes = Table("changes", metadata, Column("count", BigInteger, nullable=False))

# `revision` grows with every change to the deal or to what hangs on it: a reader with a copy of that revision
# need not read further.
deals = Table(
    "deals",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("protocol", String(WORD), nullable=False),
    Column("role", String(WORD), nullable=False),
    Column("terms", Text, nullable=False),
    Column("guards", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("agreed_at", BigInteger, nullable=False),
    Column("peer", Text, nullable=False),
    Column("will", Text, nullable=False),
    Column("limited", Boolean, nullable=False),
    Column("outcome", String(WORD)),
    Column("closed_at", BigInteger),
    Column("revision", BigInteger, nullable=False),
)
_OPEN = text("outcome IS NULL")
Index("ix_deals_open", deals.c.number, sqlite_where=_OPEN, postgresql_where=_OPEN)

vows = Table(
    "vows",
    metadata,
    _deal(),
    Column("vow", String(WORD), nullable=False),
    UniqueConstraint("deal", "vow"),
)

consents = Table(
    "consents",
    metadata,
    _deal(),
    Column("given", Boolean, nullable=False),
    Column("leg", String(WORD), nullable=False),
    Column("path", String(WORD), nullable=False),
    Column("consent", Text, nullable=False),
    UniqueConstraint("deal", "given", "leg", "path"),
)

preimages = Table(
    "preimages",
    metadata,
    _deal(),
    Column("hash", LargeBinary(32), nullable=False, index=True),
    Column("preimage", LargeBinary(32), nullable=False),
    UniqueConstraint("deal", "hash"),
)

intents = Table(
    "intents",
    metadata,
    Column("number", Serial, primary_key=True),
    _deal(),
    Column("leg", String(WORD), nullable=False),
    Column("step", String(WORD), nullable=False),
    Column("chain", String(WORD), nullable=False),
    Column("txid", String(80), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("claims", Text, nullable=False),
    Column("price", Uint256, nullable=False),
    Column("fee", Uint256, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("final", Text),
    UniqueConstraint("deal", "leg", "step", "txid"),
)
_UNSETTLED = text("final IS NULL")
Index("ix_intents_unsettled", intents.c.number, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)

# Hashes and nonces that were ever in an agreement, ours and others'; `origin` is the proposal or deal.
used = Table(
    "used",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("value", LargeBinary(32), primary_key=True),
    Column("origin", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)

# `message` is the signed proposal. `stage` holds what its state needs; `state` and `deal` repeat of it what is
# searched for. `pending`: the other side has not confirmed our last message.
proposals = Table(
    "proposals",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("sent", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", Text, nullable=False),
    Column("protocol", String(WORD), nullable=False),
    Column("role", String(WORD), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("deal", String(32), index=True),
    Index(None, "state", "peer"),
)
_PENDING = text("pending")
Index("ix_proposals_pending", proposals.c.number, sqlite_where=_PENDING, postgresql_where=_PENDING)

peers = Table(
    "peers",
    metadata,
    Column("identity", String(64), primary_key=True),
    Column("url", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
)
