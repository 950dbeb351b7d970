"""How an answer, or the lack of one, is judged: `Finding` = verdict + a sentence that says what to do.

What a page is instead of the page that was asked for is told in `spiders.walls`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scrapy import exceptions
from scrapy.http import Response, TextResponse

from crawler.errors import EgressRefused
from crawler.model import Verdict
from crawler.text import strip_markup
from spiders import walls
from spiders.answers import CUT
from spiders.polite import Held, RobotsDenied

LOOK_AT = 200_000
SHELL_WORDS = 40


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with its reason in words for a person."""

    verdict: Verdict
    why: str
    # Nothing is wrong with the answer but that it shows no posts where there were some: who knows what the source
    # usually gives may think otherwise of it.
    only_empty: bool = False


def of_cut(response: Response) -> Finding | None:
    """What is said of a page of which only the beginning was read."""
    if CUT not in response.flags:
        return None
    return Finding(Verdict.TOO_BIG, f"{response.url}: more markup than a page may have; only its beginning was read")


# Worst first: the verdict of a run is the first of these that was found.
WORST_FIRST = (
    Verdict.TRAP,
    Verdict.TOO_BIG,
    Verdict.BLOCKED,
    Verdict.FAILED,
    Verdict.CHANGED,
    Verdict.EMPTY,
)
_ONLY_WITHOUT_POSTS = (Verdict.CHANGED, Verdict.EMPTY)


def of_status(response: Response) -> Finding | None:
    """Judges an answer by its status alone; None for 2xx and 304."""
    status, url = response.status, response.url
    if 200 <= status < 300 or status == 304:
        return None
    if status in (401, 402, 403, 407, 451):
        return Finding(
            Verdict.BLOCKED,
            f"{url} answered {status}: the site refuses us; open it in a browser, ask its owner or pause the source",
        )
    if status in (404, 410):
        return Finding(Verdict.FAILED, f"{url} answered {status}: the page is gone; correct `url` of the source")
    if status == 429:
        return Finding(Verdict.FAILED, f"{url} answered 429: too many requests; crawl this source less often (`every`)")
    if 300 <= status < 400:
        to = (response.headers.get(b"Location") or b"").decode("latin-1") or "nowhere"
        return Finding(Verdict.FAILED, f"{url} answered {status} and leads to {to[:200]}, which is not followed")
    return Finding(
        Verdict.FAILED, f"{url} answered {status}: the site is in trouble; it is tried again at the next run"
    )


def of_failure(error: BaseException, url: str) -> Finding:
    """Judges a request that got no usable answer: what happened, and what to do."""
    text = str(error)
    for kinds, verdict, words in _FAILURES:
        if isinstance(error, kinds):
            return Finding(verdict, f"{url}: {words.format(text=text)}")
    if isinstance(error, ValueError) and "scheme" in text:
        return Finding(
            Verdict.FAILED, f"{url}: leads to an address that is neither http nor https, which is not followed"
        )
    if "max redirections" in text:
        return Finding(Verdict.FAILED, f"{url}: more than 5 redirects; correct `url` of the source")
    # Scrapy cuts a body that grows beyond the limit without a word.
    if isinstance(error, exceptions.DownloadCancelledError) or "max size" in text or "DOWNLOAD_MAXSIZE" in text:
        return Finding(Verdict.TOO_BIG, f"{url}: the answer is bigger than we take; narrow `url` (a page, a limit)")
    return Finding(Verdict.FAILED, f"{url}: {type(error).__name__}: {text[:300]}")


