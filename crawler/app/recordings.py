"""Recordings: one real answer with the posts that were read from it, so that a change of a platform shows itself.

A recording is a folder `<kind>/<case>` of `source.yaml`, `response.json`, `response.body` and `expected.json`. What is
written passes `Scrubber`: no cookie, no authorisation and no secret of the config leaves the house in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.app import App
from crawler.app.discovering import discover
from crawler.app.hosting import block_of
from crawler.app.kinds import spider_kinds
from crawler.app.logs import secrets_of
from crawler.app.naming import demand, unknown
from crawler.app.scrubbing import Scrubber
from crawler.app.source_text import SourceText, scalar, slug
from crawler.config import settings_of
from crawler.errors import CrawlerError, NotFound, Permanent, StoreError, Transient
from crawler.model import Author, Document, Post, PostOutcome, Source, Verdict

if TYPE_CHECKING:
    from crawler.engine.child import Channel
    from spiders.base import Reading, SourceSpider
    from spiders.exploring import Trial
    from spiders.verdicts import Finding

FOLDER = "recordings"
SECONDS = 120.0
MOST_PAGES = 3
MOST_POSTS = 300
_FILES = ("source.yaml", "response.json", "response.body", "expected.json")
# Of the fields whose usual share a crawl learns: what a look calls them, and what is as good as always.
_LEARNED = {"author": "author", "time": "published_at", "url": "url", "id": "platform_id", "rating": "rating"}
_ALWAYS, _RUNS = 0.98, 6


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `sources record` wrote."""

    folder: Path
    posts: int
    verdict: str | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Tested:
    """How one recording, or one live source, fares today: `state` is ok, unknown kind, or a verdict."""

    what: str
    kind: str
    state: str
    posts: int = 0
    why: str = ""
    online: bool = False

    def as_row(self) -> dict[str, Any]:
        """The stable shape of `sources selftest --json`."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


# --- writing


def record(app: App, name: str, into: Path | None = None) -> Recorded:
    """Fetch one answer of a configured source, or of an address, and keep it. Raises Transient without an answer."""
    source = _source(app, name)
    if not _by_requests(app, source.kind):
        raise Permanent(f"{name}: an answer of kind {source.kind!r} does not come by a request; it cannot be recorded")
    trial = _look(app, source)
    if not trial.documents:
        raise Transient(f"{source.name}: no answer to record: {trial.why or 'nothing came'}")
    spider = _spider(app.spiders[source.kind], source)
    read = [(_reading(spider, document), document) for document in trial.documents]
    reading, document = max(read, key=lambda pair: len(pair[0].posts))
    scrubber = Scrubber(secrets_of(app.config))
    place = _place(into or app.config.path.parent / FOLDER, source, len(reading.posts), reading.finding)
    return _written(scrubber.clean(document), scrubber.source(source), place, app, len(reading.posts))


def _source(app: App, name: str) -> SourceText:
    block = next((block for block in app.config.sources if block.name == name), None)
    if block is not None:
        demand("source kind", block.kind, app.spiders)
        return SourceText(name, block.kind, block.raw)
    if "://" not in name:
        raise unknown("source (and it is no URL)", name, [block.name for block in app.config.sources])
    found = discover(app, name)
    if not found.proved:
        said = "; ".join(found.notes) or "nothing there gives posts"
        raise (Transient if found.network_failed else NotFound)(f"{name}: {said}")
    return found.proved[0].source


def _by_requests(app: App, kind: str) -> bool:
    """Whether plain requests bring answers of this kind: files, streams and browsers have other ways."""
    spider = app.spiders[kind]
    return not (spider.browser or hasattr(spider, "listen") or kind == "file")


class _Keeper:
    """An Intake that keeps the first answers and what was read from them, and writes nothing."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.posts: list[Post] = []
        self.verdict: Verdict | None = None
        self.why = ""

    def take(self, document: Document, posts: Sequence[Post], **_: object) -> Mapping[PostOutcome, int]:
        """Keep one answer."""
        if len(self.documents) < MOST_PAGES:
            self.documents.append(document)
            self.posts += posts[:MOST_POSTS]
        return {PostOutcome.NEW: len(posts)}

    def note(self, *, verdict: Verdict | None = None, error: str | None = None, **_: object) -> None:
        """Remember how it went."""
        self.verdict, self.why = verdict or self.verdict, error or self.why


