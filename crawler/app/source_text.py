"""Source blocks as YAML text, and their way into a config that somebody wrote: nothing else of the file moves."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from crawler import config as config_room
from crawler.app import App
from crawler.app.kinds import source_settings
from crawler.config import Config
from crawler.errors import ConfigError, CrawlerError, Problem
from crawler.text import canonical_url, clean_text

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DURATION = re.compile(r"\d+[a-z]+(?:\.\.\d+[a-z]+)?")
_MEANS_ELSE = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
_LONGEST_NAME, _LONGEST_BLOCK = 60, 20
EVERY = "10m..6h"
TO_FILL, THEN = "fill in ", ", then take away the leading # of these lines"


@dataclass(frozen=True, slots=True)
class SourceText:
    """One source as it will stand in a config. `comment` stands above it, a line each.

    One with settings in `fill` is written behind #: it cannot be crawled before somebody has put their own values in.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    every: str | None = EVERY
    labels: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    fill: tuple[str, ...] = ()

    def raw(self) -> dict[str, Any]:
        """The block as the config reads it."""
        given: dict[str, Any] = {"name": self.name, "kind": self.kind, **self.settings}
        given |= {"every": self.every} if self.every else {}
        return given | ({"labels": dict(self.labels)} if self.labels else {})

    def yaml(self, indent: int = 2) -> str:
        """The block as YAML lines that end with a line end; its `- ` stands at column `indent`."""
        gap = " " * indent
        lines = [f"{gap}# {line}" for line in clean_text(self.comment).splitlines() if line.strip()]
        lines += [f"{gap}# {TO_FILL}{' and '.join(self.fill)}{THEN}"] if self.fill else []
        pairs = [f"{scalar(key)}: {scalar(value)}" for key, value in self.raw().items()]
        asleep = "#" if self.fill else ""
        lines += [f"{asleep}{gap}{'- ' if number == 0 else '  '}{pair}" for number, pair in enumerate(pairs)]
        return "\n".join(lines) + "\n"

    @property
    def address(self) -> str | None:
        """What tells the place from others: kind `feed` of one address is one place, however it is named."""
        url = self.settings.get("url")
        return canonical_url(str(url)) or str(url) if url else None


def scalar(value: Any) -> str:
    """A JSON-like value as YAML on one line; text that YAML could take for something else is quoted."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {scalar(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(scalar(inner) for inner in value) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _MEANS_ELSE
        return value if plain or _DURATION.fullmatch(value) else json.dumps(clean_text(value), ensure_ascii=False)
    return json.dumps(value)


def slug(text: str) -> str:
    """A name for a source, made of a title or an address: lower-case words with hyphens."""
    words = re.sub(r"[^\w]+", "-", clean_text(text, 300).lower()).strip("-_")
    return words[:_LONGEST_NAME].rstrip("-_") or "source"


def unfilled(text: str) -> list[str]:
    """Which lines of a config wait for values of the user's own: `31: app of store-reviews` each."""
    lines = text.splitlines()
    return [place for number, line in enumerate(lines) for place in _places(lines, number, line.strip())]


def _places(lines: Sequence[str], number: int, line: str) -> Iterator[str]:
    if not (line.startswith(f"# {TO_FILL}") and line.endswith(THEN)):
        return
    block = lines[number + 1 : number + 1 + _LONGEST_BLOCK]
    name = block[0].partition("name: ")[2] if block else ""
    for key in line.removeprefix(f"# {TO_FILL}").removesuffix(THEN).split(" and "):
        behind = next((place for place, one in enumerate(block) if one.lstrip("# ").startswith(f"{key}: ")), 0)
        yield f"{number + 2 + behind}: {key} of {name}"


def renamed(blocks: Iterable[SourceText], taken: Iterable[str] = ()) -> list[SourceText]:
    """The blocks with names that nobody else has."""
    used, made = set(taken), []
    for block in blocks:
        name, number = block.name, 2
        while name in used:
            name, number = f"{block.name}-{number}", number + 1
        used.add(name)
        made.append(replace(block, name=name))
    return made


