"""Presets as kinds: a class of the base kind, with `Settings` that hold the preset's own and every one of the base.

In `with`, `{name}` stands for a setting: alone it keeps its type, and what stands for nothing is left out with its key.
Other names in braces, and doubled braces, belong to the base kind and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, create_model, model_validator
from pydantic_core import PydanticCustomError

from crawler.errors import PluginError
from crawler.plugins.preset_files import Preset, Setting, read_preset
from crawler.plugins.settings import Secret, Settings

_BRACES = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_]*)\}")
_TYPES: dict[str, Any] = {
    "text": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "list": list[str | int],
    "mapping": dict[str, Any],
}
_Base = TypeVar("_Base")


class _Drop:
    """Stands for a value that is left out."""


_DROP = _Drop()


def presets_in(folder: Path | None) -> list[Preset]:
    """The presets of a folder, by file name. Raises PluginError naming file and line."""
    if folder is None or not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    return [_read(path, path.stat().st_mtime_ns) for path in paths if not path.name.startswith(("_", "."))]


@cache
def _read(path: Path, changed: int) -> Preset:
    return read_preset(path)


def add_presets(kinds: dict[str, type[_Base]], presets: Iterable[Preset]) -> list[Preset]:
    """Put the classes of `presets` into `kinds`; returns those whose base is none of them.

    A preset may be of another preset. Raises PluginError for a kind that exists already.
    """
    waiting = list(presets)
    while ready := [preset for preset in waiting if preset.content.of in kinds]:
        for preset in ready:
            waiting.remove(preset)
            kind = preset.content.kind
            made = cast(type[_Base], _kind_of(preset, cast(Any, kinds[preset.content.of])))
            if kind in kinds:
                raise preset.wrong(("kind",), f"the kind {kind!r} is declared twice: here and in {place(kinds[kind])}")
            kinds[kind] = made
    return waiting


def place(cls: type) -> str:
    """The file that declares a kind."""
    import sys

    preset = vars(cls).get("preset")
    if isinstance(preset, Preset):
        return str(preset.path)
    return str(getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__)


@cache
def _kind_of(preset: Preset, base: Any) -> Any:
    """The class of a preset, made once."""
    content = preset.content
    name = "".join(part.capitalize() for part in content.kind.split("_"))
    settings = _settings_of(preset, base.Settings, frozenset(getattr(base, "placeholders", ())))
    body = {"kind": content.kind, "Settings": settings, "preset": preset, "__doc__": content.about}
    return type(base)(name, (base,), {**body, "__module__": base.__module__, "__qualname__": name})


def _settings_of(preset: Preset, base: type[Settings], taken: frozenset[str]) -> type[Settings]:
    content = preset.content
    for name in content.settings:
        if name in base.model_fields or name in taken:
            what = "a setting of the base kind" if name in base.model_fields else "a placeholder of the base kind"
            raise preset.wrong(("settings", name), f"settings.{name}: {name!r} is {what}; take another name")
    for name in content.given:
        if name not in base.model_fields:
            known = ", ".join(sorted(base.model_fields))
            raise preset.wrong(
                ("with", name), f"with.{name}: the kind {content.of!r} has no such setting; it has {known}"
            )
    own = {name: _field(preset, name, setting) for name, setting in content.settings.items()}
    given = {name: _no_longer_required(base, name) for name in content.given if base.model_fields[name].is_required()}
    expansion = _Expansion(preset, own)
    validators = {f"_from_{content.kind}": model_validator(mode="wrap")(expansion.validator())}
    made = create_model(
        f"{content.kind}_settings", __base__=base, __validators__=cast(Any, validators), **cast(Any, own | given)
    )
    common = base.common or [name for name, field in base.model_fields.items() if field.is_required()]
    made.documented = (*own, *(name for name in common if name not in content.given))
    made.of = content.of
    made.given = frozenset(content.given)
    return made


def _no_longer_required(base: type[BaseModel], name: str) -> tuple[Any, Any]:
    field = base.model_fields[name]
    return field.rebuild_annotation(), Field(default=None, description=field.description, examples=field.examples)


def _field(preset: Preset, name: str, setting: Setting) -> tuple[Any, Any]:
    """A setting as a pydantic field."""
    kind: Any = Secret if setting.secret else _TYPES[setting.type]
    if setting.one_of:
        kind = Literal[setting.one_of]
    if setting.pattern is not None:
        kind = Annotated[kind, Field(pattern=setting.pattern)]
    default = ... if setting.required else setting.default
    annotation = kind | None if setting.optional else kind
    if setting.secret and not (setting.required or setting.optional):
        raise preset.wrong(("settings", name), f"settings.{name}: a secret has no default; write `default: null`")
    return annotation, Field(default, description=setting.description, examples=list(setting.examples) or None)


class _Expansion:
    """Turns what the user gives into what the base kind takes."""

    def __init__(self, preset: Preset, own: Mapping[str, Any]) -> None:
        self.preset, self.names = preset, frozenset(own)
        self.own = create_model("own", __base__=Settings, **cast(Any, own))

    def validator(self) -> Any:
        """The wrap validator of the preset's Settings."""

        def from_preset(cls: type[BaseModel], data: Any, handler: Any, info: ValidationInfo) -> Any:
            if not isinstance(data, Mapping):
                return handler(data)
            mine = self.own.model_validate(
                {k: v for k, v in data.items() if self._is_mine(k, cls)}, context=info.context
            )
            given = fill(self.preset.content.given, {name: getattr(mine, name) for name in self.names})
            try:
                return handler(merge(given, data))
            except ValidationError as error:
                raise self._explained(error, data, given) from None

        return classmethod(from_preset)

    def _is_mine(self, key: object, cls: type[BaseModel]) -> bool:
        """Settings of the preset, and keys that nobody knows, so that they are refused at once."""
        return key in self.names or key not in cls.model_fields

    def _explained(self, error: ValidationError, data: Mapping[str, Any], given: Mapping[str, Any]) -> Exception:
        """The user's mistakes as they are; those of the file with its line."""
        said = []
        for detail in error.errors(include_url=False, include_input=False):
            loc = detail["loc"]
            if loc and loc[0] in given and not _reaches(data, loc[:-1] if detail["type"] == "missing" else loc):
                name = ".".join(map(str, loc))
                said.append(f"{self.preset.path}:{self.preset.line(('with', *loc))}: with.{name}: {detail['msg']}")
        if not said:
            return error
        return PydanticCustomError("preset", "the preset is wrong: {said}", {"said": "; ".join(said)})


