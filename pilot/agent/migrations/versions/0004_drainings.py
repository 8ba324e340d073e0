"""Nodes that are turned off once their jobs have ended."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A row for each such node."""
    op.create_table(
        "drainings",
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("begun", sa.Float, nullable=False),
    )
