"""What streams, yields and corrections need: the SQL lies beside this file, for each database its own."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    bind = op.get_bind()
    path = Path(__file__).with_name(f"0003_third.{bind.dialect.name}.sql")
    for statement in filter(str.strip, path.read_text(encoding="utf-8").split("\n\n")):
        bind.exec_driver_sql(statement)
