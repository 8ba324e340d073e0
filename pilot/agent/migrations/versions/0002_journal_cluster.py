"""Find the records of one cluster without reading those of all."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """An index over what `journal.read` asks for."""
    op.create_index("journal_cluster", "journal", ["cluster", "id"])
