"""An answer of an API as data, and what it says when it is an error. Pure; raises only ValueError."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from scrapy.http import Response

from crawler.model import Verdict
from crawler.text import strip_markup
from spiders import answers, verdicts
from spiders.api_items import found as found
from spiders.api_items import told as told
from spiders.api_settings import Trouble
from spiders.json_paths import path, word
from spiders.verdicts import Finding

MOST_STARTS = 200
_NOISE = re.compile(
    r"(?:<br\s*/?>\s*|<b>|<pre[^<>]{0,200}>|\s)*(?:PHP )?(?:Warning|Notice|Deprecated|Strict Standards|Fatal error|"
    r"Parse error|Uncaught|WordPress database error)(?:</b>)?\s*:|<div id=.error.><p class=.wpdberror",
    re.I,
)
# What servers write before their JSON so that no script can include it.
_GUARDS = (")]}',", ")]}'", "while(1);", "while (1);", "for(;;);", "for (;;);", "{}&&")
_JSONP = re.compile(r"\s*[A-Za-z_$][\w$.]{0,100}\s*\(")
_REFUSES = re.compile(
    r"log ?in|sign ?in|auth|permission|denied|forbidden|captcha|not allowed|access|private|banned|suspended|blocked|"
    r"approved|token|api.?key|invalid key|credential|disabled|network policy",
    re.I,
)
_TOO_MANY = re.compile(r"rate|limit|too many|throttl|quota|slow down|flood|abuse|per second|try again later", re.I)


class Unreadable(ValueError):
    """The bytes are no JSON; the message says what they look like."""


def load(body: bytes, prefix: str = "", content_type: bytes = b"") -> Any:
    """The JSON of an answer; several documents in a row (NDJSON, event streams) become a list. Raises Unreadable."""
    text = _decoded(body, content_type).strip().removeprefix(prefix).lstrip()
    for guard in _GUARDS:
        text = text.removeprefix(guard)
    try:
        return json.loads(text)
    except RecursionError:
        raise Unreadable("JSON nested too deeply") from None
    except ValueError as error:
        said = str(error)
    if _NOISE.match(text):
        return _behind_noise(text)
    return _otherwise(text, said)


def noise_before(body: bytes) -> str | None:
    """What the server's program complained about before its answer, such as a PHP warning; None for a clean answer."""
    text = body[:4000].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    found = _NOISE.match(text)
    return " ".join(strip_markup(text[:300]).split())[:160] if found else None


def _behind_noise(text: str) -> Any:
    """The JSON that stands behind a complaint of the server's program; Unreadable where none does."""
    for start in islice(re.finditer(r"[{\[]", text), MOST_STARTS):
        before = text[: start.start()].rstrip()
        # The document begins on a line of its own, or right behind a tag.
        if before.endswith(">") or "\n" in text[len(before) : start.start()]:
            try:
                return json.loads(text[start.start() :])
            except (ValueError, RecursionError):
                continue
    raise Unreadable(f"the server's program complains instead of answering: {noise_before(text.encode())}")


