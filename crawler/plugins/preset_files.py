"""Preset files: YAML that turns a base kind and some settings into a kind of its own. Mistakes name file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from crawler.errors import PluginError

KIND = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 30
Place = tuple[str | int, ...]


class Setting(BaseModel):
    """One thing that the user of a preset gives. Without `default` it must be given; `default: null` may stay away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1)
    type: Literal["text", "integer", "number", "boolean", "list", "mapping"] = "text"
    secret: bool = False
    default: Any = None
    examples: tuple[Any, ...] = ()
    one_of: tuple[str | int, ...] = ()
    pattern: str | None = None

    @property
    def required(self) -> bool:
        return "default" not in self.model_fields_set

    @property
    def optional(self) -> bool:
        return not self.required and self.default is None


class Content(BaseModel):
    """What a preset file may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(pattern=rf"^{KIND.pattern}$")
    of: str = Field(pattern=rf"^{KIND.pattern}$")
    about: str = Field(min_length=1)
    proved: str = ""
    can: tuple[str, ...] = ()
    needs: str = ""  # what must be given though no single setting is required: "an approved app or a token"
    notes: str = ""
    settings: dict[str, Setting] = Field(default_factory=dict)
    given: dict[str, Any] = Field(alias="with")

    @field_validator("settings")
    @classmethod
    def _plain_names(cls, value: dict[str, Setting]) -> dict[str, Setting]:
        for name in value:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a setting; write it like 'my_token'")
        return value


@dataclass(frozen=True, eq=False)
class Preset:
    """One preset file as read; `lines` says on which line each key stands."""

    path: Path
    content: Content
    lines: dict[Place, int]

    def line(self, place: Sequence[str | int]) -> int:
        """The line of the deepest key on the way to `place`."""
        found = tuple(place)
        while found and found not in self.lines:
            found = found[:-1]
        return self.lines.get(found, 1)

    def wrong(self, place: Sequence[str | int], message: str) -> PluginError:
        return PluginError(f"{self.path}:{self.line(place)}: {message}")


def read_preset(path: Path) -> Preset:
    """The preset in `path`. Raises PluginError with file, line and what would be right."""
    lines: dict[Place, int] = {}
    data = _Reader(path, lines).read()
    try:
        content = Content.model_validate(data)
    except ValidationError as error:
        place, message = _first(error)
        raise Preset(path, _NOTHING, lines).wrong(place, message) from None
    return Preset(path, content, lines)


def _first(error: ValidationError) -> tuple[Place, str]:
    """The first mistake, in words."""
    detail = error.errors(include_url=False)[0]
    place = detail["loc"]
    name = ".".join(map(str, place))
    if detail["type"] == "missing":
        return place, f"{place[-1]!r} is missing" + (f" in {'.'.join(map(str, place[:-1]))}" if place[:-1] else "")
    if detail["type"] == "extra_forbidden":
        model = Content if len(place) == 1 else Setting
        known = [field.alias or key for key, field in model.model_fields.items()]
        close = get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
        return place, f"unknown key {name!r}; {hint}"
    return place, f"{name}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


class _Reader:
    """YAML 1.2 core: text, numbers, true, false, null; no tags, no merge keys, no key twice."""

    def __init__(self, path: Path, lines: dict[Place, int]) -> None:
        self.path, self.lines = path, lines

    def read(self) -> Any:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        try:
            raw = self.path.read_bytes()
            if len(raw) > _MAX_BYTES:
                raise self.wrong(1, f"the file has {len(raw) >> 10} KiB; {_MAX_BYTES >> 10} KiB is the most")
            root = YAML(typ="safe", pure=True).compose(raw.decode("utf-8-sig"))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self.wrong(mark.line + 1 if mark else 1, f"this is no valid YAML: {error.problem}") from None
        except (YAMLError, ValueError, RecursionError, OSError) as error:
            raise self.wrong(1, f"the file cannot be read: {' '.join(str(error).split())[:200]}") from None
        if root is None or root.id != "mapping":
            raise self.wrong(1, "a preset is a mapping: kind, of, about, settings, with")
        return self.value(root, ())

    def value(self, node: Any, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if len(place) > _MAX_DEPTH:
            raise self.wrong(node.start_mark.line + 1, f"this is more than {_MAX_DEPTH} levels deep")
        if node.id == "mapping":
            return dict(self.pairs(node, place))
        if node.id == "sequence":
            return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
        return _scalar(node.value) if node.style is None else node.value

    def pairs(self, node: Any, place: Place) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key, item in node.value:
            line = key.start_mark.line + 1
            if key.id != "scalar" or key.value in seen:
                what = f"the key {key.value!r} stands twice" if key.id == "scalar" else "a key must be plain text"
                raise self.wrong(line, what)
            seen.add(key.value)
            self.lines[(*place, key.value)] = line
            yield key.value, self.value(item, (*place, key.value))

    def wrong(self, line: int, message: str) -> PluginError:
        return PluginError(f"{self.path}:{line}: {message}")


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


_NOTHING = Content.model_construct(kind="", of="", about="", given={})
