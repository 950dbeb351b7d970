"""The life of a ticket in the kind `rest`: comments, priority and status on their way in, and what comes back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from crawler.errors import CrawlerError, Permanent, Transient
from crawler.model import Change, Remote, TicketStatus
from crawler.net.http import HttpAnswer
from crawler.text import strip_markup
from sinks.plain import one_line
from sinks.rest_call import Told
from sinks.rest_fill import Values
from sinks.rest_pages import Lister
from sinks.rest_parts import Call
from sinks.rest_pick import in_item, scalar, values_of
from sinks.rest_settings import Changes, Dated, Read, Replies, Seen, Update
from sinks.rest_values import Plain, carries, holds, key_in, marker, moment_as, of_change, of_remote, of_search

if TYPE_CHECKING:
    from sinks.rest import Rest

_CONFLICTS = 3
# Items of a list of changes of which the database is asked at once whether they are ours.
_AT_ONCE = 100
_NOBODY = frozenset(("", "0", "-", "nobody", "none", "null", "unassigned", "nobody assigned"))
_QUOTE = re.compile(r"</?blockquote\b[^<>]*>", re.IGNORECASE)
_QUOTED_LINE = re.compile(r"(?m)^[ \t]*(?:>|&gt;).*$")
_ZONES = timedelta(hours=14)
_UNMET = (412, 428)
_DOTNET = re.compile(r"/Date\((-?\d{1,16})(?:[+-]\d{4})?\)/")
_ZONED = re.compile(r"\s+(?:([+-]\d\d:?\d\d)|UTC|GMT|Z)$")
_SAYS = frozenset("comment html_comment text_comment markdown_comment comment_indented priority status".split())


class Changer:
    """One change on its way to one ticket."""

    def __init__(self, sink: Rest, remote: Remote, change: Change) -> None:
        self.sink, self.remote, self.change = sink, remote, change
        self.settings = sink.settings
        self.place = Plain(of_remote(remote.id, sink.base))
        self.warnings: list[str] = []

    def run(self) -> Remote:
        """The comment and the calls of `update` that have something to say; a ticket that reopens is opened first."""
        before = self._kept()
        steps: list[Call] = [*self._comment(), *self.settings.update]
        if self.change.status is TicketStatus.OPEN:
            steps.sort(key=lambda call: not isinstance(call, Update))
        sent = False
        for call in [call for call in steps if not self._has_nothing_for(call)]:
            if sent:
                with self.sink.after_write():
                    self._send(call)
            else:
                self._send(call)
            sent = True
        self._prove(steps)
        status = self._read_back(before) if sent else None
        return Remote(self.remote.id, self.remote.url, status, tuple(self.warnings))

    def _comment(self) -> list[Call]:
        """The comment call, unless a comment that carries the key of this change is there already."""
        comment = self.settings.comment
        if comment is None or self._has_nothing_for(comment):
            return []
        return [] if comment.seen is not None and self._is_seen(comment.seen) else [comment]

    def _is_seen(self, seen: Seen) -> bool:
        line = marker(self.change.key)
        found = (in_item(item, seen.says) for item in Lister(self.sink, seen, self.place).items())
        return any(carries(text, line) for said in found for text in values_of(said))

    def _prove(self, steps: Sequence[Call]) -> None:
        """The first comment of this sink is looked for once it is there: what `seen` cannot see would be doubled."""
        comment = self.settings.comment
        if comment is None or comment.seen is None or comment not in steps or self.sink.sees_comments:
            return
        try:
            self.sink.sees_comments = self._is_seen(comment.seen)
        except CrawlerError as error:
            self.warnings.append(self.sink.mask(f"comment.seen: {one_line(str(error), 200)}"))
            return
        if not self.sink.sees_comments:
            self.warnings.append(
                f"comment.seen does not find the comment that was just written (its marker is not at "
                f"{comment.seen.says!r}): one in doubt would be written twice"
            )

    def _has_nothing_for(self, call: Call) -> bool:
        names = _SAYS & set().union(call.names(), *(step.names() for step in call.before))
        values = self._values(None)
        return bool(names) and all(values.get(name, long=False) in (None, "") for name in names)

    def _send(self, call: Call) -> None:
        """A call is made again when somebody was quicker, or when it has to name the version that it changes."""
        guarded = self.settings.preconditions is not None and (isinstance(call, Update) or call.method != "POST")
        for _ in range(_CONFLICTS):
            version = self._version() if guarded or "version" in call.names() else None
            extra = {"If-Match": version} if version and guarded else {}
            try:
                told = self.sink.send(
                    call, self._values(version), extra=extra, also=_UNMET if self.settings.read else ()
                )
            except Permanent:
                if self._is_so_already(call):
                    return
                raise
            if told.word == "missing":
                gone = f"ticket {self.remote.id} is not there any more ({told.answer.status})"
                raise self.sink.permanent(gone + self.sink.excerpt(told.answer))
            if told.answer.status not in _UNMET:
                self._note(told)
                return
            guarded = guarded or told.answer.status == 428
        raise Transient(f"{self.sink.name}: ticket {self.remote.id} changes faster than we can write to it (412)")

    def _is_so_already(self, call: Call) -> bool:
        """Whether a status that is refused stands there already: steps that lead to it are offered no more, and a
        change in doubt is made again."""
        names = call.names().union(*(step.names() for step in call.before))
        others = [name for name in _SAYS & names if name != "status" and self._values(None).get(name, long=False)]
        if not isinstance(call, Update) or self.change.status is None or "status" not in names or others:
            return False
        try:
            return self.sink.status_of(self.remote.id) is self.change.status
        except CrawlerError:
            return False

    def _note(self, told: Told) -> None:
        if told.word == "warn":
            self.warnings.append(self.sink.warning(told.answer))

    def _values(self, version: str | None) -> Values:
        sink = self.sink
        base = of_remote(self.remote.id, sink.base) | {"version": version}
        words = sink.words_of_priorities(), sink.words_of_statuses()
        return of_change(self.change, base, self.settings.format, *words)

    def _version(self) -> str | None:
        """What a write must name to be accepted; read anew before each write."""
        read = self.settings.read
        version = scalar(self.sink.pick(self._read(read), read.version)) if read else None
        if read and version is None:
            raise self.sink.permanent(f"ticket {self.remote.id} has nothing at {read.version!r}; see read.version")
        return version and one_line(version, 500)

    def _read(self, read: Read) -> HttpAnswer:
        return self.sink.send(read, self.place, reads=True).answer

    def _kept(self) -> dict[str, Any]:
        """What the change must leave alone, as it is before."""
        read = self.settings.read
        if read is None or not read.unchanged:
            return {}
        answer = self._read(read)
        return {path: self.sink.pick(answer, path) for path in read.unchanged}

    def _read_back(self, before: Mapping[str, Any]) -> TicketStatus | None:
        """The status as the helpdesk has it now; notes what it did not take, or changed besides."""
        read = self.settings.read
        if read is None or not (before or (self.change.status and read.status)):
            return None
        try:
            answer = self._read(read)
        except Exception as error:  # the change is made; nothing that happens now may say otherwise
            self.warnings.append(self.sink.mask(f"could not be read back: {one_line(str(error), 200)}"))
            return None
        for path, old in before.items():
            now = self.sink.pick(answer, path)
            if now != old:
                self.warnings.append(f"{path} changed from {short(old)} to {short(now)}")
        status, wanted = self.sink.status_in(answer), self.change.status
        if wanted and status and status is not wanted:
            self.warnings.append(f"the helpdesk answered well, but the ticket is {status} and not {wanted}")
        return status


def changes_since(sink: Rest, changes: Changes, since: datetime) -> Iterator[tuple[Remote, Change]]:
    """What the helpdesk says has changed: of each ticket its state of now, then what was written in it.

    Only tickets of ours, and those that carry a key of ours, are told: the others would cost a call each.
    """
    values = of_search("", sink.base, *window_of(changes, since, sink.tools.now()))
    last: list[datetime | None] = [since]
    lister = Lister(sink, changes, values)
    items = lister.items(lambda item: _is_news(changes, item, since, last))
    while some := list(islice(items, _AT_ONCE)):
        told = [it for item in some if (it := _state(sink, changes, item, since)) is not None]
        mine = _ours(sink, [remote.id for remote, _, _ in told])
        for remote, change, bare in told:
            if remote.id in mine:
                yield from _ticket(sink, changes, remote, change, bare)
            elif remote.key is not None:
                yield remote, Change(change.key, at=change.at)
    sink.unread = _unread(changes, lister, since, last[0])


def _is_news(changes: Changes, item: Any, since: datetime, last: list[datetime | None]) -> bool:
    """Whether an item surely changed after `since`; `last` takes when."""
    at = last[0] = moment_of(in_item(item, changes.at), changes.zone)
    return at is not None and at >= since


def _unread(changes: Changes, lister: Lister, since: datetime, last: datetime | None) -> str | None:
    """Why changes may stand unread behind the last item; None when that one is old, or nothing stands there."""
    if not lister.cut or (last is not None and last < since):
        return None
    if last is None and "since" not in changes.names():
        return None  # the newest tickets are read, whatever became of them: that is how this list is meant
    where = f"changes.look_back is {changes.look_back}, and" if last is None else "the list is longer than is read:"
    return f"{where} what changed in more tickets since {since:%Y-%m-%d %H:%M} UTC was not read"


def window_of(call: Dated, since: datetime, now: datetime) -> tuple[str | int, str | int]:
    """`{since}` and `{until}` of a list. The end is tomorrow: clocks differ, and some count the day itself out."""
    return moment_as(since, call.since, call.zone), moment_as(now + timedelta(days=1), call.since, call.zone)


def _state(sink: Rest, changes: Changes, item: Any, since: datetime) -> tuple[Remote, Change, bool] | None:
    """One item of the list, and whether it is nothing but an id; None when it changed before `since`."""
    said = in_item(item, changes.at)
    at = moment_of(said, changes.zone)
    if at is not None and at < since - (_ZONES if _has_no_zone(said) else timedelta(0)):
        return None  # some helpdesks tell more than they are asked
    remote = sink.of_item(item, changes.id, changes.link, changes.status)
    bare = isinstance(item, str | int)
    assignee = None if bare or not changes.assignee else assignee_of(in_item(item, changes.assignee))
    key = f"{remote.id}/{scalar(said) or _digest(item)}"
    remote = replace(remote, key=_key_in(sink, item))
    return remote, Change(key=key, status=remote.status, assignee=assignee, at=at), bare


def _ours(sink: Rest, ids: Sequence[str]) -> Collection[str]:
    return ids if sink.tools.ours is None or not ids else sink.tools.ours(sink.name, ids)


def _ticket(
    sink: Rest, changes: Changes, remote: Remote, change: Change, bare: bool
) -> Iterator[tuple[Remote, Change]]:
    if bare and sink.settings.read is not None:
        remote = replace(remote, status=sink.status_of(remote.id))  # a list of bare ids says nothing else
        change = replace(change, status=remote.status)
    yield remote, change
    if changes.replies is not None:
        yield from _replies(sink, remote, changes.replies)


def assignee_of(value: Any) -> str:
    """Who has the ticket; "" for nobody, as helpdesks say it: null, "", 0, a dash, or a word."""
    name = scalar(value) or ""
    return "" if name.strip().lower() in _NOBODY else name


def _key_in(sink: Rest, item: Any) -> str | None:
    """Our key, where the item shows it as those do that `find` searches: a ticket that is ours by its key alone."""
    find = sink.settings.find
    if find is None or isinstance(item, str | int):
        return None
    for path, template in {**find.match, **find.contains}.items():
        if template not in ("{key}", "{marker}"):
            continue
        for text in values_of(in_item(item, path)):
            if key := key_in(text, marked=template == "{marker}"):
                return key
    return None


def _replies(sink: Rest, remote: Remote, replies: Replies) -> Iterable[tuple[Remote, Change]]:
    """What was written in one ticket, without what we wrote ourselves."""
    values = Plain(of_remote(remote.id, sink.base))
    for item in Lister(sink, replies, values, missing=True).items():
        number, text = scalar(in_item(item, replies.id)), in_item(item, replies.says)
        if isinstance(text, Mapping):
            raise sink.permanent(f"replies: what stands at {replies.says!r} is no text but has {', '.join(text)[:100]}")
        if (
            not number
            or not isinstance(text, str)
            or not text.strip()
            or "mention-crawler:" in own_words(text)
            or not holds(item, replies.only, values)
        ):
            continue
        author = scalar(in_item(item, replies.author)) if replies.author else None
        at = moment_of(in_item(item, replies.at), _zone_of(sink)) if replies.at else None
        public = holds(item, replies.public, values)
        if sink.settings.format == "html":
            text = strip_markup(text)
        yield remote, Change(f"{remote.id}/reply/{number}", text, author=author, public=public, at=at)


def own_words(text: str) -> str:
    """`text` without what it quotes: an agent's answer by mail often carries ours, marker and all, below it."""
    kept, depth, at = [], 0, 0
    for tag in _QUOTE.finditer(text):
        if depth == 0:
            kept.append(text[at : tag.start()])
        depth = max(0, depth + (-1 if tag[0].startswith("</") else 1))
        at = tag.end()
    return _QUOTED_LINE.sub("", "".join([*kept, text[at:] if depth == 0 else ""]))


