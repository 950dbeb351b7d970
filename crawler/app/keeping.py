"""Retention and room: what is older than `keep:` goes once an hour; a reserve file lets it run on a full disk."""

from __future__ import annotations

import logging
import os
import shutil
from datetime import timedelta
from pathlib import Path

from crawler.app import App, now
from crawler.errors import StoreError
from crawler.store.retention import Expired

logger = logging.getLogger(__name__)

GIB = 1 << 30
RESERVE_BYTES = 64 << 20
EVERY = 3600.0
_LEASE = "retention"


def room(app: App) -> tuple[int, Path]:
    """Bytes that new rows may still take, of the disk and inside the database, and the place they were counted at."""
    place = existing(app.store.path or app.config.data_dir)
    return free_bytes(place) + app.store.spare_bytes(), place


def free_bytes(place: Path) -> int:
    """What is left on the disk that holds `place`."""
    return shutil.disk_usage(place).free


def existing(place: Path) -> Path:
    """`place`, or the nearest folder above it that is there."""
    return next(folder for folder in (place, *place.parents) if folder.exists())


def keep(app: App) -> Expired:
    """Take away what is too old, unless another process did within the hour; then see to the reserve."""
    reserve = Reserve(app.config.data_dir)
    try:
        gone = _in_turn(app)
    except StoreError as error:
        if not reserve.spend():
            raise
        logger.warning("retention goes on from the reserve: %s", error)
        gone = _in_turn(app)
    if gone != Expired():
        logger.info("retention: %d posts and %d answers went", gone.posts, gone.documents)
    if room(app)[0] > GIB + RESERVE_BYTES:
        reserve.fill()
    return gone


def _in_turn(app: App) -> Expired:
    taken = app.store.leases.take(_LEASE, app.owner, EVERY)
    return Expired() if taken is None else expire(app)


def expire(app: App) -> Expired:
    """One pass over posts and answers, and over what streams brought that names no brand."""
    retention, at, gone = app.store.retention, now(), Expired()
    if app.config.keep.posts is not None:
        before = at - timedelta(seconds=app.config.keep.posts)
        gone += retention.posts(before)
        gone += retention.documents(before)
    streams = [state.id for state in app.store.sources.all() if state.schedule.get("stream")]
    if streams:
        before = at - timedelta(seconds=app.config.keep.unmatched_stream)
        gone += retention.unmatched(before, streams)
        gone += retention.documents(before, streams)
    return gone


class Reserve:
    """A file of zeroes in the data folder. Spending it gives a full disk the room that deleting rows needs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"

    def fill(self) -> None:
        """Make it unless it is there; a disk that has no room for it has none."""
        if self._path.exists():
            return
        half = self._path.with_suffix(".part")
        try:
            with half.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
            half.replace(self._path)
        except OSError as error:
            half.unlink(missing_ok=True)
            logger.warning("no reserve of %d MiB could be kept: %s", RESERVE_BYTES >> 20, error.strerror)

    def spend(self) -> bool:
        """Give its room back to the disk; False when it was spent before."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
