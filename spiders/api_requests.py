"""Requests of kind `api`: templates filled in, pages counted. Pure; secrets are put in by the spider, last of all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from scrapy.http import Request, Response

from crawler.plugins import Secret
from spiders.api_settings import PLACEHOLDER, ApiSettings, Paging, Route
from spiders.json_paths import path, word

Values = Mapping[str, Any]
_REL = re.compile(r"<([^<>]{1,4000})>\s*((?:;[^,<]{0,300})*)")
_NEXT = re.compile(r"rel\s*=\s*\"?(?:[^\";]{0,100}\s)?next(?:\s[^\";]{0,100})?\"?\s*(?:;|$)", re.I)


def askings(settings: ApiSettings) -> Iterator[dict[str, Any]]:
    """The values of `each`: one mapping a list of pages."""
    names = list(settings.each)
    for values in product(*(settings.each[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def filled(template: Any, values: Values) -> Any:
    """A template with its names filled in: alone a name keeps its type, one without a value gives None or nothing."""
    if isinstance(template, Mapping):
        pairs = ((name, filled(value, values)) for name, value in template.items())
        return {name: value for name, value in pairs if value is not None}
    if isinstance(template, list | tuple):
        return [value for item in template if (value := filled(item, values)) is not None]
    if not isinstance(template, str):
        return template
    alone = PLACEHOLDER.fullmatch(template)
    if alone and alone[1] in values:
        return values[alone[1]]
    if not PLACEHOLDER.search(template):
        return template
    text = PLACEHOLDER.sub(lambda match: _said(match, values, quoted=False), template)
    return " ".join(text.split())


def _said(match: re.Match[str], values: Values, *, quoted: bool) -> str:
    if match[1] not in values:
        return match[0]
    said = "" if values[match[1]] is None else str(values[match[1]])
    return quote(said, safe="", errors="replace") if quoted else said


def address(base: str, template: str, query: Mapping[str, Any], values: Values) -> str:
    """The whole address; what stands in the path is percent-encoded, parameters without a value are left out."""
    where = PLACEHOLDER.sub(lambda match: _said(match, values, quoted=True), template)
    url = (
        where
        if where.startswith(("http://", "https://"))
        else base.rstrip("/") + ("/" + where.lstrip("/") if where else "")
    )
    said = [(name, _plain(value)) for name, value in filled(query, values).items()]
    if not said:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(said, errors='replace')}"


def _plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def first_values(settings: ApiSettings, asking: Values, newest: datetime | None, overlap: float) -> dict[str, Any]:
    """What the names of the first request of a list stand for; `overlap` in seconds."""
    paging = settings.paging
    return {
        **asking,
        "since": since_of(settings, newest, overlap),
        "size": paging.size,
        "page": paging.first,
        "offset": 0,
        "cursor": None,
    }


def since_of(settings: ApiSettings, newest: datetime | None, overlap: float) -> Any:
    """`{since}`: the newest known post less the overlap, in the form that the API reads; None at the first run."""
    if newest is None:
        return None
    when = newest - timedelta(seconds=overlap)
    unix = int(when.timestamp())
    forms = {"iso": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "date": when.strftime("%Y-%m-%d")}
    said: Any = forms.get(settings.since.time, unix * 1000 if settings.since.time == "millis" else unix)
    return said if settings.since.written == "{time}" else settings.since.written.replace("{time}", str(said))


def request_of(settings: ApiSettings, values: Values, route: Route | None = None) -> Request:
    """The request of one page."""
    headers = {name: secret.get_secret_value() for name, secret in settings.headers.items()}
    headers.setdefault("Accept", "application/json, */*;q=0.5")
    where = route or settings
    url = address(settings.url, where.path, where.query, values)
    paging, at = settings.paging, values.get(settings.paging.by)
    # Another way, such as a feed, may know no pages: its first one goes without a number.
    if paging.param and at is not None and (route is None or at not in (paging.first, 0)):
        url = with_parameter(url, paging.param, at)
    if settings.method == "GET" if route is None else route.body is None:
        return Request(url, headers=headers)
    if settings.form is not None and route is None:
        opened = {name: _opened(value) for name, value in settings.form.items()}
        said = [(name, _plain(value)) for name, value in filled(opened, values).items()]
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return Request(url, method="POST", headers=headers, body=urlencode(said, errors="replace"))
    headers["Content-Type"] = "application/json"
    return Request(url, method="POST", headers=headers, body=json.dumps(filled(where.body or {}, values)))


def _opened(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, Secret) else value


def following(
    settings: ApiSettings, response: Response, data: Any, shown: int, values: Values
) -> str | dict[str, Any] | None:
    """What comes after this page: an address, the values of the next request, or None where nothing does."""
    paging = settings.paging
    if paging.by == "none" or (paging.more and path(paging.more)(data) in (False, None, 0, "")):
        return None
    if paging.by == "link":
        return link_next(response)
    if paging.by in ("next", "cursor"):
        said = word(path(paging.cursor)(data)) if paging.cursor else None
        if not said:
            return None
        return urljoin(response.url, said) if paging.by == "next" else {"cursor": said}
    full = settings.full
    if not shown or (paging.short and full and shown < full):
        return None
    return _counted(paging, values, full or shown)


def _counted(paging: Paging, values: Values, size: int) -> dict[str, Any] | None:
    """The next page number or offset."""
    name = paging.by
    step, begin = (1, paging.first) if name == "page" else (size, 0)
    known = values.get(name)
    number = (known if isinstance(known, int) else begin) + step
    pages = (number - begin) // step + 1
    return {name: number} if pages <= paging.at_most else None


def link_next(response: Response) -> str | None:
    """The address that the Link header (RFC 8288) calls next."""
    said = b", ".join(response.headers.getlist(b"Link")).decode("utf-8", "replace")[:8192]
    for url, rest in _REL.findall(said):
        if _NEXT.search(rest.lstrip("; ")) or _NEXT.search(rest):
            return str(urljoin(response.url, url))
    return None


def recovered(settings: ApiSettings, url: str) -> dict[str, Any]:
    """What the names stood for in a request, read back from its address; the rest as at a first request."""
    values = first_values(settings, next(askings(settings), {}), None, 0.0)
    parts = urlsplit(url)
    found = re.search(_as_pattern(settings.path) + "$", parts.path) if settings.path else None
    said = found.groupdict() if found else {}
    asked = dict(parse_qsl(parts.query))
    for name, template in settings.query.items():
        if (alone := PLACEHOLDER.fullmatch(str(template))) and name in asked:
            said[alone[1]] = asked[name]
    if settings.paging.param and settings.paging.param in asked:
        said[settings.paging.by] = asked[settings.paging.param]
    return {**values, **{name: _counting(name, value) for name, value in said.items() if name in values}}


def _counting(name: str, value: str) -> Any:
    return int(value) if name in ("page", "offset", "size") and value.isdecimal() and len(value) < 10 else value


def _as_pattern(template: str) -> str:
    """A path template as the pattern of the paths that it makes; a name that stands twice is read once."""
    pieces, at, seen = [], 0, set()
    for match in PLACEHOLDER.finditer(template):
        group = "[^/?#]{1,500}" if match[1] in seen else f"(?P<{match[1]}>[^/?#]{{1,500}})"
        pieces += [re.escape(template[at : match.start()]), group]
        at = match.end()
        seen.add(match[1])
    return "".join(pieces) + re.escape(template[at:])


def with_parameter(url: str, name: str, value: Any) -> str:
    """The address with one query parameter replaced."""
    parts = urlsplit(url)
    pairs = [(key, said) for key, said in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    if value is not None:
        pairs.append((name, _plain(value)))
    return urlunsplit(parts._replace(query=urlencode(pairs, errors="replace")))
