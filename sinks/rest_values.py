"""What the placeholders stand for: the ticket or change, written so that no text of a stranger acts in the helpdesk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crawler.model import Change, Ticket, TicketStatus
from sinks.plain import (
    SUBJECT_LIMIT,
    cut,
    for_html,
    for_markdown,
    for_wiki,
    no_macros,
    no_pings,
    one_line,
    safe_link,
)
from sinks.rest_fill import Absent, Values, fill
from sinks.rest_pick import in_item, values_of

TICKET = frozenset(
    "subject body html_body text_body markdown_body body_indented key marker priority url author author_email brand "
    "tone intent language reason tags slugs opened_at due_at now base".split()
)
PAGING = frozenset("page offset cursor size last".split())
FIND = frozenset("key marker since until base".split()) | PAGING
SINCE = frozenset("since until base".split()) | PAGING
LISTED = frozenset("remote_id remote_number base".split()) | PAGING
REMOTE = LISTED - PAGING
CHANGE = REMOTE | frozenset(
    "comment html_comment text_comment markdown_comment comment_indented key marker priority status version now".split()
)
FORMATS: Mapping[str, Callable[[str], str]] = {
    "text": str,
    "markdown": for_markdown,
    "html": for_html,
    "wiki": for_wiki,
}
_MARK = "mention-crawler:"
_MARKER = re.compile(re.escape(_MARK) + r"([^\s<>\"'&]+)")
_UNWRITTEN = frozenset(["*", "null", "none", ""])
_BOOLEANS = {"true": True, "false": False}
_TAG = re.compile(r"[^\w-]+")
_KEY, _LONGEST_KEY = "mc-", 200


def marker(key: str) -> str:
    """The line that carries `key` inside a description or a comment."""
    return _MARK + re.sub(r"[\s<>\"'&]", "_", one_line(key, 200))


def carries(text: object, line: str) -> bool:
    """Whether `text` carries this marker as its last one: one further up is quoted, somebody's words and not ours."""
    found = _MARKER.findall(str(text or ""))
    return bool(found) and _MARK + found[-1].rstrip(".,;") == line


def key_in(text: object, *, marked: bool) -> str | None:
    """The key of ours that `text` is, or carries in its last marker; None when there is none."""
    said = str(text or "")
    if marked:
        found = _MARKER.findall(said)
        return found[-1].rstrip(".,;") if found else None
    return said if said.startswith(_KEY) and len(said) <= _LONGEST_KEY else None


@dataclass(frozen=True)
class Texts:
    """The values of one call. `long` texts exist as text, HTML and Markdown; all others are one safe line."""

    values: Mapping[str, Any]
    long: Mapping[str, str]
    format: str = "text"

    def get(self, name: str, *, long: bool) -> Any:
        if name in self.long:
            return FORMATS[self.format](self.long[name])
        base, shape = _shaped(name)
        if base in self.long:
            return shape(self.long[base])
        value = self.values.get(name)
        if long and isinstance(value, str) and name not in ("marker", "key"):
            return FORMATS[self.format](value)
        return value

    def literal(self, text: str) -> str:
        return text.replace("\n", "<br>\n") if self.format == "html" else text

    def also(self, more: Mapping[str, Any]) -> Texts:
        return replace(self, values={**self.values, **more})

    def shortened(self, keep: int) -> Texts:
        return replace(self, long={name: cut(text, keep) for name, text in self.long.items()})

    @property
    def size(self) -> int:
        return max((len(text) for text in self.long.values()), default=0)


