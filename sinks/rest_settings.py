"""What the kind `rest` is told: how a helpdesk's HTTP API is called. See docs/rest.md for the language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from crawler.model import Priority, TicketStatus
from crawler.plugins import Secret, SecretText
from sinks.base import Seconds
from sinks.http import HttpSink
from sinks.rest_fill import SECRET, names_in, refuse_unknown
from sinks.rest_meaning import Meaning, is_place
from sinks.rest_parts import SESSION, Basic, Call, Login, Method, Part, Pick, Request, Sign, Step, as_calls, check_steps
from sinks.rest_pick import checked, parts
from sinks.rest_values import CHANGE, FIND, LISTED, PAGING, REMOTE, SINCE, TICKET


def _one(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _texts(value: object) -> object:
    """Keys and values as text: `{1: open}` and `{open: 1}` are meant so."""
    return {str(key).strip(): item for key, item in value.items()} if isinstance(value, Mapping) else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {value!r}; write one like Europe/Kyiv") from None
    return value


def _days(value: object) -> object:
    found = re.fullmatch(r"(\d{1,4})\s*d(?:ays?)?", value.strip()) if isinstance(value, str) else None
    return int(found[1]) if found else value


def _waits(value: str) -> str:
    return checked(value if is_place(value) else f"header:{value}") and value


Zone = Annotated[str, AfterValidator(_zone)]
Statuses = Annotated[dict[str, TicketStatus], BeforeValidator(_texts)]


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
    total: Pick | None = Field(
        None,
        description="Where the answer holds the number of items",
        examples=["json:count", "header:X-Total-Count", "header:Content-Range /(\\d+)"],
    )
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


class Job(Request):
    """Asked until it says which ticket came of an accepted creation."""

    method: Method = Field("GET", description="Method")
    at: Pick = Field(
        "header:Location", description="Where the answer to create names the job, {job}", examples=["json:job_id"]
    )
    id: Pick = Field(
        "json:id",
        description="Where the job's answer holds the ticket's id, once it is there",
        examples=["json:ticket"],
    )
    wait: Seconds = Field(10.0, description="How long it is asked; then the ticket is in doubt", examples=["20s"])


class Create(Call):
    known = TICKET
    job: Job | None = Field(
        None,
        description="For helpdesks that answer with a job instead of a ticket: the call that tells what became of it",
        examples=[{"path": "/jobs/{job}", "id": "json:ticket.id"}],
    )
    existing: Pick | None = Field(
        None,
        description="Where an answer that means `exists` holds the id of the ticket that is there; without it `find` "
        "is asked",
        examples=["json:error.existing_id"],
    )
    once: bool = Field(
        False,
        description="The helpdesk itself takes the same {key} only once (an idempotency key, or a path that ends in "
        "it): in doubt the call is made again, where there is no `find`",
    )
    after: Annotated[tuple[Step, ...], BeforeValidator(as_calls)] = Field(
        (),
        description="Calls made once the ticket is there ({remote_id}); what they fail at becomes a warning, and after "
        "a doubt they are not made: what exactly once needs belongs in the call itself",
        examples=[[{"method": "PUT", "path": "/tickets/{remote_id}/tags", "body": {"tags": "{slugs}"}}]],
    )
    id: Pick = Field("json:id", description="Where the answer holds the ticket's id", examples=["header:Location"])
    link: str | None = Field(
        None,
        description="Link for people: a template ({url} is the sink's url here), or json:, header:, text:",
        examples=["{url}/tickets/{remote_id}"],
    )
    check: dict[str, Any] = Field(
        default_factory=dict,
        description="Path of the answer: what was sent; a difference is told as a warning",
        examples=[{"title": "{subject}"}],
    )

    @model_validator(mode="after")
    def _link(self) -> Self:
        _check_link(self.link)
        _check_check(self.check)
        check_steps(self.after, TICKET | {"remote_id", "remote_number"} | _taken(self.before), "after")
        if self.job is not None:
            self.job.refuse_mistakes(TICKET | {"job"} | _taken(self.before), "job.")
        if self.once and not {"key", "marker"} & self.names():
            raise ValueError("once: the helpdesk cannot know a ticket again that carries neither {key} nor {marker}")
        return self

    def steps(self) -> tuple[Step, ...]:
        return (*self.before, *self.after)


class Each(Request):
    """A call for one item of a list that says too little; what it answers is added to the item."""

    method: Method = Field("GET", description="Method")
    value: Pick = Field("json:", description="What of the answer is added to the item", examples=["json:data"])
    only: dict[str, Any] = Field(
        default_factory=dict, description="Asked only of items that hold this", examples=[{"type": "reply"}]
    )


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
    each: Each | None = Field(
        None,
        description="A call for every item ({item} is its id), for lists that say little more than ids; an item that "
        "is a bare id then has it at json:id",
        examples=[{"path": "/messages/{item}"}],
    )

    @model_validator(mode="after")
    def _each(self) -> Self:
        if " =~ " in (self.items or ""):
            raise ValueError("items takes a path only; a regex behind it is for single values")
        if self.each is not None:
            self.each.refuse_mistakes(self.known - PAGING | {"item"} | _taken(self.before), "each.")
        return self


class Dated(Listing):
    """A list that can be asked for by time."""

    zone: Zone | None = Field(
        None,
        description="Zone in which the helpdesk reads {since} and {until}, and writes moments that name none "
        "(default: UTC)",
        examples=["Europe/Kyiv"],
    )
    since: str = Field(
        "iso",
        description="How {since} and {until} are written: iso, unix, unix_ms, or a pattern: %Y-%m-%d %H:%M:%S",
        examples=["%Y-%m-%d"],
    )


class Find(Dated):
    known = FIND
    window: Annotated[int, BeforeValidator(_days), Field(ge=1, le=3650)] = Field(
        30,
        description="Days between {since} and now, for helpdesks that search only by date: longer than any time that "
        "this program may stand still",
        examples=["30d"],
    )
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
    check: dict[str, Any] = Field(
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


class Changes(Dated):
    known = SINCE
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
    login: Login | None = Field(None, description="A call that gives a session or token, {session}")
    sign: Sign | None = Field(None, description="A signature of every call")
    dates: str = Field(
        "iso",
        description="How {opened_at}, {due_at} and {now} are written: iso, unix, unix_ms, or a pattern (UTC)",
        examples=["%Y-%m-%d %H:%M:%S"],
    )
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
    update: Annotated[tuple[Update, ...], BeforeValidator(as_calls)] = Field(
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
        description="What answers mean, by status and what they say: ok, warn, failed, permanent, transient, in_doubt, "
        "exists, missing, login",
        examples=[{"422": "permanent", "500 *email*": "permanent", "409": "exists", "200 json:error": "failed"}],
    )
    retry_after: Annotated[tuple[Annotated[str, AfterValidator(_waits)], ...], BeforeValidator(_one)] = Field(
        ("Retry-After",),
        description="What says when to come back, in seconds, as a date or a unix time: names of headers, or places",
        examples=[["Retry-After", "header:RateLimit t=(\\d+)", "json:retry_in"]],
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
        names = {name for call in self.calls() for name in call.names()}
        for name in sorted(name.removeprefix(SECRET) for name in names if name.startswith(SECRET)):
            if name not in self.secrets:
                raise ValueError(f"{{{SECRET}{name}}} is used, but `secrets` has no {name!r}")
        if SESSION in names and self.login is None:
            raise ValueError("{session} is what `login` gives, which is not there")
        if self.login is not None and not self.login.sends and SESSION not in names:
            raise ValueError("login gives a session that nothing carries: write login.sends, or {session} in the calls")
        if self.find is not None:
            _findable(self.create, self.find)
        if self.create.existing and "exists" not in {*self.meaning.values(), *self.create.meaning.values()}:
            raise ValueError("create.existing is read where an answer means `exists`: add meaning: {'409': exists}")
        wants_version = [call for call in (self.comment, *self.update) if call and "version" in call.names()]
        if (self.preconditions or wants_version) and self.read is None:
            raise ValueError("preconditions and {version} take what `read` answers: add read")
        return self

    def calls(self) -> list[Request]:
        """Every call of the config, those around others too."""
        main = (self.create, self.find, self.comment, *self.update, self.read, self.changes)
        return [one for call in main for one in _below(call)]


def _below(call: Call | None) -> list[Request]:
    if call is None:
        return []
    inner = [one for name in ("seen", "replies") if (one := getattr(call, name, None)) is not None]
    each = [one for one in [getattr(call, "each", None)] if one is not None]
    each += [one for one in [getattr(call, "job", None)] if one is not None]
    return [call, *call.steps(), *each, *(one for call in inner for one in _below(call))]


def _taken(steps: tuple[Step, ...]) -> frozenset[str]:
    return frozenset(name for step in steps for name in step.take)


def _findable(create: Create, find: Find) -> None:
    """ValueError when what find looks for is nothing that create sends: a ticket in doubt would be sent twice."""
    sent = [create, *create.before]
    if not {"key", "marker"} & {name for call in sent for name in call.names()}:
        raise ValueError("find looks for the key, but create sends neither {key} nor {marker}")
    texts = [text for call in sent for text in _texts_in(call.templates())]
    for name in ("match", "contains"):
        for path, wanted in getattr(find, name).items():
            told = {"key", "marker"} & set(names_in(wanted))
            if not told or parts(path)[0] == "text" or create.id == "{key}":
                continue
            if not any(f"{{{one}}}" in text for one in told for text in texts):
                one = min(told)
                other = ({"key", "marker"} - told or {"key"}).pop()
                raise ValueError(
                    f"find.{name}: {path} can never hold {{{one}}}: create does not send it; "
                    f"send {{{one}}} there, or look for {{{other}}}"
                )


def _texts_in(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        yield from (text for pair in data.items() for part in pair for text in _texts_in(part))
    elif isinstance(data, list | tuple):
        yield from (text for item in data for text in _texts_in(item))


def _check_check(check: Mapping[str, Any]) -> None:
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
