"""Messages between chains: what a relayer and a validator keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from settlement.store.types import Uint256

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _word(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(length=32), nullable=False)


def upgrade() -> None:
    op.create_table(
        "lanes",
        _word("id"),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("halted", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lanes")),
    )
    op.create_table(
        "messages",
        _word("lane"),
        sa.Column("index", sa.BigInteger(), nullable=False),
        _word("id"),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("recipient", sa.String(length=42), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "index", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_id"), "messages", ["id"], unique=False)
    op.create_table(
        "chunks",
        _word("lane"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        _word("root"),
        sa.PrimaryKeyConstraint("lane", "number", name=op.f("pk_chunks")),
    )
    op.create_table(
        "progress",
        sa.Column("name", sa.String(length=144), nullable=False),
        sa.Column("spans", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_progress")),
    )
    op.create_table(
        "checkpoints",
        _word("lane"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("set", sa.BigInteger(), nullable=False),
        _word("root"),
        sa.Column("signatures", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "count", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "pushes",
        sa.Column("number", SERIAL, nullable=False),
        _word("lane"),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("txid", sa.String(length=80), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("price", Uint256(), nullable=False),
        sa.Column("fee", Uint256(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("final", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pushes")),
        sa.UniqueConstraint("txid", name=op.f("uq_pushes_txid")),
    )
    op.create_index(
        "ix_pushes_flying",
        "pushes",
        ["number"],
        unique=False,
        sqlite_where=sa.text("final IS NULL"),
        postgresql_where=sa.text("final IS NULL"),
    )
    op.create_table(
        "outflows",
        _word("lane"),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("amount", Uint256(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "index", name=op.f("pk_outflows")),
    )
    op.create_index(op.f("ix_outflows_at"), "outflows", ["at"], unique=False)
    op.create_table(
        "delays",
        _word("lane"),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "index", name=op.f("pk_delays")),
    )
    op.create_table(
        "votes",
        _word("lane"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("set", sa.BigInteger(), nullable=False),
        _word("root"),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.String(length=66), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "count", "set", name=op.f("pk_votes")),
    )
    op.create_table(
        "evidence",
        _word("lane"),
        sa.Column("signer", sa.String(length=42), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "signer", name=op.f("pk_evidence")),
    )
