"""The built-in desk: tickets in our own database, for whoever has no helpdesk yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from crawler import plugins
from crawler.errors import InDoubt, StoreError
from crawler.model import Change, Remote, Ticket
from sinks.base import DeskPort, Sink

T = TypeVar("T")


class Desk(Sink):
    """Keeps tickets in the database. Creating the same key twice gives the first ticket again: never a double."""

    kind = "desk"
    idempotent = True

    class Settings(plugins.Settings):
        """The desk needs no settings."""

    def create(self, ticket: Ticket) -> Remote:
        return self._safely(lambda desk: desk.create(ticket))

    def find(self, key: str) -> Remote | None:
        return self._safely(lambda desk: desk.find(key))

    def update(self, remote: Remote, change: Change) -> None:
        self._safely(lambda desk: desk.update(remote, change))

    def changes(self, since: datetime) -> Iterable[tuple[Remote, Change]]:
        return self._safely(lambda desk: desk.changes(since))

    def _safely(self, work: Callable[[DeskPort], T]) -> T:
        if self.tools.desk is None:
            raise self.permanent("there is no built-in desk here; run it inside the program that owns the database")
        try:
            return work(self.tools.desk)
        except StoreError as error:
            raise InDoubt(f"{self.name}: the database did not take it ({error})") from None
