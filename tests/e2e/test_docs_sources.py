"""The pages about sources: generated ones are fresh, the preset of the walk-through works."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from pathlib import Path

from e2e.installation import Installation
from rough_site import Request, RoughSite

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add-a-source.md"


def test_the_sources_page_is_fresh() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    import sources_page

    written = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert written == sources_page.page(), "run: python tools/sources_page.py"
    assert all(f"### {name}" in written for name in ("hackernews", "telegram", "xenforo"))


def test_the_walks_are_short() -> None:
    _, preset, code = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.M)
    assert len(preset.splitlines()) <= 80
    assert len(code.splitlines()) <= 80


def test_the_preset_of_the_page_crawls(tmp_path: Path) -> None:
    preset = next(
        text for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S) if "of: api" in text
    )
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "teapots.yaml").write_text(preset, encoding="utf-8")
    asked: list[str] = []

    def answer(request: Request) -> None:
        asked.append(request.path)
        said = {"id": 7, "type": "review", "body": "<p>Nova Pay не повертає гроші</p>", "user": {"name": "Олена"}}
        more = {"created": 1795082400, "stars": "1,5", "votes": {"up": 0}, "sticky": False}
        request.send(
            json.dumps({"reviews": [said | more, {"id": 8, "type": "advert"}], "meta": {}}), "application/json"
        )

    with closing(RoughSite()) as site:
        site.routes["/v1/search*"] = answer
        home = Installation(tmp_path)
        home.configure(f"  - {{name: pots, kind: teapots, words: [Nova Pay], base_url: '{site.url}'}}")
        home.run("crawl")
        [mention] = home.run("mentions", "list", "--json").rows
    assert asked == ["/v1/search?q=Nova+Pay&limit=50"]
    assert (mention["author"], mention["url"]) == ("Олена", "https://teapots.example/r/7")
    assert mention["published_at"].startswith("2026-11-19T10:00")
