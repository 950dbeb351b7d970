"""Models of the Hugging Face hub: found on this disk at run time, brought here only when somebody asks for it.

Nothing downloads by itself: `find` looks where `fetch` puts models and where other tools of this user put theirs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crawler.errors import CrawlerError, ModelUnavailable, NotFound, Permanent, Transient
from sentiment.broken import said, sha256

_ID: Final = re.compile(r"^([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?$")
_TOKENIZER: Final = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
VOCABULARY: Final = ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "bpe.codes")
_ONNX: Final = ("model.onnx", "model.onnx_data", "onnx/model.onnx", "onnx/model.onnx_data")
_WEIGHTS: Final = (".safetensors", ".onnx", ".bin", ".pt", ".h5")
_QUERY: Final = re.compile(r"(https?://)(?:[^/\s'\"@]*@)?([^\s?'\"]+)\?[^\s'\"]*")
_TOKEN: Final = re.compile(r"hf_\w{4,}")
_SAFE: Final = re.compile(r"^model(?:-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$")


@dataclass(frozen=True, slots=True)
class HubId:
    """`owner/name`, and the revision (branch, tag, commit, `refs/pr/5`) or None for the newest."""

    name: str
    revision: str | None

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def hub_id(model: str) -> HubId | None:
    """What `sentiment.model` means on the hub; None when it can only be a folder."""
    hit = _ID.match(model)
    return HubId(hit[1], hit[2]) if hit and ".." not in model else None


def find(wanted: HubId, store: Path | None) -> Path | None:
    """The folder of a model on this disk, None when it was never fetched. Asks nobody."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    # Files that every copy has: a snapshot without the weights that nobody wanted would count as incomplete.
    names = ["config.json", *_TOKENIZER, *VOCABULARY]
    for cache in (store, None):
        try:
            found = snapshot_download(
                wanted.name, revision=wanted.revision, cache_dir=cache, allow_patterns=names, local_files_only=True
            )
        except (LocalEntryNotFoundError, ValueError, OSError):
            continue
        if has_weights(Path(found)):
            return Path(found)
    return None


def has_weights(folder: Path) -> bool:
    """Whether the weights of a fetched model are all there: a download that broke off leaves the small files alone."""
    there = {path.name for place in (folder, folder / "onnx") for path in place.glob("*") if path.exists()}
    index = folder / "model.safetensors.index.json"
    try:
        parts = set(json.loads(index.read_text("utf-8"))["weight_map"].values()) if index.exists() else set()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True  # loading it says what is wrong with the index
    return parts <= there and any(name.endswith(_WEIGHTS) for name in there)


def fetch(wanted: HubId, store: Path, say: Callable[[str], None], endpoint: str | None = None) -> Path:
    """Download the files that we would load, and no others; returns their folder.

    Every weight is hashed and compared with what the hub says. Raises NotFound (no such model or revision), Permanent
    (nothing here that may be loaded, a wrong hash, no right to it) or Transient (no network, not finished).
    """
    os.environ["HF_HUB_OFFLINE"] = "0"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # plain HTTP: one way through proxies and past firewalls
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils import logging

    quiet: Any = logging
    quiet.set_verbosity_error()  # its warnings quote signed addresses, with which anybody could fetch the file
    try:
        told = HfApi(endpoint=endpoint).model_info(wanted.name, revision=wanted.revision, files_metadata=True)
        files = {str(item.rfilename): item for item in told.siblings or []}
        names = chosen(list(files), str(wanted))
        size = sum(int(files[name].size or 0) for name in names)
        say(f"{wanted}: {len(names)} files, {size / 1e6:.0f} MB, of commit {told.sha}")
        # Of the revision that was asked for, so that its name is remembered beside the commit.
        folder = Path(
            snapshot_download(
                wanted.name,
                revision=wanted.revision,
                cache_dir=store,
                allow_patterns=names,
                endpoint=endpoint,
                tqdm_class=None,
            )
        )
    except CrawlerError:
        raise
    except Exception as error:
        raise _translated(error, wanted) from None
    if missing_ones := [name for name in names if not (folder / name).is_file()]:
        raise Transient(f"{wanted}: {', '.join(missing_ones)} did not come; fetch it again")
    for name in names:
        _compare(folder / name, files[name])
    return folder


def chosen(names: list[str], shown: str) -> list[str]:
    """Which files of a model are worth having: settings, tokenizer, and safetensors or else ONNX weights."""
    safe = [name for name in names if _SAFE.match(name)]
    onnx = [name for name in names if name in _ONNX]
    weights = safe or [name for name in onnx if name.startswith("onnx/")] or onnx
    if not weights:
        pickled = ", ".join(name for name in names if name.endswith((".bin", ".pt", ".h5", ".msgpack")))
        raise Permanent(
            f"{shown}: has no safetensors and no ONNX weights ({pickled or 'no weights at all'}); pickled weights can "
            "run code and are never loaded: take a revision with safetensors (often @refs/pr/N), or convert them once"
        )
    return sorted({"config.json", *_TOKENIZER, *VOCABULARY} & set(names)) + sorted(weights)


def _compare(path: Path, told: Any) -> None:
    """Large files are named by their sha256 on the hub, the others by their id in git."""
    wanted, found = getattr(told.lfs, "sha256", None), sha256
    if not wanted:
        wanted, found = getattr(told, "blob_id", None), _git_id
    if wanted and found(path) != wanted:
        path.resolve().unlink(missing_ok=True)
        kind = "sha256" if found is sha256 else "content"
        raise Permanent(f"{path.name}: its {kind} is not what the hub says; it was removed, fetch it again")


def _git_id(path: Path) -> str:
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _translated(error: Exception, wanted: HubId) -> CrawlerError:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return Permanent(
            f"{wanted}: its owner wants you to agree to terms first: do so on its page on the hub, and set HF_TOKEN"
        )
    if isinstance(error, RepositoryNotFoundError):
        return NotFound(f"{wanted}: there is no such model on the hub, or it is private and HF_TOKEN may not read it")
    if isinstance(error, RevisionNotFoundError):
        return NotFound(f"{wanted}: this model has no revision {wanted.revision}")
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if status in (401, 403):
        return Permanent(f"{wanted}: the hub refuses it ({status}): mend HF_TOKEN, or take another model")
    return Transient(f"{wanted}: could not be fetched, fetch it again: {_without_secrets(said(error))}")


def _without_secrets(text: str) -> str:
    """Signed addresses and tokens open what is private."""
    return _TOKEN.sub("hf_…", _QUERY.sub(r"\1\2?…", text))


def missing(model: str, folder: Path, wanted: HubId | None) -> ModelUnavailable:
    """What to say of a model that is nowhere."""
    if wanted is None:
        return ModelUnavailable(f"tone model: {folder}: there is no such folder; mend sentiment.model")
    return ModelUnavailable(
        f"tone model: {model}: neither a folder ({folder}) nor fetched from the hub; nothing is downloaded by itself: "
        f"run `mention-crawler model fetch {model}`, or mend sentiment.model"
    )
