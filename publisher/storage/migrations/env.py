"""Run the migrations on the connection of ``storage.migrate``; called by Alembic."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
