"""The first schema."""

from __future__ import annotations

from alembic import op

from crawler.store.tables import metadata, triggers

revision = "0001"
down_revision = None


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind)
    for statement in triggers(bind.dialect.name):
        op.execute(statement)
