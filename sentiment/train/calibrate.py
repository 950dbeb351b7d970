"""Temperatures and shifts of the neutral logit, by language, with and without a target, fitted on dev.

`python -m sentiment.train.calibrate --data DIR --model DIR` fits them anew through the run-time code, says how well
what was fitted on one half of each set holds on the other, and writes calibration.json and its line of manifest.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sentiment.scoring import calibration_error, score
from sentiment.train.corpus import NEVER, STEER, Row, development

Logits = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
SHIFTS = np.arange(-1.0, 1.01, 0.05)
TEMPERATURES = np.arange(0.5, 2.51, 0.05)
CLAIMS = (0.6, 0.7, 0.8, 0.9)
MARGIN = 0.01  # of what is right beyond the claim, since other posts will come
FEWEST = 50  # posts that a claim is judged by
PLAIN: dict[str, object] = {
    "temperature": 1.0,
    "neutral_shift": {"default": 0.0},
    "target_shift": {},
    "encoder_share": 0.5,
}


def softmax(logits: Logits) -> Logits:
    """Row-wise."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Logits = powers / powers.sum(axis=1, keepdims=True)
    return result


def neutral_shift(sets: list[tuple[Logits, Labels]]) -> float:
    """The shift with the best mean of mR and mF1 over the sets; each logit of shift must earn a point."""

    def quality(shift: float) -> float:
        moved = [(logits + np.array([0, shift, 0]), truth) for logits, truth in sets]
        scores = [score(truth, logits.argmax(axis=1)) for logits, truth in moved]
        return float(np.mean([(s.recall + s.f1) / 2 for s in scores])) - abs(shift)

    return float(max(SHIFTS, key=quality))


def temperature(logits: Logits, truth: Labels) -> float:
    """The divisor with nearly the least log loss that claims no more than it keeps; the very least if none does."""

    def loss(divisor: float) -> float:
        chosen = softmax(logits / divisor)[np.arange(len(truth)), truth]
        return float(-np.log(chosen + 1e-9).mean())

    ranked = sorted(TEMPERATURES, key=loss)
    near = [divisor for divisor in ranked if loss(divisor) <= loss(ranked[0]) * 1.02]
    honest = (divisor for divisor in near if keeps(softmax(logits / divisor), truth, MARGIN))
    return float(next(honest, ranked[0]))


def keeps(given: Logits, truth: Labels, margin: float = 0.0) -> bool:
    """Whether of the posts at each claim and above at least that share (and the margin) is right."""
    return all(right >= claim + margin for claim, count, right in claims(given, truth) if count >= FEWEST)


def claims(given: Logits, truth: Labels) -> list[tuple[float, int, float]]:
    """(claim, posts at it and above, share of them that is right)."""
    top, right = given.max(axis=1), given.argmax(axis=1) == truth
    rows = [(claim, top >= claim) for claim in CLAIMS]
    return [(claim, int(sure.sum()), float(right[sure].mean()) if sure.any() else 1.0) for claim, sure in rows]


def fit(logits: dict[str, Logits], truth: dict[str, Labels], targeted: set[str]) -> dict[str, object]:
    """The content of calibration.json from log-probabilities of the two voters' mean, by dev set.

    `targeted` are the sets whose posts name a target: they alone decide what marked posts get. Sets that may not be
    trained on decide nothing.
    """
    three = [name for names in STEER.values() for name in names if len(np.unique(truth[name])) == 3]
    plain = _shifts([name for name in three if name not in targeted], logits, truth)
    marked = _shifts([name for name in three if name in targeted], logits, truth)
    # No Ukrainian set names targets: the other languages lend theirs.
    lent = round(float(np.mean(list(marked.values()))), 3)
    marked = {**dict.fromkeys(STEER, lent), **marked, "default": lent}
    plain = {**plain, "default": 0.0}
    known = [name for name in logits if _language(name) in STEER and not any(word in name for word in NEVER)]
    moved = {name: _moved(name, logits[name], plain, marked, targeted) for name in known}
    every = temperature(np.concatenate(list(moved.values())), np.concatenate([truth[name] for name in known]))
    return {
        "temperature": round(every, 3),
        "neutral_shift": plain,
        "target_shift": marked,
        "encoder_share": 0.5,
        "temperatures": _temperatures(moved, truth, targeted),
    }


def _language(name: str) -> str:
    return name.split(".")[0]


def _moved(
    name: str, logits: Logits, plain: Mapping[str, float], marked: Mapping[str, float], targeted: set[str]
) -> Logits:
    shifts = marked if name in targeted else plain
    return logits + np.array([0, shifts.get(_language(name), shifts["default"]), 0])


