"""`discover URL` and `preview URL`: which kinds can read a site that nobody has described, and what they find there.

One bounded walk in a crawl child; what is proposed has shown real posts, read by the kind that is proposed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crawler.app import App
from crawler.app.source_text import SourceText, slug
from crawler.errors import NotFound
from crawler.model import Source, Verdict

if TYPE_CHECKING:
    from crawler.engine.child import Channel
    from spiders.exploring import Trial
    from spiders.leads import Lead

# A look that takes longer tells what it has found until then; one that hangs is ended.
LOOK, SECONDS = 100, 150.0
_FAR = ("article",)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A source block with its evidence. `posts` is how many one look gave; none: it could not be proved, `why` says."""

    source: SourceText
    why: str
    posts: int
    newest: datetime | None
    filled: dict[str, float]
    verdict: str | None
    reason: str
    trial: Trial

    @property
    def proved(self) -> bool:
        """Whether posts were really read."""
        return self.posts > 0

    def evidence(self) -> str:
        """One line for people: what was found there, or why nothing was."""
        if not self.proved:
            return f"{self.why}; not proved: {self.reason or 'no posts'}"
        newest = f", newest {self.newest:%Y-%m-%d %H:%M} UTC" if self.newest else ", no dates"
        fields = ", ".join(
            name if share == 1 else f"{name} {share:.0%}"
            for name, share in self.filled.items()
            if name != "platform_id"
        )
        return f"{self.why}; {self.posts} posts{newest}; {fields or 'text only'}"

    def as_row(self) -> dict[str, Any]:
        """The stable shape of `discover --json`."""
        return {
            "kind": self.source.kind,
            "source": self.source.raw(),
            "posts": self.posts,
            "newest": self.newest,
            "fields": self.filled,
            "verdict": self.verdict,
            "why": self.why,
            "reason": self.reason,
            "yaml": self.source.yaml(),
        }


@dataclass(slots=True)
class Discovered:
    """Proposals, the best first, and what was said of the address itself."""

    url: str
    proposals: list[Proposal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    network_failed: bool = False
    requests: int = 0
    verdict: Verdict | None = None

    @property
    def proved(self) -> list[Proposal]:
        """Those that showed posts."""
        return [proposal for proposal in self.proposals if proposal.proved]


@contextmanager
def without_config() -> Iterator[App]:
    """An app without names and sources, in a folder that is gone afterwards: enough for a look at an address."""
    with tempfile.TemporaryDirectory(prefix="mention-crawler-preview-") as folder:
        path = Path(folder) / "mention-crawler.yaml"
        path.write_text("timezone: UTC\n", encoding="utf-8")
        app = App.load(str(path))
        try:
            yield app
        finally:
            app.close()


def discover(app: App | None, url: str, words: Sequence[str] = ()) -> Discovered:
    """Look at a site and say how it could be read. NotFound when the address is none."""
    if app is None:
        with without_config() as bare:
            return discover(bare, url, words)
    from crawler.engine.errands import errand

    address = demand_address(url)
    asked = tuple(words) or tuple(brand.name for brand in app.config.brands)[:3]
    arguments = (str(app.config.path), address, asked)
    answer = errand(_explore_main, arguments, SECONDS)
    if isinstance(answer, str):
        return Discovered(address, notes=[answer], network_failed=True)
    trials, notes, unreachable, requests, verdict = answer
    lost = unreachable and not any(trial.posts for trial in trials)
    return Discovered(address, _proposals(trials), notes, lost, requests, verdict)


def demand_address(url: str) -> str:
    """A web address as it is asked for: `forum.example` is one too. NotFound for what is none."""
    address = url.strip() if "://" in url else f"https://{url.strip()}"
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and "." in parts.netloc + "." and parts.port != 0
    except ValueError:
        good = False
    if not good or any(char.isspace() for char in address):
        raise NotFound(f"{url!r} is no web address; write it like https://forum.example/")
    return address


def _proposals(trials: Sequence[Trial]) -> list[Proposal]:
    """The best first. What gave nothing is told only where the user could do something about it."""
    made = [_proposal(trial) for trial in sorted(trials, key=lambda trial: trial.worth)]
    near = any(proposal.proved and proposal.source.kind not in _FAR for proposal in made)
    return [
        proposal
        for proposal in made
        if (proposal.proved and not (near and proposal.source.kind in _FAR))
        or proposal.trial.lead.lacks
        or (not near and proposal.trial.lead.rank < 40)
    ]


def _proposal(trial: Trial) -> Proposal:
    lead = trial.lead
    verdict = trial.verdict.value if trial.verdict else None
    return Proposal(
        SourceText(name_of(lead), lead.kind, lead.settings),
        lead.why,
        len(trial.posts),
        trial.newest,
        trial.filled() if trial.posts else {},
        verdict,
        trial.why,
        trial,
    )


def name_of(lead: Lead) -> str:
    """A name for the source: its host and what tells it from others there."""
    settings = lead.settings
    url = str(settings.get("url", ""))
    if not url:
        first = next((value for value in settings.values() if value), "")
        return slug(f"{lead.kind} {first[0] if isinstance(first, list | tuple) else first}")
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    path = " ".join(part for part in parts.path.split("/") if part and part not in ("feed", "rss", "rss.xml"))
    return slug(f"{host} {path}" if lead.kind == "feed" else f"{host} {lead.kind}" if lead.kind != "forum" else host)


def _explore_main(channel: Channel, config_path: str, url: str, words: tuple[str, ...]) -> Any:
    """In the child: one Explorer; its Trials without the bodies that were read."""
    from crawler.scrapy_settings import as_dict
    from crawler.stages.crawl_once import run_once
    from spiders.exploring import Explorer, Task, Trials

    app = App.load(config_path)
    kinds = {name: kind for name, kind in app.spiders.items() if not kind.browser}
    task = Task(url, kinds, words, app.config.timezone)
    trials: Any = Trials()
    settings = as_dict(app.config.user_agent, app.config.allow_private) | {"CLOSESPIDER_TIMEOUT": LOOK}
    run_once(Explorer, Source("explored", "explorer", task), trials, settings, app.policy)
    asked = sum(trial.requests for trial in trials)
    return list(trials), trials.notes, trials.unreachable, asked, trials.verdict
