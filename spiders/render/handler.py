"""Pages drawn by a browser: turns `request.meta["render"]` into scrapy-playwright's work, bounded at every step.

Spiders never see a page object. One browser and one context a run; every page is closed whatever happens; a browser
that dies ends what waits for it at once; all traffic of the browser goes through the filtering proxy.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout
from scrapy.http import HtmlResponse, Request, Response, TextResponse
from scrapy_playwright.handler import ScrapyPlaywrightDownloadHandler

from crawler.net.guard_scrapy import policy_of
from spiders.render import HOW_TO_INSTALL, Wish, browser_path

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

    from crawler.net.proxy import FilteringProxy

logger = logging.getLogger(__name__)

PAGE_SECONDS = 60.0
CLOSE_SECONDS = 5.0
NAVIGATION_MS = 20_000
GROW_SECONDS = 4.0
CALM_SECONDS = 0.4
_PAUSE = 0.1
_HEAVY = frozenset(("image", "media", "font"))
_ARGS = (
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-extensions",
    "--metrics-recording-only",
    "--mute-audio",
    "--disable-quic",
    # UDP would go around the proxy.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)


class BrowserMissing(Exception):
    """No browser can be started on this machine."""


class BrowserGone(Exception):
    """The browser ended while a page was being drawn."""


class TooBigPage(Exception):
    """The drawn page is larger than DOWNLOAD_MAXSIZE."""


class RenderHandler(ScrapyPlaywrightDownloadHandler):  # type: ignore[misc]
    """Scrapy's download handler of browser runs; requests without a wish (robots.txt) go the plain way."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.crawler_ = crawler
        self.config.browser_type_name = "chromium"
        self.config.max_pages_per_context = 2
        self.config.navigation_timeout_ms = NAVIGATION_MS
        self.config.restart_disconnected_browser = False
        self.config.target_closed_max_retries = 0
        self.abort_request = lambda request: request.resource_type in _HEAVY
        self._gone = asyncio.Event()
        self._missing = False
        self._closed = False
        self._proxy: FilteringProxy | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RenderHandler:
        """One handler, and so one browser, for http and https."""
        known = getattr(crawler, "render_handler", None)
        if not isinstance(known, cls):
            known = crawler.render_handler = cls(crawler)  # type: ignore[attr-defined]
        return known

    async def close(self) -> None:
        """Ends browser and driver, once although two schemes ask for it."""
        if not self._closed:
            self._closed = True
            await super().close()

    async def download_request(self, request: Request) -> Response:
        wish = request.meta.get("render")
        if not isinstance(wish, Wish):
            return cast("Response", await super().download_request(request))
        pages: list[Page] = []
        request.meta.update(
            playwright=True,
            playwright_context_kwargs=self._context(),
            playwright_page_goto_kwargs={"wait_until": "domcontentloaded", "timeout": NAVIGATION_MS},
            playwright_page_init_callback=_keeping(pages, self._gone),
        )
        try:
            response = await self._unless_gone(super().download_request(request))
        finally:
            for page in pages:
                await _quietly(page.close())
            for name in [name for name in request.meta if name.startswith("playwright")]:
                del request.meta[name]
        return self._plain(response, request)

    def _context(self) -> dict[str, Any]:
        agent = str(self.crawler_.settings["USER_AGENT"])
        return {"service_workers": "block", "accept_downloads": False, "user_agent": agent}

    async def _unless_gone(self, work: Awaitable[Response]) -> Response:
        """The answer; BrowserGone at once when the browser dies, TimeoutError when a page takes too long."""
        drawing, gone = asyncio.ensure_future(work), asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({drawing, gone}, timeout=PAGE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if drawing.done():
                return drawing.result()
            if gone.done():
                raise BrowserGone("the browser ended while the page was being drawn; the next run tries again")
            raise TimeoutError(f"the page was not drawn within {PAGE_SECONDS:.0f} s")
        except PlaywrightError as error:
            if self._gone.is_set() or "has been closed" in str(error):
                raise BrowserGone("the browser ended while the page was being drawn") from error
            raise
        finally:
            drawing.cancel()
            gone.cancel()
            await asyncio.gather(drawing, gone, return_exceptions=True)

    def _plain(self, response: Response, request: Request) -> Response:
        """The drawn page as UTF-8, whatever the site's own charset is."""
        text = response.text if isinstance(response, TextResponse) else ""
        body = text.encode("utf-8", "replace")
        if len(body) > (limit := int(request.meta.get("download_maxsize", 0)) or len(body)):
            raise TooBigPage(f"the drawn page has {len(body)} bytes, max size is {limit}")
        headers = response.headers.copy()
        headers[b"Content-Type"] = b"text/html; charset=utf-8"
        return HtmlResponse(response.url, response.status, headers, body, request=request, encoding="utf-8")

    # what scrapy-playwright leaves open

    async def _launch(self) -> None:
        """Starts the driver and tells it which browser to start, behind which proxy."""
        path = browser_path()
        if path is None:
            logger.error("no browser found: %s", HOW_TO_INSTALL)
            self._missing = True
            return
        self.config.launch_options = {
            "executable_path": str(path),
            "headless": True,
            "chromium_sandbox": os.geteuid() != 0,
            "timeout": 30_000,
            "args": list(_ARGS),
            "proxy": {"server": self._proxy_address()},
        }
        await super()._launch()

    async def _maybe_launch_browser(self) -> None:
        if self._missing:
            raise BrowserMissing(f"no browser found; {HOW_TO_INSTALL}")
        try:
            await super()._maybe_launch_browser()
        except PlaywrightError as error:
            if "sandbox" not in str(error).lower() or not self.config.launch_options.get("chromium_sandbox"):
                raise BrowserMissing(f"the browser does not start: {str(error)[:300]}; {HOW_TO_INSTALL}") from error
            # Containers without user namespaces cannot give a sandbox; the proxy and the process limits still stand.
            logger.warning("the browser starts without its sandbox: this machine offers none")
            self.config.launch_options["chromium_sandbox"] = False
            await super()._maybe_launch_browser()

    def _proxy_address(self) -> str:
        if given := getattr(self.crawler_, "egress_proxy", None):
            return str(given)
        from crawler.net.proxy import FilteringProxy

        self._proxy = FilteringProxy(policy_of(self.crawler_))
        return f"http://127.0.0.1:{self._proxy.start()}"

    async def _browser_disconnected_callback(self) -> None:
        self._gone.set()
        self.context_wrappers.clear()

    async def _close(self) -> None:
        """Ends the browser; what does not end in time is left to the parent, which ends the process group."""
        if hasattr(self, "browser") and not self._gone.is_set():
            await _quietly(self.browser.close())
        self.context_wrappers.clear()
        if getattr(self, "browser_provider", None) is not None:
            await _quietly(self.browser_provider.close())
        if self._proxy is not None:
            self._proxy.stop()
            self._proxy = None

    async def _apply_page_methods(self, page: Page, request: Request, spider: Any) -> None:
        await draw(page, request.meta["render"], request.meta)


def _keeping(pages: list[Page], gone: asyncio.Event) -> Any:
    async def keep(page: Page, request: Request) -> None:
        pages.append(page)
        page.on("crash", lambda _: gone.set())

    return keep


async def _quietly(work: Awaitable[Any]) -> None:
    """Waits for a clean-up step for a few seconds and forgets how it ended."""
    with suppress(Exception):
        await asyncio.wait_for(work, CLOSE_SECONDS)


async def draw(page: Page, wish: Wish, told: dict[str, Any]) -> None:
    """Waits, scrolls and clicks as wished. What never comes is written to `told["missing"]`; the page is read as is."""
    wanted = wish.wait_for or wish.item
    try:
        # attached, not visible: some sites keep the first, empty one hidden for ever
        await page.wait_for_selector(_for_browser(wanted), state="attached", timeout=wish.wait_seconds * 1000)
    except PlaywrightTimeout:
        told["missing"] = wanted
        return
    count = await _calm(page, wish.item)
    for _ in range(wish.scrolls):
        await page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
        before, count = count, await _grown(page, wish.item, count)
        if count == before:
            break
    for _ in range(wish.clicks if wish.click else 0):
        if not await _clicked(page, wish.click or ""):
            break
        before, count = count, await _grown(page, wish.item, count)
        if count == before:
            break


def _for_browser(selector: str) -> str:
    """A selector of the house in Playwright's words: first alternative, without its attribute."""
    selector = selector.strip()
    return (
        f"xpath={selector.removeprefix('xpath:').strip()}"
        if selector.startswith(("/", "./", "(", "xpath:"))
        else selector
    )


async def _clicked(page: Page, selector: str) -> bool:
    target = page.locator(_for_browser(selector)).first
    try:
        await target.click(timeout=1500)
    except PlaywrightTimeout:
        return False
    return True


async def _grown(page: Page, item: str, before: int) -> int:
    """How many items there are once more than `before` came and no more are coming, or after a few seconds."""
    for _ in range(int(GROW_SECONDS / _PAUSE)):
        if await page.locator(_for_browser(item)).count() > before:
            return await _calm(page, item)
        await asyncio.sleep(_PAUSE)
    return before


async def _calm(page: Page, item: str) -> int:
    """How many items there are, once the number has stood still for a moment."""
    count, still = -1, 0.0
    for _ in range(int(GROW_SECONDS / _PAUSE)):
        now = await page.locator(_for_browser(item)).count()
        still = still + _PAUSE if now == count else 0.0
        if still >= CALM_SECONDS:
            break
        count = now
        await asyncio.sleep(_PAUSE)
    return max(count, 0)
