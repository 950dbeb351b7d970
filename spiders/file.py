"""Source kind `file`: what other tools exported (CSV, JSON, JSON lines, mbox), read on from its last end."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from email import message_from_bytes, policy
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from scrapy.http import Request, Response, TextResponse

from crawler.model import Post, Verdict
from spiders import answers
from spiders.api_post import Mapper
from spiders.api_settings import Shape
from spiders.base import MIB, SourceSettings, SourceSpider
from spiders.dates import Dates
from spiders.verdicts import Finding

ROWS = 500
CHUNK = 4 * MIB
MOST_JSON = 256 * MIB
HEAD = 4096
_FROM = re.compile(rb"^From [^\n]{0,500}\d{4}[^\n]{0,40}$")
# What exports call the parts of a post, the commonest first.
_GUESS = {
    "id": "not_null(id, ID, post_id, message_id, uri, guid)",
    "url": "not_null(url, URL, link, permalink, source_url)",
    "title": "not_null(title, Title, subject, headline)",
    "text": "not_null(text, Text, body, content, message, comment, review, description)",
    "author": "not_null(author, Author, author_name, name, user, username, from)",
    "author_handle": "not_null(author_handle, handle, screen_name, email)",
    "published_at": "not_null(published_at, date, Date, created_at, published, time, timestamp)",
    "rating": "not_null(rating, Rating, stars, score)",
    "parent": "not_null(parent, parent_id, in_reply_to)",
    "thread": "not_null(thread, thread_id, topic)",
    "language": "not_null(language, lang)",
}


class FileSettings(SourceSettings):
    """Settings of `file`."""

    url: str = Field("", description="Made of `path`.", json_schema_extra={"readOnly": True})
    path: str = Field(description="The file.", examples=["/srv/exports/reviews.csv"])
    format: Literal["auto", "csv", "jsonl", "json", "mbox"] = Field(
        "auto", description="By the name of the file when auto."
    )
    encoding: str | None = Field(None, description="Of CSV; found by itself.", examples=["windows-1251"])
    fields: dict[str, str] = Field(
        {}, description="Columns (JMESPath) that are not found by their names.", examples=[{"text": "Comment_Body"}]
    )

    @model_validator(mode="after")
    def _understood(self) -> FileSettings:
        self.shape()
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise ValueError(f"encoding: there is no {self.encoding!r}; write it like windows-1251") from None
        return self

    def file(self) -> Path:
        """Where it is."""
        return Path(self.path).expanduser()

    @property
    def address(self) -> str:
        """The file as an address."""
        return self.file().absolute().as_uri()

    def shape(self) -> Shape:
        """Where the parts of a post stand in a row."""
        return Shape.model_validate({"items": "@", "fields": {**_GUESS, **self.fields}})


class FileSpider(SourceSpider):
    """Reads an exported file: a row or mail is a post. A file that grew is read on, one that changed anew."""

    kind = "file"
    html = False
    proved = "formats are fixed: CSV (RFC 4180), JSON, JSON lines, mbox"
    notes = "Nothing is fetched. The file must be readable for the service."
    can = ("threads", "edits")
    Settings = FileSettings
    settings_: FileSettings

    async def start(self) -> AsyncIterator[Any]:
        """Reads the file piece by piece, each stored in one transaction with the place where it ends."""
        path = self.settings_.file()
        try:
            for piece, place in self._unread(path):
                await self._stored(piece, place)
        except OSError as error:
            why = f"{path}: cannot be read: {error.strerror or error}; correct `path`, or let the service read it"
            self._found(Finding(Verdict.FAILED, why))
        except ValueError as error:
            self._found(Finding(Verdict.FAILED, f"{path}: {error}"))
        nothing: tuple[Request, ...] = ()
        for request in nothing:  # a file needs no request, and still this is an iterator of them
            yield request

    def _unread(self, path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Pieces that were not read yet: of a file that grew its end, of another one all."""
        known: Mapping[str, Any] = self.cursor_.get("_file", {})
        size, offset = path.stat().st_size, int(known.get("offset", 0))
        if size < offset or known.get("head") != _head(path, known.get("headed", HEAD)):
            offset = 0
        if offset and offset == size:
            self._tally.showed += 1
        mark = {"head": _head(path), "headed": min(size, HEAD)}
        for piece, end in pieces(path, self._format(), offset):
            yield piece, {"offset": end, **mark}

    async def _stored(self, piece: bytes, place: Mapping[str, Any]) -> None:
        url = f"{self.settings_.address}#{place['offset']}"
        response = TextResponse(url, body=piece, encoding="utf-8", request=Request(url, meta={"place": dict(place)}))
        answers.stamp(response)
        async with self._turn:
            await self._taken(response)

    def posts(self, response: Response) -> Iterable[Post]:
        """A post a row."""
        dates = Dates(self.now(response), self.settings_.timezone)
        mapper = Mapper(self.settings_.shape(), dates, response.url)
        found = rows(response.body, self._format(), self._drops.append, self.settings_.encoding)
        return self.each(found, lambda row: self._placed(mapper.post(row)))

    def _placed(self, post: Post | None) -> Post | None:
        """Ids of a file are its own, unless the post says where it stands."""
        return replace(post, site=f"file:{self.source.name}") if post and not post.url else post

    def cursor(self, response: Response, posts: Sequence[Post]) -> Mapping[str, Any] | None:
        """The place where this piece ends."""
        return {"_file": response.meta["place"]} if "place" in response.meta else None

    def _format(self) -> str:
        if self.settings_.format != "auto":
            return self.settings_.format
        suffix = Path(self.settings_.path).suffix.lower()
        if suffix == ".json":
            return _json_form(self.settings_.file())
        return {".jsonl": "jsonl", ".ndjson": "jsonl", ".mbox": "mbox", ".mbx": "mbox"}.get(suffix, "csv")


