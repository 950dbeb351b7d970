"""What the shapes of the file are made of: words, names, labels, and sections that refuse unknown keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema

from crawler.config.values import one_as_list, wrong
from crawler.model import Intent, Tone


def one_or_more(item: dict[str, Any]) -> WithJsonSchema:
    """The schema of one item or a list of them."""
    return WithJsonSchema({"anyOf": [item, {"type": ["array", "null"], "items": item}]})


def unless_empty(read: Callable[[object], Any]) -> BeforeValidator:
    """A key without a value is as good as no key."""
    return BeforeValidator(lambda value: None if value is None else read(value))


Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Query = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000_000)]
Words = Annotated[
    tuple[Word, ...], BeforeValidator(one_as_list), one_or_more({"type": ["string", "number", "boolean"]})
]
Labels = Annotated[dict[Word, Word], BeforeValidator(lambda value: {} if value is None else value)]
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")
ANY = "any"


def _name(value: object) -> object:
    if isinstance(value, str) and (value != value.strip() or not value or not value.isprintable() or len(value) > 100):
        raise wrong("a name is one line of 1 to 100 characters without spaces around it", value.strip()[:100] or "name")
    return value


Name = Annotated[str, BeforeValidator(_name)]


def _tone_or_intent(word: str) -> str:
    known = [*Tone, *Intent, ANY]
    if word not in known:
        close = get_close_matches(word.lower(), known, n=1, cutoff=0.5)
        raise wrong(f"{word!r} is neither a tone nor an intent; known: {', '.join(known)}", (close or known)[0])
    return word


WHEN_SCHEMA = {"type": "string", "enum": [*Tone, *Intent, ANY]}
ToneOrIntent = Annotated[Word, AfterValidator(_tone_or_intent)]


def is_email(text: str) -> bool:
    """Whether `send_to` means a mail address by this."""
    return bool(_EMAIL.fullmatch(text))


class Section(BaseModel):
    """Base of the sections: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
