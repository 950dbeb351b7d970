"""What the kind `rest` is told: how a helpdesk's HTTP API is called. See docs/rest.md for the language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from crawler.model import Priority, TicketStatus
from crawler.plugins import Secret, SecretText
from sinks.base import Seconds
from sinks.http import HttpSink, Url
from sinks.rest_fill import SECRET, names_in, refuse_unknown
from sinks.rest_meaning import Meaning
from sinks.rest_pick import checked
from sinks.rest_values import CHANGE, FIND, LISTED, REMOTE, SINCE, TICKET


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError("must begin with one / and go on below the sink's url, e.g. /api/tickets")
    if any(char.isspace() or ord(char) < 32 for char in value):
        raise ValueError("must not hold spaces; write %20, or use `query:`")
    return value


def _calls(value: object) -> object:
    return [value] if isinstance(value, Mapping) else value


def _one(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _texts(value: object) -> object:
    """Keys and values as text: `{1: open}` and `{open: 1}` are meant so."""
    return {str(key).strip(): item for key, item in value.items()} if isinstance(value, Mapping) else value


_REFERENCE = re.compile(r"\$\{[A-Za-z_]")
Path = Annotated[str, AfterValidator(_path)]
Pick = Annotated[str, AfterValidator(checked)]
Statuses = Annotated[dict[str, TicketStatus], BeforeValidator(_texts)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Part(BaseModel):
    """Base of the parts: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Basic(Part):
    user: SecretText = Field(description="User name, or a key that stands for one", examples=["robot"])
    password: Secret | None = Field(
        None, description="Password (default: X, for helpdesks that take a key as the user)", examples=["${PASSWORD}"]
    )


class Login(Part):
    """A call that gives a session, for helpdesks that want one; made at first use and again after a 401."""

    url: Url | None = Field(
        None,
        description="Server of the login call when it is another one; it gets no headers or query of the sink",
        examples=["https://login.example"],
    )
    method: Method = Field("POST", description="Method of the login call")
    path: Path = Field(description="Path of the login call", examples=["/session"])
    headers: dict[str, SecretText] = Field(default_factory=dict, description="Headers of the login call only")
    body: dict[str, SecretText] | None = Field(None, description="JSON of the login call")
    form: dict[str, SecretText] | None = Field(None, description="Form of the login call, instead of body")
    session: Pick = Field("json:session_token", description="Where the answer holds the session")
    sends: dict[str, str] = Field(
        description="Headers of every other call", examples=[{"Session-Token": "{session}"}], min_length=1
    )

    @model_validator(mode="after")
    def _session_only(self) -> Self:
        refuse_unknown(self.sends, frozenset({"session"}), "sends")
        return self


class Call(Part):
    """One HTTP call. Texts are templates: `{name}` stands for a value, percent-encoded in `path`."""

    known: ClassVar[frozenset[str]] = frozenset()

    method: Method = Field("POST", description="Method")
    path: Path = Field(description="Path below url, with its query when it has one", examples=["/api/tickets"])
    query: dict[str, Any] = Field(default_factory=dict, description="Query parameters, encoded for you")
    headers: dict[str, SecretText] = Field(default_factory=dict, description="Headers of this call only")
    body: Any = Field(None, description="JSON body", examples=[{"title": "{subject}", "text": "{body}"}])
    form: dict[str, Any] | None = Field(None, description="Form body, instead of JSON")
    multipart: dict[str, Any] | None = Field(None, description="multipart/form-data body, instead of JSON")
    text: str | None = Field(None, description="Body as text, instead of JSON; values are escaped for content_type")
    content_type: str | None = Field(None, description="Content type of the body", examples=["application/xml"])
    meaning: Meaning = Field(default_factory=dict, description="As `meaning`, for this call only")

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        bodies = [name for name in ("body", "form", "multipart", "text") if getattr(self, name) is not None]
        if len(bodies) > 1:
            raise ValueError(f"takes one of body, form, multipart and text, not {' and '.join(bodies)}")
        for name in ("path", "query", *bodies):
            refuse_unknown(getattr(self, name), self.known, name)
            if _holds_secret(getattr(self, name)):
                raise ValueError(f"{name}: name the secret in `secrets` of the sink, and write {{secret_NAME}} here")
        refuse_unknown(self.plain_headers(), self.known, "headers")
        return self

    def plain_headers(self) -> dict[str, str]:
        """The headers that are templates: those that hold no secret."""
        plain = {name: text for name, text in self.headers.items() if not text.looked_up}
        return {name: text.get_secret_value() for name, text in plain.items()}

    def names(self) -> set[str]:
        """Every placeholder that the call holds."""
        parts = (self.path, self.query, self.plain_headers(), self.body, self.form, self.multipart, self.text)
        return {name for part in parts for name in names_in(part)}


