"""Masked-language pre-training of the small BERT on every text at hand, labelled or not, before it sees labels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from transformers import BertForSequenceClassification

from sentiment.train.encoder import Tuned, optimiser, pad, set_rate
from sentiment.train.wordpiece import MAX_LENGTH

MASK, FIRST_WORD = 4, 6  # ids of [MASK] and of the first piece that is no special one


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of the pre-training run; `steps` counts batches."""

    steps: int
    batch: int = 96
    rate: float = 1e-3
    hidden: float = 0.18
    seed: int = 11


class Head(nn.Module):
    """Predicts hidden pieces with the embedding table itself as output weights; thrown away afterwards."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, states: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        return functional.linear(self.transform(states), table, self.bias)


def pieces(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Word pieces of every distinct text; long ones in chunks of MAX_LENGTH."""
    tokenizer.no_truncation()
    rows: list[list[int]] = []
    for item in tokenizer.encode_batch(list(dict.fromkeys(texts))):
        rows += [item.ids[at : at + MAX_LENGTH] for at in range(0, len(item.ids), MAX_LENGTH)]
    return [row for row in rows if len(row) >= 6]


def run_once(
    model: BertForSequenceClassification,
    rows: list[list[int]],
    plan: Plan,
    keep: Path | None,
    say: Callable[[str], None],
) -> None:
    """`run`, unless `keep` holds what the same start, texts and plan gave before."""
    path = keep / f"body-{_fingerprint(model, rows, plan)}.pt" if keep else None
    if path and path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        say(f"pre-training taken from {path}")
        return
    run(model, rows, plan, say)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), path)


def _fingerprint(model: BertForSequenceClassification, rows: list[list[int]], plan: Plan) -> str:
    digest = hashlib.sha256(repr((plan, torch.get_num_threads())).encode())
    for weights in model.state_dict().values():
        digest.update(weights.numpy().tobytes())
    for row in rows:
        digest.update(np.array([*row, -1], dtype=np.int32).tobytes())
    return digest.hexdigest()[:16]


def run(model: BertForSequenceClassification, rows: list[list[int]], plan: Plan, say: Callable[[str], None]) -> None:
    """Train the body of `model` in place."""
    head = Head(model.config.hidden_size, model.config.vocab_size)
    both = nn.ModuleList([model.bert, head])
    tuned = Tuned(optimiser(both, plan.rate), plan.rate, plan.steps)
    source, started, losses = _batches(rows, plan), time.monotonic(), []
    model.train()
    for step in range(1, plan.steps + 1):
        set_rate(tuned, step)
        losses.append(_step(model, head, next(source), tuned.optimiser))
        if step % 250 == 0:
            say(f"pre-training step {step} {time.monotonic() - started:.0f}s loss {np.mean(losses[-250:]):.3f}")


def _batches(rows: list[list[int]], plan: Plan) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Endless (ids with pieces hidden, attention mask, targets with -100 where nothing is asked)."""
    rng = np.random.default_rng(plan.seed)
    while True:
        order = sorted(rng.permutation(len(rows)), key=lambda i: len(rows[i]))
        starts = range(0, len(order), plan.batch)
        for at in rng.permutation(len(starts)):
            chosen = order[starts[at] : starts[at] + plan.batch]
            ids, mask = pad([rows[i] for i in chosen])
            dice = torch.from_numpy(rng.random(ids.shape))
            asked = (dice < plan.hidden) & (ids >= FIRST_WORD)
            shown = ids.masked_fill(asked & (dice < 0.85 * plan.hidden), MASK)
            yield shown, mask, ids.masked_fill(~asked, -100)


def _step(
    model: BertForSequenceClassification,
    head: Head,
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    chosen: torch.optim.Optimizer,
) -> float:
    ids, mask, targets = batch
    asked = targets != -100
    with torch.autocast("cpu", torch.bfloat16):
        states = model.bert(input_ids=ids, attention_mask=mask).last_hidden_state[asked]
        guess = head(states, model.bert.embeddings.word_embeddings.weight)
    loss = functional.cross_entropy(guess.float(), targets[asked])
    chosen.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([*model.bert.parameters(), *head.parameters()], 1.0)
    chosen.step()
    return float(loss.detach())
