"""Between Scrapy's Response and the house's Document, and the one place that decides the charset of a page."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice

from scrapy.http import HtmlResponse, Request, Response
from scrapy.responsetypes import responsetypes

from crawler.model import Document

DETECT_BYTES = 64 * 1024
# Tags and attributes of one page. The longest real threads have a tenth of this.
MOST_MARKS = 300_000
MOST_ATTRIBUTES = 1000
CUT = "cut"
_MARK = re.compile(rb"[<=]")
_LONG_TAG = re.compile(rb"<[a-zA-Z][^<>]{4096,}>?")
_FORGET = {b"set-cookie", b"set-cookie2", b"authorization"}
_META = re.compile(rb"<meta[^>]{0,300}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{2,40})", re.I)
_XML = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([\w.:-]{2,40})", re.I)
_HEADER = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]{2,40})", re.I)
_LATIN_MOJIBAKE = re.compile(r"[\u00c0-\u00ff]{3,}")


def fetched_at(response: Response) -> datetime:
    """When the answer came (aware UTC): the `now` of every relative date in it."""
    at = response.request.meta.get("fetched_at") if response.request else None
    return at if isinstance(at, datetime) else datetime.now(UTC)


def stamp(response: Response) -> None:
    """Writes the time of fetching into the request's meta, once."""
    if response.request is not None:
        response.request.meta.setdefault("fetched_at", datetime.now(UTC))


def document_of(response: Response) -> Document:
    """The answer as it is kept: final URL, status, headers without cookies, body after content decoding."""
    headers = {
        name.decode("latin-1").lower(): b", ".join(values).decode("utf-8", "replace")[:4096]
        for name, values in response.headers.items()
        if name.lower() not in _FORGET
    }
    return Document(response.url, response.status, headers, response.body, fetched_at(response))


def response_of(document: Document) -> Response:
    """A kept Document as the Response that spiders read: the way back, for `redo parse` and recordings."""
    headers = {name: value for name, value in document.headers.items() if name.lower() != "content-encoding"}
    kind = responsetypes.from_args(headers=_Headers(headers), url=document.url, body=document.body)
    request = Request(document.url, meta={"fetched_at": document.fetched_at})
    return kind(document.url, status=document.status, headers=headers, body=document.body, request=request)


