"""`preview`: one look at a source, a URL or a text: posts, what would match, what would become a ticket, and why.

Nothing is stored and nothing is sent. The fetch happens in a crawl child of its own, so that a page that hangs or
swells hurts nobody; what it read comes back as rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from crawler.app import App, now
from crawler.app.discovering import Proposal, discover
from crawler.app.hosting import block_of
from crawler.app.learning import judge
from crawler.app.naming import demand, unknown
from crawler.app.queries import query_problems
from crawler.config import settings_of
from crawler.errors import ConfigError, CrawlerError, ModelUnavailable
from crawler.matching import Finding, Matcher, explain
from crawler.model import Brand, Document, MentionStatus, Post, PostOutcome, Source, StoredMention, StoredPost, Verdict
from crawler.stages import analyse, triage
from crawler.stages.crawl import Prepared, prepared
from crawler.stages.match import facts_of, find, full_text

if TYPE_CHECKING:
    from crawler.engine.child import Channel

SECONDS = 60.0
_NEAR_MISSES = 3
_NO_NAMES = "there is no config with names to look for"


@dataclass(slots=True)
class Preview:
    """One row a post, and how the look ended. `explained`: all that speaks for and against each brand in a text."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    verdict: Verdict = Verdict.OK
    error: str | None = None
    network_failed: bool = False
    explained: list[str] = field(default_factory=list)
    proposal: Proposal | None = None


def preview_text(app: App, text: str) -> Preview:
    """Explain a text as if somebody had posted it."""
    document = Document("https://preview.invalid/", 200, {}, b"", now())
    row = prepared(Post(text=text), document)
    judge = _Judge(app, {})
    if row is None:
        return Preview()
    stored = judge.stored(row)
    return Preview([judge.row(stored)], explained=[str(finding) for finding in judge.findings(stored)])


def preview_url(app: App, url: str) -> Preview:
    """Find out how an address can be read, and show what the best proposal gave."""
    found = discover(app, url)
    best = next(iter(found.proposals), None)
    if best is None or not best.proved:
        # What the address itself said (a wall, too big) counts before what was tried beside it.
        verdict = found.verdict or (Verdict(best.verdict) if best and best.verdict else Verdict.EMPTY)
        reason = (
            "; ".join(dict.fromkeys([*found.notes, *([best.reason] if best and best.reason else [])]))
            or "nothing to read there"
        )
        return Preview([], Verdict.FAILED if found.network_failed else verdict, reason, found.network_failed)
    judge = _Judge(app, {best.source.name: best.source.kind})
    document = Document(found.url, 200, {}, b"", now())
    rows = [row for post in best.trial.posts if (row := prepared(post, document)) is not None]
    return Preview([judge.row(judge.stored(row)) for row in _once(rows)], proposal=best)


def preview_source(app: App, name: str, kind: str | None) -> Preview:
    """Fetch a configured source, or a URL with a source kind, once; without a kind the URL is explored."""
    from crawler.engine.errands import errand

    block = next((block for block in app.config.sources if block.name == name), None)
    if block is None and "://" not in name:
        raise unknown("source (and it is no URL)", name, [block.name for block in app.config.sources])
    if block is None and kind is None:
        return preview_url(app, name)
    kind_name, raw = (block.kind, dict(block.raw)) if block else (str(kind), {"url": name})
    demand("source kind", kind_name, app.spiders)
    answer = errand(_fetch_main, (str(app.config.path), name, kind_name, raw), SECONDS)
    if isinstance(answer, str):
        return Preview([], Verdict.FAILED, answer, network_failed=True)
    rows, verdict, error, fetched = answer
    judge = _Judge(app, {name: kind_name})
    seen = Preview([judge.row(judge.stored(row)) for row in rows], Verdict(verdict), error)
    seen.network_failed = not rows and not fetched
    return seen


class _Keeper:
    """An Intake that keeps posts in memory and writes nothing."""

    def __init__(self) -> None:
        self.rows: list[Prepared] = []
        self.fetched = 0
        self.verdict, self.error = Verdict.OK, None

    def take(self, document: Document, posts: Sequence[Post], **_: object) -> Mapping[PostOutcome, int]:
        """Keep the posts of one answer."""
        self.fetched += 1
        fresh = [row for post in posts if (row := prepared(post, document)) is not None]
        self.rows += fresh
        return {PostOutcome.NEW: len(fresh)}

    def note(self, *, fetched: int = 0, verdict: Verdict | None = None, error: Any = None, **_: object) -> None:
        """Remember how it went."""
        self.fetched += fetched
        self.verdict, self.error = verdict or self.verdict, error or self.error


