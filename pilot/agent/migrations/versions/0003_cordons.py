"""Hosts on which no node is started any more."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A row for each such host."""
    op.create_table(
        "cordons",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
