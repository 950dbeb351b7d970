"""Validation errors as Problems: the place, what is wrong in human words, and the line as it should read."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefinedType

from crawler.config.reading import Node, Text, quoted
from crawler.config.values import shown, text_of
from crawler.errors import Problem

_SYNONYMS = dict(
    pair.split(">")
    for pair in """
    type>kind interval>every schedule>cron frequency>every aliases>also synonyms>also exclude>not_about context>about
    persons>people owners>people id>name tags>labels link>url address>url selector>item hours>between
    threshold>sure_at_least destination>send_to sinks>send_to api_key>token password>token languages>lang
    language>lang stars>rating weekday>days weekdays>days action>then
    """.split()
)
_NEEDS = {
    "a whole number": "int_parsing int_type int_from_float",
    "a number": "float_parsing float_type",
    "true or false": "bool_parsing bool_type",
    "a list": "list_type tuple_type set_type",
    "a mapping (key: value)": "dict_type mapping_type model_type model_attributes_type",
    "text": "string_type",
    "an address (https://...)": "url_parsing url_type",
}
_NEEDED = {kind: need for need, kinds in _NEEDS.items() for kind in kinds.split()}
_LIMITS = {
    "greater_than": ("more than", "gt"), "greater_than_equal": ("at least", "ge"), "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}  # fmt: skip


class Explainer:
    """Turns the errors of one model over one node into Problems."""

    def __init__(self, text: Text, node: Node | None, what: str = "", also: Sequence[str] = ()) -> None:
        self.text = text
        self.node = node or Node({}, 1, 1)
        self.prefix = f"{what}: " if what else ""
        self.what = what
        self.also = also  # keys that are right on the top level though the model does not declare them

    def problems(self, error: ValidationError, model: type[BaseModel]) -> list[Problem]:
        details = error.errors(include_url=False)
        unknown = {_parent(detail): str(detail["loc"][-1]) for detail in details if detail["type"] == "extra_forbidden"}
        found: dict[tuple[object, ...], Problem] = {}
        for detail in details:
            if not _is_misspelt(detail, unknown):
                problem = self.problem(detail, model)
                # Each branch of a union complains of one value: the first is enough.
                which = problem.message if detail["type"] == "missing" else ""
                found.setdefault((problem.file, problem.line, problem.column, which), problem)
        return list(found.values())

    def problem(self, detail: ErrorDetails, model: type[BaseModel]) -> Problem:
        kind = detail["type"]
        if kind == "extra_forbidden":
            return self.unknown_key(detail["loc"], model)
        node, walked = self.node.down(detail["loc"])
        if kind == "missing":
            return self.missing(detail["loc"], node, model)
        name = _dotted(walked)
        field = field_at(model, walked)
        if kind in ("secret_literal", "secret_missing"):
            return self.secret(kind, detail, node, name)
        message, fix = self.explained(detail, node, name, field)
        return self.text.at(node, self.prefix + message, fix)

    def unknown_key(self, loc: Sequence[str | int], model: type[BaseModel]) -> Problem:
        node, walked = self.node.down(loc)
        key = str(loc[-1])
        inner = model_at(model, walked[:-1])
        fields = inner.model_fields if inner else {}
        known = [*_names(fields), *(self.also if len(walked) <= 1 else ())]
        better = closest(key, known)
        where = f" in {_dotted(walked[:-1])}" if walked[:-1] else ""
        if better is None:
            message = f"unknown key {key!r}{where}; known: {', '.join(sorted(known))}"
            return self.text.at_key(node, self.prefix + message, "remove the line")
        fix = self.text.with_key(node, key, better)
        if better in fields and _is_secret(fields[better]):
            fix = f"{better}: {quoted(reference_for(self.what, better))}"
        return self.text.at_key(node, f"{self.prefix}unknown key {key!r}{where}; did you mean {better!r}?", fix)

    def missing(self, loc: Sequence[str | int], node: Node, model: type[BaseModel]) -> Problem:
        key = str(loc[-1])
        _, walked = self.node.down(loc)
        where = f" in {_dotted(walked)}" if walked else ""
        field = field_at(model, [*walked, key])
        example = "..."
        if field is not None and field.examples:
            example = flow(field.examples[0])
        if field is not None and _is_secret(field):
            example = quoted(reference_for(self.what, key))
        return self.text.at(node, f"{self.prefix}{key!r} is missing{where}", f"{key}: {example}")

    def secret(self, kind: str, detail: ErrorDetails, node: Node, name: str) -> Problem:
        key = name.rpartition(".")[2] or name
        if kind == "secret_missing":
            return self.text.at(node, f"{self.prefix}{name}: {detail['msg']}", detail["ctx"].get("fix"))
        message = f"{self.prefix}{name}: a secret must not stand in the file; name an environment variable or a file"
        fix = f"{key}: {quoted(reference_for(self.what, key))}  # or file:/run/secrets/{key.lower()}"
        return self.text.at(node, message, fix)

    def explained(self, detail: ErrorDetails, node: Node, name: str, field: FieldInfo | None) -> tuple[str, str | None]:
        kind, context = detail["type"], detail.get("ctx", {})
        head = f"{name}: " if name else ""
        if kind == "wrong":
            better = context.get("fix")
            return f"{head}{context['message']}", better and (self.text.with_value(node, _safe(better)) or better)
        if kind in ("enum", "literal_error"):
            return self.choice(node, head, str(context["expected"]))
        if kind in _LIMITS:
            words, bound = _LIMITS[kind]
            limit = f"{context[bound]:g}"
            fix = self.text.with_value(node, limit) if kind.endswith("equal") else None
            return f"{head}must be {words} {limit}, not {shown(node.value)}", fix
        if kind in _NEEDED:
            return f"{head}{_NEEDED[kind]} is needed here, not {shown(node.plain())}", self.example(node, name, field)
        if kind in ("too_short", "string_too_short"):
            return f"{head}must not be empty", self.example(node, name, field)
        if kind == "value_error":
            return f"{head}{context['error']}", self.example(node, name, field)
        return f"{head}{detail['msg'][:1].lower()}{detail['msg'][1:]}", self.example(node, name, field)

    def choice(self, node: Node, head: str, expected: str) -> tuple[str, str | None]:
        known = re.findall(r"'([^']*)'", expected) or [expected]
        better = closest(str(text_of(node.value)), known)
        hint = f"; did you mean {better}?" if better else ""
        message = f"{head}{shown(node.value)} is not one of {', '.join(known)}{hint}"
        return message, self.text.with_value(node, better or known[0])

    def example(self, node: Node, name: str, field: FieldInfo | None) -> str | None:
        if field is None or _is_secret(field):
            return None
        default = field.get_default()
        if not field.examples and (default is None or isinstance(default, BaseModel | PydanticUndefinedType)):
            return None
        example = flow(field.examples[0] if field.examples else default)
        return self.text.with_value(node, example) or f"{re.sub(r'.*[.]', '', name)}: {example}"


def closest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant."""
    plain = word.strip().casefold().replace("-", "_").replace(" ", "_")
    folded = {name.casefold().replace("-", "_").replace(" ", "_"): name for name in known}
    if plain in folded:
        return folded[plain]
    if (synonym := _SYNONYMS.get(plain)) in folded:
        return folded[str(synonym)]
    found = get_close_matches(plain, folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return _safe(str(text_of(value))) if isinstance(value, str) else str(text_of(value))


def _safe(text: str) -> str:
    if text.startswith('"') or re.fullmatch(r"[\w/.<][^#:,\[\]{}\"']*(?:://[^#,\[\]{}\"'\s]*)?", text):
        return text
    return quoted(text)


def reference_for(what: str, key: str) -> str:
    """The environment variable that a secret of this block would sensibly stand in: ${HELPDESK_TOKEN}."""
    owner = re.sub(r"\W+", "_", re.sub(r"^\w+ ", "", what), flags=re.ASCII).strip("_").upper()
    words = re.sub(r"\W+", "_", key, flags=re.ASCII).strip("_").upper() or "SECRET"
    name = f"{owner}_{words}" if owner else words
    return "${" + (f"_{name}" if name[0].isdigit() else name) + "}"


def model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that describes the value at `path`."""
    if not path:
        return model
    field = field_at(model, path)
    models = list(models_in(field.annotation)) if field else []
    return models[0] if models else None


def field_at(model: type[BaseModel], path: Sequence[str | int]) -> FieldInfo | None:
    """The field that the deepest key of `path` names."""
    current: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for step in path:
        if isinstance(step, int) or current is None:
            continue
        field = current.model_fields.get(step) or _by_alias(current, step)
        current = next(models_in(field.annotation), None) if field else None
    return field


def _by_alias(model: type[BaseModel], name: str) -> FieldInfo | None:
    return next((field for field in model.model_fields.values() if name in (field.alias, field.validation_alias)), None)


def _names(fields: Mapping[str, FieldInfo]) -> list[str]:
    return [field.alias or name for name, field in fields.items()]


def _is_class(annotation: Any) -> bool:
    return isinstance(annotation, type) and not typing.get_args(annotation)  # list[int] says it is a type


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names, also inside unions and lists."""
    if _is_class(annotation):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def _is_secret(field: FieldInfo) -> bool:
    from pydantic import SecretStr

    def secret(annotation: Any) -> bool:
        if _is_class(annotation):
            return issubclass(annotation, SecretStr)
        return any(map(secret, typing.get_args(annotation)))

    return secret(field.annotation)


def _parent(detail: ErrorDetails) -> tuple[str | int, ...]:
    return detail["loc"][:-1]


def _is_misspelt(detail: ErrorDetails, unknown: Mapping[tuple[str | int, ...], str]) -> bool:
    """A missing key that stands there under a wrong spelling is one mistake, not two."""
    if detail["type"] != "missing" or _parent(detail) not in unknown:
        return False
    return closest(unknown[_parent(detail)], [str(detail["loc"][-1])]) is not None


def _dotted(path: Sequence[str | int]) -> str:
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
