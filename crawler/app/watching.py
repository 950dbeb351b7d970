"""`watch NAME`, what it reads: every kind that can search without a key, each with the words that stand for the name.

All that follows is made of a config, as always: `watch` writes one into a temporary folder, and `--save` keeps it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from crawler.app.naming import demand
from crawler.app.source_text import SourceText, scalar
from crawler.config.values import every_of
from crawler.errors import NotFound
from crawler.matching.forms.scripts import CYRILLIC, LATIN, cyrillised, romanised
from crawler.text import clean_text

if TYPE_CHECKING:
    from spiders.base import SourceSpider

# Kinds of a place need one to begin with: big public instances that see much of what the others federate.
PLACES = {"mastodon": "https://mastodon.social", "lemmy": "https://lemmy.world"}
# How often a platform wants to be asked without a key, where that is not the usual pace.
PACES = {"stackexchange": "15m..2h", "reddit": "5m..1h", "github": "5m..1h"}
PACE = "2m..30m"
_LONGEST = 100
_MOST_WORDS = 4
_UNQUOTED = dict.fromkeys(map(ord, '"«»„“”‟'), " ")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks for: a name, other spellings, kinds (all when none), other addresses of kinds, the pace."""

    name: str
    also: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict)
    every: str | None = None
    # The name was longer than anybody writes; what is looked for is its beginning.
    cut: bool = False

    @classmethod
    def of(cls, name: str, also: Iterable[str] = (), kinds: Iterable[str] = (), **more: Any) -> Wish:
        """A wish with its words in order. Raises NotFound where there is nothing to look for."""
        words = [_word(word) for word in (name, *also)]
        if not any(char.isalnum() for char in words[0]):
            raise NotFound(f'{name!r} has no letter to look for: mention-crawler watch "Ladna Pay"')
        if more.get("every") is not None:
            _demand_pace(more["every"])
        also, cut = tuple(word for word in words[1:] if word), len(_plain(name)) > _LONGEST
        return cls(words[0], also, tuple(dict.fromkeys(kinds)), cut=cut, **more)


def _plain(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in clean_text(text)).split())


def _word(text: str) -> str:
    """One line without anything that does not show; where it is too long, whole words of it if there are several."""
    plain = _plain(text)
    if len(plain) <= _LONGEST:
        return plain
    return plain[: _LONGEST + 1].rpartition(" ")[0] or plain[:_LONGEST]


def _demand_pace(every: str) -> None:
    try:
        every_of(every)
    except PydanticCustomError as error:
        raise NotFound(f"--every: {(error.context or {}).get('message', error)}") from None


def plan(kinds: Mapping[str, type[SourceSpider]], wish: Wish) -> list[SourceText]:
    """One source for each kind that can be asked. NotFound for a kind that is named and cannot, with the reason."""
    for name in (*wish.kinds, *wish.bases):
        demand("source kind", name, kinds)
    chosen = []
    for name, kind in kinds.items():
        if wish.kinds and name not in wish.kinds:
            continue
        made = _source(name, kind, wish)
        if isinstance(made, SourceText):
            chosen.append(made)
        elif name in wish.kinds:
            raise NotFound(f"kind {name!r} cannot be watched without a config: {made}; write it into one (`init`)")
    return chosen


def _source(name: str, kind: type[SourceSpider], wish: Wish) -> SourceText | str:
    """The source of a kind, or why there is none."""
    preset = vars(kind).get("preset")
    can = preset.content.can if preset is not None else kind.can
    words, own = search_words(wish), getattr(kind.Settings, "documented", ())
    asked = {"words": words, "tags": _tags(words), "searches": [f'"{word}"' for word in words]}
    given: dict[str, Any] = {key: value for key, value in asked.items() if key in own}
    given |= _address(name, own, kind.Settings.model_fields, wish.bases.get(name))
    missing = [key for key, info in kind.Settings.model_fields.items() if info.is_required() and key not in given]
    if missing:
        return f"it needs {' and '.join(missing)}"
    if preset is not None and preset.content.needs:
        return f"it needs {preset.content.needs}"
    if "search" not in can or not asked.keys() & given.keys():
        return "it reads a place whole and does not search"
    about = (kind.__doc__ or "").strip().split("\n")[0]
    pages = len(words) * 2 + 2
    return SourceText(name, name, given | {"pages": pages}, wish.every or PACES.get(name, PACE), comment=about)


