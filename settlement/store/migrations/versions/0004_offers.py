"""Offers of ours, and what was taken of offers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from settlement.store.types import Uint256

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "offers",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("spot", sa.String(length=64), nullable=True),
        sa.Column("spot_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_offers")),
        sa.UniqueConstraint("id", name=op.f("uq_offers_id")),
    )
    op.create_table(
        "takings",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("offer", sa.String(length=64), nullable=False),
        sa.Column("offer_text", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("size", Uint256(), nullable=False),
        sa.Column("premium", Uint256(), nullable=False),
        sa.Column("asset", sa.String(length=320), nullable=False),
        sa.Column("locked", Uint256(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("proposal", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_takings")),
        sa.UniqueConstraint("id", name=op.f("uq_takings_id")),
    )
    for column in ("offer", "peer", "proposal"):
        op.create_index(op.f(f"ix_takings_{column}"), "takings", [column], unique=False)
