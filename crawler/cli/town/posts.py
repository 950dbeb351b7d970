"""What the people of the town write: hand-written texts, dealt out by a fixed seed, changing as the tide comes in.

The state of the town is one number, the tide. A post with `tide=2` is there from tide 2 on; `edit_tide=1` changes its
text at tide 1. Beyond the written tides new posts are put together from `texts/parts.txt`, so that a running service
always has something to find. Nothing depends on chance: the same start time gives the same town.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Lock

SITES = ("news", "forum", "reviews", "magazine", "blog")
FILES = {"news": "news", "forum": "forum", "reviews": "reviews", "magazine": "articles", "blog": "comments"}
WRITTEN_TIDES = 3
OWN = "ladnapay_official"
TONES = {
    "complaint": ("negative", "complaint"), "question": ("neutral", "question"), "question-": ("negative", "question"),
    "praise": ("positive", "praise"), "neutral": ("neutral", "other"), "own": ("neutral", "other"),
}  # fmt: skip
GROWING = ("forum", "forum", "reviews", "blog")
_DAYS = 9.0
_OPTION = re.compile(r"(\w+)=(.*?)(?=\s+\w+=|$)")
_NAMES = {
    "uk": "Олег_П Христина Назар Зоряна_В Богдан Кава_з_молоком Устим Леся Максим_К Ганна Яремко Дзвінка".split(" "),
    "ru": "Алёна Борис_Н Гость_47 Дарья Егор Злата_М Кирилл Лидия Нина_С Павел Рита Фёдор_77".split(" "),
    "en": "Dan,Fiona,Jonas,Marta,Nils,Olive,Rob T.,Sunita,Vera,Yusuf".split(","),
}


@dataclass(frozen=True, slots=True)
class Written:
    """One text as its author wrote it, with what it is (`label`) and when it shows."""

    site: str
    number: int
    language: str
    label: str
    title: str
    body: str
    author: str
    age: timedelta
    name: str = ""
    tide: int = 0
    edit: str = ""
    edit_tide: int = 0
    quote: str = ""
    stars: int = 0
    article: int = 0
    repost_of: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A post as a site shows it now. `version` counts from 1; `published` and `changed` are aware UTC."""

    written: Written
    version: int
    body: str
    published: datetime
    changed: datetime

    @property
    def id(self) -> str:
        """`site-number`, unique in the town."""
        return f"{self.written.site}-{self.written.number}"


@dataclass(slots=True)
class World:
    """The town's state: when it began and when each tide came in. Safe to read from many threads."""

    started: datetime
    tides: list[datetime] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def advance(self, now: datetime) -> int:
        """The next tide comes in at `now`; returns its number."""
        with self._lock:
            self.tides.append(now)
            return len(self.tides)

    def shown(self, site: str) -> list[Shown]:
        """What the site shows now, oldest first."""
        tides = list(self.tides)
        posts = [*written(site), *grown(site, len(tides))]
        return [self._show(post, tides) for post in posts if post.tide <= len(tides)]

    def _show(self, post: Written, tides: Sequence[datetime]) -> Shown:
        published = (tides[post.tide - 1] if post.tide else self.started) - post.age
        if post.edit and post.edit_tide <= len(tides):
            return Shown(post, 2, post.edit, published, tides[post.edit_tide - 1])
        return Shown(post, 1, post.body, published, published)


@cache
def written(site: str) -> tuple[Written, ...]:
    """Every hand-written text of a site, oldest first, with names and ages dealt out."""
    deal = random.Random(f"town:{site}")
    posts = list(_read(site))
    base = [post for post in posts if not post.tide]
    ages = iter(_ages(len(base), deal))
    aged = [replace(post, age=next(ages)) if not post.tide else _fresh(post) for post in posts]
    return tuple(_same_authors(_named(aged, deal)))


def _fresh(post: Written) -> Written:
    return replace(post, age=timedelta(seconds=20 + post.number % 40))


def _ages(count: int, deal: random.Random) -> list[timedelta]:
    """Falling ages from nine days to a few minutes: crowded evenings and quiet nights come from squaring the dice."""
    return sorted(
        (timedelta(days=_DAYS * deal.random() ** 2, minutes=3, seconds=deal.randrange(60)) for _ in range(count)),
        reverse=True,
    )


