"""Posts a second of language, tone and intent together, memory and start, beside torch and a big model's pipeline.

All in one run, and ratios by seconds of a core, so that they mean something on a busy machine too. The rows that need
torch say so without it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.row import Row

WARM, POSTS, BIG_POSTS, BATCH, THREADS = 64, 768, 8, 64, 2
SETS = Path(__file__).resolve().parents[1] / "tests" / "sentiment_sets"
MIB = 1024  # of ru_maxrss, which counts in KiB


def posts() -> list[str]:
    """WARM and POSTS of our own posts of the frozen sets, in three languages, mixed."""
    rows = [json.loads(line) for name in ("en", "ru", "uk") for line in (SETS / f"intent_{name}.jsonl").open("rb")]
    texts = [str(row["text"]) for row in rows]
    return [texts[at * 7 % len(texts)] for at in range(WARM + POSTS)]


def run() -> Iterator[Row]:
    """Each contender in a process of its own: its memory and its start are its own then."""
    ours = _apart(_ours)
    what = f"built-in tone, language and intent, batch {BATCH}"
    yield Row(what, _said(ours["many"]), goal=">= 300 posts/s on 2 cores")
    yield Row("the same, one post at a time", _said(ours["one"]))
    yield Row("its start, from import to the first answer", f"{ours['start']:.2f} s")
    yield Row("memory of its process", f"{ours['mib']:.0f} MiB")
    for name, contender, goal in (
        ("built-in against torch fp32 of the same encoder", _same_in_torch, ""),
        ("built-in against an XLM-R-base pipeline", _big, ">= 15"),
    ):
        theirs = _apart(contender)
        if "missing" in theirs:
            yield Row(name, "not measured", theirs["missing"], None, goal)
            continue
        beside = f"{_said(theirs['many'])}, start {theirs['start']:.1f} s, {theirs['mib']:.0f} MiB"
        yield Row(name, _said(ours["many"]), beside, ours["many"][1] / theirs["many"][1], goal)


def _apart(work: Callable[[list[str]], dict[str, Any]]) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe(duplex=False)
    child = context.Process(target=_body, args=(far, work, posts()))
    child.start()
    far.close()
    told: dict[str, Any] = near.recv()
    child.join()
    return told


def _body(channel: Any, work: Callable[[list[str]], dict[str, Any]], texts: list[str]) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        told = work(texts)
    except ImportError as error:
        told = {"missing": f"needs the extra torch ({error.name} is not installed)"}
    channel.send({**told, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB})


def _said(speed: tuple[float, float]) -> str:
    return f"{speed[0]:.1f} posts/s, {speed[1]:.1f} a second of one core"


def _speed(judge: Callable[[list[str]], object], texts: Sequence[str], batch: int) -> tuple[float, float]:
    """Posts a second of the clock, and of one core; what is loaded on first use is loaded before."""
    began, core = time.perf_counter(), time.process_time()
    for start in range(0, len(texts), batch):
        judge(list(texts[start : start + batch]))
    return len(texts) / (time.perf_counter() - began), len(texts) / (time.process_time() - core)


def _ours(texts: list[str]) -> dict[str, Any]:
    began = time.perf_counter()
    from sentiment import Analyser

    analyser = Analyser(threads=THREADS)
    analyser.analyse(texts[:1], [None])
    started = time.perf_counter() - began

    def judge(some: list[str]) -> object:
        return analyser.analyse(some, [None] * len(some))

    judge(texts[:WARM])
    half = WARM + POSTS // 2  # no post is read twice
    return {"start": started, "many": _speed(judge, texts[WARM:half], BATCH), "one": _speed(judge, texts[half:], 1)}


def _same_in_torch(texts: list[str]) -> dict[str, Any]:
    """The encoder alone, as transformers run it: it has neither language nor intent to find."""
    began = time.perf_counter()
    import sentiment

    judge = _pipeline(Path(sentiment.__file__).parent / "model", 128)
    judge(texts[:1])
    started = time.perf_counter() - began
    judge(texts[:8])
    return {"start": started, "many": _speed(judge, texts[WARM : WARM + POSTS // 4], BATCH)}


def _big(texts: list[str]) -> dict[str, Any]:
    """12 layers of 768 with 250,002 word pieces, random weights; the pieces are the built-in tokenizer's."""
    import sentiment

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _save_big(folder, Path(sentiment.__file__).parent / "model")
        began = time.perf_counter()
        judge = _pipeline(folder, 128)
        judge(texts[:1])
        started = time.perf_counter() - began
        return {"start": started, "many": _speed(judge, texts[WARM : WARM + BIG_POSTS], BIG_POSTS)}


def _save_big(folder: Path, tokens: Path) -> None:
    import torch
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForSequenceClassification

    torch.manual_seed(7)
    config = XLMRobertaConfig(vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1, num_labels=3)
    XLMRobertaForSequenceClassification(config).save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(str(tokens)).save_pretrained(folder)


def _pipeline(folder: Path, longest: int) -> Callable[[list[str]], object]:
    import torch
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast, pipeline

    torch.set_num_threads(THREADS)
    model = AutoModelForSequenceClassification.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    made = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    return lambda texts: made(texts, batch_size=len(texts), truncation=True, max_length=longest)