def _look(app: App, source: SourceText) -> Trial:
    """The first answers of a source, fetched by its own spider: logins, refusals and secrets are dealt with there."""
    from crawler.engine.errands import errand
    from spiders.exploring import Trial
    from spiders.leads import Lead

    raw = dict(source.settings)
    if "pages" in app.spiders[source.kind].Settings.model_fields:
        raw["pages"] = min(MOST_PAGES, raw["pages"]) if isinstance(raw.get("pages"), int) else MOST_PAGES
    answer = errand(_look_main, (str(app.config.path), source.name, source.kind, raw), SECONDS)
    if isinstance(answer, str):
        raise Transient(f"{source.name}: {answer}")
    documents, posts, verdict, why = answer
    return Trial(Lead(source.kind, raw, "configured"), posts, documents, verdict=verdict, why=why)


def _look_main(channel: Channel, config_path: str, name: str, kind: str, raw: dict[str, Any]) -> Any:
    """In the child: one short run of the spider with a keeping Intake."""
    from crawler.scrapy_settings import as_dict
    from crawler.stages.crawl_once import run_once

    app = App.load(config_path)
    spider = app.spiders[kind]
    source = Source(name, kind, settings_of(block_of(name, kind, raw), spider.Settings, app.config))
    keeper = _Keeper()
    run_once(spider, source, keeper, as_dict(app.config.user_agent, app.config.allow_private), app.policy)
    return keeper.documents, keeper.posts, keeper.verdict, keeper.why


def _place(into: Path, source: SourceText, posts: int, finding: Finding | None) -> Path:
    """The folder of a source's recording: its own again, never that of another source whose name is written alike.

    Raises Permanent where an answer without posts would take the place of one that has some.
    """
    number, folder = 2, into / source.kind / slug(source.name)
    while _owner(folder) not in (None, source.name):
        number, folder = number + 1, into / source.kind / f"{slug(source.name)}-{number}"
    if not posts and (before := len(_posts_of(folder / "expected.json"))):
        why = f" ({finding.why})" if finding else ""
        raise Permanent(f"{source.name}: no posts in the answer{why}; the recording of {before} posts stays: {folder}")
    return folder


