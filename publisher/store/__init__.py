"""Tables, queries and migrations. SQLite and PostgreSQL from the same code (SQLAlchemy Core)."""
