"""When nodes are turned off unless somebody renews that."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """A row for each such node."""
    op.create_table(
        "leases",
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("ends", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("given", sa.Float, nullable=False),
        sa.Column("warned", sa.Boolean, nullable=False),
    )
