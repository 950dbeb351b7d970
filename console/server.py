"""`/healthz`, `/readyz`, `/metrics`. Reads only; a dead web process stops no crawl."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from typing import Any, Protocol

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from console import hooks
from crawler.app import App, logs
from crawler.app.health import readiness
from crawler.errors import CrawlerError


class Beats(Protocol):
    """The line to the parent process: each second a sign of life."""

    def beat(self, running: Iterable[int] = ()) -> None: ...

    def broken(self, text: str) -> None: ...

    def commands(self, timeout: float = 0.0) -> list[tuple[Any, ...]]: ...


def build(app: App) -> FastAPI:
    """The ASGI application over one App."""
    web = FastAPI(title="mention-crawler", docs_url=None, redoc_url=None, openapi_url=None)

    @web.get("/healthz")
    def healthz() -> PlainTextResponse:
        """This process answers."""
        return PlainTextResponse("ok\n")

    @web.get("/readyz")
    def readyz() -> JSONResponse:
        """Everything that the main job needs works; 503 names what does not."""
        ready, causes = readiness(app)
        return JSONResponse({"ready": ready, "causes": causes}, status_code=200 if ready else 503)

    @web.get("/metrics")
    def metrics() -> Response:
        """Prometheus text; no URL and no author is ever a label."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        try:
            return Response(generate_latest(_registry(app)), media_type=CONTENT_TYPE_LATEST)
        except CrawlerError as error:
            return PlainTextResponse(f"# {error}\n", status_code=503)

    hooks.add(web, app)
    return web


def _registry(app: App) -> Any:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

    rows = app.store.glances.metrics()

    class Snapshot:
        """One reading of the database, as Prometheus wants it."""

        def collect(self) -> Iterable[Any]:
            for name, (text, labels, values) in rows.items():
                family = GaugeMetricFamily(f"mention_crawler_{name}", text, labels=labels)
                for key, value in values.items():
                    family.add_metric(list(key), value)
                yield family

    registry = CollectorRegistry()
    registry.register(Snapshot())
    return registry


def main(channel: Beats, config_path: str, url: str, log_json: bool = False) -> None:
    """Body of the web child: serves until told to stop."""
    import asyncio

    import uvicorn

    app = App.in_force(config_path, url)
    logs.configure(app.config, as_json=log_json)
    config = app.config
    settings = uvicorn.Config(
        build(app),
        host=config.web_host,
        port=config.web_port,
        log_config=None,
        log_level="warning",
        access_log=False,
        # Nothing here speaks over websockets: what reads streams needs the library, this does not.
        ws="none",
    )
    try:
        listening = socket.create_server((config.web_host, config.web_port))
    except OSError as error:
        channel.broken(f"{config.web_host}:{config.web_port}: {error.strerror}; set web.port to one that is free")
        sys.exit(1)
    with listening:
        asyncio.run(_serve(uvicorn.Server(settings), channel, listening))


async def _serve(server: Any, channel: Beats, listening: socket.socket) -> None:
    import asyncio

    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not task.done():
        channel.beat()
        if any(command[0] == "stop" for command in channel.commands()):
            server.should_exit = True
        await asyncio.sleep(0.5)
    await task
