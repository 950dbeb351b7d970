"""`python -m sentiment.train.reader --data DIR --model DIR --out DIR`: what a post wants, and its tone toward names.

Starts from the body of a trained tone model. Two heads share it: intent over the first piece and the mean, tone toward
a name over the first piece, the marked name and the hidden other names. Taught by the written posts; rows of the brand
sets keep the second head close to other people's wording. Under ten minutes on one core, the same bytes each time.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification, BertModel

from sentiment.heldout import INTENTS, LANGUAGES, held
from sentiment.prepare import TARGET_MARK, mark_target, sides
from sentiment.train import corpus, export, written
from sentiment.train.encoder import Tuned, optimiser, pad, set_rate
from sentiment.train.wordpiece import MAX_LENGTH

NAME: Final = "reader-1"
HIDDEN_NAME: Final = "@x"
WIDTH: Final = 192
SHORT: Final = 300  # characters of brand posts shown beside the pairs
BRAND_POSTS: Final = 9000
CALM_POSTS: Final = 8000
Pieces = list[int]
Rows = tuple[list[Pieces], npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of the run; `steps` counts batches, `wants`, `calm`, `sides`, `brands` are rows of each kind in one."""

    steps: int = 1300
    rate: float = 4e-4
    wants: int = 40
    calm: int = 12
    sides: int = 32
    brands: int = 10
    dropout: float = 0.12
    brand_weight: float = 0.5
    calm_weight: float = 0.4
    raw: float = 0.4  # share of posts shown with the name as it stands
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is taught: posts as marked and as raw pieces with their intent, both sides of pairs, brand posts.

    `calm` are neutral posts of other people that ask nothing: nearly all of them want nothing.
    """

    marked: Rows
    raw: list[Pieces]
    sides: tuple[list[Pieces], list[Pieces]]
    tones: npt.NDArray[np.int64]  # (pairs, 2)
    brands: tuple[Rows, ...]
    calm: list[Pieces]


class Net(nn.Module):
    """Pieces in, logits of intent (n, 4) and of tone toward the marked name (n, 3) out."""

    def __init__(self, body: BertModel, mark: int, other: int) -> None:
        super().__init__()
        self.body, self.mark, self.other = body, mark, other
        self.intent = _head(2 * WIDTH, len(INTENTS))
        self.toward = _head(3 * WIDTH, len(corpus.LABELS))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = self.body(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        first, mean = states[:, 0], _mean(states, mask.float())
        named = _mean(states, (ids == self.mark).float()), _mean(states, (ids == self.other).float())
        return self.intent(torch.cat([first, mean], 1)), self.toward(torch.cat([first, *named], 1))


def _head(width: int, labels: int) -> nn.Sequential:
    drop = nn.Dropout(0.2)
    return nn.Sequential(drop, nn.Linear(width, WIDTH), nn.GELU(), nn.Dropout(0.2), nn.Linear(WIDTH, labels))


def _mean(states: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The mean state of the chosen pieces; zeros where there are none."""
    shares = chosen / (chosen.sum(1, keepdim=True) + 1e-6)
    return (states * shares[..., None]).sum(1)


