"""YAML 1.2 text to a tree of nodes that know where they stand. Syntax errors become one Problem in human words.

Scalars stay close to what was written: dates, `0755`, `1_000` and `1.10` are text (numeric fields read them as numbers
all the same), `no` and `10:30` too; only canonical numbers, true, false and null are something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode
from ruamel.yaml.reader import ReaderError

from crawler.errors import ConfigError, Problem

MAX_BYTES = 5 * 1024 * 1024
_MAX_REPEATED = 100_000
_MAX_DEPTH = 40
_DEEP = re.compile(rf"(?:[\[{{]\s*){{{_MAX_DEPTH + 1}}}")
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.(?:0|[0-9]{0,14}[1-9])")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_SECRET_KEY = re.compile(
    r"""((?:token|secret|passw\w*|api_?key|authorization)["']?\s*:\s+)"""
    r"""(?!["']?(?:\w+ )?\$\{|["']?file:)[^\s,}\]][^,}\]]*""",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"://[^\s/@:]*:(?!\$\{)[^\s/@]+@")


@dataclass(slots=True)
class Node:
    """One value of the file: `value` is a scalar, dict[str, Node] or list[Node]. Lines and columns count from 1."""

    value: Any
    line: int
    column: int
    key_line: int = 0
    key_column: int = 0
    written: str = ""
    origin: str | None = None

    def plain(self) -> Any:
        """The value as JSON-able data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        return [child.plain() for child in self.value] if isinstance(self.value, list) else self.value

    def child(self, step: str | int) -> Node | None:
        if isinstance(self.value, dict):
            found: Node | None = self.value.get(str(step))
            return found
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]  # type: ignore[no-any-return]
        return None

    def down(self, path: Sequence[str | int]) -> tuple[Node, list[str | int]]:
        """The deepest node on `path` and the steps that led there; steps that are no keys (unions) are passed over."""
        node, walked = self, list[str | int]()
        for step in path:
            below = node.child(step)
            if below is not None:
                node, walked = below, [*walked, step]
        return node, walked


@dataclass(frozen=True, slots=True)
class Text:
    """The file as it was read, for corrected lines."""

    name: str
    lines: tuple[str, ...] = ()

    def problem(self, line: int, column: int, message: str, fix: str | None = None) -> Problem:
        return Problem(self.name, line, column, message, fix and without_secrets(fix))

    def at(self, node: Node, message: str, fix: str | None = None) -> Problem:
        """A mistake in the value of `node`."""
        if node.origin:
            return Problem(node.origin, 1, 1, message, fix)
        return self.problem(node.line, node.column, message, fix)

    def at_key(self, node: Node, message: str, fix: str | None = None) -> Problem:
        """A mistake in the key of `node`."""
        if node.origin or not node.key_line:
            return self.at(node, message, fix)
        return self.problem(node.key_line, node.key_column, message, fix)

    def line(self, number: int) -> str:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def with_key(self, node: Node, old: str, new: str) -> str | None:
        """The line of the node's key with another key in its place."""
        line = self.line(node.key_line)
        start = node.key_column - 1
        quoted = line[start : start + 1] in ("'", '"')
        end = start + len(old) + 2 * quoted
        return None if node.origin else (line[:start] + new + line[end:]).strip()

    def with_value(self, node: Node, new: str) -> str | None:
        """The line of a scalar with another value in its place."""
        line = self.line(node.line)
        start = node.column - 1
        if node.origin or not node.written or not line.startswith(node.written, start):
            return None
        return (line[:start] + new + line[start + len(node.written) :]).strip()


def without_secrets(line: str) -> str:
    """A line that may be shown: what looks like a literal secret in it is not repeated."""
    return _URL_PASSWORD.sub("://…@", _SECRET_KEY.sub(r'\1"${NAME}"', line))


def quoted(text: str) -> str:
    """A YAML scalar that reads as exactly this text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_yaml(text: str, file: Text) -> Node:
    """The tree of `text`. Raises ConfigError with a syntax error, or with every duplicate key and strange tag."""
    if match := _DEEP.search(text):  # the YAML library needs minutes to find out
        line, column = text.count("\n", 0, match.end()) + 1, match.end() - text.rfind("\n", 0, match.end())
        raise ConfigError([_too_deep(file, line, column - 1)])
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, RecursionError, ValueError) as error:
        raise ConfigError([_syntax_problem(error, file)]) from None
    if root is None:
        return Node({}, 1, 1)
    builder = _Builder(file)
    node = builder.build(root, 0)
    if builder.problems:
        raise ConfigError(builder.problems)
    return node


@dataclass(slots=True)
class _Builder:
    file: Text
    problems: list[Problem] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    repeated: int = 0

    def build(self, node: YamlNode, depth: int) -> Node:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self.repeated += id(node) in self.seen  # what an alias stands for comes again and again
        self.seen.add(id(node))
        if self.repeated > _MAX_REPEATED:
            raise ConfigError([self.file.problem(line, column, "aliases make the file too big", "use fewer aliases")])
        if depth > _MAX_DEPTH:
            raise ConfigError([_too_deep(self.file, line, column)])
        if isinstance(node, MappingNode):
            return Node(self.mapping(node, depth), line, column)
        if isinstance(node, SequenceNode):
            return Node([self.build(child, depth + 1) for child in node.value], line, column)
        return self.scalar(cast(ScalarNode, node), line, column)

    def mapping(self, node: MappingNode, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            child = self.build(value_node, depth + 1)
            child.key_line, child.key_column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key_node, ScalarNode):
                self.problems.append(
                    self.file.at_key(child, "a key must be plain text", 'key: value, or "{...}" in quotes')
                )
            elif key_node.value == "<<" and key_node.style is None:
                merged |= self.merged(child)
            elif key_node.value in found:
                first = found[key_node.value].key_line
                message = f"the key {key_node.value!r} stands twice; it is already on line {first}"
                self.problems.append(self.file.at_key(child, message, "remove one of the two, or join them"))
            else:
                found[key_node.value] = child
        return merged | found

    def merged(self, child: Node) -> dict[str, Node]:
        sources = child.value if isinstance(child.value, list) else [child]
        found: dict[str, Node] = {}
        for source in reversed(sources):
            if isinstance(source.value, dict):
                found |= source.value
            else:
                self.problems.append(self.file.at(child, "<< takes an alias of a mapping", "<<: *name"))
        return found

    def scalar(self, node: ScalarNode, line: int, column: int) -> Node:
        tag = str(node.tag)
        if tag.startswith("!") or "python" in tag:
            source = self.file.line(line)
            value = _value_from(source, column - 1)
            fix = source[: column - 1] + quoted(value) + source[column - 1 + len(value) :]
            message = "a value that begins with '!' must be in quotes"
            self.problems.append(self.file.problem(line, column, message, fix.strip()))
        same_line = node.start_mark.line == node.end_mark.line
        written = self.file.line(line)[node.start_mark.column : node.end_mark.column] if same_line else ""
        return Node(_scalar(node.value) if node.style is None else node.value, line, column, written=written)


def _scalar(text: str) -> Any:
    """A plain scalar: what is not written canonically is the text as written."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _too_deep(file: Text, line: int, column: int) -> Problem:
    return file.problem(line, column, f"this is more than {_MAX_DEPTH} levels deep", "bring it in fewer levels")


def parse_scalar(text: str) -> Any:
    """The value of an environment override: a scalar as in the file."""
    return _scalar(text)


def _syntax_problem(error: Exception, file: Text) -> Problem:
    if isinstance(error, ReaderError):
        return _strange_character(error, file)
    if isinstance(error, RecursionError):
        return _too_deep(file, 1, 1)
    if not isinstance(error, MarkedYAMLError):
        return file.problem(1, 1, f"this is no YAML: {' '.join(str(error).split())[:200]}")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    opened = (error.context_mark.line + 1, error.context_mark.column + 1) if error.context_mark else (line, column)
    return _explained(f"{error.context or ''}: {error.problem or ''}", line, column, opened, file)


def _strange_character(error: ReaderError, file: Text) -> Problem:
    before = "\n".join(file.lines)[: error.position or 0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return file.problem(line, column, "a control character stands here; YAML allows none", "remove it")


def _explained(said: str, line: int, column: int, opened: tuple[int, int], file: Text) -> Problem:
    """One syntax error in words: `opened` is where the construct began that could not be finished."""
    source = file.line(line)
    for test, explain in _EXPLANATIONS:
        if test in said:
            for problem in explain(said, line, column, opened, file):
                return problem
    message = f"this is no valid YAML: {said.strip(': ')}"
    return file.problem(line, column, message, source.strip() or None)


def _tab(said: str, line: int, column: int, _opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    if "'\\t'" in said:
        message = "a tab stands where YAML allows only spaces"
        yield file.problem(line, column, message, file.line(line).replace("\t", "  "))


def _needs_quotes(said: str, line: int, column: int, _opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    source = file.line(line)
    start = min(column - 1, max(0, len(source) - 1))
    while start > 0 and "alias" in said and source[start] != "*":  # the scanner stops behind the star
        start -= 1
    if start < len(source) and source[start] in "@`%*&!|>,?]}":
        value = _value_from(source, start)
        fix = source[:start] + quoted(value) + source[start + len(value) :]
        yield file.problem(
            line, start + 1, f"a value that begins with '{source[start]}' must be in quotes", fix.strip()
        )


def _value_from(source: str, start: int) -> str:
    """The value at `start`: to the end of the item in [..] or {..}, else of the line, without its comment."""
    depth = (
        source[:start].count("[") + source[:start].count("{") - source[:start].count("]") - source[:start].count("}")
    )
    ends = re.search(r"\s*[,\]}]|\s+#" if depth > 0 else r"\s+#|\s*$", source[start:])
    return source[start : start + ends.start()] if ends and ends.start() else source[start:].rstrip()


def _colon(said: str, line: int, column: int, _opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    source = file.line(line)
    match = re.match(r"(\s*(?:- )*[^\s:#]+:\s+)([^\s'\"\[{].*?)(\s+#.*)?$", source)
    if match and match.end(1) < column:
        fix = match[1] + quoted(match[2]) + (match[3] or "")
        yield file.problem(line, column, "a second ': ' stands inside this value; put the value in quotes", fix.strip())
        return
    above = file.line(line - 1)
    if (glued := re.match(r"(\s*(?:- )*[\w-]+):(\S.*)", above)) and "://" not in above.split()[0]:
        message = "a space is missing behind the colon"
        yield file.problem(line - 1, glued.end(1) + 2, message, f"{glued[1]}: {glued[2]}".strip())
        return
    indent = re.match(r"\s*(?:- )*", above)
    fix = " " * len(indent[0] if indent else "") + source.strip()
    yield file.problem(line, column, "this line is indented deeper than the lines above it", fix)


def _missing_colon(said: str, line: int, column: int, opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    source = file.line(opened[0])
    match = re.match(r"(\s*(?:- )*)([\w-]+)(?::(\S.*)|\s+(.*))?$", source)
    fix = f"{match[1]}{match[2]}: {match[3] or match[4] or '...'}".strip() if match else "key: value"
    yield file.problem(*opened, "every line must read 'key: value', with a space behind the colon", fix)


def _open_quote(said: str, line: int, column: int, opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    source = file.line(opened[0]).rstrip()
    quote = source[opened[1] - 1 : opened[1]]
    yield file.problem(*opened, f"this quote {quote} is never closed", (source + quote).strip())


def _open_bracket(said: str, line: int, column: int, opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    source = file.line(opened[0]).rstrip()
    bracket = source[opened[1] - 1 : opened[1]]
    if bracket not in ("[", "{"):
        return
    closing = "]" if bracket == "[" else "}"
    at_end = line > len(file.lines) or not any(text.strip() for text in file.lines[line - 1 :])
    where = " before the end of the file" if at_end else f" before line {line}" if line > opened[0] else ""
    fix = (source.rstrip(",") + closing).strip() if line > opened[0] else None
    yield file.problem(*opened, f"the '{bracket}' that opens here is not closed by '{closing}'{where}", fix)


def _escape(said: str, line: int, column: int, _opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    fix = re.sub(r'"([^"]*\\[^"]*)"', lambda match: f"'{match[1]}'", file.line(line)).strip()
    yield file.problem(line, column, "a backslash means something else in double quotes; use single quotes", fix)


def _indent(said: str, line: int, column: int, opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    source, first = file.line(line), file.line(opened[0])
    item = first[opened[1] - 1 :].startswith("- ") and not source.strip().startswith("- ")
    right = opened[1] + 2 if item and column > opened[1] else opened[1]
    message = f"this line begins in column {column}; what it belongs to (line {opened[0]}) begins in column {right}"
    yield file.problem(line, column, message, " " * (right - 1) + source.strip())


def _document(said: str, line: int, column: int, _opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    yield file.problem(line, column, "the file must hold one document; a second begins here", "remove the line ---")


def _sequence(said: str, line: int, column: int, _opened: tuple[int, int], file: Text) -> Iterator[Problem]:
    source = file.line(line)
    fix = f"{source[: column - 1].rstrip()} [{source[column - 1 :].lstrip('- ').strip()}]".strip()
    yield file.problem(line, column, "a list on the line of its key is written in brackets", fix)


_EXPLANATIONS = (
    ("cannot start any token", _tab),
    ("cannot start any token", _needs_quotes),
    ("alias", _needs_quotes),
    ("scanning an anchor", _needs_quotes),
    ("scanning a tag", _needs_quotes),
    ("block scalar", _needs_quotes),
    ("mapping values are not allowed", _colon),
    ("could not find expected ':'", _missing_colon),
    ("quoted scalar: found unexpected end", _open_quote),
    ("quoted scalar: found unexpected document", _open_quote),
    ("flow sequence", _open_bracket),
    ("flow mapping", _open_bracket),
    ("unknown escape", _escape),
    ("sequence entries are not allowed", _sequence),
    ("single document", _document),
    ("expected <block end>", _indent),
    ("expected '<document start>'", _indent),
)