def _fetch_main(channel: Channel, config_path: str, name: str, kind: str, raw: dict[str, Any]) -> Any:
    """In the child: one run of the spider with a keeping Intake."""
    from crawler.scrapy_settings import as_dict
    from crawler.stages.crawl_once import run_once

    app = App.load(config_path)
    spider = app.spiders[kind]
    source = Source(name, kind, settings_of(block_of(name, kind, raw), spider.Settings, app.config))
    keeper = _Keeper()
    run_once(spider, source, keeper, as_dict(app.config.user_agent, app.config.allow_private), app.policy)
    return _once(keeper.rows), keeper.verdict.value, keeper.error, keeper.fetched


def _once(rows: Iterable[Prepared]) -> list[Prepared]:
    """Each post once, as it would be stored: several words find the same one."""
    return list({(key, site): row for row in rows for *_, key, site in [row]}.values())


class _Judge:
    """The brands of the file over posts that are not stored; `kinds`: the source that showed them, and its kind."""

    def __init__(self, app: App, kinds: Mapping[str, str]) -> None:
        if problems := query_problems(app):
            raise ConfigError(problems)
        self.app, self.kinds = app, kinds
        brands = [replace(brand, id=number) for number, brand in enumerate(app.config.brands, 1)]
        self.matcher, self.brands = Matcher(brands), {brand.id: brand for brand in brands}

    def stored(self, prepared: Prepared) -> StoredPost:
        """The post as if it were stored."""
        post, folded, _, key, _ = prepared
        return StoredPost(0, key, 1, post, folded, now(), sources=tuple(self.kinds))

    def findings(self, stored: StoredPost) -> list[Finding]:
        """All that speaks for and against each brand."""
        return explain(self.matcher, stored.folded, full_text(stored.post), facts_of(stored, self.kinds))

    def row(self, stored: StoredPost) -> dict[str, Any]:
        """The stable shape of `preview --json`."""
        post = stored.post
        found = find(self.matcher, stored, self.kinds)
        mentions = [_judged(self.app, self.brands[match.brand_id], stored, match.hits) for match in found]
        whys = [mention["why"] for mention in mentions] or ["no brand found" if self.brands else _NO_NAMES]
        return {
            "id": post.platform_id or stored.key,
            "url": post.url,
            "author": post.author.name or post.author.handle,
            "published_at": post.published_at,
            "text": full_text(post),
            "parent": post.parent,
            "thread": post.thread,
            "rating": post.rating,
            "mentions": [mention["found"] for mention in mentions],
            "would_ticket": any(mention["ticket"] for mention in mentions),
            "why": "; ".join([*whys, *_missed(self.findings(stored))]),
        }


def _missed(findings: Sequence[Finding]) -> list[str]:
    """What came near and does not count, of brands that are not found."""
    found = {finding.brand for finding in findings if finding.kept}
    return [str(finding) for finding in findings if finding.brand not in found][:_NEAR_MISSES]


def _judged(app: App, brand: Brand, stored: StoredPost, hits: Any) -> dict[str, Any]:
    mention = StoredMention(0, brand.name, brand.id, stored, tuple(hits), MentionStatus.FOUND)
    found = ", ".join(f"{brand.name}: «{hit.form}» ({hit.kind}) at {hit.start}-{hit.end} ({hit.why})" for hit in hits)
    try:
        analysis = analyse.analyse(judge(app), [mention])[0]
    except ModelUnavailable as error:
        return {"found": found, "ticket": False, "why": f"untagged: {error}"}
    tagged = StoredMention(0, brand.name, brand.id, stored, tuple(hits), MentionStatus.ANALYSED, analysis)
    _, ruling = triage.rule_on(tagged, app.config.rules, brand, triage.Setting.of(app.config))
    why = f"{ruling.status}: {ruling.reason}"
    return {"found": found, "ticket": ruling.status is MentionStatus.TICKETED, "why": why}


__all__ = ["CrawlerError", "Preview", "preview_source", "preview_text", "preview_url"]
