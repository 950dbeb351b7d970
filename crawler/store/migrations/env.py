"""Alembic runs the revisions on the connection and inside the transaction that `crawler.store.schema` gives it."""

from __future__ import annotations

from alembic import context

from crawler.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
