"""Every file of the public corpora through the kinds that read files: no crash, no hang, a verdict for each.

Parsers are called directly: what the network does to a run stands in test_hostile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawler import plugins
from crawler.model import Document, Source, Verdict
from crawler.stages.crawl import prepared
from spiders.answers import charset_of, response_of
from spiders.base import Reading, SourceSpider

pytestmark = pytest.mark.e2e

URL = "https://site.example/some/file-of-the-corpus.html"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONGEST = 2.0
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "feed": {},
    "page": {"item": "p, item, entry", "fields": {"author": "b", "published_at": "time@datetime, .date"}},
    "article": {},
    "schema_org": {},
}


@dataclass(frozen=True)
class Answer:
    """What became of one file: its reading and the CPU seconds that it took."""

    path: Path
    reading: Reading
    seconds: float


def read_all(kind: str, files: list[Path]) -> Iterator[Answer]:
    spider_class = plugins.discover("spiders", SourceSpider)[kind]
    spider = spider_class(source=Source("corpus", kind, spider_class.Settings(url=URL, **SETTINGS[kind])))
    for path in files:
        document = Document(URL, 200, {}, path.read_bytes(), NOW)
        # CPU time: the machine may be busy with other tests
        begun = time.thread_time()
        reading = spider.read(response_of(document))
        rows = [prepared(post, document) for post in reading.posts]
        assert len(rows) == len(reading.posts)
        yield Answer(path, reading, time.thread_time() - begun)


def files_of(shared: Path, corpus: str) -> list[Path]:
    files = sorted(path for path in (shared / "corpus" / corpus).rglob("*") if path.is_file())
    assert len(files) > 100
    return files


@pytest.mark.parametrize("corpus", ["feedparser", "chardet", "trafilatura"])
@pytest.mark.parametrize("kind", sorted(SETTINGS))
def test_every_file_has_a_verdict(shared: Path, kind: str, corpus: str) -> None:
    for answer in read_all(kind, files_of(shared, corpus)):
        reading, finding = answer.reading, answer.reading.finding
        assert not reading.broken, (answer.path, finding)
        assert answer.seconds < LONGEST, (answer.path, answer.seconds)
        if finding is None:
            assert reading.posts or reading.requests, answer.path
        else:
            assert finding.verdict is not Verdict.OK and finding.why.startswith(URL)


def test_most_feeds_of_the_corpus_give_posts(shared: Path) -> None:
    """That nothing breaks would be easily reached by reading nothing."""
    whole = [path for path in files_of(shared, "feedparser") if "/wellformed/" in str(path)]
    assert len(whole) > 500
    spoken = [answer for answer in read_all("feed", whole) if answer.reading.posts or answer.reading.dropped]
    assert len(spoken) > len(whole) / 2


def test_cyrillic_pages_are_read_in_their_charset(shared: Path) -> None:
    """The bytes alone tell the code page: what pages declare is cut away."""
    wrong = []
    names = ("windows-1251", "koi8-r", "iso-8859-5", "ibm866", "ibm855", "maccyrillic")
    files = [path for path in files_of(shared, "chardet") if path.parent.name.lower().startswith(names)]
    assert len(files) > 80
    for path in files:
        wanted = next(name for name in names if path.parent.name.lower().startswith(name))
        body = path.read_bytes()
        bare = body.replace(b"charset", b"xxxxxxx").replace(b"encoding", b"xxxxxxxx")
        if bare.decode(charset_of(bare), "replace") != bare.decode(wanted, "replace"):
            wrong.append(path.name)
    assert len(wrong) <= 1, wrong


def test_news_pages_give_their_article(shared: Path) -> None:
    """Title, author and day of two saved pages, against what their publishers say."""
    for name, title, author, day in (
        ("Kommersant_2025_05_14", "Легкий троннинг", "Андрей Колесников", "2025-05-14"),
        ("Pravda_2026_01_08", "157 миллионов за бездействие", "Ярослав Кузишин", "2026-01-08"),
    ):
        (answer,) = read_all("article", [shared / "payloads" / "news" / f"{name}.html"])
        (post,) = answer.reading.posts
        assert post.title is not None and post.title.startswith(title)
        assert post.author.name == author
        assert post.published_at is not None and post.published_at.date().isoformat() == day
        assert len(post.text) > 2000


def test_recorded_feeds_lose_no_entry(shared: Path) -> None:
    """Feeds of real sites that lack ids, dates or titles: as many different posts as entries."""
    counts = {
        "KOI8-R_koi.kinder.ru.xml": 35,
        "slickdeals.atom": 79,
        "rdf_UTF8.xml": 60,
        "windows-1251-russian_newsru.com.xml": 30,
        "encoding_WINDOWS-1251.xml": 50,
        "jsonfeed.json": 25,
    }
    files = [shared / "payloads" / "feeds" / name for name in counts]
    for answer in read_all("feed", files):
        document = Document(URL, 200, {}, b"", NOW)
        rows = [row for post in answer.reading.posts if (row := prepared(post, document))]
        assert len({(row[4], row[3]) for row in rows}) == counts[answer.path.name], answer.path


def test_block_pages_are_blocked(shared: Path) -> None:
    files = sorted((shared / "payloads" / "blocked_pages").glob("*.html"))
    assert files
    for kind in ("feed", "page", "schema_org"):
        for answer in read_all(kind, files):
            if kind == "page" and answer.reading.posts:
                continue
            finding = answer.reading.finding
            assert finding is not None and finding.verdict is Verdict.BLOCKED, (kind, answer.path, finding)


@pytest.mark.parametrize("kind", sorted(SETTINGS))
def test_nasty_json_and_strings(shared: Path, kind: str, tmp_path: Path) -> None:
    """The JSON test suite as feeds and pages, and the list of naughty strings as their words."""
    files = sorted((shared / "corpus" / "json").rglob("*.json"))
    strings = json.loads((shared / "corpus" / "blns" / "blns.dev.json").read_text("utf-8", "surrogatepass"))
    said = [text if isinstance(text, str) else str(text) for text in strings]
    page = tmp_path / "strings.html"
    page.write_text("".join(f"<p>{text}</p>" for text in said), "utf-8", "replace")
    feed = tmp_path / "strings.xml"
    items = "".join(f"<item><title>{text}</title></item>" for text in said)
    feed.write_text(f"<rss version='2.0'><channel>{items}</channel></rss>", "utf-8", "replace")
    for answer in read_all(kind, [*files, page, feed]):
        assert answer.seconds < LONGEST, answer.path
        finding = answer.reading.finding
        # JSON that is no JSON Feed is an answer that cannot be read, and says so
        assert not answer.reading.broken or (kind == "feed" and finding and "JSON" in finding.why), (
            answer.path,
            finding,
        )
