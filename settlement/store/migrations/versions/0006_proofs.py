"""What a relayer was asked to prove of Bitcoin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("feed", sa.String(length=64), nullable=False),
        sa.Column("txid", sa.String(length=64), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("spender", sa.String(length=64), nullable=False),
        sa.Column("block", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "txid", "output", "spender", name=op.f("pk_proofs")),
    )