class _Headers(dict[bytes, bytes]):
    """Headers in the shape that Scrapy's response types are looked up by: bytes, first letters upper-case."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__({name.title().encode(): value.encode("utf-8", "replace") for name, value in headers.items()})


def as_html(response: Response) -> HtmlResponse:
    """The answer as an HTML page in the charset it is really written in: header, then meta, then a detector."""
    encoding = charset_of(response.body, response.headers.get(b"Content-Type") or b"")
    body = bounded(response.body)
    if isinstance(response, HtmlResponse) and response.encoding == encoding and body is response.body:
        return response
    flags = [*response.flags, *([CUT] if len(body) < len(response.body) else [])]
    return HtmlResponse(
        response.url,
        status=response.status,
        headers=response.headers,
        body=body,
        request=response.request,
        flags=flags,
        encoding=encoding,
    )


def bounded(body: bytes) -> bytes:
    """The page, or as much of it as a parser can hold: a tree takes 60 times its markup.

    A tag of thousands of attributes loses them: libxml2 compares each with all before it. The cut page is flagged.
    """
    if _LONG_TAG.search(body):
        body = _LONG_TAG.sub(_without_attributes, body)
    if body.count(b"<") + body.count(b"=") <= MOST_MARKS:
        return body
    last = next(islice(_MARK.finditer(body), MOST_MARKS, None))
    return body[: max(body.rfind(b"<", 0, last.start()), 0)]


def _without_attributes(tag: re.Match[bytes]) -> bytes:
    if tag[0].count(b"=") < MOST_ATTRIBUTES and len(tag[0].split()) < MOST_ATTRIBUTES:
        return tag[0]
    return tag[0].split(None, 1)[0] + b">"


def charset_of(body: bytes, content_type: bytes = b"") -> str:
    """Name of the codec that reads `body`: a BOM, the declared ones in their order where they fit, then a detector."""
    for name in _candidates(body, content_type):
        codec = _codec(name)
        if codec and _fits(body, codec):
            return codec
    return _detected(body)


def _candidates(body: bytes, content_type: bytes) -> Iterator[str]:
    for bom, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if body.startswith(bom):
            yield name
    if found := _HEADER.search(content_type):
        yield found[1].decode("ascii", "replace")
    # Some pages declare their charset after kilobytes of scripts: the first 1,024 bytes of the standard are not enough.
    if found := _XML.search(body[:400]) or _META.search(body[:DETECT_BYTES]):
        yield found[1].decode("ascii", "replace")


@lru_cache(maxsize=256)
def _codec(name: str) -> str | None:
    """The codec that browsers mean by a declared name (latin-1 is read as windows-1252), or None when there is none."""
    from w3lib.encoding import resolve_encoding

    return resolve_encoding(name)


def _fits(body: bytes, codec: str) -> bool:
    """True when the text reads well: few broken characters, and no Cyrillic read as Western letters."""
    sample = body[: 4 * DETECT_BYTES]
    if not codec.startswith("utf") and _is_utf8(sample):
        # Sites that moved to UTF-8 often leave the old name in their pages.
        return False
    text = sample.decode(codec, "replace")
    if text.count("\ufffd") > max(3, len(text) // 200):
        return False
    if codec not in ("cp1252", "latin-1", "iso8859-1", "cp1254"):
        return True
    odd = sum(len(run) for run in _LATIN_MOJIBAKE.findall(text))
    return odd < 30 or odd * 2 < sum(char > "\x7f" for char in text)


def _is_utf8(sample: bytes) -> bool:
    """True when the bytes are UTF-8 and could hardly be so by chance."""
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:
            return False
        text = sample[: error.start].decode("utf-8")
    return len(sample) - len(text) >= 8


def _detected(body: bytes) -> str:
    """UTF-8 where the bytes are UTF-8, a Cyrillic code page where its letters make words, else the detector's."""
    sample = body[:DETECT_BYTES]
    try:
        sample.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        if error.start > len(sample) - 4:
            return "utf-8"
    letters = _letters(sample)
    # The detector needs a paragraph; of a few words, the letters of a Cyrillic code page tell more.
    if len(letters) < SHORT and b"\0" not in letters:
        best = max(_CYRILLIC, key=lambda name: _sense(letters, name))
        if _sense(letters, best) > MAKES_SENSE:
            return best
    from charset_normalizer import from_bytes

    found = from_bytes(letters).best()
    return found.encoding if found else "cp1252"


# Code pages of Cyrillic sites, the commonest first; koi8-u reads what koi8-r does.
_CYRILLIC = ("cp1251", "koi8-u", "cp866", "iso8859-5", "mac_cyrillic")
_FREQUENT = frozenset("оеаинтсрвлкмдпуяьіз")
_LETTERS = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўјљњћџѓќѕђ")
_SIGNS = frozenset("«»„“”’–—…№°§©®\u00a0·•€")
MAKES_SENSE = 1.0
SHORT = 600


def _sense(sample: bytes, codec: str) -> float:
    """How much the sample reads as Cyrillic words in a code page: about 2 for real text, below 0 for nonsense."""
    text = sample[:8192].decode(codec, "replace")
    score, count, before = 0.0, 0, " "
    for char in text:
        if char > "\x7f":
            count += 1
            score += _point(char, before)
        before = char
    return score / count if count else 0.0


def _point(char: str, before: str) -> float:
    if char in _LETTERS:
        odd = before.isascii() and before.isalpha()
        return -3.0 if odd else 2.5 if char in _FREQUENT else 1.0
    if char.lower() in _LETTERS:
        # A capital inside a word is what the wrong code page looks like.
        return -2.0 if before in _LETTERS or (before.isascii() and before.isalpha()) else 0.5
    return 0.5 if char in _SIGNS else -3.0


_TAGS = re.compile(rb"<[^<>]{0,2000}>")


def _letters(sample: bytes) -> bytes:
    """The text between tags: markup drowns the few letters that tell one code page from another."""
    return b" ".join(_TAGS.sub(b" ", sample).split()) or sample
