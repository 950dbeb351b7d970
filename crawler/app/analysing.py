"""`mention-crawler analyse`: lines of JSON in, lines of JSON out, one for one, in the order they came."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from crawler.app import App
from crawler.config.rule_frame import Then
from crawler.errors import NotFound
from crawler.model import Analysis
from crawler.text import clean_text
from sentiment import Analyser
from sentiment.spec import BUILTIN, ModelSpec

BATCH: Final = 64
MOST: Final = 256
SURE: Final = 0.7
MAX_LINE: Final = 16 << 20  # bytes; the rest of a longer line is skipped, unread
MAX_TEXT: Final = 65_536
MAX_NAME: Final = 500

Raw = str | bytes


@dataclass(frozen=True, slots=True)
class _Line:
    id: Any
    text: str = ""
    target: str | None = None
    hint: str | None = None
    cut: bool = False
    error: str | None = None


class _Bad(ValueError):
    """What is wrong with a line, in words for its sender."""


def app_of(config: str | None) -> App | None:
    """The app of the config, None where there is none. Raises NotFound for one that was named and is not there."""
    try:
        return App.load(config)
    except NotFound:
        if config or os.environ.get("MENTION_CRAWLER_CONFIG"):
            raise
        return None


def spec_of(config: str | None, model: str | None) -> ModelSpec:
    """The model that is meant: the one named (paths as the shell sees them), else the config's, else the built-in."""
    app = app_of(config)
    if app is None:
        return ModelSpec(model or BUILTIN, Path.cwd(), Path.cwd() / "data" / "models")
    spec = app.model_spec(model)
    return replace(spec, base=Path.cwd()) if model and (Path.cwd() / model).is_dir() else spec


def analyser_of(config: str | None, model: str | None) -> tuple[Analyser, float]:
    """The model to use, and from which confidence its answers are called sure: that of the first rule for tickets."""
    app = app_of(config)
    asked = (rule.sure_at_least for rule in app.config.rules if rule.then is Then.TICKET) if app else ()
    return Analyser(spec_of(config, model)), next(iter(asked), SURE)


def analyse_lines(lines: Iterable[Raw], model: Analyser | None = None, sure: float = SURE) -> Iterator[dict[str, Any]]:
    """One result a line; a line that is no JSON object with a text gives {"id", "error"} and stops nothing.

    Blank lines are none. Raises ModelUnavailable.
    """
    used = model or Analyser()
    for batch in _batches(_read(number, line) for number, line in enumerate(lines, 1) if line.strip()):
        good = [line for line in batch if line.error is None]
        results = iter(used.analyse([g.text for g in good], [g.target for g in good], [g.hint for g in good]))
        for line in batch:
            yield {"id": line.id, "error": line.error} if line.error else _row(line, next(results), sure)


def capped_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of a stream; one above MAX_LINE comes as its first MAX_LINE + 1 bytes."""
    while line := stream.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)


def encoded(row: dict[str, Any]) -> bytes:
    """One line of output. What UTF-8 cannot say (half a surrogate pair in an id) is escaped."""
    try:
        return json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode("ascii") + b"\n"


def _batches(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    """Lines in batches; lines with one text stay together, as names in one post are told apart only side by side."""
    batch: list[_Line] = []
    for line in lines:
        if (len(batch) >= BATCH and line.text != batch[-1].text) or len(batch) >= MOST:
            yield batch
            batch = []
        batch.append(line)
    if batch:
        yield batch


def _row(line: _Line, analysis: Analysis, sure: float) -> dict[str, Any]:
    row = as_row(line.id, analysis, sure)
    return {**row, "truncated": True} if line.cut else row


def as_row(row_id: Any, analysis: Analysis, sure: float = SURE) -> dict[str, Any]:
    """The stable shape of one result."""
    return {
        "id": row_id,
        "language": analysis.language,
        "tone": analysis.tone.value,
        "tone_scores": _rounded(analysis.tone_scores),
        "intent": analysis.intent.value,
        "intent_scores": _rounded(analysis.intent_scores),
        "flags": list(analysis.flags),
        "confidence": round(analysis.confidence, 4),
        "sure": analysis.confidence >= sure,
        "model": analysis.model,
        "intent_reason": analysis.intent_reason,
        "truncated": analysis.truncated,
    }


def _read(number: int, line: Raw) -> _Line:
    row_id: Any = number
    try:
        data = _parsed(line)
        row_id = _id(data, number)
        text = data.get("text")
        if not isinstance(text, str):
            raise _Bad('is not a JSON object with a "text" that is a string')
        target, hint = _name(data, "target"), _name(data, "lang")
    except _Bad as wrong:
        return _Line(row_id, error=f"line {number} {wrong}")
    return _Line(row_id, clean_text(text), target, hint, len(text) > MAX_TEXT)


def _parsed(line: Raw) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise _Bad(f"is longer than {MAX_LINE >> 20} MiB; cut it, only {MAX_TEXT} characters of a text are read")
    try:
        text = line if isinstance(line, str) else line.decode("utf-8-sig")
        data = json.loads(text, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise _Bad("is not UTF-8; send UTF-8") from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _Bad('is not a JSON object with a "text" that is a string')
    return data


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _id(data: dict[str, Any], number: int) -> Any:
    """What the sender calls the line. Lists and objects are no names: they may nest deeper than we can write."""
    told = data.get("id", number)
    if isinstance(told, float) and not math.isfinite(told):
        raise _Bad('has an "id" that no JSON can say again')
    if not isinstance(told, str | int | float | bool | None) or (isinstance(told, str) and len(told) > MAX_NAME):
        raise _Bad(f'has an "id" that is no number and no string of at most {MAX_NAME} characters')
    return told


def _name(data: dict[str, Any], key: str) -> str | None:
    told = data.get(key)
    if told is None:
        return None
    if not isinstance(told, str) or len(told) > MAX_NAME:
        raise _Bad(f'has a "{key}" that is no string of at most {MAX_NAME} characters')
    return clean_text(told).strip() or None


def _rounded(scores: Any) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in scores.items()}
