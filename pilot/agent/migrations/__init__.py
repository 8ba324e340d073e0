"""Alembic's scripts for airboss's database; run by pilot.agent.database."""
