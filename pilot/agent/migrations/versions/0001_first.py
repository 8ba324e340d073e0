"""Clusters, signers and the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Written out, not taken from pilot.agent.schema, which moves on."""
    generation = op.create_table(
        "generation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(generation, [{"id": 1, "value": 0}])
    op.create_table(
        "clusters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("vlan", sa.Integer),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("added", sa.Float, nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
    )
    op.create_table(
        "signers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("authority", sa.Boolean, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("added", sa.Float, nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.UniqueConstraint("cluster", "fingerprint", "authority", name="signers_once"),
    )
    op.create_table(
        "journal",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("auth", sa.Text, nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("targets", sa.Text, nullable=False),
        sa.Column("args", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("intent", sa.BigInteger, nullable=False),
        sa.Column("prev", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("journal_intent", "journal", ["intent"])
    op.create_index("journal_time", "journal", ["time"])
    head = op.create_table(
        "journal_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "last": 0, "hash": "0" * 64}])
