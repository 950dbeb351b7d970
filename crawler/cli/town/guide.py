"""The config of the town, as a stranger would write it, and the story: what a good crawl of it comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from crawler.cli.town.posts import OWN, SITES, WRITTEN_TIDES, Written, written
from crawler.cli.town.render import raw, zone_name

BRAND = "Ladna Pay"
SOURCES = {"city-news": "news", "money-forum": "forum", "pay-reviews": "reviews", "magazine": "magazine",
           "magazine-comments": "magazine", "blog-comments": "blog"}  # fmt: skip


def config_text(sites: Mapping[str, str], data_dir: Path, browser: bool, sinks: Mapping[str, str]) -> str:
    """The commented file; `sinks` maps further sink names to their settings as YAML (`kind: webhook, url: ...`)."""
    values = {
        **sites, "zone": zone_name(), "brand": BRAND, "own": OWN, "data": str(data_dir).replace("'", "''"),
        "browser": Template(raw("config_browser.yaml")).substitute(reviews=sites["reviews"]) if browser else "",
        "sinks": "".join(f"  - {{name: {name}, {settings}}}\n" for name, settings in sinks.items()),
        "send_to": ", ".join(["desk", *sinks]),
    }  # fmt: skip
    return Template(raw("config.yaml")).substitute(values)


def story() -> Mapping[str, Any]:
    """Names, counts by tide, and the posts worth pointing at, each with what should become of it."""
    posts = [post for site in SITES for post in written(site)]
    return {
        "brand": BRAND, "legal": "ТОВ «Ладна Пей»", "owner": "Остап Вербиченко", "own": OWN,
        "sources": dict(SOURCES), "tides": [_tide(posts, tide) for tide in range(WRITTEN_TIDES + 1)],
        "languages": sorted({post.language for post in posts}), "points": list(_points(posts)),
    }  # fmt: skip


def _tide(posts: list[Written], tide: int) -> Mapping[str, Any]:
    """What the tide brings: new posts by site, how many speak of the brand, and edits."""
    new = [post for post in posts if post.tide == tide]
    return {
        "tide": tide, "new": {site: sum(post.site == site for post in new) for site in SITES},
        "mentions": sum(post.label != "other" for post in new),
        "edited": sum(post.edit_tide == tide > 0 for post in posts),
    }  # fmt: skip


_POINTS: Sequence[tuple[str, str, Callable[[Written], bool]]] = (
    ("own", "the brand's own account never becomes a ticket", lambda post: post.label == "own"),
    ("repost", "the same words on two sites are one ticket", lambda post: bool(post.repost_of)),
    ("follow-up", "the same author in the same thread joins the open ticket", lambda post: bool(post.after)),
    ("urgent", "a word of the config makes it urgent", lambda post: "суд" in post.body and _is(post, "complaint")),
    ("question", "asked without a question mark", lambda post: "?" not in post.body and _is(post, "question", "forum")),
    ("excluded", "the name stands inside an exclusion: no mention", lambda post: "Ladna Pay Cup" in post.body),
    ("edited", "a text that changes at the first tide", lambda post: post.edit_tide == 1 and _is(post, "complaint")),
    ("person", "only the owner is named", lambda post: "Вербиченко" in post.body and "Ладн" not in post.body),
)


def _is(post: Written, label: str, site: str = "") -> bool:
    return post.label == label and site in ("", post.site)


def _points(posts: list[Written]) -> Iterator[Mapping[str, str]]:
    for what, why, wanted in _POINTS:
        post = next(post for post in posts if wanted(post))
        yield {"what": what, "why": why, "id": f"{post.site}-{post.number}", "text": post.body}