def _reaches(data: Any, loc: Sequence[str | int]) -> bool:
    """Whether `loc` stands in what the user wrote; steps that are no keys (of unions) are passed over."""
    if not loc or loc[0] not in data:
        return False
    for step in loc:
        if isinstance(data, Mapping):
            if step in data:
                data = data[step]
            elif any(step in given for given in data.values() if isinstance(given, Mapping)):
                return False
        elif isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
            data = data[step]
    return True


def merge(given: Any, data: Any) -> Any:
    """`data` over `given`: mappings key by key, a null takes a key away, everything else is replaced."""
    if not isinstance(given, Mapping) or not isinstance(data, Mapping):
        return data
    joined = {key: merge(given[key], data[key]) if key in data else given[key] for key in given}
    joined |= {key: value for key, value in data.items() if key not in given}
    return {key: value for key, value in joined.items() if not (key in given and key in data and value is None)}


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """`template` with the values in place of their names; see the head of this file."""
    filled = _fill(template, values)
    return {} if filled is _DROP else filled


def _fill(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, Mapping):
        pairs = [(_fill(key, values), _fill(value, values)) for key, value in template.items()]
        kept = {key: value for key, value in pairs if key is not _DROP and value is not _DROP}
        return kept if kept or not template else _DROP
    if isinstance(template, list | tuple):
        return [item for item in (_fill(item, values) for item in template) if item is not _DROP]
    return _text(template, values) if isinstance(template, str) else template


def _text(template: str, values: Mapping[str, Any]) -> Any:
    found = [name for name in _BRACES.findall(template) if name in values]
    if any(values[name] is None for name in found):
        return _DROP
    if len(found) == 1 and template == f"{{{found[0]}}}":
        return values[found[0]]
    secrets = [values[name] for name in found if isinstance(values[name], Secret)]
    text = _BRACES.sub(lambda match: _shown(match, values, secret=True), template)
    if not secrets:
        return text
    known = all(secret.reference for secret in secrets)
    return Secret(text, _BRACES.sub(lambda match: _shown(match, values, secret=False), template) if known else "")


def _shown(match: re.Match[str], values: Mapping[str, Any], *, secret: bool) -> str:
    if match[1] not in values:
        return match[0]
    value = values[match[1]]
    if isinstance(value, Secret):
        return value.get_secret_value() if secret else value.reference
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def check_preset(kind: type) -> None:
    """Fill in the examples of a preset's settings and see whether its base kind takes the result.

    Raises PluginError with file and line.
    """
    preset = vars(kind)["preset"]
    model: type[Settings] = cast(Any, kind).Settings
    sample: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.examples and (name in preset.content.settings or field.is_required()):
            sample[name] = field.examples[0]
    try:
        model.model_validate(sample)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        if detail["type"] == "preset":
            raise PluginError(detail["msg"]) from None
        name = ".".join(map(str, detail["loc"]))
        raise preset.wrong(("settings", *detail["loc"]), f"settings.{name}: {detail['msg']} (the example)") from None
