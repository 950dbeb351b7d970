"""What people corrected, learnt: the tone model as the lesson in force makes it.

Which lesson is in force follows from the corrections that stand: the same ones bring the same version back, bit for
bit, from the database. Whoever asks first makes it; the worker asks before each batch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crawler.app import App
from crawler.errors import StoreError
from crawler.store import Correction

if TYPE_CHECKING:
    from sentiment.corrections import Judge, Lesson, Taught

MOST = 20_000  # corrections read, the newest ones
_KEPT = "_pupil"


def judge(app: App) -> Judge:
    """The model of the config with all that was learnt. Raises ModelUnavailable where something is to be learnt."""
    try:
        stamp = app.store.corrections.stamp()
    except StoreError:  # a preview before there is a database
        return app.model
    if stamp == (0, 0):
        return app.model
    from sentiment.corrections import Pupil

    seen = (stamp, app.model.name)
    kept = app.__dict__.get(_KEPT)
    if kept is None or kept[0] != seen:
        kept = app.__dict__[_KEPT] = (seen, Pupil(app.model, lesson(app)))
    pupil: Judge = kept[1]
    return pupil


def lesson(app: App) -> Lesson | None:
    """The lesson of the corrections that stand; None when there are none. Made when it was never made before."""
    from sentiment.corrections import Lesson, key_of, learn

    rows = taught(app.store.corrections.in_force(MOST))
    if not rows:
        return None
    key, store = key_of(app.model.name, rows), app.store.lessons
    kept = store.get(key)
    if kept is None:
        begun = time.monotonic()
        made = learn(app.model, rows)
        figures = {**made.figures, "seconds": round(time.monotonic() - begun, 2)}
        kept = store.add(key, made.model, made.in_force, figures, made.packed() if made.in_force else b"")
    if not kept.in_force:
        return Lesson(key, kept.model, {}, kept.figures)
    return Lesson.unpacked(key, kept.model, kept.delta, kept.figures)


def taught(corrections: Sequence[Correction]) -> list[Taught]:
    """What they teach: of one text and target the newest word alone; what is no mention teaches no tone."""
    from sentiment.corrections import Taught

    newest: dict[tuple[str, str | None], Taught] = {}
    for it in sorted(corrections, key=lambda it: -it.id):
        right, place = it.judgement, (it.digest, it.target)
        if right.relevant is False:
            continue
        said = newest.get(place) or Taught(it.text, it.target, it.language)
        tone, intent = said.tone or right.tone, said.intent or right.intent
        newest[place] = Taught(said.text, said.target, said.language, tone and str(tone), intent and str(intent))
    return [row for row in newest.values() if row.tone or row.intent]


def evaluated(app: App) -> dict[str, Any]:
    """What the corrections gave: version, cross-validated gain, guard, and how often each form is no mention."""
    standing = app.store.corrections.in_force(MOST)
    model, found = judge(app), lesson(app)
    return {
        "corrections": len(standing),
        "taught": len(taught(standing)),
        "model": model.name,
        "version": found.version if found else None,
        "in_force": bool(found and found.in_force),
        "heads": {name: part for name, part in (found.figures if found else {}).items() if isinstance(part, dict)},
        "seconds": found.figures.get("seconds") if found else None,
        "forms": _forms(standing),
    }


def _forms(standing: Sequence[Correction]) -> list[dict[str, Any]]:
    """How often people said of a form that what it found is no mention."""
    judged: dict[tuple[str, int], Correction] = {}
    for it in sorted(standing, key=lambda it: it.id):
        judged[it.brand, it.mention_id] = it
    every = Counter((it.brand, it.target or "") for it in judged.values())
    wrong = Counter((it.brand, it.target or "") for it in judged.values() if it.judgement.relevant is False)
    return [
        {"brand": brand, "form": form, "not_relevant": count, "corrected": every[brand, form]}
        for (brand, form), count in wrong.most_common()
    ]