class Pages(Part):
    """How a list goes on. Without it a list has one page."""

    by: Literal["page", "offset", "cursor", "next", "link"] = Field(
        "page", description="Page number, offset, cursor of the answer, its next URL, or a Link header"
    )
    param: str | None = Field(None, description="Query parameter (default: page, offset, cursor)")
    start: int | None = Field(None, ge=0, description="First page number or offset (default 1 and 0)")
    size: int = Field(50, ge=1, le=1000, description="Items a page")
    size_param: str | None = Field(None, description="Query parameter of the page size", examples=["per_page"])
    next: Pick | None = Field(
        None, description="Where the answer holds the cursor or next URL (default: json:next_cursor, json:next)"
    )
    total: Pick | None = Field(None, description="Where the answer holds the number of items", examples=["json:count"])
    last: Pick | None = Field(
        None,
        description="Where the answer holds the number of the last page",
        examples=['header:Link page=(\\d+)[^>]*>; rel="last"'],
    )
    order: Literal["newest", "oldest"] = Field(
        "newest", description="What comes first; oldest: the last page is read first, which needs `total` or `last`"
    )

    @model_validator(mode="after")
    def _oldest_first(self) -> Self:
        known = self.by == "page" and self.last is not None
        if self.order == "oldest" and not known and (self.total is None or self.by not in ("page", "offset")):
            raise ValueError("order: oldest needs `by: page` or `by: offset`, and `total`, e.g. total: json:count")
        return self


class Create(Call):
    known = TICKET
    id: Pick = Field("json:id", description="Where the answer holds the ticket's id", examples=["header:Location"])
    link: str | None = Field(
        None,
        description="Link for people: a template ({url} is the sink's url here), or json:, header:, text:",
        examples=["{url}/tickets/{remote_id}"],
    )
    check: dict[str, str] = Field(
        default_factory=dict,
        description="Path of the answer: what was sent; a difference is told as a warning",
        examples=[{"title": "{subject}"}],
    )

    @model_validator(mode="after")
    def _link(self) -> Self:
        _check_link(self.link)
        _check_check(self.check)
        return self


class Listing(Call):
    """A call that answers a list."""

    method: Method = Field("GET", description="Method")
    items: Pick | None = Field(
        None,
        description="Where the items are; absent: the answer is the list, or the one item",
        examples=["json:results"],
    )
    id: Pick = Field("json:id", description="Where an item holds its id")
    pages: Pages | None = Field(None, description="How the list goes on")
    look_back: int = Field(1000, ge=1, le=100_000, description="How many items are read at most")


