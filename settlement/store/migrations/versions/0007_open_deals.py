"""What a look asks of open deals stands in their index: a deal's row is pages long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OPEN = sa.text("outcome IS NULL")


def upgrade() -> None:
    op.drop_index("ix_deals_open", table_name="deals")
    op.create_index(
        "ix_deals_open", "deals", ["number", "id", "revision"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
