"""What the life of a ticket, rules and retention need: the SQL lies beside this file, for each database its own."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    bind = op.get_bind()
    path = Path(__file__).with_name(f"0002_second.{bind.dialect.name}.sql")
    for statement in path.read_text(encoding="utf-8").split("\n\n"):
        bind.exec_driver_sql(statement)
