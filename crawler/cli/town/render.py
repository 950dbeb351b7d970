"""How the sites put a post into words: templates, dates as forums write them, and its line in the served log."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from string import Template
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crawler.cli.town.posts import OWN, TONES, Shown, id_of

_MONTHS = {
    "uk": "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня".split(" "),
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split(" "),
}
_AGO = {
    "uk": (("хвилину", "хвилини", "хвилин"), ("день", "дні", "днів"), "тому"),
    "ru": (("минуту", "минуты", "минут"), ("день", "дня", "дней"), "назад"),
}
_TODAY = {"uk": ("сьогодні о", "вчора о"), "ru": ("сегодня в", "вчера в")}


def zone_name() -> str:
    """The zone that the forum keeps its clock in: Kyiv, or UTC on a machine without that entry."""
    try:
        return ZoneInfo("Europe/Kyiv").key
    except ZoneInfoNotFoundError:
        return "UTC"


@cache
def _template(name: str) -> Template:
    return Template((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))


def fill(name: str, **values: object) -> str:
    """A template of `templates/` with every value escaped for HTML, except those whose name ends in `_`."""
    safe = {
        key.rstrip("_"): str(value) if key.endswith("_") else html.escape(str(value)) for key, value in values.items()
    }
    return _template(name).substitute(safe)


def raw(name: str) -> str:
    """A file of `templates/` as it stands."""
    return _template(name).template


def paragraphs(body: str) -> str:
    """Paragraphs of a text as `<p>` elements."""
    return "\n".join(f"<p>{html.escape(part)}</p>" for part in body.split("\n\n"))


def forum_date(when: datetime, now: datetime, language: str) -> tuple[str, int]:
    """A date as a Ukrainian or Russian forum writes it, and how exact that is in seconds."""
    zone = ZoneInfo(zone_name())
    local, today = when.astimezone(zone), now.astimezone(zone).date()
    minutes = max(1, int((now - when).total_seconds() // 60))
    (minute_words, day_words, ago) = _AGO[language]
    if minutes < 60:
        return f"{minutes} {_plural(minutes, minute_words)} {ago}", 120
    days = (today - local.date()).days
    if days <= 1:
        return f"{_TODAY[language][days]} {local:%H:%M}", 60
    if days <= 5:
        return f"{days} {_plural(days, day_words)} {ago}", 2 * 86400
    return f"{local.day} {_MONTHS[language][local.month - 1]} {local.year}, {local:%H:%M}", 60


def _plural(count: int, words: tuple[str, str, str]) -> str:
    if count % 10 == 1 and count % 100 != 11:
        return words[0]
    few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return words[1] if few else words[2]


def iso(when: datetime) -> str:
    """ISO 8601 with seconds and `Z`."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def served(post: Shown, url: str, exact: int = 1, **more: Any) -> Mapping[str, Any]:
    """One post in one answer, as the log keeps it. `whole`: the stored text is `parts` and nothing else."""
    written = post.written
    tone, intent = TONES.get(written.label, (None, None))
    return {
        "id": post.id, "version": post.version, "url": url, "title": written.title, "parts": post.body.split("\n\n"),
        "whole": True, "author": written.author, "published_at": iso(post.published), "exact": exact,
        "language": written.language, "mention": written.label != "other", "own": written.author == OWN,
        "joins": id_of(written.repost_of or written.after),
        "tone": tone, "intent": intent, **more,
    }  # fmt: skip


def newest(posts: list[Shown]) -> datetime:
    """When the newest change among `posts` happened, to the second."""
    return (max(post.changed for post in posts) + timedelta(microseconds=999_999)).replace(microsecond=0)
