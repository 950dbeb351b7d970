"""Holds the one loaded model of a process, and sees when its files change while it works.

A new version is taken only when it is whole: files that are still being copied, or that do not load, leave the model
that works in its place. Looking costs a stat of each file, never a hash.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from crawler.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentiment.models import Fingerprint, Scorer
    from sentiment.spec import ModelSpec

RETRY: Final = 60.0  # seconds until a model that failed is tried again, unless its files change before
SETTLED: Final = 2.0  # seconds that files must have stood still: who copies them writes more often


class Holder:
    """The model of `spec`, loaded when first asked for. Calls are safe from several threads."""

    def __init__(self, spec: ModelSpec, threads: int | None) -> None:
        self.spec, self._threads = spec, threads
        self._loaded: Scorer | None = None
        self._seen: Fingerprint = ()  # the files as they were when the model was loaded, or failed
        self._failure: tuple[float, ModelUnavailable] | None = None
        self._refused: tuple[float, Fingerprint, str] | None = None  # a new version that does not load
        self._moving: tuple[float, Fingerprint] | None = None  # since when the files look like this
        self._lock = threading.Lock()

    def model(self) -> Scorer:
        """The newest version that works. Raises ModelUnavailable when there is none."""
        with self._lock:
            self._loaded = self._load() if self._loaded is None else self._newest(self._loaded)
            return self._loaded

    @property
    def trouble(self) -> str:
        """Why the files on the disk are not what is at work; empty when they are."""
        return self._refused[2] if self._refused else ""

    def doubted(self) -> bool:
        """After a failure at work: whether the files were mended since loading; they are read anew then."""
        from sentiment.models import fingerprint

        with self._lock:
            changed = self._loaded is not None and fingerprint(self.spec) != self._seen
            self._loaded = None if changed else self._loaded
            return changed

    def _load(self) -> Scorer:
        """Hashing a gigabyte each second would be all that a worker with a broken model did: it waits for a change."""
        from sentiment.models import fingerprint, open_model

        seen = fingerprint(self.spec)
        if self._failure and seen == self._seen and time.monotonic() - self._failure[0] < RETRY:
            raise ModelUnavailable(str(self._failure[1]))
        self._seen, self._failure, self._refused = seen, None, None
        try:
            return open_model(self.spec, self._threads)
        except ModelUnavailable as error:
            self._failure = time.monotonic(), error
            raise

    def _newest(self, working: Scorer) -> Scorer:
        """The model of the files as they are now, or the one at work where they are not whole."""
        from sentiment.models import fingerprint

        found = fingerprint(self.spec)
        if found == self._seen:
            self._refused = self._moving = None
            return working
        # A folder that is gone or a disk that does not answer takes nothing from a model in memory.
        if not found or not self._stands_still(found) or self._known_bad(found):
            return working
        return self._taken(found) or working

    def _stands_still(self, found: Fingerprint) -> bool:
        """By the clock of the file system, or, where that one is odd, by how long they have looked like this to us."""
        now = time.monotonic()
        if self._moving is None or self._moving[1] != found:
            self._moving = now, found
        newest = max(touched for _, _, touched in found) / 1e9
        return time.time() - newest >= SETTLED or now - self._moving[0] >= SETTLED

    def _known_bad(self, found: Fingerprint) -> bool:
        refused = self._refused
        return refused is not None and refused[1] == found and time.monotonic() - refused[0] < RETRY

    def _taken(self, found: Fingerprint) -> Scorer | None:
        """The new version, None when it does not load or was written to meanwhile."""
        from sentiment.models import fingerprint, open_model

        try:
            fresh = open_model(self.spec, self._threads)
        except ModelUnavailable as error:
            self._refused = time.monotonic(), found, str(error)
            return None
        if fingerprint(self.spec) != found:
            return None
        self._seen, self._refused, self._moving = found, None, None
        return fresh
