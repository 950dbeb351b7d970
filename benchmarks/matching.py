"""Raw text to spans at 10, 1,000 and 100,000 forms on one core, beside other ways to do it, and `redo match`.

Every number of forms is found in the same share of posts, so that the speeds compare. The sizes take turns and the
best of three rounds counts: other programs on the machine can only slow a round down.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ahocorasick

from benchmarks.row import Row
from crawler.matching import Matcher
from crawler.model import Brand, Document, Entity, EntityKind, Post, Verdict
from crawler.text import fold

SIZES = (10, 1_000, 100_000)
POSTS, HIT_SHARE, ROUNDS = 4_000, 0.1, 3
PAST, PAST_SHARE = 100_000, 0.02
SLOW_POSTS = {10: 400, 1_000: 40, 100_000: 1}


def word(rng: random.Random, syllables: int, consonants: str = "бвгдзклмнпрст") -> str:
    """An invented word; names use letters that no other word has."""
    return "".join(rng.choice(consonants) + rng.choice("аеиоу") for _ in range(syllables))


def names(count: int) -> list[str]:
    """Invented names of one or two words."""
    rng, made = random.Random(count), dict[str, None]()
    while len(made) < count:
        first = word(rng, rng.randint(2, 4)) + word(rng, 1, "жфхцчш")
        made[f"{first} {word(rng, 3)}" if rng.random() < 0.4 else first] = None
    return list(made)


def texts(wanted: Sequence[str], count: int, share: float = HIT_SHARE) -> list[str]:
    """Invented posts of 60 words with capitals and marks; a share of them holds a name."""
    rng = random.Random(7)
    vocabulary = [word(rng, rng.randint(1, 5)) for _ in range(30_000)]
    made = []
    for _ in range(count):
        words = rng.choices(vocabulary, k=60)
        if rng.random() < share:
            words[rng.randrange(60)] = rng.choice(wanted).capitalize()
        words[0], words[20], words[40] = words[0].capitalize(), words[20] + ".", words[40] + ","
        made.append(" ".join(words))
    return made


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """How long it takes: seconds of one core, or by another clock."""
    began = clock()
    work()
    return clock() - began


class Size:
    """One number of forms with its matcher, its rivals and its posts."""

    def __init__(self, forms: int) -> None:
        self.forms, self.names = forms, names(forms)
        step = max(1, forms // 10)
        parts = [self.names[start : start + 10] for start in range(0, forms, 10)] if step > 1 else [self.names]
        brands = [
            Brand(f"b{n}", tuple(Entity(EntityKind.BRAND, f"={name}") for name in part), id=n + 1)
            for n, part in enumerate(parts)
        ]
        self.build = seconds(lambda: setattr(self, "matcher", Matcher(brands)))
        self.matcher: Matcher
        self.texts = texts(self.names, POSTS)
        self.folded = [fold(text) for text in self.texts]
        self.chars = sum(map(len, self.texts))
        self.bare = ahocorasick.Automaton()
        for name in self.names:
            self.bare.add_word(name, name)
        self.bare.make_automaton()
        self.best: dict[str, float] = {}

    def round(self) -> None:
        """Measure everything once more; the best counts."""
        self.note("matcher", self.chars, lambda: [self.matcher.match(fold(text), text) for text in self.texts])
        self.note("bare", self.chars, lambda: [list(self.bare.iter(text)) for text in self.folded])

    def rivals(self) -> None:
        """Plain `re`, and flashtext2 when it is there, over folded text: they know no offsets of the original."""
        some = self.folded[: SLOW_POSTS[self.forms]]
        pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(self.names, key=len, reverse=True))) + r")\b")
        self.note("re", sum(map(len, some)), lambda: [list(pattern.finditer(text)) for text in some])
        try:
            from flashtext2 import KeywordProcessor
        except ImportError:
            return
        keywords = KeywordProcessor(case_sensitive=True)
        for name in self.names:
            keywords.add_keyword(name, name)
        self.note("flashtext2", self.chars, lambda: [list(keywords.extract_keywords_with_span(t)) for t in self.folded])

    def note(self, what: str, chars: int, work: Callable[[], object]) -> None:
        """Millions of characters a second, the best so far."""
        self.best[what] = max(self.best.get(what, 0.0), chars / seconds(work) / 1e6)


def run() -> Iterator[Row]:
    """Speed by size, building, and the past."""
    sizes = [Size(forms) for forms in SIZES]
    for _ in range(ROUNDS):
        for size in sizes:
            size.round()
    for size in sizes:
        size.rivals()
        yield _speed(size)
    big, middle = sizes[2].best["matcher"], sizes[1].best["matcher"]
    yield Row("speed at 100,000 forms against 1,000", f"{big:.1f} M/s", f"{middle:.1f} M/s", big / middle, ">= 0.7")
    yield Row("building 100,000 forms", f"{sizes[2].build:.2f} s", "", None, "<= 5 s")
    yield _inflected()
    yield _past()


def _speed(size: Size) -> Row:
    best = size.best
    rivals = [f"re {best['re']:.3f}", f"bare automaton {best['bare']:.1f} (folded already)"]
    rivals.append(f"flashtext2 {best['flashtext2']:.1f}" if "flashtext2" in best else "flashtext2 is not installed")
    goal = ">= 2 M/s" if size.forms == SIZES[-1] else ""
    value = f"{best['matcher']:.1f} M chars/s"
    return Row(f"raw text to spans, {size.forms:,} forms", value, ", ".join(rivals), best["matcher"] / best["re"], goal)


def _inflected() -> Row:
    rng = random.Random(5)
    brands = [Brand(f"b{n}", (Entity(EntityKind.BRAND, word(rng, 3).capitalize()),), id=n + 1) for n in range(1000)]
    made: list[Matcher] = []
    spent = seconds(lambda: made.append(Matcher(brands)))
    return Row(f"building 1,000 brands with word forms ({made[0].forms:,} forms)", f"{spent:.2f} s")


def _past() -> Row:
    """A new brand over stored posts, from the folded text to mentions and marks."""
    from crawler.app import App
    from crawler.app.redo import Scope, redo
    from crawler.app.syncing import sync

    wanted = names(10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mention-crawler.yaml"
        path.write_text("sources: [{name: past, kind: feed, url: 'http://127.0.0.1:9/'}]\n", encoding="utf-8")
        app = App.load(str(path))
        app.store_created()
        sync(app)
        _fill(app, texts(wanted, PAST, PAST_SHARE))
        app.close()
        path.write_text(f"{path.read_text()}brands: [{{name: {wanted[0]}, also: [{', '.join(wanted[1:])}]}}]\n")
        app = App.load(str(path))
        core = time.process_time()
        spent = seconds(lambda: redo(app, "match", Scope(brand=wanted[0]), diff=False), time.perf_counter)
        core = time.process_time() - core
        looked = seconds(lambda: redo(app, "match", Scope(brand=wanted[0]), diff=True), time.perf_counter)
        mentions = app.store.counts.ledger([]).mentions
        app.close()
    value = f"{PAST / spent * 60:,.0f} posts/min, {mentions:,} mentions stored"
    beside = f"{PAST / core * 60:,.0f} a minute of one core; --diff {PAST / looked * 60:,.0f} posts/min"
    return Row(f"redo match, one new brand, {PAST:,} posts", value, beside, None, ">= 1M/min on 2 cores")


def _fill(app: object, posts: Sequence[str]) -> None:
    from crawler.app import App
    from crawler.stages import match
    from crawler.stages.crawl import Intake

    assert isinstance(app, App)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    run = app.store.sources.claim("bench", ["past"], at, 3600.0, 1)[0]
    intake = Intake(app.store, run, lambda: None)
    for start in range(0, len(posts), 500):
        document = Document(f"http://127.0.0.1:9/{start}", 200, {}, str(start).encode(), at)
        some = [Post(text=text, platform_id=str(start + n)) for n, text in enumerate(posts[start : start + 500])]
        intake.take(document, some, cursor=None, validators=None)
    app.store.runs.finish(run, Verdict.OK, None, 1.0, at + timedelta(days=1))
    match.run(app.store, app.matcher())
