"""Alembic calls this to run migrations on the connection that pilot.agent.database hands it.

That connection is in a transaction that holds the database's write lock, so that of two programs
which start at once the second finds the work done.
"""

from alembic import context

from pilot.agent.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
