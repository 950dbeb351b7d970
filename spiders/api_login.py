"""The login step of kind `api`: a token, asked for ahead of a run and again on 401, and kept in memory alone."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from scrapy.http import Request, Response

from crawler import plugins
from spiders import api_answer
from spiders.api_settings import Login, Value
from spiders.json_paths import path, word


def login_request(login: Login, base: str) -> Request:
    """The request for a token. The API itself gives this address to its clients: robots.txt speaks of pages."""
    url = login.path if "://" in login.path else f"{base.rstrip('/')}/{login.path.lstrip('/')}"
    headers = {"Accept": "application/json"}
    if login.basic is not None:
        pair = f"{login.basic.user}:{login.basic.password.get_secret_value()}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    if login.body is not None:
        headers["Content-Type"], body = "application/json", json.dumps(_opened(login.body))
    else:
        headers["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(_opened(login.form or {}))
    meta = {"dont_obey_robotstxt": True, "handle_httpstatus_all": True, "download_maxsize": 1 << 20}
    return Request(url, method="POST", headers=headers, body=body, meta=meta, dont_filter=True)


def _opened(values: dict[str, Value]) -> dict[str, Any]:
    opened = {k: v.get_secret_value() if isinstance(v, plugins.Secret) else v for k, v in values.items()}
    return {name: value for name, value in opened.items() if value is not None}


def header_of(login: Login, response: Response) -> str | None:
    """The header value of an answer to a login; None where it holds no token."""
    try:
        data = api_answer.load(response.body)
    except api_answer.Unreadable:
        return None
    token = word(path(login.token)(data)) if 200 <= response.status < 300 else None
    fit = token and len(token) < 8192 and token.isascii() and not any(char.isspace() for char in token)
    return f"{login.scheme} {token}" if fit else None


def why_not(response: Response) -> str:
    """What the answer to a login that failed says; never what was sent."""
    try:
        said = api_answer.message_of(api_answer.load(response.body))
    except api_answer.Unreadable:
        said = None
    return f"{response.url}: the login was refused with status {response.status}" + (f": {said}" if said else "")
