"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("changes", sa.Column("count", sa.BigInteger(), nullable=False))
    op.create_table(
        "deals",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("guards", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("agreed_at", sa.BigInteger(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("will", sa.Text(), nullable=False),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_deals")),
        sa.UniqueConstraint("id", name=op.f("uq_deals_id")),
    )
    op.create_index(
        "ix_deals_open",
        "deals",
        ["number"],
        unique=False,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )

    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "peers",
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_peers")),
    )
    op.create_table(
        "proposals",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("deal", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_proposals")),
        sa.UniqueConstraint("id", name=op.f("uq_proposals_id")),
    )
    op.create_index(op.f("ix_proposals_deal"), "proposals", ["deal"], unique=False)
    op.create_index(
        "ix_proposals_pending",
        "proposals",
        ["number"],
        unique=False,
        sqlite_where=sa.text("pending"),
        postgresql_where=sa.text("pending"),
    )
    op.create_index(op.f("ix_proposals_state_peer"), "proposals", ["state", "peer"], unique=False)

    op.create_table(
        "used",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_used")),
    )
    op.create_table(
        "consents",
        sa.Column("deal", sa.String(length=32), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("leg", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=64), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.UniqueConstraint("deal", "given", "leg", "path", name=op.f("uq_consents_deal_given_leg_path")),
        sa.ForeignKeyConstraint(["deal"], ["deals.id"], name=op.f("fk_consents_deal")),
    )
    op.create_table(
        "intents",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("deal", sa.String(length=32), nullable=False),
        sa.Column("leg", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("txid", sa.String(length=80), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("price", sa.String(78), nullable=False),
        sa.Column("fee", sa.String(78), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("final", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_intents")),
        sa.UniqueConstraint("deal", "leg", "step", "txid", name=op.f("uq_intents_deal_leg_step_txid")),
        sa.ForeignKeyConstraint(["deal"], ["deals.id"], name=op.f("fk_intents_deal")),
    )
    op.create_index(
        "ix_intents_unsettled",
        "intents",
        ["number"],
        unique=False,
        sqlite_where=sa.text("final IS NULL"),
        postgresql_where=sa.text("final IS NULL"),
    )

    op.create_table(
        "preimages",
        sa.Column("deal", sa.String(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("preimage", sa.LargeBinary(length=32), nullable=False),
        sa.UniqueConstraint("deal", "hash", name=op.f("uq_preimages_deal_hash")),
        sa.ForeignKeyConstraint(["deal"], ["deals.id"], name=op.f("fk_preimages_deal")),
    )
    op.create_index(op.f("ix_preimages_hash"), "preimages", ["hash"], unique=False)

    op.create_table(
        "vows",
        sa.Column("deal", sa.String(length=32), nullable=False),
        sa.Column("vow", sa.String(length=64), nullable=False),
        sa.UniqueConstraint("deal", "vow", name=op.f("uq_vows_deal_vow")),
        sa.ForeignKeyConstraint(["deal"], ["deals.id"], name=op.f("fk_vows_deal")),
    )
