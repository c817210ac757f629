"""Changes of the tables, oldest first; alembic applies those that a database lacks."""
