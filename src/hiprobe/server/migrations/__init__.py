"""Alembic: one file in ``versions`` per change of the tables, run when a project is opened."""