def moment_of(value: Any, zone: str | None = None) -> datetime | None:
    """A moment as helpdesks write it: ISO 8601 (without a zone: of `zone`, or UTC), a unix time in seconds or
    milliseconds, also as `/Date(...)/`, or a date of HTTP and mail."""
    text = (scalar(value) or "").strip()
    text = dotnet[1] if (dotnet := _DOTNET.fullmatch(text)) else text
    try:
        if text.replace(".", "", 1).isdigit():
            number = float(text)
            return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        at = parsedate_to_datetime(text) if text[:1].isalpha() else datetime.fromisoformat(_ZONED.sub(_zone, text))
        return (at.replace(tzinfo=ZoneInfo(zone) if zone else UTC) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _zone(found: re.Match[str]) -> str:
    return found[1] or "+00:00"


def _has_no_zone(said: Any) -> bool:
    text = str(said)
    return ":" in text and not text.endswith("Z") and "+" not in text and text.count("-") < 3


def _zone_of(sink: Rest) -> str | None:
    return sink.settings.changes.zone if sink.settings.changes else None


def short(value: Any) -> str:
    """A value for a warning."""
    return "nothing" if value is None or value == [] else f"{one_line(str(value), 80)!r}"


def _digest(item: Any) -> str:
    return hashlib.sha256(repr(item).encode("utf-8", "replace")).hexdigest()[:16]
