"""Runs the revisions on the connection that the program hands over (see mcp_optimizer.db.migrations)."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
