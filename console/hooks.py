"""`POST /hooks/SINK`: the door through which a helpdesk says that something happened. Calls are signed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from threading import Lock

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from crawler.app import App
from crawler.app.hooks import LONGEST_BODY, take
from crawler.app.working import renewed
from crawler.errors import CrawlerError

BODY_SECONDS = 10.0


def add(web: FastAPI, app: App) -> None:
    """Open the door. Secrets and sinks are those of the config in force."""
    doors = _Doors(app)

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
            status, word = await run_in_threadpool(doors.take, name, headers, body)
        except CrawlerError:
            return PlainTextResponse("not now\n", 503)
        return PlainTextResponse(f"{word}\n", status)


class _Doors:
    """The sinks of the newest config that was taken over."""

    def __init__(self, app: App) -> None:
        self.app, self.version, self.lock = app, app.store.config.version(), Lock()

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Hand one call on."""
        with self.lock:
            if (version := self.app.store.config.version()) != self.version:
                self.app, self.version = renewed(self.app), version
        return take(self.app, name, headers, body)


async def _body(request: Request) -> bytes | None:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > LONGEST_BODY:
            return None
    return bytes(found)
