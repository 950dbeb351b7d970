"""The shape of the file: one pydantic model a section. Descriptions and examples feed the schema and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from crawler.config.cron import cron_of
from crawler.config.parts import Labels, Name, Query, Section, Word, Words, unless_empty
from crawler.config.rule_frame import BusinessFrame, DigestFrame, Language, RuleFrame, RuleParts, TargetsFrame
from crawler.config.values import (
    DURATION_PATTERN,
    Network,
    Seconds,
    Window,
    Zone,
    between_of,
    every_of,
    one_as_list,
)
from crawler.model import Tone

_EVERY = rf"^{DURATION_PATTERN}( *\.\. *{DURATION_PATTERN})?$"
_CRON = r"^(@[a-z]+|\S+ +\S+ +\S+ +\S+ +\S+)$"
_BETWEEN = r"^\d{1,2}:\d\d *[-–] *\d{1,2}:\d\d$"


def _posts_kept(value: object) -> object:
    return None if value in ("forever", "always") else "24 months" if value is None else value


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


class Cost(Section):
    missed_complaint: float = Field(
        4.0, gt=0, le=1000, description="Of a complaint or question that is ignored.", examples=[5]
    )
    false_ticket: float = Field(3.0, gt=0, le=1000, description="Of a ticket that nobody needed.", examples=[1])


class Sentiment(Section):
    model: Word = Field(
        "builtin",
        description="`builtin`; a folder (relative to the config) with ONNX or safetensors weights; or a hub id, "
        "`owner/name` or `owner/name@revision`, that `model fetch` has stored. See docs/models.md.",
        examples=["builtin", "models/mine", "cardiffnlp/twitter-xlm-roberta-base-sentiment@refs/pr/5"],
    )
    labels: dict[Word, Tone] = Field(
        default_factory=dict,
        description="Tones of the model's own labels whose names do not say it.",
        examples=[{"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"}],
    )
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)] | None = Field(
        None,
        description="What the weights must hash to; another file is refused. `model evaluate` shows it.",
        examples=["9f2c" * 16],
    )
    wording: bool = Field(
        False,
        description="Whether our wording of praise and complaint leans another model's tone too.",
        examples=[True],
    )
    cost: Cost = Field(
        default_factory=partial(Cost.model_validate, {}),
        description="What mistakes cost beside each other: the dearer a missed complaint, the more goes to review.",
    )


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
    layout_slips: bool = Field(
        False, description="Find the names also as they come out in the wrong keyboard layout.", examples=[True]
    )
    not_about: Words = Field((), description="Phrases that mean something else.", examples=[["nova pay phone"]])
    own: Words = Field((), description="The brand's own accounts and sites: never a ticket.", examples=[["@novapay"]])
    query: Query | None = Field(
        None,
        description="A query for experts, beside the names; one with NAMES in it decides alone.",
        examples=["NAMES NEAR/10 (суд OR court) NOT site:ads.example"],
    )
    labels: Labels = Field(default_factory=dict, description="Free labels for filters.", examples=[{"region": "Київ"}])


class SourceFrame(BaseModel):
    """What every source has; the other keys belong to its kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name = Field(description="Unique name; commands and reports use it.", examples=["bank-forum"])
    kind: Word = Field(description="Source kind: `mention-crawler sources kinds` lists them.", examples=["page"])
    every: Annotated[
        tuple[float, float] | None, unless_empty(every_of), WithJsonSchema({"type": "string", "pattern": _EVERY})
    ] = Field(None, description="How often: 10m, or bounds 10m..6h to adapt between.", examples=["10m..6h"])
    cron: Annotated[str | None, unless_empty(cron_of), WithJsonSchema({"type": "string", "pattern": _CRON})] = Field(
        None, description="Instead of `every`: five cron fields, local time.", examples=["0 7-23 * * *"]
    )
    between: Annotated[
        Window | None, unless_empty(between_of), WithJsonSchema({"type": "string", "pattern": _BETWEEN})
    ] = Field(None, description="Local time of day in which it may run.", examples=["07:00-23:00"])
    labels: Labels = Field(default_factory=dict, description="Free labels for filters.", examples=[{"region": "Київ"}])
    was: Name | None = Field(None, description="The former name: its posts and state move here.", examples=["old-name"])
    verify: bool = Field(True, description="Whether TLS certificates are checked.", examples=[True])


class SinkFrame(BaseModel):
    """What every sink has; the other keys belong to its kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name = Field(description="Unique name; rules send to it.", examples=["helpdesk"])
    kind: Word = Field(description="Sink kind: `mention-crawler sinks kinds` lists them.", examples=["desk"])


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
    language: Language = Field(
        "en", description="Language of the words that we write: in tickets and digests.", examples=["uk"]
    )
    tickets: RuleParts | None = Field(None, description="The short form of one rule.")
    undo_window: Seconds = Field(
        "15s",
        validate_default=True,
        description="How long what a person decided waits before it leaves: time to take it back.",
        examples=["15s"],
    )
    targets: TargetsFrame = _section(TargetsFrame, "By when a ticket is due, by its priority.")
    business_hours: BusinessFrame = _section(BusinessFrame, "Working time that targets count; always when absent.")
    digest: DigestFrame = _section(DigestFrame, "A short daily mail for each brand.")
    alerts: AlertsFrame = _section(AlertsFrame, "Who is told when something needs a person.")
    brands: list[Any] = Field(default_factory=list, description="What is watched.")
    sources: list[Any] = Field(default_factory=list, description="Where it is watched.")
    rules: list[Any] = Field(
        default_factory=list, description="The long form of `tickets`; the first that matches decides."
    )
    sinks: list[Any] = Field(default_factory=list, description="Helpdesks; `desk` is built in.")
