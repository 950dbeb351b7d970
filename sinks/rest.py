"""Any helpdesk with an HTTP API, described by configuration alone; the shipped presets are this kind, filled in.

Exactly once comes from `find`: by external id where the helpdesk can search, by the marker and its recent tickets where
it cannot. What we send is never trusted to have arrived as sent: answers without an id are looked up, a write is read
back where the config says what to compare.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, ClassVar, NoReturn
from urllib.parse import urljoin

from crawler.errors import InDoubt
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.net.http import HttpAnswer
from sinks.base import Tools
from sinks.http import is_html
from sinks.plain import one_line, safe_link
from sinks.rest_call import RestClient, Told
from sinks.rest_changes import Changer, changes_since, short, window_of
from sinks.rest_fill import Absent, Values, fill, fill_path, names_in
from sinks.rest_pages import Lister
from sinks.rest_pick import in_item, near, scalar, values_of
from sinks.rest_settings import Find, Job
from sinks.rest_values import (
    TICKET,
    Plain,
    carries,
    holds,
    marker,
    of_remote,
    of_search,
    of_ticket,
    our_word,
    their_words,
)

_OUR_KEY = "{key}"
_UNREADABLE = 2
_UNREADABLE_PAGES = 5
_BEHIND = 200
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
_ACCEPTED = 202
# So many times a job is asked for all of its `wait`; then a person must look.
_JOB_ROUNDS = 5
_ALWAYS = frozenset("remote_id remote_number key marker now base session".split())


class Rest(RestClient):
    """Creates, finds, comments and changes tickets as the config says."""

    kind = "rest"
    placeholders: ClassVar = TICKET

    def __init__(self, name: str, settings: Any, tools: Tools) -> None:
        super().__init__(name, settings, tools)
        self._unreadable: dict[str, int] = {}
        self._jobs: dict[str, tuple[str, int]] = {}
        self._search_is_honest: bool | None = None
        self._probing = threading.Lock()
        self.sees_comments = False

    @property
    def can(self) -> frozenset[str]:
        settings = self.settings
        has = {"find": settings.find, "update": settings.comment or settings.update, "changes": settings.changes}
        return frozenset(name for name, there in has.items() if there)

    @property
    def settle(self) -> float:
        find, job = self.settings.find, self.settings.create.job
        wait = super().settle if find is None or find.wait is None else find.wait
        # A process that died while it followed a job knows its number no more: the job may use all of its time.
        return max(wait, job.wait) if job else wait

    def create(self, ticket: Ticket) -> Remote:
        settings = self.settings
        priorities, domain = self.words_of_priorities(), settings.author_domain
        values: Values = of_ticket(ticket, self.base, settings.format, priorities, domain, settings.dates)
        values = self.prepared(settings.create.before, values, settings.create.names())
        told, spec, warnings = self._asked(ticket.key, values)
        if told.word == "exists":
            return self._existing(ticket.key, told.answer)
        lost = told.word in ("missing", "failed")
        found = None if lost else self._id_in(told.answer, spec, ticket.key)
        if found is None:
            return self._without_id(ticket.key, told)
        self._unreadable.pop(ticket.key, None)
        link = self.link(settings.create.link, found, answer=told.answer)
        warnings += self._differences(settings.create.check, told.answer, values)
        warnings += self._afterwards(found, values)
        warnings += self._compared(found, values)
        # What a job is at says nothing of its ticket.
        status = self.status_in(told.answer) if settings.create.job is None else None
        return Remote(found, link, status, tuple(warnings))

    def _asked(self, key: str, values: Values) -> tuple[Told, str, list[str]]:
        """The answer that holds the ticket's id, where it stands, and warnings. It is the job's when there is one.

        The job of an earlier attempt is asked again, and nothing is sent: it may be at work still.
        """
        create, warnings = self.settings.create, list[str]()
        number, _ = self._jobs.get(key, (None, 0))
        if number is None:
            told = self.send(create, values, ready=True)
            warnings = [self.warning(told.answer)] if told.word == "warn" else []
            if create.job is not None and told.word in ("ok", "warn"):
                number = scalar(self.pick(told.answer, create.job.at))
            if number is None:
                return told, create.id, warnings
        assert create.job is not None
        return self._followed(create.job, number, key, values), create.job.id, warnings

    def _followed(self, job: Job, number: str, key: str, values: Values) -> Told:
        """What the job says of its ticket."""
        end, pause = time.monotonic() + job.wait, _FIRST_PAUSE
        self._jobs.setdefault(key, (number, 0))
        while True:
            with self.after_write():
                said = self.send(job, values.also({"job": number}), missing=True)
            if said.word == "failed" or (said.word != "missing" and scalar(self.pick(said.answer, job.id))):
                del self._jobs[key]
                return said
            if time.monotonic() + pause > end:
                return self._unfinished(number, key, said)
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    def _unfinished(self, number: str, key: str, said: Told) -> NoReturn:
        """A job is asked again at the next attempt, unless the helpdesk knows it no more."""
        what = self.mask(f"{self.name}: the job {one_line(number, 100)} has made no ticket yet")
        rounds = self._jobs.pop(key, (number, 0))[1] + 1
        if said.word != "missing" and not self.creates_once:
            self._jobs[key] = (number, rounds)
        if self.settings.find is None and not self.creates_once:
            raise self.permanent(
                f"{what}, and there is no `find` to learn of it; it may come all the same; a retry asks the job"
            )
        if rounds % _JOB_ROUNDS == 0:
            raise self.permanent(f"{what}, asked {rounds} times over; it may come all the same")
        raise InDoubt(f"{what}; it is looked for before anything is sent again")

    def find(self, key: str) -> Remote | None:
        return next(iter(self.find_all(key)), None)

    def find_all(self, key: str) -> Sequence[Remote]:
        """Every ticket that carries the key, oldest first; behind the first one found only some more are read."""
        find = self.settings.find
        if find is None:
            raise self._lacks("find")
        values, found, left = self._search(find, key), list[Remote](), _BEHIND
        for item in Lister(self, find, values, missing=_asks_by_path(find)).items():
            if self._is_ours(item, find, key, values):
                found.append(self.of_item(item, find.id, find.link, key=key))
            left -= bool(found)
            if left <= 0:
                break
        if found:
            self._jobs.pop(key, None)  # what it was to make is there
        found.reverse()
        return sorted(found, key=_age)

    def update(self, remote: Remote, change: Change) -> Remote:
        return Changer(self, remote, change).run()

    @property
    def creates_once(self) -> bool:
        return self.settings.create.once or self.settings.create.existing is not None

    @property
    def changes_once(self) -> bool:
        return self.settings.comment is None or self.settings.comment.seen is not None

    def changes(self, since: datetime) -> Iterator[tuple[Remote, Change]]:
        if self.settings.changes is None:
            raise self._lacks("changes")
        return changes_since(self, self.settings.changes, since)

    def _existing(self, key: str, answer: HttpAnswer) -> Remote:
        """The helpdesk says that it has this key already: the answer names the ticket, or it is looked up."""
        create = self.settings.create
        told = self._id_in(answer, create.existing, key) if create.existing else None
        if told is not None:
            return Remote(told, self.link(create.link, told, answer=answer))
        if self.settings.find is None:
            raise self.permanent(f"the helpdesk has a ticket for {key} already, and there is no `find` to learn which")
        with self.after_write():
            found = self.find(key)
        if found is None:
            raise InDoubt(f"{self.name}: the helpdesk has a ticket for {key} already, but does not find it yet")
        return found

    def _afterwards(self, id: str, values: Values) -> list[str]:
        """The calls behind the one that created: what they do is no part of the promise, so they only warn."""
        warnings = []
        values = values.also(of_remote(id, self.base))
        for step in self.settings.create.after:
            names = step.names() - _ALWAYS
            if names and all(values.get(name, long=False) in (None, "", []) for name in names):
                continue
            try:
                values = self.prepared((step,), values, set())
            except Exception as error:  # the ticket is there; nothing that happens now may say otherwise
                warnings.append(self.mask(f"{step.method} {step.path} after create: {one_line(str(error), 200)}"))
        return warnings

    def _without_id(self, key: str, told: Told) -> Remote:
        """A success without an id, or a failure told in a good answer: the ticket may be there, so it is looked for;
        not for ever."""
        answer = told.answer
        page = is_html(answer)
        what = "with an HTML page" if page else self._no_id(told)
        said = f"the helpdesk answered {answer.status} {what}"
        if self.settings.find is None:
            raise self.permanent(f"{said}; the ticket may exist there all the same; are url and create.id right?")
        with self.after_write():
            found = self.find(key)
        if found is not None:
            self._unreadable.pop(key, None)
            return found
        if answer.status == _ACCEPTED and told.word != "failed":
            raise InDoubt(self.mask(f"{self.name}: {said}; it is waited for, and looked for"))
        times = self._unreadable[key] = self._unreadable.get(key, 0) + 1
        if times >= (_UNREADABLE_PAGES if page else _UNREADABLE):
            self._unreadable.pop(key)
            raise self.permanent(f"{said}, {times} times, and does not find the ticket; mend create.id or find")
        raise InDoubt(self.mask(f"{self.name}: {said}; it is looked for before anything is sent again"))

    def _no_id(self, told: Told) -> str:
        if told.word == "failed":
            return f"and that it failed{self.excerpt(told.answer)}"
        spec = self.settings.create.id
        return f"without an id at {spec!r}{near(told.answer, spec)}{self.excerpt(told.answer)}"

    def _search(self, find: Find, key: str) -> Values:
        now = self.tools.now()
        return of_search(key, self.base, *window_of(find, now - timedelta(days=find.window), now))

    def _is_ours(self, item: Any, find: Find, key: str, values: Values) -> bool:
        if find.match or find.contains:
            return holds(item, find.match, values) and all(
                any(_within(have, str(fill(text, values))) for have in values_of(in_item(item, path)))
                for path, text in find.contains.items()
            )
        return self._shows(item, key) or self._honest(find)

    @staticmethod
    def _shows(item: Any, key: str) -> bool:
        """Whether the item holds the key somewhere as a whole value, or the marker."""
        texts = [item] if isinstance(item, str) else list(_texts_of(item))
        return any(text == key or _within(text, marker(key)) for text in texts)

    def _honest(self, find: Find) -> bool:
        """Whether the search finds nothing for a key that nobody has: some helpdesks ignore what they do not know."""
        with self._probing:
            if self._search_is_honest is None:
                values = self._search(find, f"mc-none-{token_hex(8)}")
                first = next(Lister(self, find, values, missing=_asks_by_path(find)).items(), None)
                self._search_is_honest = first is None
        if not self._search_is_honest:
            raise self.permanent(
                "find answers tickets for a key that nobody has: the search is ignored; add find.match"
            )
        return True

    def of_item(
        self, item: Any, id: str, link: str | None, status: str | None = None, key: str | None = None
    ) -> Remote:
        found = key if id == _OUR_KEY else scalar(in_item(item, id))
        if found is None:
            raise self.permanent(f"an item of the list has no id at {id!r}")
        read = self.settings.read
        status = status or (read.status if read else None)
        word = None if status is None else self.our_status(in_item(item, status))
        return Remote(found, self.link(link or self.settings.create.link, found, item=item), word)

    def _compared(self, id: str, values: Values) -> list[str]:
        """What the helpdesk has, against what it was sent: fields are dropped and titles cut without a word."""
        read = self.settings.read
        if read is None or not read.check:
            return []
        try:
            told = self.send(read, Plain(of_remote(id, self.base)), reads=True)
        except Exception as error:  # the ticket is there; nothing that happens now may say otherwise
            return [self.mask(f"could not be read back: {one_line(str(error), 200)}")]
        return self._differences(read.check, told.answer, values)

    def _differences(self, check: Mapping[str, Any], answer: HttpAnswer, values: Values) -> list[str]:
        warnings = []
        for path, template in check.items():
            wanted, have = fill(template, values), self.pick(answer, path)
            if not isinstance(wanted, Absent) and not _same(wanted, have):
                warnings.append(f"{path}: sent {short(wanted)}, the helpdesk has {short(have)}")
        return warnings

    def _id_in(self, answer: HttpAnswer, spec: str, key: str) -> str | None:
        return key if spec == _OUR_KEY else scalar(self.pick(answer, spec))

    def link(self, spec: str | None, id: str, *, answer: HttpAnswer | None = None, item: Any = None) -> str | None:
        if spec is None:
            return None
        if spec.startswith(("json:", "header:", "text:")):
            found = self.pick(answer, spec) if answer else in_item(item, spec)
            return safe_link(urljoin(self.base + "/", found)) if isinstance(found, str) else None
        values = Plain({"remote_id": id})
        rest = spec.removeprefix("{url}").removeprefix("{base}")
        return safe_link((self.base if rest != spec else "") + fill_path(rest, values))

    def status_in(self, answer: HttpAnswer) -> TicketStatus | None:
        read = self.settings.read
        return self.our_status(self.pick(answer, read.status)) if read and read.status else None

    def status_of(self, id: str) -> TicketStatus | None:
        """The status of a ticket, read for itself; None where it cannot be told."""
        read = self.settings.read
        told = self.send(read, Plain(of_remote(id, self.base)), reads=True, missing=True) if read else None
        return None if told is None or told.word == "missing" else self.status_in(told.answer)

    def our_status(self, word: Any) -> TicketStatus | None:
        read = self.settings.read
        return None if read is None else our_word(word, read.statuses)

    def words_of_priorities(self) -> Mapping[str, Any]:
        return {Priority(ours).value: theirs for ours, theirs in self.settings.priorities.items()}

    def words_of_statuses(self) -> Mapping[str, Any]:
        read = self.settings.read
        turned = their_words(read.statuses if read else {})
        return turned | {ours.value: theirs for ours, theirs in self.settings.statuses.items()}

    def warning(self, answer: HttpAnswer) -> str:
        return self.mask(f"the helpdesk answered {answer.status}{self.excerpt(answer)}")


def _asks_by_path(find: Find) -> bool:
    """Whether the key stands in the path itself: then a 404 says that there is no such ticket."""
    return bool({"key", "marker"} & set(names_in(find.path.partition("?")[0])))


def _within(text: str, wanted: str) -> bool:
    """Whether `text` carries a marker as its last one, or holds another word as a whole one."""
    if wanted.startswith("mention-crawler:"):
        return carries(text, wanted)
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        around = text[at - 1 : at] + text[at + len(wanted) : at + len(wanted) + 1]
        if not any(char.isalnum() or char in "-_" for char in around):
            return True
        at = text.find(wanted, at + 1)
    return False


def _texts_of(item: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    elif depth < 8 and isinstance(item, Mapping | list):
        for value in item.values() if isinstance(item, Mapping) else item:
            yield from _texts_of(value, depth + 1)


def _same(wanted: Any, have: Any) -> bool:
    """Whether the helpdesk has what it was sent; what our own `limits` cut off is no news."""
    if isinstance(wanted, str) and isinstance(have, str) and have.endswith("…") and wanted.startswith(have[:-1]):
        return True
    left, right = (sorted(" ".join(text.split()) for text in values_of(value)) for value in (wanted, have))
    return left == right


def _age(remote: Remote) -> int:
    """Ids that are numbers grow; others stay in the order of the list."""
    return int(remote.id) if remote.id.isdigit() and len(remote.id) < 19 else 0
