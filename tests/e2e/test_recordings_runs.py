"""`sources record`, `selftest --online`, `import --save`, `init --pack` as commands, while a platform changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.installation import Installation
from e2e.rough_site import Request, RoughSite

pytestmark = pytest.mark.e2e
TOKEN = "hush-hush-token-1"


@pytest.fixture
def site() -> Iterator[RoughSite]:
    """A Disqus-like API that repeats the key it was asked with."""
    made = RoughSite()
    made.names = True  # type: ignore[attr-defined]
    made.routes["/api/posts*"] = lambda request: _answer(made, request)
    yield made
    made.close()


def _answer(site: RoughSite, request: Request) -> None:
    author = {"name": "Ann"} if site.names else None  # type: ignore[attr-defined]
    posts = [
        {"id": n, "text": f"Nova Pay {n}", "at": 1_780_000_000 + n, "author": author, "self": f"/p/{n}?k={TOKEN}"}
        for n in range(3)
    ]
    request.send(json.dumps({"posts": posts}), "application/json", 200, Set_Cookie="sid=1", ETag='"e"')


@pytest.fixture
def place(tmp_path: Path, site: RoughSite) -> Installation:
    made = Installation(tmp_path / "home", {"DESK_TOKEN": TOKEN})
    made.configure(
        f"  - name: Our API\n    kind: api\n    url: {site.url}\n    path: /api/posts\n"
        '    headers: {Authorization: "Bearer ${DESK_TOKEN}"}\n'
        "    posts: [{items: posts, fields: {id: id, text: text, published_at: at, author: author.name}}]"
    )
    return made


def test_an_answer_is_kept_without_secrets_and_a_change_is_told(place: Installation, site: RoughSite) -> None:
    [kept] = place.json("sources", "record", "Our API")
    folder = Path(kept["folder"])
    assert (kept["posts"], folder) == (3, place.folder / "recordings" / "api" / "our-api")
    whole = "".join(path.read_text("utf-8") for path in folder.iterdir())
    assert TOKEN not in whole and "sid=1" not in whole and "${DESK_TOKEN}" in whole
    own = [row for row in place.json("sources", "selftest", code=None) if row["what"] == "api/our-api"]
    assert [row["state"] for row in own] == ["ok"]
    [live] = place.json("sources", "selftest", "--online", "Our API")
    assert (live["state"], live["posts"], live["online"]) == ("ok", 3, True)
    site.names = False  # type: ignore[attr-defined]
    [live] = place.json("sources", "selftest", "--online", "Our API", code=5)
    assert (live["state"], live["why"]) == ("changed", "used to be filled and is empty now: author")


def test_the_last_good_answer_is_shown_without_what_it_was_asked_with(place: Installation, site: RoughSite) -> None:
    good = site.routes["/api/posts*"]
    site.routes["/api/posts*"] = lambda request: request.send("down", status=404)
    place.run("upgrade")
    assert "no good answer yet" in place.run("sources", "sample", "Our API", code=3).err
    assert "--online" in place.run("sources", "selftest", "Our API", code=2).err
    place.run("crawl", code=5)
    assert "no good answer yet" in place.run("sources", "sample", "Our API", code=3).err
    site.routes["/api/posts*"] = good
    place.run("crawl")
    site.routes["/api/posts*"] = lambda request: request.send("gone", status=404)
    place.run("crawl", code=5)
    [kept] = place.json("sources", "sample", "Our API")
    assert (kept["posts"], "Nova Pay 2" in kept["body"], TOKEN in kept["body"]) == (3, True, False)
    assert "Nova Pay 2" in place.run("sources", "sample", "Our API").out
    assert "did you mean" in place.run("sources", "sample", "our-api", code=2).err


def test_a_refusal_takes_no_good_recordings_place(place: Installation, site: RoughSite) -> None:
    [kept] = place.json("sources", "record", "Our API")
    before = {path.name: path.read_bytes() for path in Path(kept["folder"]).iterdir()}
    site.routes["/api/posts*"] = lambda request: request.send("slow down", status=429)
    assert "429" in place.run("sources", "record", "Our API", code=4).err
    site.routes["/api/posts*"] = lambda request: request.send('{"posts": []}', "application/json")
    assert "the recording of 3 posts stays" in place.run("sources", "record", "Our API", code=1).err
    assert {path.name: path.read_bytes() for path in Path(kept["folder"]).iterdir()} == before


def test_no_answer_is_no_recording(place: Installation, site: RoughSite) -> None:
    site.close()
    assert "no answer" in place.run("sources", "record", "Our API", code=4).err
    assert "did you mean 'Our API'" in place.run("sources", "record", "our-api", code=2).err
    assert not (place.folder / "recordings").exists()


def test_subscriptions_and_packs_become_sources(place: Installation, tmp_path: Path) -> None:
    opml = tmp_path / "feeds.opml"
    opml.write_text(
        "<opml><body><outline text='One' xmlUrl='https://one.example/f'/><outline xmlUrl='x'/></body></opml>"
    )
    told = place.run("sources", "import", str(opml), "--save")
    assert "wrote one into" in told.err and "1 sources, 1 unusable" in told.err and f"{opml}:1:1" in told.err
    place.run("check")
    assert "name: one\n" in place.config.read_text()
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    place.run("sources", "import", str(empty), code=3)
    place.run("sources", "import", str(tmp_path / "none"), code=2)
    home = tmp_path / "packed"
    place.run("init", "--brand", "Ladna Pay", "--pack", "ua-news", str(home))
    place.run("check", "--config", str(home))
    assert "not proved" in (home / "mention-crawler.yaml").read_text("utf-8")
    assert "did you mean 'ua-news'" in place.run("init", "--pack", "ua-new", str(tmp_path / "x"), code=2).err
