"""The shape of rules, of working time, of targets and of the digest."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from crawler.config.parts import ANY, WHEN_SCHEMA, Name, Section, ToneOrIntent, Word, Words, one_or_more, unless_empty
from crawler.config.rule_values import (
    BOUNDS_SCHEMA,
    Bounds,
    Days,
    Week,
    bounds_of,
    holiday_of,
    time_of,
    week_of,
)
from crawler.config.values import Seconds, Share, Window, between_of, one_as_list, seconds_of, wrong
from crawler.model import EntityKind, Intent, Priority, Tone

_TIME_OF_DAY = r"^\d{1,2}:\d\d *[-–] *\d{1,2}:\d\d$"
_LONGEST_TARGET = 366 * 86400.0
Language = Literal["en", "uk", "ru"]


class Then(StrEnum):
    """What a rule that applies does. `add` goes on to the next rule; the others decide and stop."""

    TICKET = "ticket"
    REVIEW = "review"
    IGNORE = "ignore"
    ADD = "add"


class Flag(StrEnum):
    """What the model may notice beside tone and intent."""

    CHURN = "churn"
    LEGAL = "legal"
    PURCHASE = "purchase"
    THREAT = "threat"


def _some(value: object) -> object:
    """`when` without a word is as good as no `when`."""
    return one_as_list(value) or (Tone.NEGATIVE.value, Intent.QUESTION.value)


def _tags(value: object) -> object:
    words = one_as_list(value)
    for word in words if isinstance(words, list | tuple) else ():
        if isinstance(word, str) and (not word.isprintable() or len(word.strip()) > 50):
            raise wrong("a tag is one line of at most 50 characters", word.strip()[:50].strip() or "vip")
    return words


def _target(value: object) -> float | None:
    seconds = None if value is None else seconds_of(value)
    if seconds is not None and not 0 < seconds <= _LONGEST_TARGET:
        raise wrong("a target lies between a second and 366 days", "4h")
    return seconds


_Bounds = Annotated[Bounds | None, unless_empty(bounds_of), WithJsonSchema(BOUNDS_SCHEMA)]
_TARGET_SCHEMA = WithJsonSchema({"type": ["string", "number", "null"], "examples": ["1h"]})
_Target = Annotated[float | None, BeforeValidator(_target), _TARGET_SCHEMA]
_Window = Annotated[
    Window | None, unless_empty(between_of), WithJsonSchema({"type": "string", "pattern": _TIME_OF_DAY})
]


class UrgentFrame(Section):
    words: Words = Field(
        (), description='Words that make it urgent, in any form; "=word" means exactly so.', examples=[["суд", "court"]]
    )
    followers_over: int | None = Field(
        None, ge=0, description="More followers than this make it urgent.", examples=[10000]
    )


class RuleParts(Section):
    """What `tickets:` and each of `rules:` say."""

    when: Annotated[tuple[ToneOrIntent, ...], BeforeValidator(_some), one_or_more(WHEN_SCHEMA)] = Field(
        (Tone.NEGATIVE.value, Intent.QUESTION.value),
        description=f"Tones and intents that become tickets: one of them is enough; `{ANY}` for all mentions.",
        examples=[["negative", "question"]],
    )
    sure_at_least: Share = Field(0.7, description="Less sure goes to review, never silently away.", examples=[0.7])
    urgent_if: UrgentFrame | None = Field(None, description="What makes a ticket urgent.")
    priority: Priority | None = Field(None, description="Priority when nothing is urgent; found by itself when absent.")
    tags: Annotated[Words, BeforeValidator(_tags)] = Field((), description="Tags for the ticket.", examples=[["vip"]])
    send_to: Words = Field(("desk",), description="Names of sinks; `desk` is built in.", examples=[["desk"]])
    hold: Seconds = Field(
        0.0, description="How long a ticket waits before it leaves: time to take it back.", examples=["30s"]
    )
    write_in: Language | None = Field(
        None, description="Language of our words around the quote; that of the file when absent.", examples=["uk"]
    )


class RuleFrame(RuleParts):
    """One of `rules:`, read from above; every condition that is given must hold."""

    name: Name = Field(description="Unique name; tickets name it.", examples=["complaints"])
    then: Then = Field(
        Then.TICKET,
        description="ticket, review and ignore decide and stop; add gives its priority, tags and sinks to whatever a"
        " later rule opens.",
        examples=["ticket"],
    )
    brand: Words = Field((), description="Only these brands.", examples=[["Nova Pay"]])
    source: Words = Field((), description="Only these sources.", examples=[["bank-forum"]])
    source_kind: Words = Field((), description="Only sources of these kinds.", examples=[["page"]])
    lang: Words = Field((), description="Only these languages.", examples=[["uk", "ru"]])
    entity: Annotated[tuple[EntityKind, ...], BeforeValidator(one_as_list)] = Field(
        (), description="Only these kinds of names.", examples=[["legal", "person"]]
    )
    label: dict[Word, Words] = Field(
        default_factory=dict, description="Only with these labels.", examples=[{"region": ["Київ"]}]
    )
    tone: Annotated[tuple[Tone, ...], BeforeValidator(one_as_list)] = Field(
        (), description="Only these tones; with intent both must hold. Stands in for when.", examples=[["negative"]]
    )
    intent: Annotated[tuple[Intent, ...], BeforeValidator(one_as_list)] = Field(
        (), description="Only these intents. Stands in for when.", examples=[["question"]]
    )
    confidence: _Bounds = Field(None, description="Of the tone, from 0 to 1.", examples=[">= 0.9"])
    words: Words = Field(
        (), description='One of these words or phrases, in any form; "=word" means exactly so.', examples=[["refund"]]
    )
    not_words: Words = Field((), description="None of these words or phrases.", examples=[["вакансія"]])
    rating: _Bounds = Field(None, description="Stars given; unknown never holds.", examples=["<= 2"])
    followers: _Bounds = Field(None, description="Of the author; unknown never holds.", examples=[">= 10000"])
    hours: _Window = Field(None, description="Local time at which it was written, from-to.", examples=["22:00-07:00"])
    days: Days = Field((), description="Days of the week on which it was written.", examples=["sat-sun"])
    flags: Annotated[tuple[Flag, ...], BeforeValidator(one_as_list)] = Field(
        (), description="What else the model noticed: one of these.", examples=[["threat", "legal"]]
    )


class TargetsFrame(Section):
    urgent: _Target = Field(None, description="By when an urgent ticket is due.", examples=["1h"])
    high: _Target = Field(None, description="By when a ticket of high priority is due.", examples=["4h"])
    normal: _Target = Field(None, description="By when a ticket of normal priority is due.", examples=["8h"])
    low: _Target = Field(None, description="By when a ticket of low priority is due.", examples=["3d"])


def _holidays(value: object) -> object:
    return tuple(holiday_of(day) for day in one_as_list(value))  # type: ignore[attr-defined]  # a list or a tuple


_WEEK_SCHEMA = WithJsonSchema({"type": ["string", "object", "array"], "examples": ["09:00-18:00"]})
_DATES_SCHEMA = one_or_more({"type": "string", "examples": ["2026-12-25", "12-25"]})


class BusinessFrame(Section):
    hours: Annotated[Week, BeforeValidator(lambda value: () if value is None else week_of(value)), _WEEK_SCHEMA] = (
        Field(
            (),
            description="Local working time: 09:00-18:00 stands for mon-fri, or say it by days.",
            examples=[{"mon-fri": "09:00-18:00", "sat": "10:00-14:00"}],
        )
    )
    holidays: Annotated[tuple[tuple[int, int, int], ...], BeforeValidator(_holidays), _DATES_SCHEMA] = Field(
        (), description="Days without work: a date, or month-day for every year.", examples=[["2026-12-25", "01-01"]]
    )


class DigestFrame(Section):
    at: Annotated[
        time | None, unless_empty(time_of), WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d\d$"})
    ] = Field(None, description="Local time at which it leaves, once a day for each brand.", examples=["09:00"])
    send_to: Words = Field((), description="Sinks or mail addresses that get it.", examples=[["boss@example.com"]])
