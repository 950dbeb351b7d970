"""An installation with a past, made inside one process: the stages run for real, only the fetching is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from e2e.site import Entry

from crawler import config as config_room
from crawler.app import App, now
from crawler.app.hosting import spider_of
from crawler.app.syncing import sync
from crawler.app.work import Worked, work
from crawler.model import Document, Verdict
from crawler.reports.ledger import Books, balance
from crawler.reports.outcomes import account
from crawler.stages.crawl import Intake
from crawler.store import Share

SITE = "https://news.example"
EVERYTHING = "tickets: {when: [negative, neutral, positive], sure_at_least: 0.5}"
BRANDS = "  - {name: Nova Pay, also: [НоваПей]}"


class Stock:
    """A config over a database URL; `crawl` plays one crawl of a source that shows these entries."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.path = folder / "mention-crawler.yaml"
        self.engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        self.app: App | None = None
        self.configure()

    def configure(self, brands: str = BRANDS, rule: str = EVERYTHING, *, in_force: bool = True) -> App:
        """Write the config and take it over."""
        sources = "".join(f"  - {{name: {name}, kind: feed, url: '{SITE}/{name}'}}\n" for name in ("news", "blog"))
        text = f"database: {{url: '{self.url}'}}\nbrands:\n{brands}\nsources:\n{sources}{rule}\n"
        self.path.write_text(text, encoding="utf-8")
        fresh = App(config_room.load(self.path))
        if self.app is not None:
            fresh.__dict__.update(
                {part: self.app.__dict__[part] for part in ("store", "model") if part in self.app.__dict__}
            )
        self.app = fresh
        if in_force:
            sync(fresh)
        return fresh

    def crawl(self, name: str, entries: Sequence[Entry]) -> None:
        """One run of a source, stored as the crawl child stores it."""
        from spiders.answers import response_of

        app = self.opened
        run = app.store.sources.claim(app.owner, [name], now(), 60.0, 1)[0]
        kind, source = spider_of(app, run)
        headers = {"Content-Type": "application/rss+xml; charset=utf-8"}
        document = Document(f"{SITE}/{name}", 200, headers, feed(entries), now())
        posts = kind(source=source).read(response_of(document)).posts
        Intake(app.store, run, lambda: None).take(document, posts, cursor=None, validators=None)
        app.store.runs.finish(run, Verdict.OK, None, 0.1, now() + timedelta(hours=1))

    @property
    def opened(self) -> App:
        """The app of the newest config."""
        assert self.app is not None
        return self.app

    def work(self) -> Worked:
        """Everything after the crawl."""
        return work(self.opened)

    def books(self) -> Books:
        """The ledger: of everything, and of the outcomes of all mentions."""
        store = self.opened.store
        books, outcomes = balance(store.counts.ledger()), account(store.outcomes.of(Share()))
        return replace(books, gaps=(*books.gaps, *outcomes.gaps))

    def rows(self, table: str, leave_out: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Every row of a table, by its first column."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1")).mappings().all()
        return [{name: value for name, value in row.items() if name not in leave_out} for row in found]

    def execute(self, statement: str, **values: Any) -> None:
        """Change the database behind the program's back: no reference is checked, nothing cascades."""
        with self.engine.begin() as connection:
            if not self.url.startswith("sqlite"):
                connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            connection.execute(sa.text(statement), values)

    def delete_past(self) -> None:
        """Delete all posts and mentions, as a person with a database tool would: triggers and references hold."""
        with self.engine.begin() as connection:
            if self.url.startswith("sqlite"):
                connection.execute(sa.text("PRAGMA foreign_keys=ON"))
            connection.execute(sa.text("DELETE FROM mentions"))
            connection.execute(sa.text("DELETE FROM posts"))

    def close(self) -> None:
        """Give every connection back."""
        self.opened.close()
        self.engine.dispose()


def feed(entries: Sequence[Entry]) -> bytes:
    """RSS 2.0 of these entries."""
    items = "".join(
        f"<item><guid isPermaLink='false'>{e.id}</guid><link>{SITE}/post/{e.id}</link><author>{e.author}</author>"
        f"<description>{e.text}</description></item>"
        for e in entries
    )
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>t</title>{items}</channel></rss>".encode()
