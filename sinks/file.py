"""Tickets as lines of JSON in a file: for whatever reads files, and for archives."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from crawler import plugins
from crawler.errors import InDoubt, Transient
from crawler.model import Change, Remote, Ticket
from crawler.net.http import as_json
from sinks.base import Sink

_WRITING = threading.Lock()


def _line(data: Mapping[str, Any]) -> bytes:
    """One line of JSON: line ends that only some readers know are escaped too."""
    text = as_json(data).decode()
    for end in ("\u2028", "\u2029", "\x85"):
        text = text.replace(end, f"\\u{ord(end):04x}")
    return text.encode() + b"\n"


class File(Sink):
    """Appends one line a ticket or change, safely on the disk; a line that a crash cut off is passed over."""

    kind = "file"

    class Settings(plugins.Settings):
        path: str = Field(description="The file; its folder must exist", examples=["/var/lib/mentions/tickets.jsonl"])

    def create(self, ticket: Ticket) -> Remote:
        opened = ticket.opened_at.isoformat() if ticket.opened_at else None
        names = ("key", "subject", "body", "brand", "url", "author", "reason", "language")
        line = {name: getattr(ticket, name) for name in names} | {"tags": list(ticket.tags), "opened_at": opened}
        line["due_at"] = ticket.due_at.isoformat() if ticket.due_at else None
        self._append({"event": "ticket", "priority": ticket.priority.value, **line})
        return Remote(ticket.key)

    def find(self, key: str) -> Remote | None:
        return Remote(key) if any(line.get("key") == key for line in self._lines("ticket")) else None

    def update(self, remote: Remote, change: Change) -> None:
        if any(line.get("key") == change.key for line in self._lines("change")):
            return
        words = {name: getattr(change, name) and getattr(change, name).value for name in ("priority", "status")}
        self._append({"event": "change", "ticket": remote.id, "key": change.key, "comment": change.comment, **words})

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            with _WRITING, Path(self.settings.path).open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                    file.write(b"\n")
                file.write(_line(line))
                file.flush()
                os.fsync(file.fileno())
        except (FileNotFoundError, IsADirectoryError, PermissionError, NotADirectoryError) as error:
            raise self.permanent(f"{self.settings.path}: {error.strerror}") from None
        except OSError as error:
            raise InDoubt(f"{self.name}: {self.settings.path}: {error.strerror}") from None

    def _lines(self, event: str) -> Iterator[Mapping[str, Any]]:
        path = Path(self.settings.path)
        try:
            lines = path.read_bytes().split(b"\n") if path.exists() else []
        except OSError as error:
            raise Transient(f"{self.name}: {path}: {error.strerror}") from None
        for raw in lines:
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict) and line.get("event") == event:
                yield line
