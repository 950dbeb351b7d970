"""The shape of the file: one pydantic model a section. Descriptions and examples feed the schema and the docs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from crawler.config.cron import cron_of
from crawler.config.values import (
    DURATION_PATTERN,
    Network,
    Seconds,
    Share,
    Window,
    Zone,
    between_of,
    every_of,
    one_as_list,
    wrong,
)
from crawler.model import EntityKind, Intent, Priority, Tone


def _one_or_more(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": ["array", "null"], "items": item}]})


def _unless_empty(read: Callable[[object], Any]) -> BeforeValidator:
    """A key without a value is as good as no key."""
    return BeforeValidator(lambda value: None if value is None else read(value))


Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Words = Annotated[
    tuple[Word, ...], BeforeValidator(one_as_list), _one_or_more({"type": ["string", "number", "boolean"]})
]
Labels = Annotated[dict[Word, Word], BeforeValidator(lambda value: {} if value is None else value)]
_EVERY = rf"^{DURATION_PATTERN}( *\.\. *{DURATION_PATTERN})?$"
_CRON = r"^(@[a-z]+|\S+ +\S+ +\S+ +\S+ +\S+)$"
_BETWEEN = r"^\d{1,2}:\d\d *[-–] *\d{1,2}:\d\d$"
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")


def _name(value: object) -> object:
    if isinstance(value, str) and (value != value.strip() or not value or not value.isprintable() or len(value) > 100):
        raise wrong("a name is one line of 1 to 100 characters without spaces around it", value.strip()[:100] or "name")
    return value


Name = Annotated[str, BeforeValidator(_name)]


def _tone_or_intent(word: str) -> str:
    known = [*Tone, *Intent]
    if word not in known:
        close = get_close_matches(word.lower(), known, n=1, cutoff=0.5)
        raise wrong(f"{word!r} is neither a tone nor an intent; known: {', '.join(known)}", (close or known)[0])
    return word


_WHEN = {"type": "string", "enum": [*Tone, *Intent]}
ToneOrIntent = Annotated[Word, AfterValidator(_tone_or_intent)]


def _posts_kept(value: object) -> object:
    return None if value in ("forever", "always") else "24 months" if value is None else value


def is_email(text: str) -> bool:
    """Whether `alerts.send_to` means a mail address by this."""
    return bool(_EMAIL.fullmatch(text))


class Section(BaseModel):
    """Base of the sections: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    url: str | None = Field(
        None,
        description="sqlite:///path (relative to the config) or postgresql://; a file in `data_dir` when absent.",
        examples=["sqlite:///data/mentions.db", "postgresql://mentions:${PGPASSWORD}@db/mentions"],
    )


class Network_(Section):
    allow_private: Annotated[tuple[Network, ...], BeforeValidator(one_as_list)] = Field(
        (),
        description="Private addresses and networks that may be read; all others are refused.",
        examples=[["127.0.0.1"]],
    )
    user_agent: Word | None = Field(None, description="Whole user agent; an honest one is made when absent.")
    contact: Word | None = Field(
        None,
        description="Address or page of who runs this; part of the user agent.",
        examples=["https://example.com/bot"],
    )


class Sentiment(Section):
    model: Word = Field("builtin", description="`builtin`, a model folder or a hub id.", examples=["builtin"])


class Keep(Section):
    posts: Annotated[Seconds | None, BeforeValidator(_posts_kept)] = Field(
        "24 months",
        validate_default=True,
        description="How long posts that have no ticket stay; `forever` for no end.",
        examples=["24 months"],
    )
    unmatched_stream: Seconds = Field(
        "24h",
        validate_default=True,
        description="How long posts of streams stay that match no brand.",
        examples=["24h"],
    )


class Web(Section):
    host: Word = Field("127.0.0.1", description="Address that the console listens on.", examples=["127.0.0.1"])
    port: int = Field(8080, ge=0, le=65535, description="Port of the console.", examples=[8080])


class BrandFrame(Section):
    name: Name = Field(
        description="The name as people write it; word forms are found by themselves.", examples=["Nova Pay"]
    )
    also: Words = Field(
        (), description='Other spellings and @handles; "=word" means exactly so.', examples=[["НоваПей", "@novapay"]]
    )
    legal: Words = Field((), description="Legal entities and their numbers.", examples=[["ТОВ «Нова Пей»"]])
    people: Words = Field(
        (), description="Owners and other people who stand for the brand.", examples=[["Іван Кравченко"]]
    )
    about: Words = Field(
        (), description="Words around it that an ambiguous name needs.", examples=[["оплата", "картка"]]
    )
    not_about: Words = Field((), description="Phrases that mean something else.", examples=[["nova pay phone"]])
    own: Words = Field((), description="The brand's own accounts and sites: never a ticket.", examples=[["@novapay"]])
    query: Word | None = Field(None, description="A query for experts, beside the names.")
    labels: Labels = Field(default_factory=dict, description="Free labels for filters.", examples=[{"region": "Київ"}])


