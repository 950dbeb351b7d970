"""`mention-crawler analyse`: lines of JSON in, lines of JSON out, in the order they came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from crawler.model import Analysis
from crawler.text import clean_text
from sentiment import Analyser

BATCH = 64
MOST = 256
SURE = 0.7


@dataclass(frozen=True, slots=True)
class _Line:
    id: Any
    text: str
    target: str | None
    hint: str | None
    error: str | None = None


def analyse_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One result a line; a line that is no JSON object with a text gives {"id", "error"} and stops nothing."""
    model = Analyser()
    for batch in _batches(_read(number, line) for number, line in enumerate(lines, 1) if line.strip()):
        good = [line for line in batch if line.error is None]
        results = iter(model.analyse([g.text for g in good], [g.target for g in good], [g.hint for g in good]))
        for line in batch:
            yield {"id": line.id, "error": line.error} if line.error else as_row(line.id, next(results))


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


def as_row(row_id: Any, analysis: Analysis) -> dict[str, Any]:
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
        "sure": analysis.confidence >= SURE,
        "model": analysis.model,
        "intent_reason": analysis.intent_reason,
        "truncated": analysis.truncated,
    }


def _read(number: int, line: str) -> _Line:
    try:
        data = json.loads(line)
        text = data["text"]
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        return _Line(number, "", None, None, f'line {number} is not a JSON object with a "text"')
    target = data.get("target")
    hint = data.get("lang")
    return _Line(data.get("id", number), clean_text(text), str(target) if target else None, str(hint) if hint else None)


def _rounded(scores: Any) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in scores.items()}