_FAILURES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Verdict, str], ...] = (
    (
        EgressRefused,
        Verdict.FAILED,
        "refused: {text}",
    ),
    (
        RobotsDenied,
        Verdict.BLOCKED,
        "{text}; it is kept to: choose another page, or ask the site's owner",
    ),
    (
        Held,
        Verdict.FAILED,
        "{text}; the rest is read at the next run: crawl this source less often (`every`)",
    ),
    (exceptions.CannotResolveHostError, Verdict.FAILED, "the host name does not resolve; correct `url` or check DNS"),
    (
        exceptions.DownloadConnectionRefusedError,
        Verdict.FAILED,
        "the server refuses the connection; it is tried again at the next run",
    ),
    (
        exceptions.DownloadTimeoutError,
        Verdict.FAILED,
        "no complete answer in time; the site is slow or down, it is tried again at the next run",
    ),
    (
        exceptions.ResponseDataLossError,
        Verdict.FAILED,
        "the answer broke off in the middle; it is tried again at the next run",
    ),
    (
        (exceptions.UnsupportedURLSchemeError, exceptions.NotSupported),
        Verdict.FAILED,
        "refused: only http and https are fetched ({text})",
    ),
)


def of_nothing(response: Response, usual: int) -> Finding:
    """Judges a 2xx answer in which no post was found; `usual`: how many posts this source showed before (0 = never)."""
    if finding := of_page(response):
        return finding
    if is_noise(response.body):
        return Finding(Verdict.FAILED, f"{response.url}: bytes that are no text; the server packs or cuts them wrongly")
    drawn = "; JavaScript draws this page: try `kind: browser`" if _is_shell(response) else ""
    if usual:
        why = (
            f"no posts, but {usual} the time before: the site may have changed; run `preview` and correct the selectors"
        )
        return Finding(Verdict.CHANGED, f"{response.url}: {why}", only_empty=True)
    return Finding(
        Verdict.EMPTY, f"{response.url}: no posts found; check `url` and the selectors with `preview`{drawn}"
    )


def _is_shell(response: Response) -> bool:
    """True for a page with scripts and next to no words."""
    if not isinstance(response, TextResponse) or b"<script" not in response.body[:LOOK_AT].lower():
        return False
    return len(strip_markup(response.text[:LOOK_AT]).split()) < SHELL_WORDS


def wall_of(response: Response) -> str | None:
    """Says which wall a page shows instead of its content (captcha, block page, log-in, consent), or None."""
    found = walls.found(response)
    return found[1] if found and found[0] is Verdict.BLOCKED else None


def of_page(response: Response) -> Finding | None:
    """Judges a page that is something else than what was asked for: a wall, a log-in, a pause, "not found"."""
    found = walls.found(response)
    if found is None:
        return None
    verdict, what = found
    advice = "; nothing gets around it: ask the owner or pause the source" if verdict is Verdict.BLOCKED else ""
    return Finding(verdict, f"{response.url}: {what}{advice}")


def is_noise(body: bytes) -> bool:
    """Whether bytes are no text in any charset: packed or cut out of something packed."""
    head = body[:4096]
    return bool(head) and (
        head[:2] == b"\x1f\x8b" or sum(byte < 9 or 13 < byte < 27 for byte in head) > len(head) // 20
    )


def only_emptied(end: Finding, findings: Iterable[Finding]) -> bool:
    """Whether a run that ended as `changed` did so for want of posts alone."""
    return end.verdict is Verdict.CHANGED and all(
        finding.only_empty for finding in findings if finding.verdict is Verdict.CHANGED
    )


def sum_up(findings: Iterable[Finding], showed: int) -> Finding:
    """The verdict of a run: the worst finding, or ok. `showed` counts posts seen and pages unchanged."""
    found = [f for f in findings if not (showed and f.verdict in _ONLY_WITHOUT_POSTS)]
    if not found:
        return (
            Finding(Verdict.OK, "")
            if showed
            else Finding(Verdict.FAILED, "nothing was fetched: no request was answered")
        )
    found.sort(key=lambda finding: WORST_FIRST.index(finding.verdict))
    unique = list(dict.fromkeys(finding.why for finding in found))
    more = f" (and {len(unique) - 3} more)" if len(unique) > 3 else ""
    return Finding(found[0].verdict, "; ".join(unique[:3]) + more)
