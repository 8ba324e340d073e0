"""With which arguments a node is turned off, or otherwise acted on, once it is empty."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Those there are take none."""
    op.add_column("drainings", sa.Column("args", sa.Text, nullable=False, server_default="{}"))