class SourceFrame(BaseModel):
    """What every source has; the other keys belong to its kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name = Field(description="Unique name; commands and reports use it.", examples=["bank-forum"])
    kind: Word = Field(description="Source kind: `mention-crawler sources kinds` lists them.", examples=["page"])
    every: Annotated[
        tuple[float, float] | None, _unless_empty(every_of), WithJsonSchema({"type": "string", "pattern": _EVERY})
    ] = Field(None, description="How often: 10m, or bounds 10m..6h to adapt between.", examples=["10m..6h"])
    cron: Annotated[str | None, _unless_empty(cron_of), WithJsonSchema({"type": "string", "pattern": _CRON})] = Field(
        None, description="Instead of `every`: five cron fields, local time.", examples=["0 7-23 * * *"]
    )
    between: Annotated[
        Window | None, _unless_empty(between_of), WithJsonSchema({"type": "string", "pattern": _BETWEEN})
    ] = Field(None, description="Local time of day in which it may run.", examples=["07:00-23:00"])
    labels: Labels = Field(default_factory=dict, description="Free labels for filters.", examples=[{"region": "Київ"}])
    was: Name | None = Field(None, description="The former name: its posts and state move here.", examples=["old-name"])
    verify: bool = Field(True, description="Whether TLS certificates are checked.", examples=[True])


class SinkFrame(BaseModel):
    """What every sink has; the other keys belong to its kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name = Field(description="Unique name; rules send to it.", examples=["helpdesk"])
    kind: Word = Field(description="Sink kind: `mention-crawler sinks kinds` lists them.", examples=["desk"])


class UrgentFrame(Section):
    words: Words = Field((), description="Words that make it urgent.", examples=[["суд", "court"]])
    followers_over: int | None = Field(
        None, ge=0, description="More followers than this make it urgent.", examples=[10000]
    )


class RuleParts(Section):
    """What `tickets:` and each of `rules:` say."""

    when: Annotated[tuple[ToneOrIntent, ...], BeforeValidator(one_as_list), _one_or_more(_WHEN)] = Field(
        (Tone.NEGATIVE.value, Intent.QUESTION.value),
        description="Tones and intents that become tickets.",
        examples=[["negative", "question"]],
    )
    sure_at_least: Share = Field(0.7, description="Less sure goes to review, never silently away.", examples=[0.7])
    urgent_if: UrgentFrame | None = Field(None, description="What makes a ticket urgent.")
    priority: Priority | None = Field(None, description="Priority when nothing is urgent; found by itself when absent.")
    send_to: Words = Field(("desk",), description="Names of sinks; `desk` is built in.", examples=[["desk"]])


class RuleFrame(RuleParts):
    """One of `rules:`; the first that matches decides."""

    name: Name = Field(description="Unique name; tickets name it.", examples=["complaints"])
    brand: Words = Field((), description="Only these brands.", examples=[["Nova Pay"]])
    source: Words = Field((), description="Only these sources.", examples=[["bank-forum"]])
    lang: Words = Field((), description="Only these languages.", examples=[["uk", "ru"]])
    entity: Annotated[tuple[EntityKind, ...], BeforeValidator(one_as_list)] = Field(
        (), description="Only these kinds of names.", examples=[["legal", "person"]]
    )
    label: dict[Word, Words] = Field(
        default_factory=dict, description="Only with these labels.", examples=[{"region": ["Київ"]}]
    )


class AlertsFrame(Section):
    send_to: Words = Field(
        (), description="Sinks or mail addresses that are told of alerts.", examples=[["ops@example.com"]]
    )


def _section(model: type[Section], description: str) -> Any:
    return Field(default_factory=partial(model.model_validate, {}), description=description)


class Frame(Section):
    """The whole file. Lists hold the frames above; their items are checked one by one: no mistake hides another."""

    items: ClassVar[Mapping[str, type[BaseModel]]] = {
        "brands": BrandFrame,
        "sources": SourceFrame,
        "rules": RuleFrame,
        "sinks": SinkFrame,
    }

    timezone: Zone = Field("UTC", description="Local time of schedules and reports.", examples=["Europe/Kyiv"])
    data_dir: Word = Field("data", description="Where data is kept, relative to the config.", examples=["data"])
    database: Database = _section(Database, "The database.")
    network: Network_ = _section(Network_, "Whom we may talk to, and who we say we are.")
    sentiment: Sentiment = _section(Sentiment, "The tone model.")
    keep: Keep = _section(Keep, "Retention.")
    web: Web = _section(Web, "The console.")
    tickets: RuleParts | None = Field(None, description="The short form of one rule.")
    alerts: AlertsFrame = _section(AlertsFrame, "Who is told when something needs a person.")
    brands: list[Any] = Field(default_factory=list, description="What is watched.")
    sources: list[Any] = Field(default_factory=list, description="Where it is watched.")
    rules: list[Any] = Field(
        default_factory=list, description="The long form of `tickets`; the first that matches decides."
    )
    sinks: list[Any] = Field(default_factory=list, description="Helpdesks; `desk` is built in.")