@dataclass(frozen=True, slots=True)
class Added:
    """What became of blocks that should go into a config. `known`: those whose address was there already."""

    path: Path
    blocks: tuple[SourceText, ...]
    known: tuple[SourceText, ...] = ()


def add_sources(path: Path, blocks: Sequence[SourceText]) -> Added:
    """Write blocks behind the last source of the config. All else of the file stays as it is, byte by byte.

    The new text is checked before it takes the place of the old one, in one step. Raises ConfigError.
    """
    path = path.resolve()
    config = config_room.load(path)
    here = {(block.kind, address_of(block.raw)) for block in config.sources}
    fresh = [block for block in blocks if block.address is None or (block.kind, block.address) not in here]
    known = tuple(block for block in blocks if block not in fresh)
    fresh = renamed(fresh, (block.name for block in config.sources))
    if fresh:
        before = path.read_bytes()
        after = inserted(before.decode("utf-8"), fresh, path)
        _demand_good(config_room.load(path, text=after.removeprefix("\ufeff").replace("\r\n", "\n")), config)
        if path.read_bytes() != before:
            raise CrawlerError(f"{path} was changed by somebody else just now; nothing was written, try again")
        write(path, after)
    return Added(path, tuple(fresh), known)


def address_of(raw: Mapping[str, Any]) -> str | None:
    """The address of a block of the config, in the one spelling."""
    url = raw.get("url")
    return canonical_url(str(url)) or str(url) if url else None


def _demand_good(after: Config, before: Config) -> None:
    """The sources that are new must be right; what was wrong before is not our business."""
    old = {block.name for block in before.sources}
    app = App(after)
    for block in after.sources:
        if block.name not in old:
            source_settings(app, block)


def write(path: Path, text: str) -> None:
    """Put a text in the place of a file in one step; its permissions stay."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(path.stat().st_mode & 0o777)
        Path(part).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(part).unlink()
        raise


def inserted(text: str, blocks: Sequence[SourceText], path: Path) -> str:
    """The text of a config with the blocks behind its last source."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    place, indent, key = _place(lines, path)
    new = "\n".join(block.yaml(indent).rstrip("\n") for block in blocks).split("\n")
    if key:
        lines[place - 1 :] = [key, *new, *lines[place:]]
    elif place == len(lines) + 1:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", "sources:", *new, ""]
    else:
        lines[place:place] = new
    return newline.join(lines)


def _place(lines: Sequence[str], path: Path) -> tuple[int, int, str]:
    """Behind how many lines the blocks belong, at which column, and what the line before must become ("": nothing)."""
    root = YAML(typ="safe", pure=True).compose("\n".join(lines))
    pairs = root.value if isinstance(root, MappingNode) else []
    found = next(((key, value) for key, value in pairs if key.value == "sources"), None)
    if found is None:
        return len(lines) + 1, 2, ""
    key, value = found
    if isinstance(value, SequenceNode) and value.value and not value.flow_style:
        return _last_line(value, lines), int(value.start_mark.column), ""
    number = key.end_mark.line + 1
    if isinstance(value, ScalarNode) and not value.value:
        return number, 2, ""
    if isinstance(value, SequenceNode) and not value.value and value.end_mark.line == value.start_mark.line:
        line = lines[number - 1]
        return number, 2, line[: value.start_mark.column].rstrip() + _rest(line[value.end_mark.column :])
    message = "sources stand in [ ] here; write them as a list, each with '- ' on lines of its own"
    raise ConfigError([Problem(str(path), number, key.start_mark.column + 1, message, "sources:")])


def _rest(tail: str) -> str:
    return f" {tail.strip()}" if tail.strip() else ""


def _last_line(value: Node, lines: Sequence[str]) -> int:
    """The line in which the last item of a list ends, counted from one: comments that follow belong to what comes."""
    node = value
    while isinstance(node, SequenceNode | MappingNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(node, MappingNode) else last
    end = int(node.end_mark.line) + 1
    if node.end_mark.column == 0 and isinstance(node, ScalarNode) and node.style in ("|", ">"):
        end -= 1
    end = max(end, int(node.start_mark.line) + 1)
    while end > 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end
