"""Nothing of ours reaches an inside host: hundreds of spellings times every way in, counted by the inside host itself.

A "public" site lives on 127.0.0.2 (the one address that is allowed), the inside host on 127.0.0.1. Ways in: a source's
URL, a redirect, robots.txt, a name that leads inside or rebinds, a page's subresources in a real browser, a webhook.
"""

from __future__ import annotations

import ipaddress
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from addresses import V4, V6, spellings

from crawler.errors import CrawlerError, EgressRefused
from crawler.model import Priority, Ticket
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from crawler.net.proxy import FilteringProxy
from sinks.base import Tools
from sinks.webhook import Webhook

pytestmark = pytest.mark.e2e
PUBLIC = "127.0.0.2/32"
CRAWL = Path(__file__).parent / "servers" / "egress_crawl.py"
Site = Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]


class Server:
    """A site on one loopback address that remembers what it was asked."""

    def __init__(self, address: str, site: Site) -> None:
        hits: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                hits.append(self.path)
                status, headers, body = site(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_HEAD = do_PUT = do_OPTIONS = do_GET

        self.hits = hits
        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def public_site(handler: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
    path = urlsplit(handler.path)
    if path.path == "/to":
        return 302, {"Location": unquote(path.query)}, b""
    if path.path == "/refresh":
        return (
            200,
            {"Content-Type": "text/html"},
            f'<meta http-equiv="refresh" content="0;{unquote(path.query)}">'.encode(),
        )
    if path.path == "/robots.txt":
        return 404, {}, b""
    return 200, {"Content-Type": "text/plain"}, b"public"


@pytest.fixture
def inside() -> Iterator[Server]:
    server = Server("127.0.0.1", lambda handler: (200, {"Access-Control-Allow-Origin": "*"}, b"secret of the house"))
    yield server
    server.close()


@pytest.fixture
def public() -> Iterator[Server]:
    server = Server("127.0.0.2", public_site)
    yield server
    server.close()


def crawl(urls: list[str], names: dict[str, Any] | None = None, robots: bool = False) -> dict[str, tuple[Any, str]]:
    task = {"urls": urls, "allow": [PUBLIC], "names": names or {}, "robots": robots}
    done = subprocess.run(
        [sys.executable, str(CRAWL)], input=json.dumps(task), capture_output=True, text=True, timeout=120, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["url"]: (line["outcome"], line["message"]) for line in lines}


def inside_urls(port: int) -> list[str]:
    """URLs that mean the inside host or another special address; what a URL library refuses to parse is left out."""
    forms = [f"http://{host}:{port}/x" for address in ("127.0.0.1", *V4) for host in spellings(address)]
    forms += [f"http://[{address}]:{port}/x" for address in V6] + [f"http://localhost:{port}/x"]
    return [url for url in dict.fromkeys(forms) if "127.0.0.2" not in url]


def test_sources_in_every_spelling(inside: Server, public: Server) -> None:
    urls = inside_urls(inside.port)
    assert len(urls) >= 500
    seen = crawl([*urls, f"http://127.0.0.2:{public.port}/ok"])
    assert seen.pop(f"http://127.0.0.2:{public.port}/ok")[0] == 200
    # Scrapy itself refuses some spellings as URLs; whatever was fetched is a leak.
    assert {url: outcome for url, outcome in seen.items() if outcome[0] == 200} == {}
    assert sum(outcome == "EgressRefused" for outcome, _ in seen.values()) >= 400
    assert inside.hits == []


def test_redirects_in_every_spelling(inside: Server, public: Server) -> None:
    base = f"http://127.0.0.2:{public.port}"
    urls = [f"{base}/to?{quote(url, safe='')}" for url in inside_urls(inside.port)]
    urls += [f"{base}/refresh?{quote(url, safe='')}" for url in inside_urls(inside.port)[:40]]
    urls += [f"{base}/to?{quote(url, safe='')}" for url in ("file:///etc/passwd", "ftp://127.0.0.1/", "data:,x")]
    urls.append(f"{base}/to?{quote(f'{base}/ok', safe='')}")
    seen = crawl(urls)
    assert len(seen) >= 500
    assert seen[urls[-1]] == (200, f"{base}/ok")
    assert inside.hits == []


def test_names_that_lead_inside_or_change_their_mind(inside: Server, public: Server) -> None:
    names: dict[str, Any] = {
        "inside.example": ["127.0.0.1"],
        "mixed.example": ["127.0.0.1", "127.0.0.2"],
        "metadata.example": ["169.254.169.254"],
        "v6.example": ["::1", "::ffff:127.0.0.1"],
        "rebind.example": [["127.0.0.2"], ["127.0.0.1"]],
    }
    ports = {"mixed.example": public.port, "rebind.example": public.port}
    urls = [f"http://{name}:{ports.get(name, inside.port)}/ok" for name in names]
    seen = {urlsplit(url).hostname: outcome for url, outcome in crawl(urls, names).items()}
    assert seen["mixed.example"][0] == seen["rebind.example"][0] == 200
    for name in ("inside.example", "metadata.example", "v6.example"):
        assert seen[name][0] == "EgressRefused"
        assert "network.allow_private" in seen[name][1]
    again = crawl([f"http://rebind.example:{public.port}/1", f"http://rebind.example:{inside.port}/2"], names)
    assert sorted(outcome if isinstance(outcome, str) else "fetched" for outcome, _ in again.values())[0] != "fetched"
    assert inside.hits == []


def test_the_settings_of_the_crawl_child_carry_the_guard() -> None:
    from crawler import scrapy_settings

    order = {name: place for name, place in scrapy_settings.DOWNLOADER_MIDDLEWARES.items() if place is not None}
    assert min(order, key=lambda name: order[name]) == "crawler.net.guard_scrapy.EgressMiddleware"
    assert all(scrapy_settings.DOWNLOAD_HANDLERS[scheme] is None for scheme in ("data", "file", "ftp", "s3"))
    assert scrapy_settings.HTTPPROXY_ENABLED is False


def test_robots_txt_is_no_way_in(inside: Server, public: Server) -> None:
    names = {"inside.example": ["127.0.0.1"]}
    seen = crawl([f"http://inside.example:{inside.port}/a", f"http://127.0.0.2:{public.port}/b"], names, robots=True)
    assert [outcome for outcome, _ in seen.values()].count(200) == 1
    assert inside.hits == []
    assert "/robots.txt" in public.hits


def test_webhooks_and_redirecting_helpdesks(inside: Server, public: Server) -> None:
    ticket = Ticket("k", "s", "b", Priority.LOW, "B")
    with HttpClient(EgressPolicy((ipaddress.ip_network(PUBLIC),)), timeout=5) as http:
        tried = 0
        for url in inside_urls(inside.port):
            try:
                settings = Webhook.Settings(url=url)
            except ValueError:
                continue
            with pytest.raises(CrawlerError):
                Webhook("hook", settings, Tools(http)).create(ticket)
            tried += 1
        assert tried >= 400
        base = f"http://127.0.0.2:{public.port}/to?"
        for url in inside_urls(inside.port)[:60]:
            with pytest.raises(CrawlerError):
                http.request("GET", base + quote(url, safe=""), redirects=3).json()
        with pytest.raises(EgressRefused):
            http.request("GET", base + quote(f"http://127.0.0.1:{inside.port}/", safe=""), redirects=3)
    assert inside.hits == []


VECTORS = """
<!DOCTYPE html><link rel="icon" href="{there}/icon"><link rel="stylesheet" href="{there}/css">
<link rel="prefetch" href="{there}/prefetch"><link rel="preload" as="script" href="{there}/preload">
<link rel="preconnect" href="{there}"><img src="{there}/img"><img src="/to?{quoted}">
<iframe src="{there}/frame"></iframe>
<iframe src="/to?{quoted}"></iframe><script src="{there}/script"></script><video src="{there}/video"></video>
<object data="{there}/object"></object><form id="f" action="{there}/form" target="t"></form><iframe name="t"></iframe>
<script>
fetch("{there}/fetch", {{mode: "no-cors"}}).catch(() => 0);
fetch("/to?{quoted}", {{mode: "no-cors"}}).catch(() => 0);
navigator.sendBeacon("{there}/beacon", "x");
try {{ new WebSocket("{there}/ws".replace("http", "ws")); }} catch (e) {{}}
new EventSource("{there}/events");
new Worker(URL.createObjectURL(new Blob(['fetch("{there}/worker", {{mode: "no-cors"}})'])));
window.open("{there}/popup");
document.getElementById("f").submit();
</script>
"""


def page_of_vectors(port: int) -> Site:
    there = f"http://127.0.0.1:{port}"

    def site(handler: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        if handler.path == "/":
            page = VECTORS.format(there=there, quoted=quote(f"{there}/redirected", safe=""))
            return 200, {"Content-Type": "text/html"}, page.encode()
        return public_site(handler)

    return site


def browse(url: str, proxy: str) -> str:
    playwright = pytest.importorskip("playwright.sync_api")
    args = ["--disable-background-networking", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"]
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=shutil.which("chromium"), proxy={"server": proxy}, args=args, chromium_sandbox=False
        )
        try:
            page = browser.new_page()
            page.goto(url, wait_until="commit")
            page.wait_for_timeout(2500)
            return str(page.content())
        finally:
            browser.close()


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_nothing_in_a_page_reaches_the_inside(inside: Server) -> None:
    """Twice: with the inside refused there is no hit; with it allowed there are many, so the vectors are alive."""
    public = Server("127.0.0.2", page_of_vectors(inside.port))
    try:
        hits = []
        for allow in ((PUBLIC,), (PUBLIC, "127.0.0.1/32")):
            proxy = FilteringProxy(EgressPolicy(tuple(ipaddress.ip_network(net) for net in allow)))
            proxy.start()
            try:
                browse(f"http://127.0.0.2:{public.port}/", f"http://127.0.0.1:{proxy.port}")
            finally:
                proxy.stop()
            hits.append(sorted(set(inside.hits)))
            assert set(proxy.allowed()) <= {"127.0.0.1", "127.0.0.2"}
        assert hits[0] == []
        assert len(hits[1]) >= 10
    finally:
        public.close()
