"""`python -m sentiment.train --data DIR --out DIR [--steps N]`: from labelled texts to a verified model folder."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import BertForSequenceClassification

from sentiment.prepare import mark_target
from sentiment.tone import ToneModel
from sentiment.train import calibrate, card, corpus, encoder, export, linear, pretrain, vectors, wordpiece

NAME = "builtin-1"
SEED = 7
TUNE_SEED = 8
STEPS = 2400  # about 1.6 times over the labelled texts: more did not help
PRETRAIN_STEPS = 5000  # 2.8 times over all texts; the encoder alone gains 1 to 4 points, see docs/model-card.md


@dataclass(frozen=True, slots=True)
class Steps:
    """Batches with labels, batches of pre-training (0: none), and the folder that keeps what pre-training gave.

    `new_pieces`: cut words anew instead of taking the
    shipped word pieces; the trainer of pieces gives others each time, and with them other scores.
    """

    labelled: int
    pretraining: int
    keep: Path | None = None
    new_pieces: bool = False


def main() -> int:
    """Parse arguments and run every step in order."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, dev/ and unlabelled/")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--steps", type=int, default=STEPS, help="batches with labels")
    parser.add_argument(
        "--pretrain-steps", type=int, default=PRETRAIN_STEPS, help="batches of masked-language training"
    )
    parser.add_argument("--threads", type=int, default=2, help="no more than there are idle cores")
    parser.add_argument("--keep", type=Path, help="folder that keeps the pre-trained body, for the next run")
    parser.add_argument("--new-pieces", action="store_true", help="train the word pieces too: no run repeats another")
    args = parser.parse_args()
    seed_everything(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    train(args.data, args.out, Steps(args.steps, args.pretrain_steps, args.keep, new_pieces=args.new_pieces))
    return 0


def seed_everything(threads: int) -> None:
    """Fixed seeds and a fixed number of threads: the same machine gives the same weights."""
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    torch.set_num_threads(threads)


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def train(data: Path, out: Path, steps: Steps) -> None:
    """The whole recipe; every file of `out` is written anew."""
    rows, dev = corpus.training(data), corpus.development(data)
    say(f"{len(rows)} training rows, {len(dev)} dev sets")
    fit_voter(rows, out)
    model = fit_encoder(rows, dev, corpus.raw_texts(data, rows), steps, out)
    export.save_transformers(model, out)
    export.save_onnx(model, out)
    finish(dev, out)


def fit_voter(rows: list[corpus.Row], out: Path) -> None:
    """voter.npz."""
    idf = linear.document_frequency(linear.texts_of(rows))
    common, own = linear.fit(rows, idf)
    linear.save(out / "voter.npz", common, own, idf)
    say("linear voter written")


def fit_encoder(
    rows: list[corpus.Row], dev: dict[str, list[corpus.Row]], texts: list[str], steps: Steps, out: Path
) -> BertForSequenceClassification:
    """tokenizer.json, then the trained encoder."""
    tokenizer = wordpiece.train(texts) if steps.new_pieces else wordpiece.shipped()
    wordpiece.save(tokenizer, out)
    say(f"{tokenizer.get_vocab_size()} word pieces")
    views = [mark_target(row.text, row.target) for row in rows]
    table = vectors.embed(tokenizer, texts + views, 192, 8, SEED)
    say("word vectors ready")
    steer = {name: encoder.encode(tokenizer, dev[name]) for names in corpus.STEER.values() for name in names}
    torch.manual_seed(SEED)
    model = encoder.build(tokenizer.get_vocab_size(), table)
    if steps.pretraining:
        rows_of_pieces = pretrain.pieces(tokenizer, texts + views)
        say(f"{len(rows_of_pieces)} texts for pre-training")
        pretrain.run_once(model, rows_of_pieces, pretrain.Plan(steps.pretraining), steps.keep, say)
    more = [row for row in rows if row.language == "uk"]
    shown = encoder.encode(tokenizer, rows + more)
    torch.manual_seed(TUNE_SEED)
    tuned = encoder.build(tokenizer.get_vocab_size(), table)
    tuned.load_state_dict(model.state_dict())
    return encoder.fit(tuned, shown, steer, encoder.Plan(steps.labelled, seed=TUNE_SEED), say)


def finish(dev: dict[str, list[corpus.Row]], out: Path) -> None:
    """calibration.json, the model card and the manifest, all measured through the run-time code."""
    write_json(out / "calibration.json", calibrate.PLAIN)
    export.write_manifest(out, NAME)
    voters = ToneModel(out)
    truth = {name: np.array([row.label for row in rows]) for name, rows in dev.items()}
    targeted = {name for name, rows in dev.items() if sum(bool(row.target) for row in rows) > len(rows) / 2}
    logits = {name: np.log(card.probabilities(voters, rows) + 1e-9) for name, rows in dev.items()}
    write_json(out / "calibration.json", calibrate.fit(logits, truth, targeted))
    export.write_manifest(out, NAME)
    table = card.write(ToneModel(out), dev, out / "README.md")
    export.write_manifest(out, NAME)
    say("dev table:\n" + table)


def write_json(path: Path, content: dict[str, object]) -> None:
    """Indented, one newline at the end."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