class Find(Listing):
    known = FIND
    link: str | None = Field(None, description="As in create, when it differs")
    match: dict[str, Any] = Field(
        default_factory=dict,
        description="Conditions on an item, path: value; only an item that holds them all is ours",
        examples=[{"external_id": "{key}"}],
    )
    contains: dict[str, str] = Field(
        default_factory=dict,
        description="Conditions too: texts that must hold the value, path: text",
        examples=[{"description": "{marker}"}],
    )
    wait: Seconds | None = Field(
        None,
        description="How long after a doubt an empty answer is not trusted: the search lags, or the call was slow "
        "(default 30s)",
        examples=["30s"],
    )

    @model_validator(mode="after")
    def _conditions(self) -> Self:
        for name in ("match", "contains"):
            conditions: Mapping[str, Any] = getattr(self, name)
            for path in conditions:
                checked(path)
            refuse_unknown(list(conditions.values()), FIND, name)
        _check_link(self.link)
        said = set(names_in([*self.match.values(), *self.contains.values()]))
        if (self.match or self.contains) and not said & {"key", "marker"}:
            raise ValueError("match and contains must tell one ticket from others: one of them holds {key} or {marker}")
        return self


class Seen(Listing):
    known = LISTED
    says: Pick = Field("json:body", description="Where an item holds its text")


class Comment(Call):
    known = CHANGE
    seen: Seen | None = Field(None, description="The comments that are there: one with our {marker} is not sent again")


class Update(Call):
    known = CHANGE
    method: Method = Field("PUT", description="Method")


