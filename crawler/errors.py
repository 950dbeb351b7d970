"""Every error of the house.

    CrawlerError
    ├── ConfigError          the file is wrong: carries file:line:column and the corrected line; exit 2
    ├── NotFound             a name or id that the user gave does not exist; exit 2
    ├── StoreError           the database cannot be used
    │   ├── LeaseLost        somebody else took the work over: our late writes are refused
    │   └── SchemaMismatch   the database is of another version; `upgrade` mends it
    ├── ModelUnavailable     the tone model is missing, corrupt or gives nonsense; mentions wait untagged
    ├── PluginError          a kind is declared twice, or a plug-in file does not load
    ├── Transient            trying again later may help (`retry_after` seconds when the other side said so)
    │   └── InDoubt          the call may have taken effect: ask the helpdesk before doing it again
    └── Permanent            trying again cannot help: the item is parked where a person sees it
        └── EgressRefused    the address is not one we may talk to
            (a refused private address, a scheme that is not http/https, a port in the block list)

Transient and Permanent alone decide retries. No message may hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass


class CrawlerError(Exception):
    """Root of every error that the house raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the config: where it stands, what is wrong and how the line should read.

    A `warning` is no mistake: the config is good, and will perhaps not do what was meant.
    """

    file: str
    line: int
    column: int
    message: str
    fix: str | None = None
    warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: {'warning: ' if self.warning else ''}{self.message}"
        return f"{place}\n    fix: {self.fix}" if self.fix else place


class ConfigError(CrawlerError):
    """The configuration is wrong; `problems` lists every mistake found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class NotFound(CrawlerError):
    """A name or id given by the user does not exist."""


class StoreError(CrawlerError):
    """The database cannot be used."""


class LeaseLost(StoreError):
    """Another process holds this work now; nothing was written."""


class SchemaMismatch(StoreError):
    """The database has another schema version than this program; run `mention-crawler upgrade`."""


class ModelUnavailable(CrawlerError):
    """The tone model cannot be used; mentions stay stored and are tagged later."""


class PluginError(CrawlerError):
    """A plug-in kind is declared twice or cannot be loaded."""


class Transient(CrawlerError):
    """Trying again later may help. `retry_after` is in seconds when the other side named it."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class InDoubt(Transient):
    """The call may have taken effect although no good answer came: look before doing it again."""


class Permanent(CrawlerError):
    """Trying again cannot help; a person must look."""


class EgressRefused(Permanent):
    """The address is not one that this program may talk to."""