def _head(path: Path, length: int = HEAD) -> str:
    with path.open("rb") as file:
        return hashlib.blake2b(file.read(length), digest_size=8).hexdigest()


def _json_form(path: Path) -> str:
    """`jsonl` where the first line is a document of its own, `json` where it is the beginning of one."""
    try:
        with path.open("rb") as file:
            first = next((line for line in iter(lambda: file.readline(CHUNK), b"") if line.strip()), b"")
            more = bool(file.read(1))
        data = json.loads(first.decode("utf-8-sig", "replace"))
    except (OSError, ValueError, RecursionError):
        return "json"
    return "jsonl" if isinstance(data, dict) and (more or not _list_in(data)) else "json"


def _list_in(data: dict[str, Any]) -> list[Any] | None:
    """The list of objects that an object carries, such as {"items": [...]}."""
    return next((value for value in data.values() if isinstance(value, list) and value and _all_objects(value)), None)


def _all_objects(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _json_pieces(path: Path) -> Iterator[tuple[bytes, int]]:
    """One JSON document cut into lines. Only behind the last of them it counts as read: a list grows in its middle."""
    size = path.stat().st_size
    if size > MOST_JSON:
        raise ValueError(f"{size >> 20} MiB in one JSON document: write it as JSON lines")
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is no JSON ({error}): is it still being written?") from None
    found = data if isinstance(data, list) else [data]
    if isinstance(data, dict) and (inner := _list_in(data)) is not None:
        found = inner
    rest = [json.dumps(row, ensure_ascii=False) for row in found if isinstance(row, dict)]
    while rest:
        piece, rest = rest[:ROWS], rest[ROWS:]
        yield "".join(f"{line}\n" for line in piece).encode("utf-8", "surrogatepass"), 0 if rest else size


def pieces(path: Path, form: str, offset: int) -> Iterator[tuple[bytes, int]]:
    """Pieces of a file that hold whole rows, each with the place where it ends. Of CSV each begins with the header.

    Raises OSError, and ValueError for a JSON document that is none.
    """
    if form == "json":
        if offset != path.stat().st_size:
            yield from _json_pieces(path)
        return
    with path.open("rb") as file:
        header = b"".join(next(_records(file, form), [])) if form == "csv" else b""
        if offset > file.tell() or form != "csv":
            file.seek(offset)
        gathered: list[bytes] = []
        size = count = 0
        for record in _records(file, form):
            gathered += record
            size, count = size + sum(map(len, record)), count + 1
            if count >= ROWS or size >= CHUNK:
                yield header + b"".join(gathered), file.tell()
                gathered, size, count = [], 0, 0
        if gathered:
            yield header + b"".join(gathered), file.tell()


def _records(file: Any, form: str) -> Iterator[list[bytes]]:
    """The lines of one row or mail after the other; the file stands behind each."""
    record: list[bytes] = []
    open_quote = False
    while line := file.readline(CHUNK):
        if form == "mbox":
            if _FROM.match(line.rstrip(b"\r\n")) and record:
                file.seek(-len(line), io.SEEK_CUR)
                yield record
                file.readline(CHUNK)
                record = []
            record.append(line)
            continue
        record.append(line)
        # A quote that is open at the end of a line goes on in the next one.
        open_quote ^= form == "csv" and line.count(b'"') % 2 == 1
        if not open_quote or len(record) > 10_000:
            yield record
            record, open_quote = [], False
    if record:
        yield record


def rows(body: bytes, form: str, drop: Any, encoding: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a piece as mappings; what is none goes to `drop` with a reason."""
    if form in ("jsonl", "json"):
        yield from _json_rows(body, drop)
    elif form == "mbox":
        yield from _mails(body)
    else:
        yield from _csv_rows(body, encoding)


def _json_rows(body: bytes, drop: Any) -> Iterator[dict[str, Any]]:
    # Not splitlines(): within JSON, U+2028 and the like are letters of a text.
    for line in body.decode("utf-8-sig", "replace").split("\n"):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
            drop(f"a line that is no JSON: {error}"[:200])
            continue
        if isinstance(row, dict):
            yield row
        elif isinstance(row, list):
            yield from (one for one in row if isinstance(one, dict))


def _csv_rows(body: bytes, encoding: str | None) -> Iterator[dict[str, Any]]:
    text = body.decode(encoding or answers.charset_of(body), "replace").lstrip("\ufeff").replace("\x00", "")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    csv.field_size_limit(CHUNK)
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
        yield {(name or "").strip(): value for name, value in row.items() if isinstance(value, str) and value.strip()}


def _mails(body: bytes) -> Iterator[dict[str, Any]]:
    lines: list[bytes] = []
    for line in [*body.splitlines(keepends=True), b"From end 2000"]:
        if _FROM.match(line.rstrip(b"\r\n")) and lines:
            yield _mail(b"".join(lines))
            lines = []
            continue
        if lines or not _FROM.match(line.rstrip(b"\r\n")):
            lines.append(line)


def _mail(raw: bytes) -> dict[str, Any]:
    """A mail as a row: the plain text without what it quotes."""
    from spiders.quotes import html_text, unquoted

    mail = message_from_bytes(raw, policy=policy.default)
    part = mail.get_body(("plain", "html"))
    try:
        said = str(part.get_content()) if part else ""
    except (LookupError, ValueError):
        held = part.get_payload(decode=True) if part else b""
        said = held.decode("utf-8", "replace") if isinstance(held, bytes) else ""
    text = html_text(said) if part is not None and part.get_content_type() == "text/html" else unquoted(said)
    name, address = parseaddr(str(mail["From"] or ""))
    references = str(mail["References"] or "").split()
    return {
        "id": str(mail["Message-ID"] or "").strip() or None,
        "title": str(mail["Subject"] or ""),
        "text": text.strip(),
        "author": name or address,
        "author_handle": address or None,
        "published_at": str(mail["Date"] or "") or None,
        "parent": str(mail["In-Reply-To"] or "").strip() or None,
        "thread": references[0] if references else None,
    }
