"""`preview URL` and `discover`, without a config, at servers that mean harm: a clear word, bounded memory and time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.installation import COMMAND
from e2e.rough_site import HTML, Request, RoughSite

pytestmark = pytest.mark.e2e
MEMORY_MIB = 400
MEASURED = (
    "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; "
    "print('PEAK', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr); sys.exit(code)"
)
ALLOWED = {"MENTION_CRAWLER__NETWORK__ALLOW_PRIVATE": "[127.0.0.1]"}


@dataclass(frozen=True)
class Look:
    """How one command ended: `peak` is the biggest of its processes in MiB."""

    code: int
    out: str
    err: str
    seconds: float
    peak: int


def look(folder: Path, *arguments: str, allowed: bool = True) -> Look:
    """The command in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MENTION_CRAWLER")}
    environment |= {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)} | (ALLOWED if allowed else {})
    begun = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, str(COMMAND), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr, ended.stderr
    assert list(folder.iterdir()) == [], "nothing is left behind"
    told, _, peak = ended.stderr.rpartition("PEAK ")
    return Look(ended.returncode, ended.stdout, told, time.monotonic() - begun, int(peak))


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


def bomb(request: Request) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(squeeze.compress(b"<p>x</p>" * 131072) for _ in range(200)) + squeeze.flush()
    request.send(body, Content_Encoding="gzip")


def endless(request: Request) -> None:
    request.begin(HTML)
    request.close_connection = True
    while True:
        request.wfile.write(b"<p>more</p>" * 10_000)


def circles(request: Request) -> None:
    request.send("", status=302, Location=f"/?{len(request.path)}" if len(request.path) < 40 else "/")


def drip(request: Request) -> None:
    request.begin(HTML, Content_Length="100000")
    for _ in range(400):
        request.wfile.write(b"<p>x</p>")
        request.wfile.flush()
        time.sleep(0.25)


@pytest.mark.parametrize("command", ["preview", "discover"])
@pytest.mark.parametrize(
    ("answer", "said", "code"),
    [(bomb, "bigger than we take", 3), (endless, "bigger than we take", 3), (circles, "redirects", 4)],
)
def test_harm_ends_soon_and_says_what_it_was(
    site: RoughSite, tmp_path: Path, command: str, answer: Callable[[Request], None], said: str, code: int
) -> None:
    site.routes["/*"] = answer
    site.routes["/robots.txt"] = lambda request: request.send("no", status=404)
    seen = look(tmp_path, command, site.url)
    assert (seen.code, seen.err.count(said)) == (code, 1), seen
    assert seen.peak < MEMORY_MIB
    assert site.asked.total() < 40


@pytest.mark.slow
def test_a_drip_ends_with_the_patience_for_one_answer(site: RoughSite, tmp_path: Path) -> None:
    site.routes["/*"] = drip
    site.routes["/robots.txt"] = lambda request: request.send("no", status=404)
    seen = look(tmp_path, "preview", site.url)
    assert (seen.code, seen.err.count("no complete answer in time")) == (4, 1), seen
    assert site.asked.total() <= 3


@pytest.mark.parametrize("command", ["preview", "discover"])
def test_a_private_address_is_refused_once_with_the_way_to_allow_it(tmp_path: Path, command: str) -> None:
    seen = look(tmp_path, command, "http://127.0.0.1:8099/", allowed=False)
    assert seen.code == 4
    assert seen.err.count("network.allow_private") == 1, seen.err
    assert "allow_private: [127.0.0.1]" in seen.err


def test_an_address_is_previewed_without_any_config(site: RoughSite, tmp_path: Path) -> None:
    feed = "<rss version='2.0'><channel><item><guid>1</guid><title>Tea\x1b[31m</title></item></channel></rss>"
    site.routes["/f"] = lambda request: request.send(feed.replace("\x1b", "&#27;"), "application/rss+xml")
    seen = look(tmp_path, "preview", f"{site.url}/f")
    assert (seen.code, "Tea" in seen.out, "\x1b" in seen.out + seen.err) == (0, True, False), seen
    assert "no config here" in seen.err and "read as this source" in seen.err


def test_what_needs_a_config_still_says_so(tmp_path: Path) -> None:
    for words in (["preview", "news"], ["preview", "--text", "Ladna Pay"]):
        seen = look(tmp_path, *words)
        assert (seen.code, "init" in seen.err) == (2, True), seen