def _temperatures(moved: Mapping[str, Logits], truth: Mapping[str, Labels], targeted: set[str]) -> dict[str, float]:
    """By language, `uk.target` for marked posts."""
    groups: dict[str, list[str]] = {}
    for name in moved:
        groups.setdefault(_language(name) + (".target" if name in targeted else ""), []).append(name)
    return {
        group: round(
            temperature(np.concatenate([moved[n] for n in names]), np.concatenate([truth[n] for n in names])), 3
        )
        for group, names in sorted(groups.items())
    }


def _shifts(names: list[str], logits: dict[str, Logits], truth: dict[str, Labels]) -> dict[str, float]:
    """One shift per language of the sets."""
    by_language: dict[str, list[tuple[Logits, Labels]]] = {}
    for name in names:
        by_language.setdefault(_language(name), []).append((logits[name], truth[name]))
    return {language: round(neutral_shift(sets), 3) for language, sets in by_language.items()}


def apply(content: Mapping[str, object], logits: Mapping[str, Logits], targeted: set[str]) -> dict[str, Logits]:
    """Probabilities by dev set, as the run time would give them with this calibration."""
    plain, marked, divisors = (_numbers(content[key]) for key in ("neutral_shift", "target_shift", "temperatures"))
    every = float(str(content["temperature"]))
    out = {}
    for name, given in logits.items():
        group = _language(name) + (".target" if name in targeted else "")
        out[name] = softmax(_moved(name, given, plain, marked, targeted) / divisors.get(group, every))
    return out


def _numbers(value: object) -> dict[str, float]:
    return {str(name): float(number) for name, number in value.items()} if isinstance(value, dict) else {}


def other_half(logits: Mapping[str, Logits], truth: Mapping[str, Labels], targeted: set[str]) -> str:
    """What is fitted on every second post, measured on the others: Markdown."""
    fitted = fit({n: v[::2] for n, v in logits.items()}, {n: v[::2] for n, v in truth.items()}, targeted)
    given = apply(fitted, {name: values[1::2] for name, values in logits.items()}, targeted)
    return honesty(given, {name: values[1::2] for name, values in truth.items()})


def honesty(given: Mapping[str, Logits], truth: Mapping[str, Labels]) -> str:
    """By language: calibration error, and of the posts at a confidence and above how many are right. Markdown."""
    head = "| language | posts | calibration error |" + "".join(f" {claim} and above |" for claim in CLAIMS)
    lines = [head, "|---" * (3 + len(CLAIMS)) + "|"]
    for language in STEER:
        names = [name for name in given if _language(name) == language]
        found, right = np.concatenate([given[n] for n in names]), np.concatenate([truth[n] for n in names])
        cells = [f"{100 * share:.0f} % of {count}" for _, count, share in claims(found, right)]
        lines.append(f"| {language} | {len(right)} | {calibration_error(right, found):.3f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def targeted_sets(dev: Mapping[str, Sequence[Row]]) -> set[str]:
    """The sets most of whose posts name a target."""
    return {name for name, rows in dev.items() if sum(bool(row.target) for row in rows) > len(rows) / 2}


def write(folder: Path, content: Mapping[str, object]) -> None:
    """Write calibration.json and its line of manifest.json; the other files stay as the manifest has them."""
    data = (json.dumps(content, indent=2) + "\n").encode()
    (folder / "calibration.json").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"]["calibration.json"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def voters(folder: Path, dev: Mapping[str, Sequence[Row]]) -> dict[str, Logits]:
    """Log-probabilities by dev set before any shift or temperature."""
    from sentiment.tone import Calibration, ToneModel
    from sentiment.train import card

    model = ToneModel(folder, threads=1)
    model.calibration = Calibration(**PLAIN)  # type: ignore[arg-type]  # as it would be read from the file
    return {name: np.log(card.probabilities(model, list(rows)) + 1e-9) for name, rows in dev.items()}


def main() -> int:
    """Fit, report and write."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train.calibrate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/")
    parser.add_argument("--model", type=Path, required=True, help="model folder; calibration.json is written anew")
    parser.add_argument("--dry", action="store_true", help="report only")
    args = parser.parse_args()
    dev = {name: rows for name, rows in development(args.data).items() if _language(name) in STEER}
    truth, targeted = {n: np.array([row.label for row in rows]) for n, rows in dev.items()}, targeted_sets(dev)
    logits = voters(args.model, dev)
    fitted = fit(logits, truth, targeted)
    print(f"Fitted on every second post, measured on the others:\n\n{other_half(logits, truth, targeted)}")
    print(f"Fitted on all:\n\n{honesty(apply(fitted, logits, targeted), truth)}")
    if not args.dry:
        write(args.model, fitted)
        print(json.dumps(fitted, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
