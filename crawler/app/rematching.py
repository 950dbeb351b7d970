"""`redo match`: names and queries of today over the stored past; a diff puts nothing in force and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from crawler.app import App
from crawler.app.queries import query_problems
from crawler.errors import ConfigError
from crawler.matching import Match, Matcher, explain, version_of
from crawler.model import Brand, StoredPost
from crawler.stages import match

if TYPE_CHECKING:
    from crawler.app.redo import Redone
    from crawler.store import Folded

_LONGEST_WHY, _LONGEST_TEXT = 300, 1000


def rematch(app: App, since: datetime | None, source: str | None, brand: str | None, diff: bool, done: Redone) -> None:
    """Every post of that part of the past through the matcher: of one brand, or of all. No network."""
    brands = _of_the_file(app) if diff else app.brands
    chosen = [brands[brand]] if brand else list(brands.values())
    again = _Again(app, Matcher(chosen), {one.id: one for one in chosen}, diff, done, bool(brand))
    if not diff:
        again.version = version_of(list(brands.values()))
        again.only = chosen[0].id if brand else None
        again.alike = _alike(app, brands, brands[brand]) if brand else None
    for page in app.store.past.pages(since, source):
        again.page(page)


def _of_the_file(app: App) -> dict[str, Brand]:
    """The brands of the config as it reads now, under the ids of the rows in force; new ones get numbers below 0."""
    if problems := query_problems(app):
        raise ConfigError(problems)
    rows = app.brands
    return {
        brand.name: replace(brand, id=rows[brand.name].id if brand.name in rows else -number)
        for number, brand in enumerate(app.config.brands, 1)
    }


def _alike(app: App, brands: Mapping[str, Brand], changed: Brand) -> frozenset[str]:
    """Versions of all queries that differ from today's in this brand alone: such posts need only this brand again."""
    others = [brand for brand in brands.values() if brand.name != changed.name]
    older = [replace(changed, version=version) for version in app.store.past.query_versions(changed.id)]
    return frozenset([version_of(others), *(version_of([*others, brand]) for brand in older)])


@dataclass(slots=True)
class _Again:
    """One pass; `one`: a single brand is looked for. `only` is its id when it is stored; `alike`: see `_alike`."""

    app: App
    matcher: Matcher
    brands: Mapping[int, Brand]
    diff: bool
    done: Redone
    one: bool = False
    version: str = ""
    only: int | None = None
    alike: frozenset[str] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)

    def page(self, page: Sequence[Folded]) -> None:
        """Match one page of posts, tell the differences, and unless this is a diff store them."""
        store = self.app.store
        self.kinds = self.kinds or match.kinds_of(store)
        found = match.look(store, self.matcher, page, self.kinds)
        before = store.glances.brands_of([post.id for post, _ in found])
        for post, matches in found:
            self._compare(post, matches, before.get(post.id, frozenset()))
        self.done.counts["posts"] += len(page)
        if self.diff:
            return
        rows = [match.result(post, matches) for post, matches in found]
        store.mentions.record(self.version, rows, store.config.version(), self.only)
        recorded = {post.id for post, _ in found}
        store.past.mark([post for post in page if self._may_mark(post, recorded)], self.version)

    def _may_mark(self, post: Folded, recorded: Collection[int]) -> bool:
        if post.matched_with == self.version:
            return False
        return post.id not in recorded if self.alike is None else post.matched_with in self.alike

    def _compare(self, post: StoredPost, matches: Sequence[Match], before: frozenset[str]) -> None:
        now_there = {self.brands[one.brand_id].name: one for one in matches}
        looked_for = {brand.name for brand in self.brands.values()}
        text = match.full_text(post.post)[:_LONGEST_TEXT]
        for name in sorted(now_there.keys() - before):
            why = "; ".join(f"«{hit.form}» {hit.why}" if hit.form else hit.why for hit in now_there[name].hits)
            self.done.change("mention gained", post.id, name, None, name, text, why=why[:_LONGEST_WHY])
        for name in sorted(before - now_there.keys()):
            if name in looked_for or not self.one:
                self.done.change("mention lost", post.id, name, name, None, text, why=self._why_not(post, name))

    def _why_not(self, post: StoredPost, name: str) -> str:
        facts = match.facts_of(post, self.kinds)
        findings = explain(self.matcher, post.folded, match.full_text(post.post), facts)
        reasons = [finding.why for finding in findings if finding.brand == name and not finding.kept]
        return "; ".join(dict.fromkeys(reasons))[:_LONGEST_WHY] or "no form of it stands there"
