"""What the file may say, told to editors (JSON Schema), to readers (Markdown tables), to beginners (a first file)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crawler.config.frame import BrandFrame, Frame, SinkFrame, SourceFrame
from crawler.config.problems import flow, models_in
from crawler.config.reading import quoted
from crawler.config.rule_frame import RuleFrame

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
Kinds = Mapping[str, type[BaseModel]]


def schema(source_kinds: Kinds, sink_kinds: Kinds) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the whole file: each source and sink is checked by the settings of its kind."""
    definitions: dict[str, Any] = {}
    whole = _model(Frame, "frame", definitions)
    whole["properties"] |= {
        "brands": _list(_model(BrandFrame, "brand", definitions)),
        "sources": _list(_kinded(SourceFrame, source_kinds, "source", definitions)),
        "rules": _list(_model(RuleFrame, "rule", definitions)),
        "sinks": _list(_kinded(SinkFrame, sink_kinds, "sink", definitions)),
    }
    about = {"title": "mention-crawler", "description": "What is watched, where, and what becomes a ticket."}
    return {"$schema": _DRAFT, **whole, **about, "$defs": definitions}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": items}


def _model(model: type[BaseModel], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A model's schema; the definitions it refers to go to `definitions` under a name of their own."""
    found = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    below = found.pop("$defs", {})
    if shown := getattr(model, "documented", ()):
        # What a preset takes over from its base kind is said there; repeated in each preset it would be a megabyte.
        found["properties"] = {key: value if key in shown else True for key, value in found["properties"].items()}
        below = {key: value for key, value in below.items() if f"{name}.{key}" in json.dumps(found["properties"])}
    for key, value in below.items():
        definitions[f"{name}.{key}"] = value
    return found


def _kinded(frame: type[BaseModel], kinds: Kinds, noun: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """An item whose `kind` decides which other keys it takes."""
    base = _model(frame, noun, definitions)
    common = base["properties"]
    common["kind"] = {**common["kind"], "enum": sorted(kinds)}
    cases = []
    for kind, settings in sorted(kinds.items()):
        own = _model(settings, f"{noun}.{kind}", definitions)
        then = {
            "properties": {**dict.fromkeys(common, True), **own.get("properties", {})},
            "required": own.get("required", []),
            "additionalProperties": False,
        }
        test = {"properties": {"kind": {"const": kind}}, "required": ["kind"]}
        cases.append({"if": test, "then": then})
    return {"type": "object", "properties": common, "required": base.get("required", []), "allOf": cases}


def settings_table(kinds: Kinds) -> str:
    """A Markdown section a kind: its keys with default, meaning and example; nested keys with a dot."""
    return "\n".join(_section(kind, model) for kind, model in sorted(kinds.items()))


def frame_table() -> str:
    """The same for the parts of the file that belong to no kind."""
    parts: Kinds = {
        "the file": Frame,
        "brands": BrandFrame,
        "sources": SourceFrame,
        "rules": RuleFrame,
        "sinks": SinkFrame,
    }
    return "\n".join(_section(name, model) for name, model in parts.items())


def _section(title: str, model: type[BaseModel]) -> str:
    rows = [f"| {' | '.join(map(_cell, row))} |" for row in _rows(model, "")]
    head = ["| Key | Default | Meaning | Example |", "|---|---|---|---|"]
    base = getattr(model, "of", "")
    beside = ["", f"A preset: every key of `{base}` may be given too, to change what it does."] if base else []
    return "\n".join([f"### `{title}`", "", *(head + rows if rows else ["No settings."]), *beside, ""])


def _rows(model: type[BaseModel], prefix: str) -> Iterable[tuple[str, str, str, str]]:
    shown = getattr(model, "documented", ()) or tuple(model.model_fields)
    for name, field in ((name, model.model_fields[name]) for name in shown):
        key = prefix + (field.alias or name)
        example = f"`{flow(field.examples[0])}`" if field.examples else ""
        yield f"`{key}`", _default(field), field.description or "", example
        for inner in models_in(field.annotation):
            yield from _rows(inner, f"{key}.")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None or default == () or default == [] or default == {} or isinstance(default, BaseModel):
        return ""
    return f"`{flow(json.loads(json.dumps(default, default=str)))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def starter(brand: str) -> str:
    """The text of a first config for `brand`: complete, commented, free of mistakes."""
    return _STARTER.replace("@BRAND@", quoted(" ".join(brand.split())[:100] or "My Brand"))


_STARTER = """\
# yaml-language-server: $schema=./mention-crawler.schema.json
# What mention-crawler watches, where, and what becomes a ticket. `mention-crawler check` finds every mistake in here.
timezone: UTC                            # of schedules and reports, e.g. Europe/Kyiv

brands:
  - name: @BRAND@
    also: []                             # other spellings and @handles; word forms are found by themselves
    legal: []                            # legal entities, e.g. ["ТОВ «Нова Пей»"]
    people: []                           # owners, e.g. [Іван Кравченко]
    not_about: []                        # phrases that mean something else
    own: []                              # our own accounts and sites, e.g. ["@our_account", our-site.example]

# Take away the leading # of a source and put your address in. `mention-crawler preview URL` shows what it would find.
sources:
#  - name: news
#    kind: feed                          # RSS, Atom, JSON Feed
#    url: https://news.example/feed.xml
#    every: 10m..6h                      # adapts to how often posts come

#  - name: bank-forum
#    kind: page                          # any list of posts, by CSS selectors
#    url: https://forum.example/banks/
#    every: 10m..6h                      # or cron: "0 7-23 * * *"
#    between: 07:00-23:00
#    item: article.message
#    fields: {text: .content, author: .author, published_at: time@datetime, url: a.permalink@href}
#    next: a.next@href

tickets:
  when: [negative, question]             # of negative, neutral, positive; question, complaint, praise, other
  sure_at_least: 0.7                     # less sure goes to review, never silently away
  urgent_if: {words: [court, суд]}
  send_to: [desk]

# targets: {urgent: 1h, high: 4h}        # by when a ticket should be answered
# digest: {at: "09:00", send_to: [desk]} # five lines a day for each brand

sinks:
  - {name: desk, kind: desk}             # built in; add your helpdesk here and name it in send_to
#  - {name: helpdesk, kind: webhook, url: https://help.example/tickets, secret: "${HELPDESK_SECRET}"}

alerts: {send_to: []}                    # sinks or mail addresses that are told when something needs a person
"""
