"""What an answer means: the usual rules, and those of the config: `"422": permanent`, `"500 *email*": permanent`.

Behind the status stands nothing, a text in which `*` is anything, or what the answer holds at a place:
`"200 json:error"` (something that is not null, false, 0 or empty), `"200 json:error.code=*.AuthFail"`,
`"200 no json:result"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from crawler.errors import Permanent
from crawler.net.http import HttpAnswer
from sinks.http import LONGEST_RETRY_AFTER, retry_after
from sinks.rest_pick import checked, in_answer, values_of

Word = Literal["ok", "warn", "failed", "permanent", "transient", "in_doubt", "exists", "missing", "login"]
_RULE = re.compile(r"([1-5](?:\d\d|xx))(?:\s+(.+))?", re.DOTALL)
_PLACE = re.compile(r"(no\s+)?((?:json|header):(?:\[[^\]]*\]|[^=\[])+)(?:=(.*))?", re.DOTALL)
_SYNONYMS = {
    "later": "transient", "retry": "transient", "doubt": "in_doubt", "accepted": "ok", "none": "missing",
    "error": "failed", "expired": "login",
}  # fmt: skip
_ENOUGH = 100_000


def _rules(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    rules = {}
    for key, word in value.items():
        if not _RULE.fullmatch(str(key).strip().lower() if len(str(key)) <= 3 else str(key).strip()):
            raise ValueError(f'{str(key)[:60]!r} is no answer; write a status and maybe a text: "422", "500 *email*"')
        _checked_place(str(key).strip().partition(" ")[2].strip())
        said = str(word).strip().lower().replace("-", "_").replace(" ", "_")
        rules[str(key).strip()] = _SYNONYMS.get(said, said)
    return rules


def _checked_place(pattern: str) -> None:
    place = _PLACE.fullmatch(pattern)
    if place is not None:
        checked(place[2].strip())
    elif re.match(r"(no\s+)?(json|header):", pattern):
        checked(pattern.removeprefix("no").strip())


Meaning = Annotated[dict[str, Word], BeforeValidator(_rules)]


def meaning_of(answer: HttpAnswer, *rules: Mapping[str, Word]) -> Word | None:
    """The word of the first rule that holds; earlier mappings win, and in one those with a text, then exact ones."""
    for mapping in rules:
        for key in sorted(mapping, key=_specific):
            status, _, pattern = key.partition(" ")
            if not _is(status, answer.status):
                continue
            if pattern.strip() and not _says(answer, pattern.strip()):
                continue
            return mapping[key]
    return None


def _says(answer: HttpAnswer, pattern: str) -> bool:
    place = _PLACE.fullmatch(pattern)
    if place is None:
        return like(answer.text[:_ENOUGH].lower(), pattern.lower())
    negated, spec, wanted = place.groups()
    found = told_at(answer, spec.strip())
    if wanted is None:
        return stands(found) is not bool(negated)
    holds = any(like(value.lower(), wanted.strip().lower()) for value in values_of(found))
    return holds is not bool(negated)


def told_at(answer: HttpAnswer, spec: str) -> Any:
    """What stands at a place of an answer; None in an answer of another kind."""
    try:
        return in_answer(answer, spec)
    except Permanent:
        return None


def stands(value: Any) -> bool:
    """Whether a value says something: an `error` that is null, false, 0, empty or full of such is none."""
    if isinstance(value, list):
        return any(map(stands, value))
    return bool(value)


def _specific(key: str) -> tuple[bool, bool]:
    status, _, pattern = key.partition(" ")
    return not pattern, "x" in status.lower()


def _is(status: str, number: int) -> bool:
    return str(number) == status or (status.lower().endswith("xx") and status[0] == str(number)[0])


def like(text: str, pattern: str) -> bool:
    """Whether the whole of `text` fits `pattern`, in which `*` is anything. Linear in the text."""
    head, *rest = pattern.split("*")
    if not rest:
        return text.strip() == pattern
    if not text.startswith(head):
        return False
    at = len(head)
    *middle, tail = rest
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(tail) and text.endswith(tail)


def wait_of(answer: HttpAnswer, names: tuple[str, ...], now: datetime) -> float | None:
    """Seconds to wait by the first of these headers or places that says something; a big number is a unix time."""
    for name in names:
        said = told_at(answer, name if is_place(name) else f"header:{name}")
        text = next(iter(values_of(said)), "").strip()
        seconds = _seconds_to(text, now) if text else None
        if seconds is not None:
            return seconds
    return None


def is_place(name: str) -> bool:
    """Whether this is a place in an answer, and no bare name of a header."""
    return name.startswith(("json:", "header:", "text:"))


def _seconds_to(text: str, now: datetime) -> float | None:
    seconds = retry_after(text, now)
    if seconds is None:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return None
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
    return _until(text, now) if seconds >= LONGEST_RETRY_AFTER else seconds


def _until(value: str, now: datetime) -> float:
    try:
        number = float(value)
    except ValueError:
        return LONGEST_RETRY_AFTER
    at = number / 1000 if number > 1e12 else number
    wait = at - now.timestamp() if number > 1e9 else number
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER)
