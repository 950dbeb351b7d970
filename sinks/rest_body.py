"""The body of one call of the kind `rest`: JSON, a form, multipart, GraphQL, or text of any other type."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from crawler.net.http import as_json
from sinks.plain import one_line
from sinks.rest_fill import Absent, Values, as_text, fill, fill_text, in_json_text, in_xml
from sinks.rest_parts import Request

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def body_of(call: Request, values: Values, limits: Mapping[str, int]) -> tuple[bytes | None, str | None]:
    """What a call carries and its content type; nothing of both for a call without a body."""
    if call.form is not None:
        return form_of(_flat(fill(call.form, values, limits))), call.content_type or FORM
    if call.multipart is not None:
        return _multipart(_flat(fill(call.multipart, values, limits)))
    if call.text is not None:
        kind = call.content_type or "text/plain; charset=utf-8"
        return fill_text(call.text, values, _coding(kind)).encode("utf-8", "replace"), kind
    if call.graphql is not None:
        variables = fill(call.variables, values, limits)
        return as_json({"query": call.graphql, "variables": variables}), call.content_type or JSON
    if call.body is not None:
        filled = fill(call.body, values, limits)
        return as_json({} if isinstance(filled, Absent) else filled), call.content_type or JSON
    return None, None


def form_of(pairs: Mapping[str, str] | list[tuple[str, str]]) -> bytes:
    return urlencode(pairs, errors="replace").encode()


def _coding(kind: str) -> Any:
    if "xml" in kind.lower():
        return in_xml
    return in_json_text if "json" in kind.lower() else str


def _flat(form: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Form fields as pairs: lists repeat the name, mappings become name[key]."""
    pairs: list[tuple[str, str]] = []
    for name, value in form.items():
        full = f"{prefix}[{name}]" if prefix else str(name)
        if isinstance(value, Mapping):
            pairs += _flat(value, full)
        elif isinstance(value, list):
            pairs += [(full, as_text(item)) for item in value]
        else:
            pairs.append((full, as_text(value)))
    return pairs


def _multipart(pairs: list[tuple[str, str]]) -> tuple[bytes, str]:
    boundary = f"mention-crawler-{secrets.token_hex(16)}"
    out = []
    for name, value in pairs:
        safe = one_line(name, 200).replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{safe}"\r\n'
        out.append(f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n")
    return ("".join(out) + f"--{boundary}--\r\n").encode(
        "utf-8", "replace"
    ), f"multipart/form-data; boundary={boundary}"
