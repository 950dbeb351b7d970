"""Column types that keep promises on both databases: aware UTC instants and compact JSON in text columns."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Dialect, Integer, Row, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

from crawler.text import clean_text

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

_LONGEST_INDEXED = 500
_LONGEST_MESSAGE = 4000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)

# SQLite gives row ids only to columns declared exactly INTEGER; PostgreSQL needs 64 bits.
RowId = BigInteger().with_variant(Integer(), "sqlite")


def to_micros(value: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime, exactly. Raises ValueError for a naive one."""
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"the datetime {value!r} has no zone: pass an aware one, such as datetime.now(UTC)")
    return (value - EPOCH) // _MICRO


def from_micros(value: int) -> datetime:
    """The aware UTC datetime of `to_micros`."""
    return EPOCH + timedelta(microseconds=value)


def fit(text: str) -> str:
    """The text itself up to 500 characters, else its start and a hash: PostgreSQL's index rows end at 2.7 kB."""
    if len(text) <= _LONGEST_INDEXED:
        return text
    return f"{text[:400]}#{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


def tidy(text: str | None) -> str | None:
    """A message from outside, fit for both databases: no NUL, no lone surrogates, 4000 characters."""
    return None if text is None else clean_text(text, _LONGEST_MESSAGE)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive datetimes; gives back aware UTC.

    SQLite stores epoch microseconds (so comparisons and indexes are those of integers), PostgreSQL timestamptz.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        micros = to_micros(value)
        return value.astimezone(UTC) if dialect.name == "postgresql" else micros

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else from_micros(value)


def dumps(value: Any) -> str:
    """Compact JSON with readable letters. Lone surrogates, which no database takes, stay escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


class CompactJson(TypeDecorator[Any]):
    """Any JSON value as compact text; NULL is None. Text on both databases, since jsonb refuses U+0000."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)