def _address(name: str, own: Collection[str], fields: Mapping[str, Any], base: str | None) -> dict[str, str]:
    """Where a kind is asked: at its own address, at that of the user, or at a known place."""
    if base is not None:
        keys = [key for key in own if key == "base_url" or key.endswith("_url")] or ["url"]
        return dict.fromkeys(keys, base.rstrip("/"))
    needed = "url" in fields and fields["url"].is_required()
    return {"url": PLACES[name]} if needed and name in PLACES else {}


def search_words(wish: Wish) -> list[str]:
    """What platforms are asked for: the spellings given, and the name in the other script as it is mostly written.

    >>> search_words(Wish("Nova Poshta"))
    ['Nova Poshta', 'нова пошта']
    """
    # Quotation marks would end the phrase in which platforms are asked for a name.
    plain = [" ".join(word.lstrip("=@#").translate(_UNQUOTED).split()) for word in (wish.name, *wish.also)]
    words = dict.fromkeys(word for word in plain if word)
    folded = {word.casefold() for word in words}
    other = _in_other_script(plain[0].casefold())
    return [*words, *([other] if other and other not in folded else [])][:_MOST_WORDS]


def _in_other_script(name: str) -> str | None:
    if CYRILLIC.search(name) and not LATIN.search(name):
        return romanised(name, "uk")[0]
    return cyrillised(name, "uk")[0] if LATIN.search(name) and not CYRILLIC.search(name) else None


def _tags(words: Iterable[str]) -> list[str]:
    """Words as hashtags: without blanks, with capitals where words begin."""
    return [tag for tag in dict.fromkeys(map(tag_of, words)) if tag]


def tag_of(word: str) -> str:
    """A name as people write it behind a #: `Ladna Pay` is LadnaPay."""
    return "".join(part[:1].upper() + part[1:] for part in _letters(word).split())


def _letters(word: str) -> str:
    return "".join(char if char.isalnum() or char == "_" else " " for char in word)


def private_hosts(bases: Mapping[str, str]) -> list[str]:
    """Private addresses among those that the user named: naming one allows it."""
    found: dict[str, None] = {}
    for base in bases.values():
        try:
            host = urlsplit(base).hostname or ""
            address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        except ValueError:
            continue
        if not address.is_global:
            found[str(address)] = None
    return list(found)


_HEAD = """\
# Made by `mention-crawler watch {name} --save`. `mention-crawler check` finds every mistake in here.
timezone: UTC                            # of schedules and reports, e.g. Europe/Kyiv
"""
_BRAND = """
brands:
  - name: {name}
    also: {also}{gap}# other spellings and @handles; word forms are found by themselves
    legal: []                            # legal entities, e.g. ["ТОВ «Ладна Пей»"]
    people: []                           # owners
    not_about: []                        # phrases that mean something else
    own: []                              # our own accounts and sites

sources:
"""
_TAIL = """
tickets:
  when: [negative, question]             # of negative, neutral, positive; question, complaint, praise, other
  sure_at_least: 0.7                     # less sure goes to review, never silently away
  send_to: [desk]

sinks:
  - {name: desk, kind: desk}             # built in; add your helpdesk here and name it in send_to
"""


def config_text(wish: Wish, sources: Iterable[SourceText]) -> str:
    """The whole config that watches the name in these sources, with comments."""
    private = private_hosts(wish.bases)
    network = f"network: {{allow_private: {scalar(private)}}}\n" if private else ""
    also = scalar(list(wish.also))
    brand = _BRAND.format(name=scalar(wish.name), also=also, gap=" " * max(1, 31 - len(also)))
    head = _HEAD.format(name=scalar(wish.name)) + network
    return head + brand + "\n".join(source.yaml() for source in sources) + _TAIL


def base_of(given: str) -> tuple[str, str]:
    """`kind=URL` in its two parts. NotFound when it is not written so."""
    kind, _, base = given.partition("=")
    try:
        good = base.startswith(("http://", "https://")) and urlsplit(base).hostname
    except ValueError:
        good = None
    if not good:
        raise NotFound(f"--base-url {given!r}: write KIND=URL, such as hackernews=http://127.0.0.1:8080")
    return kind.strip(), base.strip()