def _owner(folder: Path) -> str | None:
    """The name of the source whose recording is here; None where nobody says."""
    try:
        name = json.loads((folder / "response.json").read_text("utf-8")).get("source")
    except (OSError, ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None


def _is_of(folder: Path, name: str) -> bool:
    owner = _owner(folder)
    return owner == name or (owner is None and folder.name == slug(name))


def _written(document: Document, source: SourceText, folder: Path, app: App, posts: int) -> Recorded:
    spider = _spider(app.spiders[source.kind], source)
    expected = as_json(_reading(spider, document))
    if len(expected["posts"]) < posts:
        raise Permanent(f"{source.name}: without its secrets the answer no longer reads the same; it is not kept")
    given = {"kind": source.kind, **source.settings}
    about = {"source": source.name, "url": document.url, "status": document.status, "headers": dict(document.headers)}
    texts = (
        "".join(f"{scalar(k)}: {scalar(v)}\n" for k, v in given.items()).encode("utf-8"),
        _json(about | {"fetched_at": document.fetched_at.isoformat()}),
        document.body,
        _json(expected),
    )
    folder.mkdir(parents=True, exist_ok=True)
    # All of them first, so that a full disk leaves the recording before as it was.
    parts = [folder / f".{name}.part" for name in _FILES]
    for part, data in zip(parts, texts, strict=True):
        part.write_bytes(data)
    for part, name in zip(parts, _FILES, strict=True):
        part.replace(folder / name)
    return Recorded(folder, len(expected["posts"]), expected["verdict"], len(document.body))


def _json(data: Any) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


# --- reading


def _spider(kind: type[SourceSpider], source: SourceText) -> SourceSpider:
    """A spider for reading alone: secrets stay the references that they are."""
    return kind(source=Source(source.name, source.kind, kind.Settings.model_validate(dict(source.settings))))


def _reading(spider: SourceSpider, document: Document) -> Reading:
    from spiders.answers import response_of

    return spider.read(response_of(document))


def as_json(reading: Reading) -> dict[str, Any]:
    """A reading in the shape of `expected.json`: posts without what is unknown."""
    return {
        "posts": [_post(post) for post in reading.posts],
        "dropped": len(reading.dropped),
        "requests": [request.url for request in reading.requests],
        "verdict": reading.finding.verdict.value if reading.finding else None,
    }


def _post(post: Post) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for each in fields(post):
        value = getattr(post, each.name)
        if isinstance(value, Author):
            value = {part.name: said for part in fields(Author) if (said := getattr(value, part.name)) is not None}
        if isinstance(value, datetime):
            value = value.isoformat()
        if value not in (None, {}, False) or each.name == "text":
            shown[each.name] = value
    return shown


def shipped() -> Path:
    """The recordings that come with the program: in the package, or beside it in a checkout."""
    import spiders

    package = Path(str(spiders.__file__)).parent
    inside = package / FOLDER
    return inside if inside.is_dir() else package.parent / "tests" / FOLDER


def selftest(app: App | None, folders: Sequence[Path]) -> Iterator[Tested]:
    """Read every recording again: the same posts must come of it."""
    kinds = app.spiders if app else spider_kinds(Path("/nonexistent"))
    for folder in folders:
        for case in sorted(folder.glob("*/*/expected.json")):
            yield _tested(case.parent, kinds)


def _tested(folder: Path, kinds: Mapping[str, type[SourceSpider]]) -> Tested:
    name, what = folder.parent.name, f"{folder.parent.name}/{folder.name}"
    if name not in kinds:
        return Tested(what, name, "unknown kind", why="the plug-in or preset of this kind is gone")
    try:
        expected = json.loads((folder / "expected.json").read_text("utf-8"))
        seen = as_json(_reading(_spider(kinds[name], _recorded_source(folder, name)), _document(folder)))
        wanted = dict(expected)
    except (OSError, ValueError, KeyError, TypeError, CrawlerError) as error:
        return Tested(what, name, "failed", why=f"the recording cannot be read: {' '.join(str(error).split())[:160]}")
    posts = len(seen["posts"])
    return (
        Tested(what, name, "ok", posts) if seen == wanted else Tested(what, name, "changed", posts, _gap(wanted, seen))
    )


def _recorded_source(folder: Path, kind: str) -> SourceText:
    from ruamel.yaml import YAML

    given = YAML(typ="safe", pure=True).load((folder / "source.yaml").read_text("utf-8"))
    return SourceText(folder.name, kind, {key: value for key, value in given.items() if key not in ("kind", "every")})


def _document(folder: Path) -> Document:
    about = json.loads((folder / "response.json").read_text("utf-8"))
    when = datetime.fromisoformat(about["fetched_at"])
    body = (folder / "response.body").read_bytes()
    return Document(about["url"], int(about["status"]), dict(about["headers"]), body, when)


def _gap(wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> str:
    """The first thing that differs, in words."""
    before, after = wanted.get("posts", []), seen["posts"]
    if len(before) != len(after):
        return f"{len(before)} posts were recorded, {len(after)} are read today"
    for number, (old, new) in enumerate(zip(before, after, strict=True), 1):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                return f"post {number}: {key} was {_short(old.get(key))} and is {_short(new.get(key))}"
    other = next((key for key in ("verdict", "dropped", "requests") if wanted.get(key) != seen[key]), "")
    return f"{other} was {_short(wanted.get(other))} and is {_short(seen.get(other))}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


# --- what the crawls keep


@dataclass(frozen=True, slots=True)
class LastGood:
    """The last answer of a source before anything about it was odd, as the database keeps it."""

    url: str
    fetched_at: datetime
    posts: int
    body: bytes
    charset: str


def last_good(app: App, name: str) -> LastGood | None:
    """The last good answer of a source; None where none is kept. NotFound names the sources that there are."""
    states = {state.name: state for state in app.store.sources.all(retired=True)}
    demand("source", name, dict.fromkeys([*states, *(block.name for block in app.config.sources)]))
    # A source of the config is known to the database from its first crawl on.
    kept = app.store.yields.of(states[name].id).get("last_good") if name in states else None
    if not kept:
        return None
    # A server may have sent back the key that it was asked with.
    document = Scrubber(secrets_of(app.config)).clean(app.store.documents.get(kept["id"]))
    return LastGood(document.url, document.fetched_at, int(kept["posts"]), document.body, _charset_of(document))


def _charset_of(document: Document) -> str:
    from scrapy.http import TextResponse

    from spiders.answers import response_of

    response = response_of(document)
    return response.encoding if isinstance(response, TextResponse) else "utf-8"


# --- online


def online(app: App, names: Sequence[str], folders: Sequence[Path]) -> Iterator[Tested]:
    """Fetch one live answer of each configured source and compare its shape with what was recorded of its kind."""
    for name in names:
        demand("source", name, [block.name for block in app.config.sources])
    for block in app.config.sources:
        if not names or block.name in names:
            yield _live(app, SourceText(block.name, block.kind, block.raw), folders)


def _live(app: App, source: SourceText, folders: Sequence[Path]) -> Tested:
    try:
        demand("source kind", source.kind, app.spiders)
        if not _by_requests(app, source.kind):
            return Tested(source.name, source.kind, "ok", why="not looked at: it is read by `crawl` only", online=True)
        trial = _look(app, source)
    except CrawlerError as error:
        return Tested(source.name, source.kind, "failed", why=str(error)[:200], online=True)
    usual = _usual(app, source.name)
    if not trial.posts:
        state = trial.verdict.value if trial.verdict else "failed"
        if state == "empty" and usual.get("runs", 0) >= _RUNS and not usual.get("empty_runs"):
            why = f"no posts, and its {usual['runs']} crawls so far all showed some"
            return Tested(source.name, source.kind, "changed", why=why, online=True)
        # A good answer without posts is a matter of what was asked, not of the platform's shape.
        return Tested(source.name, source.kind, state, why=trial.why or "no posts", online=True)
    lost = sorted((usual_fields(folders, source) | _always(usual)) - set(trial.filled()))
    why = f"used to be filled and is empty now: {', '.join(lost)}" if lost else ""
    return Tested(source.name, source.kind, "changed" if lost else "ok", len(trial.posts), why, online=True)


def _usual(app: App, name: str) -> Mapping[str, Any]:
    """What the crawls of a source have learned of it; empty without a database, or where it is young."""
    try:
        found = next((state for state in app.store.sources.all() if state.name == name), None)
        told: Mapping[str, Any] = app.store.yields.of(found.id).get("usual", {}) if found else {}
    except StoreError:
        return {}
    return told if told.get("runs", 0) >= _RUNS else {}


def _always(usual: Mapping[str, Any]) -> set[str]:
    filled = usual.get("filled", {})
    return {ours for theirs, ours in _LEARNED.items() if filled.get(theirs, 0.0) >= _ALWAYS}


def usual_fields(folders: Sequence[Path], source: SourceText) -> set[str]:
    """Fields that every recorded post of this source had; where it was never recorded, every one of its kind."""
    cases = [case for folder in folders for case in folder.glob(f"{source.kind}/*/expected.json")]
    own = [case for case in cases if _is_of(case.parent, source.name)]
    posts = [post for case in own or cases for post in _posts_of(case)]
    return set.intersection(*(_filled(post) for post in posts)) if posts else set()


def _posts_of(case: Path) -> list[dict[str, Any]]:
    try:
        posts = json.loads(case.read_text("utf-8"))["posts"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [post for post in posts if isinstance(post, dict) and not post.get("deleted")]


def _filled(post: Mapping[str, Any]) -> set[str]:
    author = post.get("author") or {}
    known = {name for name in ("published_at", "url", "platform_id", "rating") if post.get(name) is not None}
    return known | ({"author"} if author.get("name") or author.get("handle") else set())