def _named(posts: Sequence[Written], deal: random.Random) -> list[Written]:
    """Whoever did not sign gets a name that nobody else on the site has: two people of one name would be one author."""
    taken = {post.author for post in posts}
    return [post if post.author else replace(post, author=_free_name(post.language, taken, deal)) for post in posts]


def _free_name(language: str, taken: set[str], deal: random.Random) -> str:
    names = [name for name in _NAMES[language] if name not in taken]
    name = deal.choice(names) if names else f"{deal.choice(_NAMES[language])}_{deal.randrange(100, 1000)}"
    if name in taken:
        return _free_name(language, taken, deal)
    taken.add(name)
    return name


def _same_authors(posts: Sequence[Written]) -> Iterator[Written]:
    """A follow-up (`after=#name`) is by the author of the post that it follows."""
    authors = {post.name: post.author for post in posts if post.name}
    for post in posts:
        yield replace(post, author=authors.get(post.after, post.author)) if post.after else post


@cache
def id_of(name: str) -> str | None:
    """`site-number` of the post called `name` in the texts; None for no name."""
    found = (post for site in SITES for post in written(site) if name and post.name == name)
    return next((f"{post.site}-{post.number}" for post in found), None)


def _lines(name: str) -> Iterator[str]:
    text = (Path(__file__).parent / "texts" / f"{name}.txt").read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def _read(site: str) -> Iterator[Written]:
    article = 0
    for number, line in enumerate(_lines(FILES[site]), start=101):
        head, _, rest = line.partition(" | ")
        opens = head.endswith(">>")
        yield _written(site, number, head.removesuffix(">>").strip(), rest, 0 if opens else article)
        article = number if opens else article


def _written(site: str, number: int, head: str, rest: str, article: int) -> Written:
    options = dict(_OPTION.findall(head))
    words = head.split()
    title, separator, body = rest.partition(" || ")
    language = words[0]
    return Written(
        site=site, number=number, language=language, label=words[1], title=title if separator else "",
        body=body.replace(" || ", "\n\n") if separator else rest,
        author=options.get("by", ""), age=timedelta(),
        name=next((word[1:] for word in words[2:] if word.startswith("#")), ""),
        tide=int(options.get("tide", 0)), edit=options.get("edit", ""), edit_tide=int(options.get("edit_tide", 0)),
        quote=options.get("quote", "").lstrip("#"), stars=int(options.get("stars", 0)), article=article,
        repost_of=options.get("repost_of", "").lstrip("#"), after=options.get("after", "").lstrip("#"),
    )  # fmt: skip


def grown(site: str, tide: int) -> list[Written]:
    """Posts of the tides after the written ones, up to `tide`."""
    spots = [spot for spot, where in enumerate(GROWING) if where == site]
    return [_grow(site, number, spot) for number in range(WRITTEN_TIDES + 1, tide + 1) for spot in spots]


@cache
def _grow(site: str, tide: int, spot: int) -> Written:
    deal = random.Random(f"grow:{tide}:{spot}")
    kinds = [part for part in _parts() if (part[0] == "en") == (site == "blog")]
    language, label, groups = kinds[(tide + spot) % len(kinds)]
    body = " ".join(deal.choice(group) for group in groups).format(n=tide * 10 + spot)
    number = 1000 + tide * 10 + spot
    title = body.split(":")[0] if site == "reviews" else ""
    stars = {"complaint": 1, "praise": 5}.get(label, 3) if site == "reviews" else 0
    return Written(
        site,
        number,
        language,
        label,
        title,
        body,
        f"{deal.choice(_NAMES[language])}_{number}",
        timedelta(seconds=9),
        tide=tide,
        stars=stars,
    )


@cache
def _parts() -> tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]:
    return tuple(_part(line) for line in _lines("parts"))


def _part(line: str) -> tuple[str, str, tuple[tuple[str, ...], ...]]:
    head, _, rest = line.partition(" | ")
    language, label = head.split()
    return language, label, tuple(tuple(group.split(" | ")) for group in rest.split(" || "))
