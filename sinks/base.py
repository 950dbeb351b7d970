"""What a sink is: the contract between our outbox and one helpdesk.

A new kind is one file in `sinks/` (or in `plugins/` beside the config) with one class: `kind`, `Settings`, `create`
and, when the helpdesk can be searched, `find`. An ability that is not written is missing and is shown as missing.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, WithJsonSchema

from crawler import plugins
from crawler.errors import Permanent
from crawler.model import Change, Remote, Ticket
from crawler.net.http import HttpClient
from sinks.plain import mask

ABILITIES = ("find", "update", "changes")


def _seconds(value: object) -> object:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m)", value.strip()) if isinstance(value, str) else None
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found[2]] if found else value


_SECONDS_SCHEMA = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "examples": ["10s", "2m"]}]}
Seconds = Annotated[float, Field(gt=0, le=300), BeforeValidator(_seconds), WithJsonSchema(_SECONDS_SCHEMA)]
"""A time limit in the settings: a number of seconds, or text such as "10s" or "2m"; at most five minutes."""


class DeskPort(Protocol):
    """The built-in desk. `create` is idempotent by the ticket's key."""

    def create(self, ticket: Ticket) -> Remote: ...

    def find(self, key: str) -> Remote | None: ...

    def update(self, remote: Remote, change: Change) -> None: ...

    def changes(self, since: datetime) -> Sequence[tuple[Remote, Change]]: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Tools:
    """What the house gives every sink: the guarded HTTP client, the built-in desk when there is one, the clock.

    `ours` says of a sink's name and ids of tickets there which of them are ours: `changes` need not read the others.
    """

    http: HttpClient
    desk: DeskPort | None = None
    now: Callable[[], datetime] = utc_now
    ours: Callable[[str, Collection[str]], Collection[str]] | None = None


class Sink(ABC):
    """One configured helpdesk.

    Methods raise Transient (try later), InDoubt (it may have taken effect: look before trying again) or Permanent (a
    person must look) and nothing else. Ticket texts are plain text: the sink escapes them for its own edge.
    """

    kind: ClassVar[str]
    parallel: ClassVar[int] = 1
    """Calls that may be on their way at once; more than 1 only for a kind that is safe to use from threads."""
    idempotent: ClassVar[bool] = False
    """True when creating or changing the same key twice surely takes effect once: then there is no doubt to clear."""
    unread: str | None = None
    """Set by `changes` at its end: why it could not tell all that changed."""

    class Settings(plugins.Settings):
        """Settings of the kind; secrets are fields of type `plugins.Secret`."""

    def __init__(self, name: str, settings: Any, tools: Tools) -> None:
        self.name = name
        self.settings = settings
        self.tools = tools
        self.secrets = secrets_of(settings)

    @abstractmethod
    def create(self, ticket: Ticket) -> Remote:
        """Open the ticket; its `key` must be stored where `find` sees it."""

    def find(self, key: str) -> Remote | None:
        """The ticket that `create` opened under `key`, or None when there is surely none."""
        raise self._lacks("find")

    def find_all(self, key: str) -> Sequence[Remote]:
        """Every ticket under `key`, oldest first, as far as the helpdesk can tell: two mean that one is a double."""
        found = self.find(key)
        return () if found is None else (found,)

    @property
    def settle(self) -> float:
        """Seconds in which the helpdesk may still store a ticket whose call gave no good answer.

        Nothing is created again before they have passed, and one more look follows after them.
        """
        return 30.0

    @property
    def place(self) -> str:
        """Which helpdesk this is, short and without secrets: the same number in another place is another ticket."""
        return place_of(self.server)

    @property
    def server(self) -> str:
        """What tells this helpdesk from others: its server, or the kind alone."""
        return self.kind

    @property
    def places(self) -> frozenset[str]:
        """The `place` of now, and the ones that older versions wrote down for the same helpdesk."""
        return frozenset((self.place,))

    @property
    def creates_once(self) -> bool:
        """Whether the helpdesk itself takes the same key only once: in doubt, creating again is no double."""
        return self.idempotent

    @property
    def changes_once(self) -> bool:
        """Whether `update` looks before it writes, so that the same change twice takes effect once."""
        return self.idempotent

    def update(self, remote: Remote, change: Change) -> Remote | None:
        """Add a comment and/or set priority or status; may answer the ticket as read back."""
        raise self._lacks("update")

    def changes(self, since: datetime) -> Iterable[tuple[Remote, Change]]:
        """What changed on the helpdesk's side after `since`, as one Change for each thing that happened.

        `status` and `assignee` are those of now ("": nobody has it). A comment is its own Change with `author`,
        `public` (the customer may read it) and a `key` that is unique in this helpdesk; comments of ours may be among
        them. `at` is the helpdesk's time. Telling the same twice is harmless.
        """
        raise self._lacks("changes")

    @property
    def hook_secrets(self) -> Sequence[str]:
        """Secrets that may sign a call of the helpdesk's own webhook to us; two while one replaces the other."""
        found = [getattr(self.settings, name, None) for name in ("hook_secret", "old_hook_secret", "secret")]
        return [value.get_secret_value() for value in found if isinstance(value, SecretStr)]

    @property
    def can(self) -> frozenset[str]:
        """The abilities that this sink has: those of its optional methods that are written."""
        return frozenset(name for name in ABILITIES if getattr(type(self), name) is not getattr(Sink, name))

    def mask(self, text: str) -> str:
        """`text` without any secret of this sink."""
        return mask(text, self.secrets)

    def permanent(self, message: str) -> Permanent:
        return Permanent(self.mask(f"{self.name}: {message}"))

    def _lacks(self, ability: str) -> Permanent:
        return self.permanent(f"a sink of kind {self.kind} cannot {ability}")


def place_of(server: str) -> str:
    """The short name of a helpdesk by what tells it from others."""
    return hashlib.sha256(server.encode("utf-8", "replace")).hexdigest()[:16]


def secrets_of(settings: object) -> list[str]:
    """The plain values of every secret in `settings`, however deep."""
    if isinstance(settings, plugins.Secret):
        return settings.hidden()
    if isinstance(settings, SecretStr):
        return [settings.get_secret_value()]
    if isinstance(settings, BaseModel):
        return [value for name in type(settings).model_fields for value in secrets_of(getattr(settings, name))]
    if isinstance(settings, Mapping):
        return [value for item in settings.values() for value in secrets_of(item)]
    if isinstance(settings, list | tuple):
        return [value for item in settings for value in secrets_of(item)]
    return []
