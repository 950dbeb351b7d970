"""`model evaluate|compare|fetch`: any tone model on any labelled posts, with the tables of the model card."""

from __future__ import annotations

import gzip
import html
import json
import multiprocessing
import resource
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from crawler.errors import ModelUnavailable, NotFound
from crawler.model import Analysis, Intent, Tone
from crawler.text import clean_text
from sentiment import Analyser
from sentiment.spec import ModelSpec

if TYPE_CHECKING:
    from sentiment.verdict import Judged

CHUNK: Final = 256
MAX_LINE: Final = 16 << 20
ORDER: Final = (Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled post; `tone` is an index into ORDER, `wanted` whether it is truly negative or a question."""

    where: str
    text: str
    tone: int
    language: str | None
    target: str | None
    wanted: bool


@dataclass(slots=True)
class Posts:
    """The posts of all files, the lines that cannot be used, and how many say no tone on purpose."""

    rows: list[Labelled] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    toneless: int = 0


def read_posts(paths: Sequence[Path]) -> Posts:
    """Labelled posts of JSONL files, plain or gzipped: {"text", "tone", "lang"?, "target"?, "question"?}.

    Raises NotFound for a file that cannot be read or when nothing is left.
    """
    posts = Posts()
    for path in paths:
        name = path.name.removesuffix(".gz").removesuffix(".jsonl")
        try:
            with path.open("rb") as plain:
                for number, line in enumerate(_lines(plain), 1):
                    _take(posts, name, f"{path}:{number}", line)
        except (OSError, EOFError, zlib.error) as error:
            raise NotFound(f"{path}: cannot be read: {type(error).__name__}: {error}") from error
    if not posts.rows:
        shown = f"; the first line that cannot be used: {posts.bad[0]}" if posts.bad else ""
        raise NotFound(f'no labelled posts in {", ".join(map(str, paths))}; wanted lines {{"text", "tone"}}{shown}')
    return posts


def _lines(plain: IO[bytes]) -> Iterator[bytes]:
    packed = plain.read(2) == b"\x1f\x8b"
    plain.seek(0)
    stream = gzip.GzipFile(fileobj=plain) if packed else plain
    while line := stream.readline(MAX_LINE):
        yield line


def _take(posts: Posts, name: str, place: str, line: bytes) -> None:
    if not line.strip():
        return
    try:
        data = json.loads(line.decode("utf-8-sig"))
        text, told = data["text"], data.get("tone")
        if not isinstance(text, str):
            raise TypeError("text is no string")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        posts.bad.append(f'{place}: no JSON object with a "text": {type(error).__name__}: {str(error)[:80]}')
        return
    if told is None:
        posts.toneless += 1
        return
    tone = _tone(told)
    if tone is None:
        posts.bad.append(f'{place}: "tone" is {str(told)[:40]!r}; known: negative, neutral, positive')
        return
    wanted = tone == 0 or bool(data.get("question")) or data.get("intent") == Intent.QUESTION.value
    # Public sets keep the HTML escapes of the sites they were copied from; our spiders do not.
    clean = clean_text(html.unescape(text))
    posts.rows.append(Labelled(name, clean, tone, _word(data, "lang"), _word(data, "target"), wanted))


def _tone(told: object) -> int | None:
    from sentiment.labels import tone_of

    return tone_of(told) if isinstance(told, str) else None


def _word(data: Mapping[str, Any], key: str) -> str | None:
    told = data.get(key)
    return clean_text(told).strip()[:500] or None if isinstance(told, str) else None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one model did: the name it gave itself, what is to be known of it, its answers and what they cost."""

    model: str
    notes: tuple[str, ...]
    judged: Judged
    load_seconds: float
    seconds: float
    peak_mib: int

    def cost(self) -> dict[str, Any]:
        """Speed and memory, as one row."""
        speed = round(len(self.judged.truth) / self.seconds, 1) if self.seconds else None
        return {"model": self.model, "posts/s": speed, "load s": round(self.load_seconds, 2), "peak MiB": self.peak_mib}


def measure(spec: ModelSpec, rows: Sequence[Labelled], done: Callable[[int], None] | None = None) -> Measured:
    """Judge every row with one model, the way mentions are judged. Raises ModelUnavailable."""
    began = time.monotonic()
    analyser = Analyser(spec)
    name = analyser.name
    loaded = time.monotonic()
    found: list[Analysis] = []
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        found += analyser.analyse([row.text for row in some], [row.target for row in some])
        if done:
            done(len(some))
    spent = time.monotonic() - loaded
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Measured(name, analyser.notes, _judged(rows, found), loaded - began, spent, peak)


def _judged(rows: Sequence[Labelled], found: Sequence[Analysis]) -> Judged:
    from sentiment.verdict import Judged

    return Judged(
        sets=[row.where for row in rows],
        languages=[row.language or analysis.language for row, analysis in zip(rows, found, strict=True)],
        truth=np.array([row.tone for row in rows], dtype=np.int64),
        given=np.array([[a.tone_scores[tone.value] for tone in ORDER] for a in found]),
        asked=np.array([a.intent_scores.get(Intent.QUESTION.value, 0.0) for a in found]),
        complains=np.array([a.intent is Intent.COMPLAINT and a.tone is not Tone.POSITIVE for a in found]),
        wanted=np.array([row.wanted for row in rows]),
    )


def measure_apart(spec: ModelSpec, rows: Sequence[Labelled]) -> Measured:
    """The same in a process of its own: the memory is the model's alone, and what kills it kills nothing else."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, spec, list(rows)), daemon=True)
    child.start()
    theirs.close()
    try:
        told = ours.recv()
    except EOFError:
        told = None
    child.join()
    if isinstance(told, Measured):
        return told
    raise ModelUnavailable(told or f"{spec.model}: its process ended with {child.exitcode}: out of memory, perhaps")


def _child(channel: Any, spec: ModelSpec, rows: list[Labelled]) -> None:
    try:
        channel.send(measure(spec, rows))
    except ModelUnavailable as error:
        channel.send(str(error))


def calibrate(spec: ModelSpec, rows: Sequence[Labelled]) -> tuple[Path, Any]:
    """Fit another model's temperature on labelled posts and keep it beside the data; (its file, what was fitted).

    Raises ModelUnavailable, and NotFound for the built-in model, too few posts or no place to keep it.
    """
    from sentiment import language, temperature
    from sentiment.foreign import ForeignModel, calibration_path
    from sentiment.models import open_model

    model = open_model(spec, None)
    if not isinstance(model, ForeignModel) or spec.store is None:
        raise NotFound(f"{spec.model}: is calibrated by its own recipe; --calibrate-on is for other models")
    texts, targets = [row.text for row in rows], [row.target for row in rows]
    parts = [
        model.uncalibrated(texts[at : at + CHUNK], targets[at : at + CHUNK])[0] for at in range(0, len(rows), CHUNK)
    ]
    # By the language that will be detected in production, not by the one that the file names.
    spoken = [language.detect(row.text, None, [row.target] if row.target else []) for row in rows]
    try:
        fitted = temperature.fit(np.concatenate(parts), np.array([row.tone for row in rows]), spoken)
    except ValueError as error:
        raise NotFound(str(error)) from error
    path = calibration_path(spec.store, spec.model, model.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(fitted.as_text(), encoding="utf-8")
    scratch.replace(path)
    return path, fitted
