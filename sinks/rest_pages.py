"""Lists of the kind `rest`, page by page: by number, offset, cursor, next URL or Link header, also oldest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from crawler.errors import Permanent, Transient
from crawler.net.http import HttpAnswer, server_of
from sinks.http import is_html
from sinks.rest_call import RestClient
from sinks.rest_fill import Values
from sinks.rest_pick import in_item, items_in, near, scalar
from sinks.rest_settings import Each, Listing, Pages
from sinks.rest_values import PAGING, Over, holds

_MOST_PAGES = 1000
_MOST_ITEMS = 50_000
_GONE = (404, 410)
_NEXT = re.compile(r'<([^<>]{1,4000})>\s*;[^<>,]*\brel="?next"?', re.IGNORECASE)
_FIRST_PARAM = {"page": "page", "offset": "offset", "cursor": "cursor"}


class Lister:
    """Walks one list for one sink. `cut` says afterwards that it has more than was read."""

    def __init__(self, sink: RestClient, call: Listing, values: Values, *, missing: bool = False) -> None:
        self.sink, self.call, self.values, self.missing = sink, call, values, missing
        self.names = call.names() & PAGING
        self.cut = False

    def items(self, wanted: Callable[[Any], bool] | None = None) -> Iterator[Any]:
        """The items, the most recent ones first where the config says how; at most `look_back`.

        Items that are surely `wanted` do not count: behind a long silence there may be any number of them.
        """
        self.values = self.sink.prepared(self.call.before, self.values, self.call.names())
        left, most = self.call.look_back, max(_MOST_ITEMS, self.call.look_back)
        for page in self._pages():
            for item in page:
                if left <= 0 or most <= 0:
                    self.cut = True
                    return
                told = item if self.call.each is None else self._told(item, self.call.each)
                left -= wanted is None or not wanted(told)
                most -= 1
                yield told

    def _told(self, item: Any, each: Each) -> Any:
        """An item with what a call of its own says of it."""
        whole = dict(item) if isinstance(item, Mapping) else {"id": item}
        if not holds(item, each.only, self.values):
            return whole
        id = scalar(in_item(whole, self.call.id))
        if id is None:
            raise self.sink.permanent(f"an item of the list has no id at {self.call.id!r}")
        told = self.sink.send(each, self.values.also({"item": id}), reads=True, missing=True)
        said = None if told.word == "missing" else self.sink.pick(told.answer, each.value)
        return {**whole, **said} if isinstance(said, Mapping) else whole | {"told": said}

    def _pages(self) -> Iterator[list[Any]]:
        pages = self.call.pages
        if pages is None:
            yield self._page({})[1]
        elif pages.order == "oldest":
            yield from self._backwards(pages)
        elif pages.by in ("page", "offset"):
            yield from self._numbered(pages)
        else:
            yield from self._followed(pages)

    def _numbered(self, pages: Pages) -> Iterator[list[Any]]:
        """Until a page is empty, or shows what the one before it showed: some servers do not turn pages."""
        at, before = _start(pages), None
        for number in range(_MOST_PAGES):
            answer, page = self._page(_at(pages, at), later=number > 0)
            if not page or answer.body == before:
                return
            yield page
            before = answer.body
            at += 1 if pages.by == "page" else len(page)
            total = self._total(answer, pages)
            if total is not None and (at >= total if pages.by == "offset" else number + 1 >= -(-total // len(page))):
                return
        self.cut = True

    def _backwards(self, pages: Pages) -> Iterator[list[Any]]:
        """From the last page to the first: the list begins with the oldest."""
        answer, first = self._page(_at(pages, _start(pages)))
        count, size = self._last(answer, len(first), pages)
        beyond: list[list[Any]] = []
        # Tickets created since the count was read, or a count that is wrong, must not hide the one we look for.
        while len(beyond) < _MOST_PAGES and (page := self._nth(pages, count + len(beyond), size)):
            if beyond and page == beyond[-1]:
                break  # it shows its last page for every number behind it
            beyond.append(page)
        yield from (page[::-1] for page in reversed(beyond))
        for number in range(count - 1, max(-1, count - _MOST_PAGES), -1):
            yield (first if number == 0 else self._nth(pages, number, size))[::-1]

    def _nth(self, pages: Pages, number: int, size: int) -> list[Any]:
        """The page with this number, counted from 0."""
        at = _start(pages) + (number if pages.by == "page" else number * size)
        return self._page(_at(pages, at), later=True)[1]

    def _last(self, answer: HttpAnswer, first: int, pages: Pages) -> tuple[int, int]:
        """How many pages there are, and how many items each has."""
        if pages.last is not None:
            last = scalar(self.sink.pick(answer, pages.last))
            # A list of one page often names no last one.
            return (int(last) - _start(pages) + 1 if last and last.isdigit() and len(last) < 9 else 1), max(1, first)
        total = self._total(answer, pages)
        if total is None:
            raise self.sink.permanent(f"the list has no number at {pages.total!r}; is url right?")
        size = max(1, first if first < total else pages.size)
        return max(1, -(-total // size)), size

    def _followed(self, pages: Pages) -> Iterator[list[Any]]:
        """Wherever the answer says that it goes on."""
        query: dict[str, Any] = _at(pages, None)
        target: str | None = None
        seen: set[str] = set()
        for number in range(_MOST_PAGES):
            answer, page = self._page(query, later=number > 0, target=target)
            yield page
            ahead = self._next(answer, pages)
            if ahead is None or ahead in seen:
                return
            seen.add(ahead)
            if pages.by == "cursor":
                query = {pages.param or "cursor": ahead} | _at(pages, None)
            else:
                query, target = {}, _target(self.sink.base, answer.url, ahead)
        self.cut = True

    def _next(self, answer: HttpAnswer, pages: Pages) -> str | None:
        if pages.by == "link":
            found = _NEXT.search(answer.headers.get("link", "")[:20_000])
            return found[1] if found else None
        return scalar(self.sink.pick(answer, pages.next or f"json:next{'_cursor' * (pages.by == 'cursor')}"))

    def _total(self, answer: HttpAnswer, pages: Pages) -> int | None:
        total = scalar(self.sink.pick(answer, pages.total)) if pages.total else None
        return int(total) if total is not None and total.isdigit() and len(total) < 12 else None

    def _page(
        self, query: Mapping[str, Any], *, later: bool = False, target: str | None = None
    ) -> tuple[HttpAnswer, list[Any]]:
        """One page; a 404 behind the first one is the end."""
        missing = later or self.missing
        told_in_body = {name: value for name, value in query.items() if name in self.names}
        rest = {name: value for name, value in query.items() if name not in self.names}
        if self.call.pages and "size" in self.names:
            told_in_body["size"] = self.call.pages.size
        if "last" in self.names and self.call.pages:
            told_in_body["last"] = int(query.get("offset", 0)) + self.call.pages.size - 1
        values = Over(self.values, told_in_body)
        told = self.sink.send(self.call, values, query=rest, reads=True, missing=missing, target=target, ready=True)
        if told.word == "missing":
            # Behind the last page stands nothing; a helpdesk that refuses to tell more says so with another status.
            self.cut = self.cut or told.answer.status not in _GONE
            return told.answer, []
        if is_html(told.answer) and not (self.call.items or "").startswith("text:"):
            what = f"{server_of(told.answer.url)} answered {told.answer.status} with an HTML page where a list was due"
            raise Transient(self.sink.mask(f"{self.sink.name}: {what}; is url right?"))
        with self.sink.named():
            found = items_in(told.answer, self.call.items)
        if found is None and self.call.pages and self._total(told.answer, self.call.pages) == 0:
            found = []
        if found is None:
            hint = f"where it is left out when it is empty, write {self.call.items}.*"
            other = near(told.answer, self.call.items or "")
            raise Permanent(f"{self.sink.name}: the answer has no list at {self.call.items!r}{other}; {hint}")
        return told.answer, found


def _start(pages: Pages) -> int:
    return pages.start if pages.start is not None else int(pages.by == "page")


def _at(pages: Pages, at: int | None) -> dict[str, Any]:
    size = {pages.size_param: pages.size} if pages.size_param else {}
    return size if at is None else {pages.param or _FIRST_PARAM[pages.by]: at, **size}


def _target(base: str, here: str, ahead: str) -> str:
    """Path and query of a next URL. Its host is not followed: servers behind proxies name wrong ones, and leave out
    the path below which they stand."""
    try:
        parts = urlsplit(urljoin(here, ahead))
    except ValueError:
        raise Permanent("the next page of a list is named by something that is no URL") from None
    prefix = urlsplit(base).path
    path = parts.path if parts.path.startswith(prefix) else prefix + parts.path
    return (path or "/") + (f"?{parts.query}" if parts.query else "")
