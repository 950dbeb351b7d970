"""The URL of the database: completed, its references looked up, literal passwords in the file refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from crawler.config.problems import closest
from crawler.config.secrets import REFERENCE, Lookup
from crawler.config.values import wrong

_SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg")
_MEANT = {"postgres": "postgresql", "psql": "postgresql", "pg": "postgresql", "sqlite3": "sqlite"}


def database_url(
    written: str | None, folder: Path, data_dir: Path, env: Mapping[str, str], *, literal: bool = False
) -> str:
    """The whole URL. SQLite paths are relative to `folder`; without one the file lies in `data_dir`.

    Raises a validation error. `literal` allows a password in the URL itself (it came from the environment).
    """
    if written is None:
        return f"sqlite:///{data_dir / 'mentions.db'}"
    scheme, mark, rest = written.partition("://")
    if not mark or scheme not in _SCHEMES:
        better = _MEANT.get(scheme.lower()) or closest(scheme, _SCHEMES) or "sqlite"
        fix = f"{better}://{rest}" if mark else f"sqlite:///{written}"
        raise wrong(f"database.url must begin with sqlite:/// or postgresql://, not {_start(written)}", fix)
    if scheme == "sqlite":
        return _sqlite(_filled(rest, folder, env), folder)
    if not literal and _literal_password(rest):
        fix = re.sub(r"^([^:@/]*):[^@/]*@", r"\1:${PGPASSWORD}@", rest)
        raise wrong(
            "database.url: a password must not stand in the file; name an environment variable", f"{scheme}://{fix}"
        )
    return f"{scheme}://{_filled(rest, folder, env, escape=True)}"


def _start(written: str) -> str:
    return repr(written.partition("://")[0][:20] + "...")


def _literal_password(rest: str) -> bool:
    login, at, _ = rest.partition("/")[0].rpartition("@")
    password = login.partition(":")[2]
    return bool(at and password and not REFERENCE.search(password))


def _filled(rest: str, folder: Path, env: Mapping[str, str], *, escape: bool = False) -> str:
    vault = Lookup(folder, env)

    def value(match: re.Match[str]) -> str:
        found = vault.env(match[1])
        return quote(found, safe="") if escape else found

    try:
        return REFERENCE.sub(value, rest)
    except LookupError as error:
        raise wrong(f"database.url: {error.args[0]}", error.args[1]) from None


def _sqlite(rest: str, folder: Path) -> str:
    """`rest` is what follows sqlite:// - /relative or //absolute."""
    if not rest.startswith("/"):
        raise wrong("database.url: a SQLite path follows three slashes", f"sqlite:///{rest}")
    path, question, options = rest[1:].partition("?")
    if not path or path == ":memory:":
        raise wrong("database.url: name a file; a database in memory forgets everything", "sqlite:///data/mentions.db")
    place = folder / Path(urlsplit(path).path if path.startswith("file:") else path).expanduser()
    return f"sqlite:///{place}{question}{options}"
