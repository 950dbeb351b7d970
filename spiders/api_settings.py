"""The language of kind `api`: where an API is asked, how it pages, and where the parts of a post stand in its JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from crawler import plugins
from crawler.config.values import Seconds
from crawler.model import Verdict
from spiders.json_paths import JsonPath
from spiders.source_settings import SourceSettings

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
# Filled in for each request; a preset's settings and the names of `each` must be other words.
OURS = ("since", "page", "offset", "cursor", "size")
Scalar = str | int | float | bool
Value = plugins.SecretText | int | bool | None


class Shape(plugins.Settings):
    """One list of posts in an answer: where its items stand and the parts of a post within an item (JMESPath).

    An expression sees the item's own keys, and beside them `_doc` (the whole answer), `_up` (the item that it is nested
    in), `_host` and `_site` (of the answer's address). Functions: see `spiders.json_paths`.
    """

    items: JsonPath = Field(description="List of posts in the answer, or one.", examples=["hits"])
    only: JsonPath | None = Field(None, description="Items for which this is false are no posts.")
    nested: JsonPath | None = Field(None, description="List inside an item of further items, to any depth.")
    fields: dict[str, JsonPath] = Field(description="Parts of a post.", examples=[{"id": "id", "text": "html(body)"}])
    engagement: dict[str, JsonPath] = Field({}, description="Counts: likes, comments, shares, views, score.")
    deleted: JsonPath | None = Field(None, description="True where the post was taken down.")
    pinned: JsonPath | None = Field(None, description="True where the post stands on top whatever its age.")
    known_as: JsonPath | None = Field(
        None, description="Another name of the post, under which answers to it name it; they are given its id instead."
    )
    moved_at: JsonPath | None = Field(None, description="The date that orders the list, when not published_at.")

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(fields) - set(FIELDS)):
            raise ValueError(f"a post has no {unknown[0]!r}; it has {', '.join(FIELDS)}")
        if not {"text", "title"} & set(fields):
            raise ValueError("a post needs its text or title")
        return fields


FIELDS = (
    "id",
    "url",
    "title",
    "text",
    "author",
    "author_handle",
    "author_url",
    "followers",
    "published_at",
    "parent",
    "thread",
    "rating",
    "region",
    "language",
    "site",
)


class Paging(plugins.Settings):
    """How the next page is asked for."""

    by: Literal["none", "page", "offset", "cursor", "next", "link"] = Field(
        "none", description="A page number, an offset, a cursor of the answer, its next address, or its Link header."
    )
    param: str | None = Field(None, description="Query parameter that carries it, unless it stands in path or body.")
    first: int = Field(1, description="Number of the first page.")
    size: int = Field(
        100,
        ge=1,
        le=1000,
        description="Posts of a full page; a shorter one is the last. Unsaid, all are read until one is empty.",
    )
    cursor: JsonPath | None = Field(None, description="The cursor, or next address, in the answer.")
    more: JsonPath | None = Field(None, description="False in the answer when nothing follows.")
    at_most: int = Field(1000, ge=1, description="Pages that the platform serves at most.")
    short: bool = Field(True, description="A page with fewer posts than `size` is the last one.")


class Since(plugins.Settings):
    """What `{since}` stands for: the newest post of the last complete run, less the overlap."""

    written: str = Field(
        "{time}", description="How it is written; nothing at the first run.", examples=["after:{time}"]
    )
    time: Literal["iso", "unix", "millis", "date"] = Field("iso", description="Form of the time.")


class Deeper(plugins.Settings):
    """A request for each item of an answer, such as the comments of a topic; asked again when its mark changed."""

    items: JsonPath = Field(description="List of things in the answer that lead deeper.", examples=["topics"])
    key: JsonPath = Field(description="What tells them apart.", examples=["id"])
    mark: JsonPath | None = Field(None, description="Changes when there is something new in it.")
    only: JsonPath | None = Field(None, description="Items for which this is false are passed over.")
    path: str = Field(description="Address; {names} of `values` in it.", examples=["/t/{id}.json"])
    query: dict[str, Scalar] = Field({}, description="Query parameters.")
    values: dict[str, JsonPath] = Field({}, description="Names in path and query, from the item.")


class Route(plugins.Settings):
    """Another way to the posts, tried when the way before it is refused."""

    path: str = Field(description="Address.", examples=["/comments/feed/"])
    query: dict[str, Scalar | None] = Field({}, description="Query parameters.")
    body: dict[str, Any] | None = Field(None, description="Body of a POST, sent as JSON; without it the way is a GET.")
    when: JsonPath | None = Field(None, description="False in the answer of `ask` where this way is closed.")


class Ask(plugins.Settings):
    """A request before all others, whose answer says which ways are open."""

    path: str = Field(description="Address.", examples=["/api/v2/instance"])
    when: JsonPath | None = Field(None, description="False in the answer where the first way is closed.")


class Trouble(plugins.Settings):
    """What an error looks like that comes as an answer, whatever its status."""

    when: JsonPath = Field(description="True for this error.", examples=["error.error_code == `6`"])
    verdict: Literal["blocked", "failed", "empty", "changed"] = Field("failed", description="What it means.")
    why: str = Field("", description="What to do, in words.")
    wait: JsonPath | Seconds | None = Field(None, description="Seconds to stay away, or where they stand.")


class Basic(plugins.Settings):
    """Name and password of an app, sent as RFC 7617 says."""

    user: str = Field(description="Name, or id of the app.", examples=["ladna-app"])
    password: plugins.Secret = Field(description="Password of the app.", examples=["${APP_SECRET}"])


class Login(plugins.Settings):
    """A request whose answer holds the token that all others carry. Without anything to show it is not made."""

    path: str = Field(description="Address, whole or below `url`.", examples=["/api/v1/access_token"])
    basic: Basic | None = Field(None, description="Name and password of an app.")
    form: dict[str, Value] | None = Field(None, description="What is posted as a form.")
    body: dict[str, Value] | None = Field(None, description="What is posted as JSON.")
    needs: tuple[str, ...] = Field((), description="Without these in form or body nobody can log in.")
    token: JsonPath = Field("access_token", description="Where the token stands in the answer.")
    scheme: Literal["Bearer", "Token", "OAuth", "bearer"] = Field("Bearer", description="What stands before it.")

    @property
    def wanted(self) -> bool:
        """Whether there is anything to log in with."""
        said = {**(self.form or {}), **(self.body or {})}
        return self.basic is not None or bool(self.needs and all(said.get(name) for name in self.needs))


class ApiSettings(SourceSettings):
    """Settings of `api`."""

    url: str = Field(description="Address of the API without its path.", examples=["https://api.site.example"])
    path: str = Field("", description="Path below `url`; {names} in it are filled in.", examples=["/v1/search"])
    query: dict[str, Scalar | None] = Field({}, description="Query parameters; without a value they are left out.")
    method: Literal["GET", "POST"] = Field("GET", description="POST where the API wants its query as a body.")
    body: dict[str, Any] | None = Field(None, description="Body of a POST, sent as JSON.")
    form: dict[str, Scalar | plugins.Secret | None] | None = Field(None, description="Body of a POST, sent as a form.")
    headers: dict[str, plugins.SecretText] = Field({}, description="Headers such as Authorization.")
    secrets: dict[str, plugins.Secret] = Field({}, description="Query parameters that are secret, such as a key.")
    each: dict[str, tuple[Scalar, ...]] = Field(
        {}, description="A name and its values: one list of pages a value.", examples=[{"word": ["a", "b"]}]
    )
    paging: Paging = Field(Paging.model_validate({}), description="How the next page is asked for.")
    posts: tuple[Shape, ...] = Field(min_length=1, description="The lists of posts that an answer may hold.")
    deeper: tuple[Deeper, ...] = Field((), description="Requests for single items, such as their comments.")
    ask: Ask | None = Field(None, description="Asked first: the rules of the place, which decide the way.")
    otherwise: tuple[Route, ...] = Field((), description="Other ways, tried when this one is refused.")
    since: Since = Field(Since.model_validate({}), description="What {since} stands for.")
    overlap: Seconds = Field(3600.0, description="How far behind the newest known post a walk goes on.")
    order: Literal["newest", "oldest"] = Field("newest", description="Which posts stand first.")
    errors: tuple[Trouble, ...] = Field((), description="Errors that come as answers.")
    login: Login | None = Field(None, description="A request for the token that all others carry.")
    backoff: JsonPath | None = Field(None, description="Seconds to wait before the next request, in the answer.")
    threads: int = Field(20, ge=0, le=500, description="How many single items one run asks for.")
    prefix: str = Field("", description="What stands before the JSON.")
    feed_id: str | None = Field(None, description="Pattern of the platform's id in the ids of its feed.")
    feed_titles: bool = Field(True, description="The titles of its feed are those of the posts.")
    feed_without: str | None = Field(None, description="Pattern of what is cut from the texts of its feed.")
    may_be_empty: bool = Field(False, description="An answer without posts is nothing unusual.")

    @model_validator(mode="before")
    @classmethod
    def _given_only(cls, given: Any) -> Any:
        """Secrets and headers that stand for nothing are left out."""
        if not isinstance(given, Mapping):
            return given
        kept = {
            name: {key: value for key, value in given[name].items() if value is not None}
            for name in ("secrets", "headers")
            if isinstance(given.get(name), Mapping)
        }
        return {**given, **kept}

    @model_validator(mode="after")
    def _names_stand_for_something(self) -> ApiSettings:
        known = {*OURS, *self.each}
        for place, text in self._templates():
            for name in PLACEHOLDER.findall(text):
                if name not in known:
                    raise ValueError(f"{place}: {{{name}}} stands for nothing; known: {', '.join(sorted(known))}")
        for deeper in self.deeper:
            for name in PLACEHOLDER.findall(" ".join((deeper.path, *map(str, deeper.query.values())))):
                if name not in deeper.values and name not in known:
                    raise ValueError(f"deeper: {{{name}}} stands for nothing; name it in `values`")
        return self

    @property
    def full(self) -> int | None:
        """Posts of a full page; None where neither the config nor the request says how many it has."""
        asked = any("{size}" in text for _, text in self._templates())
        return self.paging.size if asked or "size" in self.paging.model_fields_set else None

    def _templates(self) -> list[tuple[str, str]]:
        found = [("path", self.path), *((f"otherwise {n}", route.path) for n, route in enumerate(self.otherwise, 1))]
        bodies = (self.body, *(route.body for route in self.otherwise))
        found += [("body", text) for body in bodies for text in _texts(body)]
        for place, query in (("query", self.query), *(("otherwise", route.query) for route in self.otherwise)):
            found += [(f"{place}.{name}", text) for name, value in query.items() for text in _texts(value)]
        return found


def _texts(value: Any) -> list[str]:
    """Every text inside a JSON value."""
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def verdict_of(name: str) -> Verdict:
    """The verdict that a word of the config means."""
    return Verdict(name)