class Read(Call):
    known = REMOTE
    method: Method = Field("GET", description="Method")
    status: Pick | None = Field(None, description="Where the answer holds the status", examples=["json:status"])
    statuses: Statuses = Field(
        default_factory=dict,
        description="Their words for a status, in ours: open or solved",
        examples=[{"new": "open", "closed": "solved"}],
    )
    version: Pick = Field("header:ETag", description="What `preconditions: etag` and {version} take")
    check: dict[str, str] = Field(
        default_factory=dict,
        description="As in create, of the ticket read back after create: one more call",
        examples=[{"title": "{subject}"}],
    )
    unchanged: Annotated[tuple[Pick, ...], BeforeValidator(_one)] = Field(
        (), description="What a comment or update must leave alone; a change is told", examples=[["json:title"]]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_check(self.check)
        return self


class Replies(Listing):
    known = LISTED
    says: Pick = Field("json:body", description="Where an item holds its text")
    public: dict[str, Any] = Field(
        default_factory=dict,
        description="What an item holds that the customer may read (default: all)",
        examples=[{"internal": "false"}],
    )
    only: dict[str, Any] = Field(
        default_factory=dict, description="Only items that hold this", examples=[{"sender": "Agent"}]
    )
    author: Pick | None = Field(None, description="Where an item holds who wrote it")
    at: Pick | None = Field(None, description="Where an item holds when it was written")


class Changes(Listing):
    known = SINCE
    since: str = Field("iso", description="How {since} is written: iso, unix, unix_ms, or a pattern: %Y-%m-%d %H:%M:%S")
    status: Pick | None = Field(None, description="Where an item holds the status (default: as in read)")
    assignee: Pick | None = Field(None, description="Where an item holds who has the ticket")
    at: Pick = Field("json:updated_at", description="Where an item holds when it changed: a date, or a unix time")
    link: str | None = Field(None, description="As in create, when it differs")
    replies: Replies | None = Field(None, description="What was written in a ticket that changed")


class RestSettings(HttpSink.Settings):
    """The whole language."""

    common: ClassVar = ("url", "timeout", "hook_secret")

    headers: dict[str, SecretText] = Field(
        default_factory=dict, description="Headers of every call", examples=[{"Authorization": "Token ${DESK_TOKEN}"}]
    )
    query: dict[str, SecretText] = Field(
        default_factory=dict, description="Query parameters of every call", examples=[{"api_key": "${DESK_KEY}"}]
    )
    basic: Basic | None = Field(None, description="User name and password")
    secrets: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")], Secret] = Field(
        default_factory=dict,
        description="Secrets for bodies and other templates, where {secret_NAME} stands for them",
        examples=[{"key": "${DESK_KEY}"}],
    )
    login: Login | None = Field(None, description="A call that gives a session")
    format: Literal["text", "html", "markdown", "wiki"] = Field(
        "text", description="How the helpdesk shows {body} and {comment}; it decides how they are escaped"
    )
    limits: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="Most characters of a field of a body", examples=[{"title": 255}]
    )
    create: Create = Field(
        description="Opens a ticket",
        examples=[{"path": "/api/tickets", "body": {"title": "{subject}", "text": "{body}"}}],
    )
    find: Find | None = Field(None, description="Asks whether a ticket is there: exactly once comes from this")
    comment: Comment | None = Field(None, description="Adds a comment")
    update: Annotated[tuple[Update, ...], BeforeValidator(_calls)] = Field(
        (), description="Sets {priority} and {status}: one call, or a list; a call without a value is left out"
    )
    read: Read | None = Field(None, description="Reads one ticket: its status, and what became of a write")
    changes: Changes | None = Field(None, description="Asks what changed since {since}")
    priorities: dict[Priority, Any] = Field(
        default_factory=dict,
        description="The helpdesk's words for all four",
        examples=[{"urgent": 1, "high": 2, "normal": 3, "low": 4}],
    )
    statuses: dict[TicketStatus, Any] = Field(
        default_factory=dict,
        description="The helpdesk's words for a status that we set (default: read.statuses turned round)",
        examples=[{"open": "reopened", "solved": "closed"}],
    )
    meaning: Meaning = Field(
        default_factory=dict,
        description="What answers mean, by status and text: ok, warn, permanent, transient, in_doubt, exists, missing",
        examples=[{"422": "permanent", "500 *email*": "permanent", "409": "exists"}],
    )
    retry_after: Annotated[tuple[str, ...], BeforeValidator(_one)] = Field(
        ("Retry-After",), description="Headers that say when to come back: seconds, a date, or a unix time"
    )
    preconditions: Literal["etag"] | None = Field(
        None,
        description="`etag`: update (and a comment that is no POST) carries If-Match with what `read` answered",
    )
    author_domain: str = Field(
        "mentions.invalid",
        pattern=r"^[A-Za-z0-9.-]{1,200}$",
        description="Domain of {author_email}, an address that nobody has",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.priorities and len(self.priorities) < len(Priority):
            missing = ", ".join(word.value for word in Priority if word not in self.priorities)
            raise ValueError(f"priorities has no word for {missing}; it names all four or none")
        for name in {name for call in self.calls() for name in call.names() if name.startswith(SECRET)}:
            if name.removeprefix(SECRET) not in self.secrets:
                raise ValueError(f"{{{name}}} is used, but `secrets` has no {name.removeprefix(SECRET)!r}")
        if self.find is not None and not {"key", "marker"} & self.create.names():
            raise ValueError("find looks for the key, but create sends neither {key} nor {marker}")
        wants_version = [call for call in (self.comment, *self.update) if call and "version" in call.names()]
        if (self.preconditions or wants_version) and self.read is None:
            raise ValueError("preconditions and {version} take what `read` answers: add read")
        return self

    def calls(self) -> list[Call]:
        """Every call of the config."""
        calls = (self.create, self.find, self.comment, *self.update, self.read, self.changes)
        return [one for call in calls for one in _below(call)]


def _below(call: Call | None) -> list[Call]:
    if call is None:
        return []
    inner = (getattr(call, name, None) for name in ("seen", "replies"))
    return [call, *(one for one in inner if one is not None)]


def _holds_secret(data: Any) -> bool:
    if isinstance(data, Mapping):
        return any(map(_holds_secret, [*data, *data.values()]))
    if isinstance(data, list | tuple):
        return any(map(_holds_secret, data))
    return isinstance(data, SecretStr) or (isinstance(data, str) and bool(_REFERENCE.search(data)))


def _check_check(check: Mapping[str, str]) -> None:
    for path in check:
        checked(path)
    refuse_unknown(list(check.values()), TICKET, "check")


def _check_link(link: str | None) -> None:
    if link is None:
        return
    if link.startswith(("json:", "header:", "text:")):
        checked(link)
    else:
        refuse_unknown(link, frozenset({"url", "base", "remote_id"}), "link")
