"""Kinds with settings, and a full config file, for the tests of the config."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from crawler.config import (
    Duration,
    Seconds,
)
from crawler.plugins import Secret, SecretText, Settings

FULL = """\
timezone: Europe/Kyiv
database: {url: sqlite:///data/mentions.db}
network: {allow_private: [127.0.0.1, 10.0.0.0/8], contact: https://example.com/bot}
sentiment: {model: builtin}
keep: {posts: 24 months, unmatched_stream: 24h}
brands:
  - name: Nova Pay
    also: [НоваПей, "@novapay", "=НОВА", НоваПей]
    legal: ["ТОВ «Нова Пей»", "EDRPOU 12345678"]
    people: [Іван Кравченко]
    about: [оплата, картка]
    not_about: ["nova pay phone"]
    own: ["@novapay_official", novapay.example]
    query: '(nova AND pay) NOT phone'
    labels: {region: Київ}
sources:
  - name: bank-forum
    kind: page
    url: https://forum.example/banks/
    every: 10m..6h
    between: 07:00-23:00
    labels: {topic: banks}
    item: article.message
    fields: {text: .content, author: .author}
  - name: news
    kind: page
    was: old-news
    url: https://news.example/
    cron: 0 7-23 * * *
    verify: false
    item: article
tickets:
  when: [negative, question]
  sure_at_least: 70%
  urgent_if: {words: [суд, court], followers_over: 10000}
  send_to: [desk, helpdesk]
sinks:
  - {name: helpdesk, kind: help, url: https://help.example, token: "${HELPDESK_TOKEN}"}
alerts: {send_to: [helpdesk, ops@example.com]}
"""


def _web(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"must begin with http:// or https://, not {value!r}")
    return value


class Fields(Settings):
    """Nested settings."""

    text: str | None = Field(None, description="Text | of the post", examples=[".content"])
    author: str | None = Field(None, description="Author", examples=[".author"])


class Page(Settings):
    """Settings of a source kind."""

    url: Annotated[str, AfterValidator(_web)] = Field(description="Address", examples=["https://forum.example/"])
    item: str = Field(description="One post", examples=["article"])
    pages: int = Field(10, ge=1, le=100, description="Pages a run")
    order: Literal["newest", "oldest"] = Field("newest", description="Which comes first")
    timeout: Duration = Field(timedelta(seconds=10), description="Patience", examples=["10s"])
    fields: Fields = Field(default_factory=lambda: Fields.model_validate({}), description="Parts")
    match: dict[str, str] = Field(default_factory=dict, description="Free pairs")
    body: dict[str, Any] | str | None = Field(None, description="Anything")


class Help(Settings):
    """Settings of a sink kind."""

    url: str = Field(description="Address", examples=["https://help.example"])
    token: Secret = Field(description="API token", examples=["${HELPDESK_TOKEN}"])
    headers: dict[str, SecretText] = Field(default_factory=dict, description="Headers")
    timeout: Seconds = Field(10.0, description="Patience", examples=["10s"])


class Desk(Settings):
    """No settings."""


KINDS: dict[str, type[Settings]] = {"page": Page, "help": Help, "desk": Desk}