class Plain:
    """Values that are one word each."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, name: str, *, long: bool) -> Any:
        return self._values.get(name)

    def literal(self, text: str) -> str:
        return text

    def also(self, more: Mapping[str, Any]) -> Plain:
        return Plain({**self._values, **more})

    def shortened(self, keep: int) -> Plain:
        return self

    @property
    def size(self) -> int:
        return 0


class Over(Plain):
    """Some values over others: where a list goes on, when its call says so in a body."""

    def __init__(self, below: Any, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._below = below

    def get(self, name: str, *, long: bool) -> Any:
        return self._values[name] if name in self._values else self._below.get(name, long=long)

    def literal(self, text: str) -> str:
        return str(self._below.literal(text))

    def also(self, more: Mapping[str, Any]) -> Over:
        return Over(self._below.also(more), self._values)

    def shortened(self, keep: int) -> Over:
        return Over(self._below.shortened(keep), self._values)

    @property
    def size(self) -> int:
        return int(self._below.size)


def _shaped(name: str) -> tuple[str, Callable[[str], str]]:
    """`html_body` -> body and the way to write it."""
    kind, _, base = name.partition("_")
    if kind in FORMATS and base:
        return base, FORMATS[kind]
    if name.endswith("_indented"):
        return name.removesuffix("_indented"), lambda text: text.replace("\n", "\n ")
    return name, str


def of_ticket(
    ticket: Ticket, base: str, format: str, priorities: Mapping[str, Any], domain: str, dates: str = "iso"
) -> Texts:
    """The values of a ticket on its way in. `dates` is a form of moment_as."""
    author = one_line(no_pings(no_macros(ticket.author or "")), 100)
    tags = [one_line(no_macros(tag), 60) for tag in ticket.tags if tag.strip()]
    tone, intent = _word(ticket, 1), _word(ticket, 2)
    values = {
        "subject": one_line(no_macros(no_pings(ticket.subject)), SUBJECT_LIMIT) or "Mention",
        "key": ticket.key,
        "marker": marker(ticket.key),
        "priority": priorities.get(ticket.priority.value, ticket.priority.value),
        "url": safe_link(ticket.url),
        "author": author.translate(str.maketrans("", "", '<>"')) or "unknown",
        "author_email": _address(ticket, domain),
        "brand": one_line(no_macros(ticket.brand), 100),
        "tone": tone,
        "intent": intent,
        "language": ticket.language,
        "reason": one_line(no_macros(no_pings(ticket.reason)), 500),
        "tags": tags,
        "slugs": [slug for slug in (_TAG.sub("-", tag.lower()).strip("-") for tag in tags) if slug],
        "opened_at": _moment(ticket.opened_at, dates),
        "due_at": _moment(ticket.due_at, dates),
        "base": base,
    }
    return Texts(values, {"body": _long(ticket.body)}, format)


def of_change(
    change: Change, remote: Mapping[str, Any], format: str, priorities: Mapping[str, Any], statuses: Mapping[str, Any]
) -> Texts:
    """The values of a change to a ticket that exists."""
    priority, status = change.priority, change.status
    values = {
        **remote,
        "key": change.key,
        "marker": marker(change.key),
        "priority": priorities.get(priority.value, priority.value) if priority else None,
        "status": (statuses.get(status.value) if statuses else status.value) if status else None,
    }
    return Texts(values, {"comment": _long(change.comment)} if change.comment else {}, format)


def of_remote(id: str, base: str) -> dict[str, Any]:
    return {"remote_id": id, "remote_number": int(id) if id.isdigit() and len(id) < 19 else None, "base": base}


def of_search(key: str, base: str, since: object = None, until: object = None) -> Texts:
    return Texts({"key": key, "marker": marker(key), "base": base, "since": since, "until": until}, {})


def moment_as(at: datetime, form: str, zone: str | None = None) -> str | int:
    """A moment for a query: `iso` (always UTC), `unix`, `unix_ms`, or a strftime pattern in a zone (default UTC)."""
    at = at.astimezone(ZoneInfo(zone) if zone and form != "iso" else UTC)
    if form in ("unix", "unix_ms"):
        return int(at.timestamp() * (1000 if form == "unix_ms" else 1))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ" if form == "iso" else form)


def holds(item: Any, match: Mapping[str, Any], values: Values) -> bool:
    """Whether an item holds every condition."""
    for path, template in match.items():
        wanted = fill(template, values)
        if isinstance(wanted, Absent) or not set(values_of(wanted)) & set(values_of(in_item(item, path))):
            return False
    return True


def our_word(theirs: Any, statuses: Mapping[str, TicketStatus]) -> TicketStatus | None:
    """Our status for what a helpdesk says: a word, a number, true or false, nothing (`null`); `*` is any other word."""
    said = theirs[0] if isinstance(theirs, list) and len(theirs) == 1 else theirs
    if said is None or said == "" or said == []:
        word = "null"
    elif isinstance(said, str | int | float):
        word = _nothing(values_of(said)[0].strip().lower())
    else:
        return None
    known = {_nothing(word.lower()): ours for word, ours in statuses.items()}
    return known.get(word, None if word == "null" else known.get("*"))


def _nothing(word: str) -> str:
    # YAML reads a bare `null` as None before it becomes text.
    return "null" if word in ("none", "") else word


def their_words(statuses: Mapping[str, TicketStatus]) -> dict[str, Any]:
    """The words of `read.statuses` turned round, the first of several; those that can be written."""
    words = {
        ours.value: theirs for theirs, ours in reversed(list(statuses.items())) if theirs.lower() not in _UNWRITTEN
    }
    return {ours: _BOOLEANS.get(theirs.lower(), theirs) for ours, theirs in words.items()}


def _moment(at: datetime | None, form: str) -> str | int | None:
    return moment_as(at, form) if at else None


def _long(text: str | None) -> str:
    # What no wire can carry, and line ends of three kinds, do not reach the templates.
    clean = (text or "").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return no_macros(no_pings(clean.encode("utf-8", "replace").decode()))


def _word(ticket: Ticket, number: int) -> str | None:
    return ticket.tags[number] if len(ticket.tags) > number else None


def _address(ticket: Ticket, domain: str) -> str:
    """An address nobody has, the same for the same author: authors seldom have one, and helpdesks want one."""
    who = f"{ticket.brand}\n{ticket.author or ticket.key}".encode("utf-8", "replace")
    return f"author-{hashlib.sha256(who).hexdigest()[:16]}@{domain}"
