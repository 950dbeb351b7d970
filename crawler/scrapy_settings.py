"""Scrapy's settings for the crawl child and for `scrapy crawl` by hand: plain constants, nothing computed.

What is not named here keeps Scrapy's own default. Names in strings point down, to `spiders` and `crawler.net`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

BOT_NAME = "mention-crawler"
SPIDER_MODULES = ["spiders"]
NEWSPIDER_MODULE = "spiders"
# Presets are kinds too, and no modules.
SPIDER_LOADER_CLASS = "spiders.loader.KindLoader"

# Who we are. The host of the child adds the contact of the config: "mention-crawler/0.1 (+https://…)".
USER_AGENT = "mention-crawler/0.1"
ROBOTSTXT_USER_AGENT = "mention-crawler"
ROBOTSTXT_OBEY = True
COOKIES_ENABLED = False
REFERER_ENABLED = True
REFERRER_POLICY = "no-referrer"

# Sites that offer several tongues show what their readers wrote.
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "uk,ru;q=0.9,en;q=0.8",
}

# Nobody may talk to the process, and it talks to http and https only.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
DOWNLOAD_HANDLERS = {"data": None, "file": None, "ftp": None, "s3": None}
DOWNLOAD_VERIFY_CERTIFICATES = True
HTTPPROXY_ENABLED = False
# Private networks (CIDR) that the egress guard lets through where no `crawler.egress` policy was attached.
EGRESS_ALLOW_PRIVATE: list[str] = []

# Bounds of one answer and one run; spiders set the 30 MiB of feeds per request.
DOWNLOAD_MAXSIZE = 10 * 1024 * 1024
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_TIMEOUT = 20
DOWNLOAD_FAIL_ON_DATALOSS = True
REDIRECT_MAX_TIMES = 5
CLOSESPIDER_TIMEOUT = 300
URLLENGTH_LIMIT = 2083

# Politeness. The next scheduled run is the real retry: here only a lost connection is tried once more.
CONCURRENT_REQUESTS = 16
CONCURRENT_REQUESTS_PER_DOMAIN = 2
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = 0.0
AUTOTHROTTLE_MAX_DELAY = 30.0
AUTOTHROTTLE_TARGET_CONCURRENCY = 1.0
RETRY_TIMES = 1
RETRY_HTTP_CODES = [500, 502, 503, 504, 429]
RETRY_EXCEPTIONS = [
    "scrapy.exceptions.DownloadFailedError",
    "scrapy.exceptions.ResponseDataLossError",
    "twisted.internet.error.ConnectionDone",
    "twisted.internet.error.ConnectionLost",
]
RETRY_GIVE_UP_LOG_LEVEL = "DEBUG"

DOWNLOADER_MIDDLEWARES = {
    "crawler.net.guard_scrapy.EgressMiddleware": 20,
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "spiders.polite.Robots": 100,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "spiders.polite.PoliteRetry": 550,
    "spiders.polite.RateLimits": 560,
}
# The spiders judge every answer themselves, whatever its status.
HTTPERROR_ALLOW_ALL = True

# A name that does not resolve must not starve the others.
REACTOR_THREADPOOL_MAXSIZE = 50
DNS_TIMEOUT = 10
TWISTED_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"

LOG_LEVEL = "WARNING"
LOG_VERSIONS: list[str] = []
LOGSTATS_INTERVAL = 0
STATS_DUMP = False
MEMUSAGE_ENABLED = False
EXTENSIONS = {"scrapy.extensions.telnet.TelnetConsole": None, "scrapy.extensions.remote_control.RemoteControl": None}


def as_dict(user_agent: str = "", allow_private: Iterable[object] = ()) -> dict[str, Any]:
    """These settings for a crawl child, with the agent and the private networks that the config names."""
    settings = {name: value for name, value in globals().items() if name.isupper()}
    # A child is handed its spider classes; looking for them would load the browser's half into every child.
    settings["SPIDER_MODULES"], settings["SPIDER_LOADER_CLASS"] = [], "scrapy.spiderloader.DummySpiderLoader"
    settings["EGRESS_ALLOW_PRIVATE"] = [str(network) for network in allow_private]
    return settings | ({"USER_AGENT": user_agent} if user_agent else {})
