"""Names that do not exist: one message for all of them, with what was probably meant and what there is."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from crawler.errors import NotFound

MOST = 20


def unknown(noun: str, name: str, known: Iterable[str]) -> NotFound:
    """The error for a name that is not among `known`."""
    names = sorted(map(str, known))
    close = get_close_matches(name.casefold(), [known_name.casefold() for known_name in names], n=1, cutoff=0.5)
    meant = next((f"; did you mean {n!r}?" for n in names if close and n.casefold() == close[0]), ";")
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return NotFound(f"there is no {noun} {name!r}{meant} known: {', '.join(names[:MOST]) or 'none'}{more}")


def demand(noun: str, name: str | None, known: Iterable[str]) -> None:
    """Raise NotFound unless `name` is None or known."""
    if name is None:
        return
    names = [str(one) for one in known]
    if name not in names:
        raise unknown(noun, name, names)
