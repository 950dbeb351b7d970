"""What columns look like here: times are `UtcDateTime`, JSON is compact text; and the one MetaData of all tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, MetaData, Text, text

from crawler.store.types import CompactJson, RowId, UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def id_() -> Column[int]:
    return Column("id", RowId, primary_key=True, autoincrement=True)


def ref(name: str, target: str, *, cascade: bool = False, nullable: bool = False) -> Column[int]:
    key = ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None)
    return Column(name, RowId, key, nullable=nullable)


def count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def time_(name: str, nullable: bool = False) -> Column[object]:
    return Column(name, UtcDateTime, nullable=nullable)


def text_(name: str, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def json_(name: str) -> Column[object]:
    return Column(name, CompactJson, nullable=False)
