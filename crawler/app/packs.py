"""Packs: ready source blocks by country and branch, shipped as data; each says whether a live site was ever read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from crawler.app.naming import demand
from crawler.app.source_text import SourceText, renamed
from crawler.app.watching import tag_of
from crawler.errors import PluginError

UNPROVED = "no"
_KEYS = {"title", "country", "branch", "language", "checked", "sources"}
_OURS = {"name", "kind", "every", "proved", "about", "fill"}


@dataclass(frozen=True, slots=True)
class Pack:
    """Blocks for one country and branch. `checked`: how their addresses were looked at last, and when."""

    name: str
    title: str
    country: str
    branch: str
    language: str
    checked: str
    blocks: tuple[Mapping[str, Any], ...]

    @property
    def proved(self) -> int:
        """How many of its blocks were read on a live site."""
        return sum(str(block.get("proved", UNPROVED)) != UNPROVED for block in self.blocks)

    @property
    def to_fill(self) -> int:
        """How many of its blocks wait for an address or a number of the user's own."""
        return sum("fill" in block for block in self.blocks)

    def sources(self, brands: Iterable[str]) -> list[SourceText]:
        """The blocks as sources; `{brand}` in a setting stands for each name."""
        return [_source(block, list(brands)) for block in self.blocks]

    def as_row(self) -> dict[str, Any]:
        """The stable shape of `sources packs --json`."""
        blocks = [{**block, "proved": str(block.get("proved", UNPROVED))} for block in self.blocks]
        return {
            "pack": self.name,
            "title": self.title,
            "country": self.country,
            "branch": self.branch,
            "language": self.language,
            "sources": len(self.blocks),
            "to_fill": self.to_fill,
            "proved": f"{self.proved} of {len(self.blocks)}",
            "checked": self.checked,
            "blocks": blocks,
        }


def packs() -> dict[str, Pack]:
    """Every pack by name. Raises PluginError for a file that is none."""
    import spiders

    folder = Path(str(spiders.__file__)).parent / "packs"
    return {pack.name: pack for pack in (_read(path) for path in sorted(folder.glob("*.yaml")))}


def chosen(names: Iterable[str], brands: Iterable[str]) -> list[SourceText]:
    """The sources of the named packs, each place once. NotFound names the packs that there are."""
    known, brand_names = packs(), list(brands)
    found: dict[tuple[str, str], SourceText] = {}
    for name in names:
        demand("pack", name, known)
        for source in known[name].sources(brand_names):
            found.setdefault((source.kind, source.address or repr(sorted(source.settings.items()))), source)
    return renamed(found.values())


def _read(path: Path) -> Pack:
    data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or set(data) != _KEYS or not isinstance(data["sources"], list):
        raise PluginError(f"{path}: a pack has the keys {', '.join(sorted(_KEYS))}")
    words = {key: str(data[key]) for key in _KEYS - {"sources"}}
    return Pack(name=path.stem, blocks=tuple(data["sources"]), **words)


def _source(block: Mapping[str, Any], brands: list[str]) -> SourceText:
    settings = {key: _filled(value, brands) for key, value in block.items() if key not in _OURS}
    every, fill = block.get("every", "10m..6h"), tuple(block.get("fill", ()))
    return SourceText(block["name"], block["kind"], settings, every, comment=_comment(block), fill=fill)


def _comment(block: Mapping[str, Any]) -> str:
    proved = str(block.get("proved", UNPROVED))
    said = "not proved on the live site yet: look with `preview` first" if proved == UNPROVED else f"proved: {proved}"
    return f"{block['about']} ({said})" if block.get("about") else said


def _filled(value: Any, brands: list[str]) -> Any:
    if isinstance(value, list):
        return list(_each(value, brands))
    return _named(value, brands[0]) if isinstance(value, str) and brands else value


def _named(value: str, brand: str) -> str:
    """`{brand}` is the name, `{tag}` the name as a hashtag."""
    return value.replace("{brand}", brand).replace("{tag}", tag_of(brand))


def _each(values: list[Any], brands: list[str]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, str) and ("{brand}" in value or "{tag}" in value):
            yield from dict.fromkeys(_named(value, brand) for brand in brands)
        else:
            yield value
