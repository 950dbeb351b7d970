"""One call of the kind `rest`: written from its template, sent, and judged by what the config says answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode, urlsplit

from crawler.errors import CrawlerError, InDoubt, Permanent, Transient
from crawler.net.http import HttpAnswer, server_of
from sinks.base import Tools, place_of
from sinks.http import HttpSink, is_html
from sinks.plain import one_line
from sinks.rest_body import body_of
from sinks.rest_fill import SECRET, Values, as_text, fill, fill_path, fill_text
from sinks.rest_meaning import Word, meaning_of, stands, told_at, wait_of
from sinks.rest_parts import SESSION, Call, Request, Step
from sinks.rest_pick import in_answer
from sinks.rest_session import Session, Signature, basic_of, joined, kind_of, plain
from sinks.rest_settings import Comment, RestSettings, Update
from sinks.rest_values import Over, moment_as

_TOLD_APART: tuple[Word, ...] = ("exists", "missing")
_NO_SESSION = (401, 403)


class Told(NamedTuple):
    """An answer that is no error: `word` is ok, warn, exists, missing, or failed (of `create` only)."""

    answer: HttpAnswer
    word: Word


class RestClient(HttpSink):
    """Sends the calls of the config."""

    Settings: ClassVar[type[RestSettings]] = RestSettings
    settings: RestSettings

    def __init__(self, name: str, settings: Any, tools: Tools) -> None:
        super().__init__(name, settings, tools)
        self._session = Session(self, settings.login) if settings.login else None
        self._signature = Signature(settings.sign) if settings.sign else None
        for basic in (settings.basic, settings.login and settings.login.basic):
            if basic is not None:
                self.secrets.append(basic_of(basic))

    @property
    def server(self) -> str:
        """Host and path: one host may carry several helpdesks, each with numbers of its own."""
        return super().server + urlsplit(self.base).path

    @property
    def places(self) -> frozenset[str]:
        return frozenset((self.place, place_of(super().server)))

    def headers(self) -> Mapping[str, str]:
        own = plain(self.settings.headers)
        if self.settings.basic is not None:
            own.setdefault("Authorization", basic_of(self.settings.basic))
        return own

    def prepared(self, steps: tuple[Step, ...], values: Values, wanted: set[str]) -> Values:
        """The values with those that these steps take. Raises Permanent when one of `wanted` is not among them."""
        taken: dict[str, Any] = {}
        for step in steps:
            known = taken.get(step.unless) or values.get(step.unless, long=False) if step.unless else None
            if known is not None:
                continue
            with_taken = values.also({name: value for name, value in taken.items() if value is not None})
            told = self.send(step, with_taken, reads=True)
            for name, spec in step.take.items():
                place = fill_text(spec, with_taken, _in_place) if spec.startswith("json:") else spec
                found = None if told.word == "missing" else _taken(self.pick(told.answer, place))
                taken[name] = taken.get(name) if found is None else found
        for name in sorted(wanted & {name for name, value in taken.items() if value is None}):
            spec = next(step.take[name] for step in reversed(steps) if name in step.take)
            raise self.permanent(f"nothing gives {{{name}}}: the answer before has nothing at {spec!r}")
        return values.also(taken)

    def send(
        self,
        call: Request,
        values: Values,
        *,
        extra: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        reads: bool = False,
        missing: bool = False,
        target: str | None = None,
        also: tuple[int, ...] = (),
        ready: bool = False,
    ) -> Told:
        """Send one call. `reads` says that it writes nothing, `missing` that a 404 means "there is none".

        Answers whose status is in `also` come back as they are. `target` is a path with query of the same server that
        stands for the call's own. `ready`: what must be asked before has been asked.

        Raises Transient, InDoubt (only of writes), Permanent.
        """
        if isinstance(call, Call) and call.before and not ready:
            values = self.prepared(call.before, values, call.names())
        everywhere = {SECRET + name: text for name, text in plain(self.settings.secrets).items()}
        values = Over(values, {"now": moment_as(self.tools.now(), self.settings.dates), **everywhere})
        try:
            with self.named():
                answer = self._answered(call, values, query or {}, target, extra or {})
            if answer.status in also:
                return Told(answer, "ok")
            return self._judged(call, answer, missing, reads)
        except InDoubt as error:
            if reads:
                raise Transient(str(error), error.retry_after) from None
            raise

    def _answered(
        self, call: Request, values: Over, query: Mapping[str, Any], target: str | None, extra: Mapping[str, str]
    ) -> HttpAnswer:
        if self._session is None:
            return self._sent(call, values, query, target, extra)
        for attempt in (1, 2):
            session = self._session.opened()
            headers = joined(self._session.headers(session), extra)
            answer = self._sent(call, Over(values, {SESSION: session}), query, target, headers)
            over = answer.status in _NO_SESSION or self._word(call, answer) == "login"
            if not over or attempt == 2:
                break
            self._session.ended(session)  # an answer that knows nobody stored nothing
        return answer

    def _sent(
        self, call: Request, values: Over, query: Mapping[str, Any], target: str | None, extra: Mapping[str, str]
    ) -> HttpAnswer:
        url = self._url(call, values, query) if target is None else self.with_query(_origin(self.base) + target)
        content, kind = body_of(call, values, self.settings.limits)
        headers = plain({name: text for name, text in call.headers.items() if text.looked_up})
        headers |= {name: one_line(fill_text(text, values), 1000) for name, text in call.plain_headers().items()}
        own = self.headers()
        typed = {"Content-Type": kind_of(kind, own)} if kind else {}
        headers = joined({"Accept": "application/json"}, own, extra, typed, headers)
        if self._signature is not None:
            headers = joined(headers, self._signature.headers(call.method, url, content or b"", self.tools.now()))
        return self.tools.http.request(
            call.method, url, headers=headers, content=content, timeout=self.settings.timeout
        )

    def _url(self, call: Request, values: Values, query: Mapping[str, Any]) -> str:
        given = fill(call.query, values) | dict(query)
        return self.with_query(self.base + fill_path(call.path, values), given)

    def with_query(self, url: str, given: Mapping[str, Any] | None = None) -> str:
        """`url` with these parameters and those that every call has."""
        pairs: list[tuple[str, str]] = []
        for name, value in (given or {}).items():
            pairs += [(name, as_text(item)) for item in (value if isinstance(value, list) else [value])]
        pairs += list(plain(self.settings.query).items())
        if not pairs:
            return url
        return url + ("&" if urlsplit(url).query else "?") + urlencode(pairs, errors="replace")

    def _word(self, call: Request, answer: HttpAnswer) -> Word | None:
        word = meaning_of(answer, call.meaning, self.settings.meaning)
        if word is None and call.graphql is not None and stands(told_at(answer, "json:errors")):
            return "failed" if 200 <= answer.status < 300 else None
        return word

    def _judged(self, call: Request, answer: HttpAnswer, missing: bool, reads: bool) -> Told:
        word = self._word(call, answer)
        if word is None:
            if 200 <= answer.status < 300:
                word = "ok" if not _is_no_answer(call, answer) else None
            elif answer.status == 404 and missing:
                word = "missing"
        if word in ("ok", "warn") or word in _TOLD_APART:
            return Told(answer, word)
        if word == "failed" and not reads and not isinstance(call, Comment | Update):
            return Told(answer, word)
        raise self.refusal(word, answer, call.method, reads)

    def refusal(self, word: Word | None, answer: HttpAnswer, method: str, reads: bool = False) -> CrawlerError:
        """The error that an answer is."""
        what = self.mask(
            f"{self.name}: {method} {server_of(answer.url)} answered {answer.status}{self.excerpt(answer)}"
        )
        wait = wait_of(answer, self.settings.retry_after, self.tools.now())
        if word == "failed":
            # A question that failed was not answered; nothing may be concluded from it.
            return Transient(what, wait) if reads else Permanent(what)
        if word == "login":
            return Permanent(f"{what}; a new session did not help" if self._session else f"{what}; there is no `login`")
        if word == "permanent":
            return Permanent(what)
        if word == "transient":
            return Transient(what, wait)
        if word == "in_doubt":
            return InDoubt(what, wait)
        if 200 <= answer.status < 300:
            return Permanent(f'{what} to a change; is url right? If that is its usual answer: meaning: {{"200": ok}}')
        usual = self._meaning(method, answer)
        if isinstance(usual, Transient):
            return type(usual)(str(usual), wait)
        return Permanent(f"{usual}{_hint(answer.status, method)}")

    def pick(self, answer: HttpAnswer, spec: str) -> Any:
        """What `spec` names in an answer; None when there is nothing, or an HTML page where JSON is due."""
        if not spec.startswith("header:") and is_html(answer) and not spec.startswith("text:"):
            return None
        try:
            return in_answer(answer, spec)
        except Permanent:
            return None


def _is_no_answer(call: Request, answer: HttpAnswer) -> bool:
    """A whole HTML page to a comment or an update: a login page, mostly, and nothing was changed."""
    return isinstance(call, Comment | Update) and answer.body.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))


def _in_place(value: str) -> str:
    """A value within the condition of a path, which it cannot end."""
    return value.replace("]", "")


def _taken(value: Any) -> Any:
    """A value of an answer as one of ours: a number as it is, a text on one line; None for anything else."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return one_line(value, 1000) or None
    return value if isinstance(value, int | float) else None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _hint(status: int, method: str) -> str:
    if status == 428:
        return "; set `preconditions: etag` and `read`"
    if status == 404 and method == "GET":
        return '; where it means that there is none, say so: meaning: {"404": missing}'
    return ""
