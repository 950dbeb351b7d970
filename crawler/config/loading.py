"""From the file to a Config: every mistake is collected and told at once, in the order of the lines."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from crawler.config import frame as f
from crawler.config.blocks import (
    AlertsBlock,
    BusinessBlock,
    Config,
    KeepBlock,
    Place,
    SentimentBlock,
    SinkBlock,
    SourceBlock,
    digest_of,
)
from crawler.config.cron import never_open
from crawler.config.database import database_url
from crawler.config.problems import Explainer
from crawler.config.reading import MAX_BYTES, Node, Text, parse_scalar, read_yaml
from crawler.config.rule_frame import RuleFrame
from crawler.config.rule_reading import RuleReader, targets_of
from crawler.config.values import Schedule, text_of
from crawler.errors import ConfigError, NotFound, Problem
from crawler.model import Brand, Entity, EntityKind

FILE_NAME = "mention-crawler.yaml"
ENV_FILE = "MENTION_CRAWLER_CONFIG"
ENV_PREFIX = "MENTION_CRAWLER__"
AGENT = "mention-crawler/0.1"
DESK = "desk"
_Frame = TypeVar("_Frame", bound=BaseModel)
_TEXTS = {"string_type", "string_unicode", "string_sub_type"}


def find(explicit: str | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """The config file: the one named, else MENTION_CRAWLER_CONFIG, ./mention-crawler.yaml, the XDG folder.

    A folder stands for the mention-crawler.yaml inside. Raises NotFound saying where it looked.
    """
    named = explicit or env.get(ENV_FILE)
    if named:
        path = Path(named).expanduser()
        path = path / FILE_NAME if path.is_dir() else path
        if path.is_file():
            return path.absolute()
        who = "--config" if explicit else ENV_FILE
        raise NotFound(f"{who} names {path}, and there is no such file; `mention-crawler init` writes one")
    home = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "~").expanduser() / ".config")
    places = [Path.cwd() / FILE_NAME, home / "mention-crawler" / FILE_NAME]
    for path in places:
        if path.is_file():
            return path.absolute()
    looked = " and ".join(map(str, places))
    raise NotFound(f"there is no config; looked for {looked}. `mention-crawler init` writes one, or use --config FILE")


def load(path: Path, env: Mapping[str, str] = os.environ, text: str | None = None) -> Config:
    """Read, check and complete a config file. Raises ConfigError with all its mistakes, NotFound without a file.

    `text` stands for what the file held when it was last taken over; its paths are relative to `path` all the same.
    """
    source = _decoded(path) if text is None else text
    lines = Text(str(path), tuple(source.split("\n")))
    root = read_yaml(source, lines)
    if not isinstance(root.value, dict):
        raise ConfigError([_no_mapping(lines, root)])
    loader = _Loader(path.absolute(), lines, root, env)
    config = loader.run(source)
    if loader.problems:
        raise ConfigError(
            sorted(dict.fromkeys(loader.problems), key=lambda p: (p.file != lines.name, p.line, p.column))
        )
    return config


def _no_mapping(text: Text, root: Node) -> Problem:
    line = text.line(root.line)
    if isinstance(root.value, str) and re.match(r"[\w-]+:\S", line):
        return text.at(root, "a space is missing behind the colon", line.replace(":", ": ", 1))
    return text.at(root, "the file must hold 'key: value' lines", "timezone: UTC")


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no config file {path}; `mention-crawler init` writes one") from None
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, 1, f"the file cannot be read: {error.strerror}")]) from None
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(str(path), 1, 1, f"the file has {len(data) >> 20} MiB; 5 MiB is the most")])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([Problem(str(path), line, column, message)]) from None


def validated(model: type[_Frame], data: Any, context: Mapping[str, Any] | None = None) -> _Frame:
    """Validate; where text is expected a number or true/false counts as the text that was written."""
    for _ in range(3):  # text inside unions shows up only after the first repair
        try:
            return model.model_validate(data, context=dict(context or {}))
        except ValidationError as error:
            wanted = [e["loc"] for e in error.errors(include_url=False) if e["type"] in _TEXTS and _scalar(e["input"])]
            if not wanted:
                raise
            for loc in wanted:
                data = _with_text(data, loc)
    return model.model_validate(data, context=dict(context or {}))


def _scalar(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _with_text(data: Any, loc: Sequence[str | int]) -> Any:
    if not loc:
        return text_of(data)
    step, rest = loc[0], loc[1:]
    if isinstance(data, Mapping):
        return {**data, step: _with_text(data[step], rest)} if step in data else _with_text(data, rest)
    if isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
        return [*data[:step], _with_text(data[step], rest), *data[step + 1 :]]
    return _with_text(data, rest)


class _Loader:
    """One pass over one file; `problems` grows, what can be understood is understood all the same."""

    def __init__(self, path: Path, text: Text, root: Node, env: Mapping[str, str]) -> None:
        self.path, self.text, self.root, self.env = path, text, root, env
        self.problems: list[Problem] = []

    def run(self, source: str) -> Config:
        self.override()
        brands = self.items("brands", f.BrandFrame)
        sources = self.items("sources", f.SourceFrame)
        sinks = self.items("sinks", f.SinkFrame)
        rules = self.items("rules", RuleFrame)
        whole = self.whole()
        blocks = tuple(SinkBlock(s.name, s.kind, _raw(node, f.SinkFrame), Place(node, self.text)) for s, node in sinks)
        self.check_names(brands, sources)
        told = RuleReader(self.text, self.root, self.names("brands"), self.names("sources"), self.sink_names(blocks))
        made = told.rules(rules, whole.tickets)
        alerts, digests = AlertsBlock(told.addresses("alerts", whole.alerts.send_to)), told.digests(whole.digest)
        self.problems += told.problems
        if DESK not in {sink.name for sink in blocks} and any(DESK in rule.send_to for rule in made):
            blocks = (*blocks, SinkBlock(DESK, DESK))
        data_dir = self.path.parent / Path(whole.data_dir).expanduser()
        return Config(
            path=self.path,
            text=source,
            digest=hashlib.sha256(source.encode("utf-8", "replace")).hexdigest(),
            timezone=whole.timezone,
            data_dir=data_dir,
            database_url=self.database(whole, data_dir),
            allow_private=whole.network.allow_private,
            user_agent=_agent(whole.network),
            contact=whole.network.contact,
            sentiment=_sentiment(whole.sentiment),
            keep=KeepBlock(whole.keep.posts, whole.keep.unmatched_stream),
            web_host=whole.web.host,
            web_port=whole.web.port,
            brands=tuple(self.brand(brand, node) for brand, node in brands),
            sources=tuple(self.source(source, node) for source, node in sources),
            rules=made,
            sinks=blocks,
            alerts=alerts,
            language=whole.language,
            undo_window=whole.undo_window,
            targets=targets_of(whole.targets),
            business=BusinessBlock(whole.business_hours.hours, whole.business_hours.holidays),
            digests=digests,
            env=self.env,
        )

    def override(self) -> None:
        """Put MENTION_CRAWLER__A__B=value into the tree as a: {b: value}."""
        for name in sorted(key for key in self.env if key.startswith(ENV_PREFIX)):
            path = name.removeprefix(ENV_PREFIX).lower().split("__")
            node = self.root
            for step in path[:-1]:
                below = node.child(int(step) if step.isdecimal() else step)
                if below is None and isinstance(node.value, dict):
                    below = node.value[step] = Node({}, 1, 1, origin=name)
                elif below is not None and below.value is None:
                    below.value, below.origin = {}, name
                if below is None or not isinstance(below.value, dict | list):
                    self.problems.append(Problem(name, 1, 1, f"there is nothing at {'.'.join(path)} to override"))
                    break
                node = below
            else:
                self.put(node, path[-1], name)

    def put(self, node: Node, step: str, name: str) -> None:
        value = self.env[name]
        if value.lstrip().startswith(("[", "{")):
            new = _from(name, read_yaml(value, Text(name, (value,))))
        else:
            new = Node(parse_scalar(value), 1, 1, origin=name)
        if isinstance(node.value, dict):
            node.value[step] = new
        elif node.child(int(step) if step.isdecimal() else -1) is not None:
            node.value[int(step)] = new
        else:
            self.problems.append(Problem(name, 1, 1, f"there is nothing at {step} to override"))

    def items(self, key: str, model: type[_Frame]) -> list[tuple[_Frame, Node]]:
        """The items of one list that are right, each with its node; the mistakes of the others are noted."""
        node = self.root.child(key)
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, list):
            fix = "- name: ..." if isinstance(node.value, dict) else f"{key}: [{{name: {node.value}}}]"
            self.problems.append(self.text.at(node, f"{key}: a list is needed here; begin each item with '- '", fix))
            return []
        found = []
        for number, child in enumerate(node.value, 1):
            checked = self.checked(model, child, f"{key.removesuffix('s')} {_label(child) or number}")
            if checked is not None:
                found.append((checked, child))
        self.unique(key, [(getattr(item, "name", ""), child) for item, child in found])
        return found

    def checked(self, model: type[_Frame], node: Node, what: str) -> _Frame | None:
        if not isinstance(node.value, dict):
            self.problems.append(self.text.at(node, f"{what}: a mapping (key: value) is needed here", "- name: ..."))
            return None
        try:
            return validated(model, node.plain())
        except ValidationError as error:
            self.problems += Explainer(self.text, node, what).problems(error, model)
            return None

    def unique(self, key: str, named: Sequence[tuple[str, Node]]) -> None:
        first: dict[str, Node] = {}
        for name, node in named:
            if (other := first.setdefault(name, node)) is not node:
                place = node.child("name") or node
                message = f"the {key.removesuffix('s')} name {name!r} is taken; it is already on line {other.line}"
                self.problems.append(self.text.at(place, message, f"name: {name}-2"))

    def whole(self) -> f.Frame:
        """The frame without its lists; a section that is wrong is noted and takes its defaults."""
        data = {key: child.plain() for key, child in self.root.value.items() if key not in f.Frame.items}
        data = {key: value for key, value in data.items() if value is not None}
        while True:
            try:
                return validated(f.Frame, data)
            except ValidationError as error:
                self.problems += Explainer(self.text, self.root).problems(error, f.Frame)
                bad = {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
                data = {key: value for key, value in data.items() if key not in bad}

    def check_names(self, brands: Sequence[tuple[Any, Node]], sources: Sequence[tuple[Any, Node]]) -> None:
        names = {source.name for source, _ in sources}
        for source, node in sources:
            if source.was in names:
                place = node.child("was") or node
                message = f"source {source.name!r}: was: {source.was!r} is still a source of its own"
                self.problems.append(self.text.at(place, message, f"remove was, or the source {source.was!r}"))

    def brand(self, brand: f.BrandFrame, node: Node) -> Brand:
        kinds = (
            (EntityKind.BRAND, (brand.name, *brand.also)),
            (EntityKind.LEGAL, brand.legal),
            (EntityKind.PERSON, brand.people),
        )
        entities = tuple(
            dict.fromkeys(
                Entity(kind, name, slips=brand.layout_slips and kind is EntityKind.BRAND)
                for kind, names in kinds
                for name in names
            )
        )
        parts = {
            "entities": sorted([entity.kind, entity.text, *(["slips"] if entity.slips else [])] for entity in entities),
            "about": sorted(brand.about),
            "not_about": sorted(brand.not_about),
            "query": brand.query,
        }
        return Brand(
            name=brand.name,
            entities=entities,
            about=brand.about,
            not_about=brand.not_about,
            own=brand.own,
            query=brand.query,
            labels=brand.labels,
            version=digest_of(parts),
        )

    def source(self, source: f.SourceFrame, node: Node) -> SourceBlock:
        return SourceBlock(
            name=source.name,
            kind=source.kind,
            raw=_raw(node, f.SourceFrame),
            labels=source.labels,
            was=source.was,
            schedule=self.schedule(source, node),
            verify=source.verify,
            place=Place(node, self.text),
        )

    def schedule(self, source: f.SourceFrame, node: Node) -> Schedule:
        if source.cron is None:
            low, high = source.every or (Schedule().every_min, Schedule().every_max)
            return Schedule(low, high, None, source.between)
        if source.every is not None:
            place = node.child("cron") or node
            message = f"source {source.name}: every and cron exclude each other"
            self.problems.append(self.text.at_key(place, message, "remove one of the two"))
        elif source.between is not None and never_open(source.cron, source.between):
            place = node.child("between") or node
            message = f"source {source.name}: cron {source.cron!r} never comes within between"
            self.problems.append(self.text.at(place, message, "widen between, or remove it"))
        return Schedule(None, None, source.cron, source.between)

    def names(self, key: str) -> set[str]:
        """The names of a list as written, also of items that are wrong elsewhere."""
        node = self.root.child(key)
        items = node.value if node is not None and isinstance(node.value, list) else []
        return {str(name.value) for item in items if (name := item.child("name")) is not None}

    def sink_names(self, sinks: Sequence[SinkBlock]) -> set[str]:
        return {sink.name for sink in sinks} | self.names("sinks") | {DESK}

    def database(self, whole: f.Frame, data_dir: Path) -> str:
        node, walked = self.root.down(["database", "url"])
        try:
            return database_url(whole.database.url, self.path.parent, data_dir, self.env, literal=bool(node.origin))
        except PydanticCustomError as error:
            said = error.context or {}
            fix = said["fix"] and (self.text.with_value(node, said["fix"]) or said["fix"])
            self.problems.append(self.text.at(node if len(walked) == 2 else self.root, said["message"], fix))
            return ""


def _from(name: str, node: Node) -> Node:
    """A tree that came from an environment variable."""
    node.origin = name
    for child in (
        node.value.values() if isinstance(node.value, dict) else node.value if isinstance(node.value, list) else ()
    ):
        _from(name, child)
    return node


def _label(node: Node) -> str:
    name = node.child("name")
    return str(name.value) if name is not None and isinstance(name.value, str | int) else ""


def _raw(node: Node, model: type[BaseModel]) -> dict[str, Any]:
    """The settings of the kind: every key that the frame does not take."""
    return {key: child.plain() for key, child in node.value.items() if key not in model.model_fields}


def _sentiment(told: f.Sentiment) -> SentimentBlock:
    labels = {name: tone.value for name, tone in told.labels.items()}
    dear = told.cost.missed_complaint / told.cost.false_ticket
    return SentimentBlock(told.model, labels, told.sha256, told.wording, dear)


def _agent(network: f.Network_) -> str:
    return network.user_agent or (f"{AGENT} (+{network.contact})" if network.contact else AGENT)
