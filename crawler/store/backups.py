"""Copies of the whole database, taken while it is in use."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import sqlalchemy as sa

from crawler.errors import StoreError
from crawler.store.db import Database


def write(database: Database, path: Path) -> Path:
    """Copy to `path`, which must not exist yet; on SQLite a database file, on PostgreSQL a dump for pg_restore."""
    if path.exists():
        raise StoreError(f"{path} exists: name another file for the backup")
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _copy_sqlite(database, part) if database.is_sqlite else _dump_postgres(database, part)
        _sync(part)
        part.rename(path)
    except OSError as error:
        raise StoreError(f"cannot write the backup {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def integrity(database: Database) -> list[str]:
    """What SQLite's own checks find; PostgreSQL watches its pages itself."""
    if not database.is_sqlite:
        return []
    with database.read() as connection:
        pages = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
        keys = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(20)
    return [line for line in pages if line != "ok"] + [f"{row[0]} row {row[1]} names no {row[2]}" for row in keys]


def _copy_sqlite(database: Database, part: Path) -> None:
    with database.read() as connection:
        connection.exec_driver_sql("SELECT 1 FROM alembic_version")
    try:
        source = sqlite3.connect(database.path, isolation_level=None, timeout=30)
        try:
            source.execute("VACUUM INTO ?", (str(part),))
        finally:
            source.close()
        copy = sqlite3.connect(part)
        try:
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            copy.close()
    except sqlite3.Error as error:
        raise StoreError(f"cannot back up {database.path}: {error}") from error
    if found != "ok":
        raise StoreError(f"the backup of {database.path} is damaged: {found}")


def _dump_postgres(database: Database, part: Path) -> None:
    tool = shutil.which("pg_dump")
    if tool is None:
        raise StoreError("pg_dump is not installed: install PostgreSQL's client tools to back up this database")
    url = sa.make_url(database.url).set(drivername="postgresql", password=None)
    password = sa.make_url(database.url).password
    env = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    command = [tool, "--format=custom", f"--file={part}", f"--dbname={url.render_as_string(hide_password=False)}"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StoreError(f"pg_dump failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
