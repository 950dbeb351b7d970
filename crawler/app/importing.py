"""`sources import`: subscriptions of a feed reader (OPML), or a list of addresses (CSV, text), as source blocks.

What cannot be used is named with its line; a file that tries to be clever (entities, endless nesting) is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crawler.app.source_text import SourceText, renamed, slug
from crawler.errors import ConfigError, Problem
from crawler.text import canonical_url, clean_text

MOST_BYTES = 20 << 20
MOST_FEEDS = 20_000
MOST_DEPTH = 100
_SCHEME = re.compile(r"^(?:feed|itpc|pcast|rss)://(?:(?=https?://))?|^(?:feed|itpc|pcast):(?=https?:)", re.I)
_DOMAIN = re.compile(r"(?:[^\s/:@]+\.)+[^\W\d_]{2,30}(?::\d{1,5})?(?:/\S*)?")
_MARK = re.compile(r"^\s*<\?xml[^>]*\?>")
_URL_COLUMNS = ("xmlurl", "feed_url", "feed", "feed url", "rss", "url", "link", "address")
_NAME_COLUMNS = ("title", "name", "text", "site")


@dataclass(slots=True)
class Imported:
    """Blocks in the order of the file; what could not be used, with its line; how many stood there again."""

    blocks: list[SourceText] = field(default_factory=list)
    unusable: list[Problem] = field(default_factory=list)
    doubles: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    address: str
    name: str
    folder: str
    line: int


def read_list(path: Path, kind: str = "feed") -> Imported:
    """The sources that a file names. Raises ConfigError, with the place, when it cannot be read as a whole."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _wrong(path, 1, f"the file has more than {MOST_BYTES >> 20} MiB; that is no list of feeds")
        body = path.read_bytes()
    except OSError as error:
        raise _wrong(path, 1, f"the file cannot be read: {error.strerror}") from None
    text = _text(body)
    looks = text.lstrip("\ufeff \t\r\n")
    entries = _of_opml(text, path) if looks.startswith("<") else _of_lines(text)
    return _blocks(path, entries, kind)


def _wrong(path: Path, line: int, message: str, fix: str | None = None) -> ConfigError:
    return ConfigError([Problem(str(path), line, 1, message, fix)])


def _text(body: bytes) -> str:
    """The text whatever it says of its encoding: UTF-8 when it is, else what it says, else what it looks like."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        from spiders.answers import charset_of

        return body.decode(charset_of(body), "replace")


def _of_opml(text: str, path: Path) -> Iterator[_Entry]:
    from lxml import etree

    head = text[: text.lower().find("<body")] if "<body" in text.lower() else text
    if "<!ENTITY" in text.upper():
        line = text.upper()[: text.upper().find("<!ENTITY")].count("\n") + 1
        raise _wrong(path, line, "the file declares entities, as no feed reader does; it is not read", "remove them")
    if "<opml" not in head[:4096].lower() and "<outline" not in text[:65536].lower():
        raise _wrong(path, 1, "this is no OPML: it has no <opml> and no <outline>", "export the subscriptions as OPML")
    parser = etree.XMLParser(recover=True, no_network=True, resolve_entities=False, huge_tree=False, load_dtd=False)
    body = _MARK.sub("", text.lstrip("\ufeff")).replace("\x00", "").encode("utf-8", "replace")
    try:
        root = etree.fromstring(body, parser)
    except etree.LxmlError as error:
        raise _wrong(path, 1, f"this is no OPML: {error}"[:200]) from None
    if root is None:
        raise _wrong(path, 1, "there is nothing in this file")
    yield from _outlines(root, path)


def _outlines(root: Any, path: Path) -> Iterator[_Entry]:
    """Every outline with an address, and the folder in which it stands."""
    waiting: list[tuple[Any, str, int]] = [(root, "", 0)]
    while waiting:
        node, folder, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise _wrong(path, int(node.sourceline or 1), f"folders in folders, more than {MOST_DEPTH} deep")
        own = folder
        if isinstance(node.tag, str) and node.tag.rpartition("}")[2].lower() == "outline":
            said = {str(name).lower(): str(value) for name, value in node.attrib.items()}
            name = said.get("title") or said.get("text") or ""
            if address := said.get("xmlurl", "").strip() or _linked(said):
                yield _Entry(address, name, folder, int(node.sourceline or 1))
            else:
                own = clean_text(name, 100).strip() or folder
        waiting += [(child, own, depth + 1) for child in reversed(node)]


def _linked(said: Mapping[str, str]) -> str:
    """Some readers write the feed as a plain link of type rss."""
    return said.get("url", "").strip() if said.get("type", "").lower() in ("rss", "atom") else ""


def _of_lines(text: str) -> Iterator[_Entry]:
    """A CSV with a column of addresses, or addresses line by line; # begins a comment."""
    lines = text.replace("\x00", "").splitlines()
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    delimiter = max(",;\t|", key=first.count)
    columns = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    at = next((columns.index(name) for name in _URL_COLUMNS if name in columns), None)
    named = next((columns.index(name) for name in _NAME_COLUMNS if name in columns), None) if at is not None else None
    skip = at is not None
    for number, cells in _rows(lines, delimiter):
        if skip:
            skip = False
            continue
        place = at if at is not None else next((n for n, cell in enumerate(cells) if "://" in cell), 0)
        address = cells[place].strip() if place < len(cells) else ""
        other = named if named is not None else next((n for n, cell in enumerate(cells) if n != place and cell), None)
        name = cells[other] if other is not None and other < len(cells) else ""
        yield _Entry(address, name.strip(), "", number)


def _rows(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(MOST_BYTES)
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    for cells in reader:
        if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
            yield reader.line_num, cells


def _blocks(path: Path, entries: Iterator[_Entry], kind: str) -> Imported:
    told, seen = Imported(), set[str]()
    for entry in entries:
        address = address_of(entry.address)
        if address is None:
            shown = clean_text(entry.address, 100).strip() or "nothing"
            told.unusable.append(Problem(str(path), entry.line, 1, f"no address of a feed: {shown}"))
        elif address in seen:
            told.doubles += 1
        elif len(seen) >= MOST_FEEDS:
            raise _wrong(path, entry.line, f"more than {MOST_FEEDS} feeds; cut the file in parts")
        else:
            seen.add(address)
            told.blocks.append(_block(entry, address, kind))
    told.blocks = renamed(told.blocks)
    return told


def _block(entry: _Entry, address: str, kind: str) -> SourceText:
    """A platform's own kind where the address says which; else the kind asked for."""
    from spiders.leads import of_address

    name = slug(entry.name) if any(char.isalnum() for char in entry.name) else slug(urlsplit(address).netloc)
    labels = {"folder": entry.folder} if entry.folder else {}
    lead = next((lead for lead in of_address(address) if not lead.lacks and lead.kind != "feed"), None)
    if lead is not None and not entry.folder:
        return SourceText(name, lead.kind, lead.settings, labels=labels)
    return SourceText(name, kind, {"url": address}, labels=labels)


def address_of(given: str) -> str | None:
    """The address that somebody meant: `feed:` and its kin, without a scheme, with blanks in it. None: it is none."""
    text = "".join(char for char in given.strip() if char.isprintable()).replace(" ", "%20")
    bare = _SCHEME.sub("", text)
    if "://" not in bare and _DOMAIN.fullmatch(bare):
        bare = f"https://{bare}"
    url = canonical_url(bare)
    host = urlsplit(url).hostname if url else None
    return url if host and ("." in host or ":" in host or host == "localhost") else None
