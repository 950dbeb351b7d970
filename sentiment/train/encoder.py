"""The small BERT: 3 layers of 192, trained from word2vec vectors; weights averaged; the best checkpoint on dev kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification

from sentiment.prepare import views
from sentiment.train.corpus import LABELS, STEER, Row
from sentiment.train.score import score
from sentiment.train.wordpiece import MAX_LENGTH

Array = npt.NDArray[np.float32]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of one training run; `steps` counts batches, `check` how often dev is looked at."""

    steps: int
    batch: int = 96
    rate: float = 4e-4
    check: int = 250
    smoothing: float = 0.05
    word_dropout: float = 0.15
    average: float = 0.995
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Encoded:
    """Word pieces of rows, raw and with the target marked, beside labels and weights."""

    raw: list[list[int]]
    marked: list[list[int]]
    labels: npt.NDArray[np.int64]
    weights: Array


@dataclass(frozen=True, slots=True)
class Tuned:
    """An optimiser with its peak rate and number of steps."""

    optimiser: torch.optim.Optimizer
    rate: float
    steps: int


def build(vocabulary: int, vectors: Array | None) -> BertForSequenceClassification:
    """A fresh model; `vectors` (vocabulary, 192) start the embedding table."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=768,
        max_position_embeddings=MAX_LENGTH,
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.1,
        classifier_dropout=0.2,
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
    )
    model = BertForSequenceClassification(config)
    if vectors is not None:
        with torch.no_grad():
            model.bert.embeddings.word_embeddings.weight.copy_(torch.from_numpy(vectors))
    return model


def encode(tokenizer: Tokenizer, rows: list[Row]) -> Encoded:
    """Both views of every row: raw text, and the window around the marked target."""
    tokenizer.enable_truncation(MAX_LENGTH)
    raw = [item.ids for item in tokenizer.encode_batch([row.text for row in rows])]
    marked = [item.ids for item in tokenizer.encode_batch([views(row.text, row.target).encoder for row in rows])]
    labels = np.array([row.label for row in rows], dtype=np.int64)
    return Encoded(raw, marked, labels, np.array([row.weight for row in rows], dtype=np.float32))


def class_weights(labels: npt.NDArray[np.int64]) -> torch.Tensor:
    """(1 / frequency) ^ 0.7, mean 1."""
    weights = (np.bincount(labels, minlength=3) / len(labels)) ** -0.7
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def pad(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask), both (len(rows), longest)."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
    tensor = torch.from_numpy(ids)
    return tensor, (tensor != 0).long()


def batches(data: Encoded, plan: Plan, rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, ...]]:
    """Endless batches of similar length; each epoch draws anew which view of a row is shown."""
    count = len(data.labels)
    while True:
        show_marked = rng.random(count) < 0.6
        views = [data.marked[i] if show_marked[i] else data.raw[i] for i in range(count)]
        order = rng.permutation(count)
        pools = [order[at : at + plan.batch * 50] for at in range(0, count, plan.batch * 50)]
        chunks: list[npt.NDArray[np.int64]] = []
        for pool in pools:
            by_length = sorted(pool, key=lambda i: len(views[i]))
            chunks += [np.array(by_length[at : at + plan.batch]) for at in range(0, len(by_length), plan.batch)]
        for at in rng.permutation(len(chunks)):
            ids, mask = pad([views[i] for i in chunks[at]])
            hide = torch.from_numpy(rng.random(ids.shape) < plan.word_dropout) & (ids > 5)
            ids = ids.masked_fill(hide, 4)  # 4 is [MASK]; ids up to 5 are special pieces
            yield ids, mask, torch.from_numpy(data.labels[chunks[at]]), torch.from_numpy(data.weights[chunks[at]])


def optimiser(model: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    """AdamW; no decay on biases and norms."""
    plain = [p for name, p in model.named_parameters() if p.ndim < 2]
    decayed = [p for name, p in model.named_parameters() if p.ndim >= 2]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, fused=True)


def logits(model: BertForSequenceClassification, rows: list[list[int]], batch: int = 128) -> Array:
    """(len(rows), 3) logits."""
    model.eval()
    out = np.zeros((len(rows), 3), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for at in range(0, len(order), batch):
        part = order[at : at + batch]
        ids, mask = pad([rows[i] for i in part])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            out[part] = model(input_ids=ids, attention_mask=mask).logits.float().numpy()
    return out


def steering(recalls: dict[str, float]) -> float:
    """Mean over languages of the mean mR of their steering sets."""
    return float(np.mean([np.mean([recalls[name] for name in names]) for names in STEER.values()]))


def fit(
    model: BertForSequenceClassification, data: Encoded, dev: dict[str, Encoded], plan: Plan, say: Say
) -> BertForSequenceClassification:
    """Train for `plan.steps`, and return the averaged weights that did best on dev."""
    rng = np.random.default_rng(plan.seed)
    tuned = Tuned(optimiser(model, plan.rate), plan.rate, plan.steps)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(plan.average)
    )
    weights, source, best, started = class_weights(data.labels), batches(data, plan, rng), (-1.0, {}), time.monotonic()
    for step in range(1, plan.steps + 1):
        set_rate(tuned, step)
        loss = _train_step(model, next(source), weights, plan, tuned.optimiser)
        averaged.update_parameters(model)
        if step % plan.check == 0 or step == plan.steps:
            mark = _check(averaged.module, dev, step, started, loss, say)
            if mark > best[0]:
                best = (mark, {k: v.detach().clone() for k, v in averaged.module.state_dict().items()})
    model.load_state_dict(best[1])
    return model


def set_rate(tuned: Tuned, step: int) -> None:
    """Warm up over a twentieth of the steps, then fall in a straight line."""
    warm = min(1.0, step / max(1, tuned.steps // 20))
    for group in tuned.optimiser.param_groups:
        group["lr"] = tuned.rate * warm * max(0.02, 1 - step / tuned.steps)


def _train_step(
    model: BertForSequenceClassification,
    batch: tuple[torch.Tensor, ...],
    weights: torch.Tensor,
    plan: Plan,
    step_optimiser: torch.optim.Optimizer,
) -> float:
    ids, mask, labels, row_weights = batch
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        guess = model(input_ids=ids, attention_mask=mask).logits
    losses = functional.cross_entropy(guess.float(), labels, label_smoothing=plan.smoothing, reduction="none")
    loss = (losses * row_weights * weights[labels]).mean()
    step_optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    step_optimiser.step()
    return float(loss.detach())


def _check(
    model: BertForSequenceClassification, dev: dict[str, Encoded], step: int, started: float, loss: float, say: Say
) -> float:
    recalls = {name: score(part.labels, logits(model, part.marked).argmax(1)).recall for name, part in dev.items()}
    mark = steering(recalls)
    shown = " ".join(f"{name}={value:.1f}" for name, value in recalls.items())
    say(f"step {step} {time.monotonic() - started:.0f}s loss {loss:.3f} steer {mark:.2f} | {shown}")
    return mark
