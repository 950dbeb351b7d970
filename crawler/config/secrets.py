"""What stands behind `${NAME}` and `file:/path`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MAX_SECRET = 65536


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks references up in the environment and in files beside the config; errors never hold a value."""

    folder: Path
    variables: Mapping[str, str] = field(repr=False)

    def env(self, name: str) -> str:
        """The environment variable; LookupError when it is not set or empty."""
        value = self.variables.get(name)
        if not value:
            state = "empty" if value == "" else "not set"
            raise LookupError(f"the environment variable {name} is {state}", f"export {name}=...")
        return value

    def file(self, path: str) -> str:
        """The content of a file without the line end; LookupError when it cannot be read."""
        place = self.folder / Path(path.removeprefix("//")).expanduser()
        try:
            data = place.read_bytes()
        except OSError as error:
            raise LookupError(f"the secret file {place} cannot be read: {error.strerror}", "file:/path/to/it") from None
        if not data.strip() or len(data) > _MAX_SECRET:
            raise LookupError(f"the secret file {place} is {'too big' if data.strip() else 'empty'}")
        try:
            return data.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise LookupError(f"the secret file {place} is not UTF-8 text") from None


class Unresolved:
    """Looks nothing up: for showing and storing settings on machines that lack the secrets."""

    def env(self, name: str) -> str:
        """Nothing: the reference stands for the value."""
        return ""

    def file(self, path: str) -> str:
        """Nothing: the reference stands for the value."""
        return ""
