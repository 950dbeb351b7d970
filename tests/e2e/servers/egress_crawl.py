"""Fetches the URLs given on stdin with a real Scrapy and the egress guard; prints one JSON line a URL.

Input: {"urls": [...], "allow": [cidr, ...], "names": {host: [address, ...]}, "robots": bool}. Names that are not given
are looked up by the system. Output: {"url":, "outcome": status or the error's class, "message":}.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from typing import Any

import scrapy
from scrapy.crawler import AsyncCrawlerProcess

from crawler.net.guard import EgressPolicy, system_lookup

TASK: dict[str, Any] = json.load(sys.stdin)


def lookup(host: str, port: int) -> list[str]:
    found = TASK["names"].get(host)
    if isinstance(found, list) and found and isinstance(found[0], list):
        # A rebinding name: each look-up takes the next answer, the last one stays.
        return list(found.pop(0) if len(found) > 1 else found[0])
    return found or system_lookup(host, port)


class Fetch(scrapy.Spider):
    name = "fetch"
    handle_httpstatus_all = True

    async def start(self) -> Any:
        for url in TASK["urls"]:
            yield scrapy.Request(url, self.fetched, errback=self.failed, dont_filter=True, cb_kwargs={"asked": url})

    def fetched(self, response: Any, asked: str) -> None:
        print(json.dumps({"url": asked, "outcome": response.status, "message": response.url}), flush=True)

    def failed(self, failure: Any) -> None:
        found = {"url": failure.request.cb_kwargs["asked"], "outcome": failure.type.__name__}
        print(json.dumps({**found, "message": failure.getErrorMessage()}), flush=True)


def main() -> None:
    process = AsyncCrawlerProcess(
        {
            "DOWNLOADER_MIDDLEWARES": {"crawler.net.guard_scrapy.EgressMiddleware": 20},
            "ROBOTSTXT_OBEY": TASK["robots"],
            # Once by the setting, else by the middleware alone, which takes the place of Scrapy's own resolver.
            **({"TWISTED_DNS_RESOLVER": "crawler.net.guard_scrapy.GuardedResolver"} if TASK["robots"] else {}),
            "RETRY_ENABLED": False,
            "LOG_LEVEL": "CRITICAL",
            "TELNETCONSOLE_ENABLED": False,
            "CONCURRENT_REQUESTS": 64,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 64,
            "DOWNLOAD_DELAY": 0,
            "DOWNLOAD_TIMEOUT": 15,
            "HTTPERROR_ALLOW_ALL": True,
        }
    )
    crawler = process.create_crawler(Fetch)
    crawler.egress = EgressPolicy(tuple(ipaddress.ip_network(net) for net in TASK["allow"]), lookup)  # type: ignore[attr-defined]
    process.crawl(crawler)
    process.start()


if __name__ == "__main__":
    main()
