"""Retention runs once an hour, goes by the config, and can run on a full disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crawler.app import App, keeping, now
from crawler.errors import StoreError
from crawler.store import Expired

CONFIG = "keep: {posts: 30d}\nbrands: [{name: Ladna Pay}]\n"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    (tmp_path / "mention-crawler.yaml").write_text(CONFIG, encoding="utf-8")
    app = App.load(str(tmp_path / "mention-crawler.yaml"))
    app.store_created()
    yield app
    app.close()


def test_the_config_says_how_old_is_old(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(type(app.store.retention), "posts", lambda self, before: asked.append(before) or Expired())
    keeping.keep(app)
    assert abs(asked[0] - (now() - timedelta(days=30))) < timedelta(minutes=1)


def test_two_services_keep_once_an_hour(app: App) -> None:
    other = App.load(str(app.config.path))
    keeping.keep(app)
    assert app.store.leases.holder("retention") is not None
    assert other.store.leases.take("retention", other.owner, 1) is None
    other.close()


def test_the_reserve_lets_it_run_on_a_full_disk(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = app.config.data_dir / "reserve"
    monkeypatch.setattr(keeping, "free_bytes", lambda place: 2 * keeping.GIB)
    keeping.keep(app)
    assert reserve.stat().st_size == keeping.RESERVE_BYTES
    monkeypatch.setattr(keeping, "free_bytes", lambda place: 0)
    monkeypatch.setattr(keeping, "expire", _full_while(reserve))
    assert keeping.keep(app) == Expired(posts=1)
    assert not reserve.exists()
    reserve.touch()
    reserve.unlink()
    monkeypatch.setattr(keeping, "expire", _always_full)
    with pytest.raises(StoreError):
        keeping.keep(app)


def test_room_inside_the_database_counts(app: App) -> None:
    with app.store._db.write() as connection:
        connection.exec_driver_sql("CREATE TABLE big (it BLOB)")
        connection.exec_driver_sql("INSERT INTO big VALUES (zeroblob(5000000))")
    before = app.store.spare_bytes()
    with app.store._db.write() as connection:
        connection.exec_driver_sql("DROP TABLE big")
    assert app.store.spare_bytes() - before > 4_000_000


def _full_while(reserve: Path) -> object:
    def expire(app: App) -> Expired:
        if reserve.exists():
            raise StoreError("the database failed: disk is full")
        return Expired(posts=1)

    return expire


def _always_full(app: App) -> Expired:
    raise StoreError("the database failed: disk is full")
