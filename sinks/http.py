"""The common part of sinks that talk HTTP: what each answer means, JSON by path, masked messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from crawler import plugins
from crawler.errors import CrawlerError, InDoubt, Permanent, Transient
from crawler.model import Remote, TicketStatus
from crawler.net.http import HttpAnswer, server_of
from crawler.plugins import Secret
from sinks.base import Seconds, Sink, Tools
from sinks.plain import one_line, safe_link

LONGEST_RETRY_AFTER = 86_400.0
_NOT_YET = (423, 425, 429)
_IN_DOUBT = (408, 409)
_NEVER = (501, 505, 511)


def checked_url(value: str) -> str:
    if safe_link(value) is None:
        raise ValueError("must be an http or https URL, e.g. https://help.example")
    if "@" in value.split("/", 3)[2]:
        raise ValueError("must not carry a user name or password; use the settings made for them")
    return value


Url = Annotated[str, AfterValidator(checked_url)]


def pick(data: Any, path: str) -> Any:
    """The value at `path` ("result.items.0.id") in parsed JSON; None where there is nothing."""
    for step in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for (number or HTTP date), 0 to one day; None when it says nothing."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


class HttpSink(Sink):
    """Base of HTTP kinds: `call` sends, judges the status and names the sink in every error.

    2xx is an answer; 429 (also 423, 425) is Transient with its Retry-After; 408, 409 and 5xx are InDoubt, for
    helpdesks are known to answer 500 after they stored the ticket; redirects and all other 4xx are Permanent.
    """

    parallel = 8

    class Settings(plugins.Settings):
        url: Url = Field(description="Address of the helpdesk", examples=["https://help.example"])
        timeout: Seconds = Field(10.0, description="Time that one call may take", examples=["10s"])
        hook_secret: Secret | None = Field(
            default=None,
            description="Signs the helpdesk's own calls to /hooks/NAME",
            examples=["${HELPDESK_HOOK_SECRET}"],
        )
        old_hook_secret: Secret | None = Field(default=None, description="The one before it, while both are in use")

    def __init__(self, name: str, settings: Any, tools: Tools) -> None:
        super().__init__(name, settings, tools)
        self.base = str(settings.url).rstrip("/")

    @property
    def server(self) -> str:
        return urlsplit(self.base).netloc.lower()

    def headers(self) -> Mapping[str, str]:
        """Headers of every call: authentication goes here."""
        return {}

    def call(
        self,
        method: str,
        path: str = "",
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        also: tuple[int, ...] = (),
    ) -> HttpAnswer:
        """Send one request to `path` below the sink's url and return a 2xx answer, or one whose status is in `also`."""
        url = path if path.startswith(("http://", "https://")) else self.base + path
        merged = {"Accept": "application/json", **self.headers(), **(headers or {})}
        with self.named():
            answer = self.tools.http.request(
                method, url, headers=merged, json=json, content=content, params=params, timeout=self.settings.timeout
            )
        if 200 <= answer.status < 300 or answer.status in also:
            return answer
        raise self._meaning(method, answer)

    def _meaning(self, method: str, answer: HttpAnswer) -> CrawlerError:
        status = answer.status
        what = self.mask(f"{self.name}: {method} {server_of(answer.url)} answered {status}{self.excerpt(answer)}")
        wait = retry_after(answer.headers.get("retry-after"), self.tools.now())
        if 300 <= status < 400:
            target = server_of(answer.headers.get("location", ""))
            return Permanent(f"{what}: redirects are not followed; set url to where it leads ({target})")
        if status in _NOT_YET:
            return Transient(what, wait)
        if status in _IN_DOUBT or (status >= 500 and status not in _NEVER):
            return InDoubt(what, wait)
        return Permanent(what)

    def excerpt(self, answer: HttpAnswer, limit: int = 300) -> str:
        """What the helpdesk said, short and on one line, for a message; never a page of HTML."""
        if is_html(answer):
            return " with an HTML page"
        said = one_line(answer.text, limit)
        return f": {said}" if said else ""

    def data(self, answer: HttpAnswer) -> Any:
        """The answer's JSON; Permanent when it is an HTML page or anything else (a login page, a wrong url)."""
        if is_html(answer):
            raise self.permanent(
                f"{server_of(answer.url)} answered {answer.status} with an HTML page where JSON was due; is url right?"
            )
        with self.named():
            return answer.json()

    def remote(self, data: Any, id: str = "id", url: str = "", link: str | None = None) -> Remote:
        """A Remote from parsed JSON: `id` and `url` are paths, `link` a ready link that is used when given."""
        found = pick(data, id)
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            raise self.permanent(f"the answer has no ticket id at {id!r}; the ticket may exist there all the same")
        return Remote(id=str(found), url=safe_link(link or (pick(data, url) if url else None)))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Every error inside names this sink and shows no secret."""
        try:
            yield
        except Transient as error:
            raise type(error)(self._with_name(error), error.retry_after) from None
        except Permanent as error:
            raise type(error)(self._with_name(error)) from None

    def _with_name(self, error: CrawlerError) -> str:
        said = str(error)
        return self.mask(said if said.startswith(f"{self.name}: ") else f"{self.name}: {said}")

    @contextmanager
    def after_write(self) -> Iterator[None]:
        """For calls that follow an accepted write in the same `create`: their failures leave the ticket in doubt."""
        try:
            yield
        except Transient as error:
            raise InDoubt(str(error), error.retry_after) from None


def is_html(answer: HttpAnswer) -> bool:
    """True for an HTML page, by its first bytes or by its header; JSON that calls itself HTML is JSON."""
    kind, start = answer.headers.get("content-type", "").lower(), answer.body.lstrip()[:15].lower()
    return start.startswith((b"<!doctype", b"<html")) or ("html" in kind and not start.startswith((b"{", b"[")))


def status_of(word: object) -> TicketStatus | None:
    """Our status for a word that is already one of ours, else None."""
    try:
        return TicketStatus(str(word).lower())
    except ValueError:
        return None
