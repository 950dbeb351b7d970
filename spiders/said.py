"""Posts from schema.org nodes: reviews, comments, questions, answers, forum postings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from crawler.model import Author, Post
from crawler.text import canonical_url, strip_markup
from spiders.dates import Dates
from spiders.linked_data import Found, Node, first, ids_of, link, resolved, text, types_of
from spiders.page import words_id

REVIEWS = frozenset(("Review", "UserReview", "CriticReview", "EmployerReview"))
COMMENTS = frozenset(("Comment", "UserComments", "Answer", "CorrectionComment"))
POSTINGS = frozenset(("DiscussionForumPosting", "SocialMediaPosting", "Question"))
_NEWS = ("", "Reportage", "Analysis", "Opinion", "Review", "Background", "AskPublic")
ARTICLES = frozenset(f"{kind}NewsArticle" for kind in _NEWS) | {
    "Article",
    "BlogPosting",
    "LiveBlogPosting",
    "TechArticle",
    "ScholarlyArticle",
    "Report",
}
_REFERENCE = frozenset(("@type", "@id", "@context", "url"))
_NOT_PEOPLE = frozenset(("FAQPage", "HowTo", "Quiz"))
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?")
_COUNTS = {"upvoteCount": "likes", "commentCount": "comments", "answerCount": "comments", "downvoteCount": "dislikes"}
_ACTIONS = {"Like": "likes", "Comment": "comments", "Share": "shares", "Reply": "comments", "View": "views"}


@dataclass(slots=True)
class Speakers:
    """Makes posts of the nodes of one page."""

    url: str
    dates: Dates
    nodes: list[Found]
    ids: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids = ids_of(self.nodes)

    def wanted(self, kinds: frozenset[str]) -> list[Found]:
        """Nodes of the given types that a person wrote, each once (pages repeat them in JSON-LD and microdata)."""
        seen: set[tuple[str, str]] = set()
        wanted = []
        for one in self.nodes:
            if not one.types & kinds or any(types_of(node) & _NOT_PEOPLE for node in one.around):
                continue
            key = (text(resolved(first(one.node.get("author")), self.ids)), " ".join(self.words(one.node).split()))
            reference = one.node.keys() <= _REFERENCE
            if not reference and (not key[1] or key not in seen):
                seen.add(key)
                wanted.append(one)
        return wanted

    def words(self, node: Node) -> str:
        """The text of a node, without markup."""
        for name in ("reviewBody", "articleBody", "text", "commentText", "description"):
            if said := text(node.get(name)):
                return strip_markup(said) if "<" in said or "&" in said else said
        return ""

    def post(self, one: Found) -> Post:
        """A post of one node. ValueError when it says nothing."""
        node = one.node
        said, title = self.words(node), strip_markup(text(node.get("headline")) or text(node.get("name"))) or None
        if not (said or title):
            raise ValueError(f"a {'/'.join(sorted(one.types))} without words")
        url, id_ = self.identity(node)
        rating = first(node.get("reviewRating"))
        post = Post(
            text=said,
            url=url or self.url,
            title=title if title != said else None,
            platform_id=id_,
            author=self.author(node.get("author") or node.get("creator")),
            published_at=self.when(node),
            parent=self.parent(one),
            thread=self.thread(one),
            rating=number(rating.get("ratingValue") if isinstance(rating, dict) else rating),
            engagement=engagement(node),
            language_hint=text(node.get("inLanguage")) or None,
        )
        # A posting or a question without an address of its own is what its page is about.
        return post if url or id_ or one.types & POSTINGS else replace(post, platform_id=words_id(post))

    def identity(self, node: Node) -> tuple[str | None, str | None]:
        """Own link and own id of a node. An `@id` that is an address is a link; a link needs no second identity."""
        id_ = text(node.get("@id"))
        address = id_ if "/" in id_ or "#" in id_ else ""
        if url := self.own(link(node.get("url"))) or self.own(address):
            return url, None
        bare = id_ if id_ and not address and not id_.startswith("_:") else ""
        return None, bare or text(node.get("identifier")) or None

    def own(self, said: str) -> str | None:
        """An address that tells this node apart from its page, or None."""
        url = canonical_url(said, self.url) if said and not said.startswith("_:") else None
        return url if url and url != canonical_url(self.url) else None

    def author(self, value: Any) -> Author:
        """Who wrote it: a name, an object, a list of either, or a reference to a node of the page."""
        who = resolved(first(value), self.ids)
        name = text(who)
        if not name:
            return Author()
        handle = text(who.get("alternateName")) if isinstance(who, dict) else ""
        page = link(who.get("url") or who.get("sameAs")) if isinstance(who, dict) else ""
        return Author(name, handle or None, canonical_url(page, self.url) if page else None)

    def when(self, node: Node) -> datetime | None:
        """The first date that can be read, publication before change."""
        names = ("datePublished", "dateCreated", "commentTime", "uploadDate", "dateModified")
        return self.dates.first(text(node.get(name)) for name in names)

    def parent(self, one: Found) -> str | None:
        """What a comment or answer replies to: the named parent, else the node around it."""
        if not one.types & COMMENTS:
            return None
        said = first(one.node.get("parentItem") or one.node.get("replyToUrl"))
        if said and (name := link(said) or text(said)):
            return canonical_url(name, self.url) or name
        above = next((node for node in reversed(one.around) if types_of(node) & (COMMENTS | POSTINGS | ARTICLES)), None)
        if above is None:
            return None
        url, id_ = self.identity(above)
        return id_ or url or canonical_url(self.url)

    def thread(self, one: Found) -> str | None:
        """What a review is about, or the page that a comment stands on."""
        if one.types & REVIEWS:
            about = one.node.get("itemReviewed") or next(iter(one.around[-1:]), None)
            return text(about) or None
        return canonical_url(self.url.split("#")[0]) if one.types & COMMENTS else None


def number(value: Any) -> float | None:
    """A rating as a number: "4,5" is 4.5; None when there is none."""
    digits = _NUMBER.search(text(value))
    return float(digits[0].replace(",", ".")) if digits else None


def engagement(node: Node) -> dict[str, int]:
    """Likes, comments, shares, views that a node counts."""
    counts: dict[str, int] = {}
    for name, ours in _COUNTS.items():
        if (said := text(node.get(name))).isdecimal():
            counts[ours] = int(said)
    for counter in _list(node.get("interactionStatistic")):
        if isinstance(counter, Mapping):
            action = str(link(counter.get("interactionType")) or _type_name(counter.get("interactionType")))
            ours = next((ours for word, ours in _ACTIONS.items() if word in action), "")
            if ours and (said := text(counter.get("userInteractionCount"))).isdecimal():
                counts[ours] = int(said)
    return counts


def _type_name(value: Any) -> str:
    value = first(value)
    return str(value.get("@type", "")) if isinstance(value, dict) else ""


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]