def main() -> int:
    """Train and write."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train.reader", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/")
    parser.add_argument("--model", type=Path, required=True, help="folder of the tone model to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=Plan().steps, help="batches")
    parser.add_argument("--threads", type=int, default=1, help="no more than there are idle cores")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train(args.data, args.model, args.out, Plan(args.steps))
    return 0


def train(data: Path, model: Path, out: Path, plan: Plan) -> None:
    """The whole recipe; every file of `out` is written anew."""
    torch.manual_seed(plan.seed)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    start = BertForSequenceClassification.from_pretrained(model, dtype=torch.float32)
    net = Net(start.bert, tokenizer.token_to_id(TARGET_MARK), _handle(tokenizer))
    fit(net, lessons(data, tokenizer), plan)
    out.mkdir(parents=True, exist_ok=True)
    save(net, start.config, out)
    shutil.copyfile(model / "tokenizer.json", out / "tokenizer.json")
    export.write_manifest(out, NAME)


def _handle(tokenizer: Tokenizer) -> int:
    pieces: Pieces = tokenizer.encode(HIDDEN_NAME).ids
    return pieces[1]


def lessons(data: Path, tokenizer: Tokenizer) -> Lessons:
    """Everything in word pieces."""
    posts = [post for post in written.posts() if not held(post.text)]
    pairs = [pair for pair in written.pairs() if not held(pair.text)]
    wants = np.array([post.intent for post in posts])
    targeted = [post for post in posts if post.target]
    own = _pieces(tokenizer, [mark_target(post.text, post.target) for post in targeted])
    tones = np.array([post.tone for post in targeted])
    return Lessons(
        (_pieces(tokenizer, [mark_target(post.text, post.target) for post in posts]), wants),
        _pieces(tokenizer, [post.text for post in posts]),
        (_side(tokenizer, pairs, 0), _side(tokenizer, pairs, 1)),
        np.array([pair.tones for pair in pairs]),
        (_brand_posts(data, tokenizer), (own, tones)),
        _calm(data, tokenizer),
    )


def _calm(data: Path, tokenizer: Tokenizer) -> list[Pieces]:
    neutral = [row for row in corpus.training(data) if row.label == 1 and row.language in LANGUAGES]
    texts = [mark_target(row.text, row.target) for row in neutral if "?" not in row.text and len(row.text) < SHORT]
    return _pieces(tokenizer, texts[:: max(1, len(texts) // CALM_POSTS)])


def _side(tokenizer: Tokenizer, pairs: list[written.Pair], side: int) -> list[Pieces]:
    return _pieces(tokenizer, [sides(pair.text, pair.names)[side] for pair in pairs])


def _brand_posts(data: Path, tokenizer: Tokenizer) -> Rows:
    rows = [row for row in corpus.training(data) if row.target and len(row.text) < SHORT]
    step = max(1, len(rows) // BRAND_POSTS)
    chosen = rows[::step]
    texts = [mark_target(row.text, row.target) for row in chosen]
    return _pieces(tokenizer, texts), np.array([row.label for row in chosen])


def _pieces(tokenizer: Tokenizer, texts: list[str]) -> list[Pieces]:
    return [item.ids for item in tokenizer.encode_batch(texts)]


def fit(net: Net, taught: Lessons, plan: Plan) -> None:
    """Train `net` in place."""
    rng = np.random.default_rng(plan.seed)
    tuned, weights = Tuned(optimiser(net, plan.rate), plan.rate, plan.steps), _class_weights(taught.marked[1])
    wants, sides = _wants(taught, plan, rng), _sides(taught, plan, rng)
    net.train()
    for step in range(1, plan.steps + 1):
        set_rate(tuned, step)
        loss = _want_loss(net, next(wants), weights, plan, rng) + _side_loss(net, next(sides), plan, rng)
        tuned.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        tuned.optimiser.step()
        if step % 100 == 0:
            print(f"step {step} of {plan.steps}, loss {float(loss.detach()):.3f}", flush=True)


def _class_weights(labels: npt.NDArray[np.int64]) -> torch.Tensor:
    weights = (np.bincount(labels) / len(labels)) ** -0.5
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def _cycle(count: int, size: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    while True:
        order = rng.permutation(count)
        yield from (order[at : at + size] for at in range(0, count - size + 1, size))


def _wants(taught: Lessons, plan: Plan, rng: np.random.Generator) -> Iterator[Rows]:
    rows, labels = taught.marked
    calm = _cycle(len(taught.calm), plan.calm, rng)
    nothing = np.full(plan.calm, INTENTS.index("other"))
    for chosen in _cycle(len(rows), plan.wants, rng):
        shown = [taught.raw[i] if rng.random() < plan.raw else rows[i] for i in chosen]
        yield shown + [taught.calm[i] for i in next(calm)], np.concatenate([labels[chosen], nothing])


def _sides(taught: Lessons, plan: Plan, rng: np.random.Generator) -> Iterator[Rows]:
    """Both sides of some pairs, then `brands` rows of each set of posts with one name."""
    cycles = [_cycle(len(rows), plan.brands, rng) for rows, _ in taught.brands]
    for chosen in _cycle(len(taught.tones), plan.sides, rng):
        rows = [taught.sides[side][i] for i in chosen for side in (0, 1)]
        labels = [taught.tones[chosen].reshape(-1)]
        for (more, tones), cycle in zip(taught.brands, cycles, strict=True):
            some = next(cycle)
            rows += [more[i] for i in some]
            labels.append(tones[some])
        yield rows, np.concatenate(labels)


def _want_loss(net: Net, batch: Rows, weights: torch.Tensor, plan: Plan, rng: np.random.Generator) -> torch.Tensor:
    guess, labels = _run(net, batch[0], plan, rng)[0], torch.from_numpy(batch[1])
    losses = functional.cross_entropy(guess.float(), labels, label_smoothing=0.05, reduction="none") * weights[labels]
    losses[plan.wants :] *= plan.calm_weight
    return losses.mean()


def _side_loss(net: Net, batch: Rows, plan: Plan, rng: np.random.Generator) -> torch.Tensor:
    guess, labels = _run(net, batch[0], plan, rng)[1], torch.from_numpy(batch[1])
    losses = functional.cross_entropy(guess.float(), labels, label_smoothing=0.05, reduction="none")
    weights = torch.ones(len(labels))
    weights[2 * plan.sides :] = plan.brand_weight
    return (losses * weights).mean()


def _run(net: Net, rows: list[Pieces], plan: Plan, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    ids, mask = pad(rows)
    hidden = torch.from_numpy(rng.random(ids.shape) < plan.dropout) & (ids > 5) & (ids != net.other)
    with torch.autocast("cpu", torch.bfloat16):
        both: tuple[torch.Tensor, torch.Tensor] = net(ids.masked_fill(hidden, 4), mask)
    return both


def save(net: Net, config: BertConfig, out: Path) -> None:
    """model.onnx, int8: outputs `intent` (n, 4) and `toward` (n, 3)."""
    plain = Net(BertModel._from_config(config, attn_implementation="eager"), net.mark, net.other)
    plain.load_state_dict(net.state_dict(), strict=False)  # the pooler is not used
    plain.eval()
    export.to_onnx(plain, out / export.ONNX_NAME, ["intent", "toward"])


if __name__ == "__main__":
    raise SystemExit(main())