def _decoded(body: bytes, content_type: bytes) -> str:
    """JSON is UTF-8; what cannot be is read as the other kinds read it: as declared, else as it looks."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode(answers.charset_of(body, content_type), "replace")


def _otherwise(text: str, said: str) -> Any:
    """JSON in a call, or one document a line."""
    if (call := _JSONP.match(text)) and text.rstrip("; \n\t").endswith(")"):
        return _loaded(text[call.end() : text.rindex(")")])
    # Not splitlines(): within JSON, U+2028 and the like are letters of a text.
    lines = [line.removeprefix("data:").strip() for line in text.split("\n")]
    if text[:1] in ("{", "[") and not list(_maybe(lines[0])):
        # Whole lines of a document that broke off are no documents.
        raise Unreadable(f"JSON that breaks off ({said[:120]})" if _cut(text) else f"no JSON ({said[:120]})")
    found = [data for line in lines if line[:1] in ("{", "[") for data in _maybe(line)]
    if not found:
        raise Unreadable(f"no JSON ({said[:120]})")
    return found


def _cut(text: str) -> bool:
    return text.rstrip()[-1:] not in ("}", "]") or text.count("{") > text.count("}")


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON ({str(error)[:120]})") from None


def _maybe(line: str) -> Iterator[Any]:
    try:
        yield json.loads(line)
    except (ValueError, RecursionError):
        return


def trouble_in(data: Any, troubles: Sequence[Trouble], url: str) -> tuple[Finding | None, float | None]:
    """The finding of the first error shape that fits, and the seconds that it asks for."""
    for trouble in troubles:
        if path(trouble.when)(data):
            wait = path(trouble.wait)(data) if isinstance(trouble.wait, str) else trouble.wait
            said = " ".join(filter(None, (message_of(data), trouble.why))) or "an error"
            seconds = float(wait) if isinstance(wait, int | float) and not isinstance(wait, bool) else None
            return Finding(Verdict(trouble.verdict), f"{url}: the API answers: {said}"), seconds
    return None, None


_MESSAGES = (
    "error.message",
    "error.error_msg",
    "error_message",
    "error_description",
    "errors[0].message",
    "errors[0].detail",
    "errors[0]",
    "message",
    "response",
    "detail",
    "title",
    "reason",
    "error_name",
    "error",
    "errors",
)


def message_of(data: Any) -> str | None:
    """What an error answer says for people."""
    for expression in _MESSAGES:
        if isinstance(data, dict) and (said := word(path(expression)(data))):
            return " ".join(said.split())[:200]
    return None


def refused(response: Response, data: Any) -> Finding | None:
    """Judges an error answer by its status and its words; None for 2xx and 304."""
    finding = verdicts.of_status(response)
    said = message_of(data)
    if finding is None or not said:
        return finding
    if response.status in (401, 403) and _TOO_MANY.search(said):
        return Finding(Verdict.FAILED, f"{response.url} answered {response.status}: {said}: it is asked less often")
    return Finding(finding.verdict, f"{finding.why} (it says: {said})")


def of_strange(response: Response, data: Any) -> Finding:
    """Judges a 2xx answer in JSON that has none of the lists it should have."""
    said = message_of(data)
    if said and isinstance(data, dict) and ({"error", "errors", "message", "detail", "error_name"} & set(data)):
        return of_error(response, said)
    keys = ", ".join(list(data)[:8]) if isinstance(data, dict) else type(data).__name__
    return Finding(
        Verdict.CHANGED,
        f"{response.url}: the answer has none of the lists of posts that it should have (it has: {keys[:200]}); "
        "the API may have changed: run `preview` and correct `posts`",
    )


def error_in(data: Any) -> str | None:
    """What an answer without posts says went wrong: an error beside or in the place of its list."""
    if not isinstance(data, dict):
        return None
    told = data.get("error") or data.get("errors") or data.get("error_message") or data.get("error_code")
    failed = str(data.get("status", "")).lower() in ("error", "fail", "failed", "failure", "unauthorized", "forbidden")
    refused = any(data.get(name) is False for name in ("success", "ok", "result"))
    if told or failed or refused:
        return message_of(data) or word(data.get("msg")) or "an error without words"
    return None


def of_error(response: Response, said: str) -> Finding:
    """Judges an error that comes with status 200."""
    verdict = Verdict.BLOCKED if _REFUSES.search(said) and not _TOO_MANY.search(said) else Verdict.FAILED
    return Finding(verdict, f"{response.url}: the API answers: {said}; correct the source or pause it")


def of_no_json(response: Response, why: str) -> Finding:
    """Judges a 2xx answer that is no JSON at all."""
    if not response.body.strip():
        return Finding(Verdict.CHANGED, f"{response.url}: an empty answer where JSON was expected; correct `url`")
    page, head = answers.as_html(response), response.body[:4096].lower()
    if b"<html" in head or b"<!doc" in head[:200] or b"<body" in head:
        if finding := verdicts.of_page(page):
            return finding
        wall = "a web page where JSON was expected: a block, a log-in or a wrong address"
        return Finding(Verdict.BLOCKED, f"{response.url}: {wall}; nothing gets around it: correct `url` or pause it")
    if verdicts.is_noise(response.body):
        return Finding(Verdict.FAILED, f"{response.url}: bytes that are no text; the server packs or cuts them wrongly")
    if why.startswith(("JSON that breaks off", "the server's program")):
        return Finding(Verdict.FAILED, f"{response.url}: {why}; it is tried again at the next run")
    return Finding(Verdict.CHANGED, f"{response.url}: {why}; correct `url`, or the API may have changed")
