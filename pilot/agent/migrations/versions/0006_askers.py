"""With which key it was asked that a node be turned off later, how, and by when."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Of what was asked before, the key is not known: it is refused when its time has come."""
    for table in ("leases", "drainings"):
        for name in ("key", "username"):
            op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("drainings", sa.Column("verb", sa.Text, nullable=False, server_default="power.off"))
    op.add_column("drainings", sa.Column("until", sa.Float, nullable=False, server_default="0"))
