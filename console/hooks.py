"""`POST /hooks/SINK`: the door through which a helpdesk says that something happened. Calls are signed."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from crawler.app import App
from crawler.app.hooks import LONGEST_BODY, take
from crawler.errors import CrawlerError

BODY_SECONDS = 10.0


def add(web: FastAPI, app: App) -> None:
    """Open the door."""

    @web.post("/hooks/{name}")
    async def hook(name: str, request: Request) -> PlainTextResponse:
        """401 for what is not signed by that sink's helpdesk, 400 for what is not understood, 503: come again."""
        try:
            body = await asyncio.wait_for(_body(request), BODY_SECONDS)
        except TimeoutError:
            return PlainTextResponse("the body came too slowly\n", 408)
        if body is None:
            return PlainTextResponse("the body is longer than 1 MiB\n", 413)
        headers = {key.lower(): value for key, value in request.headers.items()}
        try:
            status, word = await run_in_threadpool(take, app, name, headers, body)
        except CrawlerError:
            return PlainTextResponse("not now\n", 503)
        return PlainTextResponse(f"{word}\n", status)


async def _body(request: Request) -> bytes | None:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > LONGEST_BODY:
            return None
    return bytes(found)
