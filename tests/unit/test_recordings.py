"""`sources record` and `sources selftest`: what is kept of an answer, and what is said when a platform changed."""

from __future__ import annotations

import html
import json
import shutil
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawler.app.recordings import _place, selftest, shipped, usual_fields
from crawler.app.scrubbing import Scrubber
from crawler.app.source_text import SourceText
from crawler.errors import Permanent
from crawler.model import Document

SECRET = 'p/s+s "w0rd" ключ'
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode().rstrip("=")


def clean(body: str = "", url: str = "https://api.example/", **headers: str) -> Document:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scrubber([SECRET, "hush-hush-1"]).clean(Document(url, 200, named, body.encode(), NOW))


def test_no_secret_in_any_spelling_is_kept() -> None:
    spelled = [SECRET, "p/s%2Bs%20%22w0rd%22%20%D0%BA%D0%BB%D1%8E%D1%87", json.dumps(SECRET), "x hush-hush-1 y"]
    kept = clean("\n".join(spelled))
    assert b"w0rd" not in kept.body and b"hush" not in kept.body
    assert kept.body.count(b"SECRET") == 4


def test_addresses_lose_keys_and_users_even_unknown_ones() -> None:
    kept = clean(url="https://ann:pw@api.example/v1?q=tea&api_key=abc&page=2&access_token=xyz&monkey=1")
    assert kept.url == "https://api.example/v1?q=tea&api_key=SECRET&page=2&access_token=SECRET&monkey=1"


def test_what_servers_hand_out_is_not_kept_and_what_paging_needs_is() -> None:
    kept = clean(
        '{"access_token": "abc.def", "next_page_token": "p2", "next": "/v1?sid=0123456789abcdef&page=2", '
        '"csrf_token":"x", "password": "pw", "text": "the token was sid=1"}'
    ).body.decode()
    told = json.loads(kept)
    assert (told["access_token"], told["csrf_token"], told["password"]) == ("SECRET",) * 3
    assert (told["next_page_token"], told["next"]) == ("p2", "/v1?sid=SECRET&page=2")
    assert told["text"] == "the token was sid=1"


def test_long_and_escaped_tokens_are_taken_out_whole() -> None:
    jwt = "eyJhbGci." * 2000
    tokens = r'"access_token": "ab\/cd\"ef", "id_token": "' + jwt + '"'
    kept = json.loads(clean("{" + tokens + ', "next": "/v1?sid=' + jwt + '&page=2", "text": "x"}').body)
    assert kept == {"access_token": "SECRET", "id_token": "SECRET", "next": "/v1?sid=SECRET&page=2", "text": "x"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "cp1251"])
@pytest.mark.parametrize(
    "way", [str, html.escape, lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"), _base64]
)
def test_secrets_are_found_in_every_charset(encoding: str, way: Any) -> None:
    body = f"<p>привіт {way(SECRET)} кінець</p>".encode(encoding)
    kept = Scrubber([SECRET]).clean(Document("https://api.example/", 200, {}, body, NOW)).body.decode(encoding)
    assert kept.startswith("<p>привіт SECRET") and kept.endswith(" кінець</p>")


def test_a_block_keeps_its_references_and_loses_what_was_written_into_it() -> None:
    settings = {
        "url": "https://ann:pw@api.example/?api_key=abc&q=tea",
        "path": "/v1?key=${KEY}",
        "headers": {"Authorization": "Bearer abc", "X-Token": "${TOKEN}", "Accept": "text/html"},
        "query": {"key": "abc", "page": 2},
        "fields": {"id": "key", "text": ["token"]},
    }
    kept = Scrubber([]).source(SourceText("a", "api", settings)).settings
    assert kept["url"] == "https://api.example/?api_key=SECRET&q=tea"
    assert kept["path"] == "/v1?key=${KEY}"
    assert kept["headers"] == {"Authorization": "SECRET", "X-Token": "${TOKEN}", "Accept": "text/html"}
    assert (kept["query"], kept["fields"]) == ({"key": "SECRET", "page": 2}, {"id": "key", "text": ["token"]})


def test_recordings_of_names_written_alike_do_not_take_each_others_place(tmp_path: Path) -> None:
    def place(name: str, posts: int = 1) -> Path:
        return _place(tmp_path, SourceText(name, "feed", {}), posts, None)

    first = place("Our API")
    assert first == tmp_path / "feed" / "our-api" and place("../../etc/x") == tmp_path / "feed" / "etc-x"
    first.mkdir(parents=True)
    (first / "response.json").write_text('{"source": "Our API"}')
    (first / "expected.json").write_text('{"posts": [{"text": "a"}]}')
    assert place("Our API") == first and place("our-api") == tmp_path / "feed" / "our-api-2"
    with pytest.raises(Permanent, match="recording of 1 posts stays"):
        place("Our API", posts=0)


def test_only_headers_that_reading_needs_are_kept() -> None:
    kept = clean(
        content_type="text/html", Set_Cookie="sid=1", authorization="Bearer x", x_request_id="7", etag='"1"',
        link='<https://api.example/?token=abc>; rel="next"', x_ratelimit_remaining="3", server="s",
    )  # fmt: skip
    assert kept.headers == {
        "content-type": "text/html",
        "etag": '"1"',
        "link": '<https://api.example/?token=SECRET>; rel="next"',
        "x-ratelimit-remaining": "3",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One shipped recording, to be bent."""
    shutil.copytree(shipped() / "hackernews" / "search_en", tmp_path / "hackernews" / "search_en")
    return tmp_path


def bend(folder: Path, name: str, change: Any) -> None:
    path = folder / "hackernews" / "search_en" / name
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))), "utf-8")


def test_a_good_recording_is_ok(folder: Path) -> None:
    [told] = selftest(None, [folder])
    assert (told.state, told.kind, told.posts > 0) == ("ok", "hackernews", True)


def test_what_is_read_otherwise_is_said(folder: Path) -> None:
    def change(data: dict[str, Any]) -> dict[str, Any]:
        data["posts"][0]["author"] = {"name": "somebody else"}
        return data

    bend(folder, "expected.json", change)
    [told] = selftest(None, [folder])
    assert (told.state, "post 1: author was" in told.why) == ("changed", True)
    bend(folder, "expected.json", lambda data: {**data, "posts": data["posts"][1:]})
    [told] = selftest(None, [folder])
    assert "are read today" in told.why


@pytest.mark.parametrize("name", ["response.json", "source.yaml", "response.body", "expected.json"])
def test_a_recording_that_is_damaged_is_named_and_stops_no_other(folder: Path, name: str) -> None:
    shutil.copytree(folder / "hackernews" / "search_en", folder / "hackernews" / "zz")
    path = folder / "hackernews" / "search_en" / name
    path.write_bytes(b"\xff{")
    first, second = selftest(None, [folder])
    assert (first.what, second.state) == ("hackernews/search_en", "ok")
    assert first.state in ("failed", "changed")
    assert first.why


def test_a_kind_that_is_gone_is_said(folder: Path) -> None:
    (folder / "hackernews").rename(folder / "nothing")
    [told] = selftest(None, [folder])
    assert told.state == "unknown kind"


def test_fields_that_are_always_there_are_those_of_the_source_first(folder: Path) -> None:
    any_of_kind = usual_fields([folder], SourceText("other", "hackernews", {}))
    assert {"author", "published_at", "url", "platform_id"} <= any_of_kind
    own = folder / "hackernews" / "mine"
    own.mkdir()
    (own / "expected.json").write_text(
        '{"posts": [{"text": "a", "url": "https://x.example/"}, {"text": "", "deleted": true}]}'
    )
    assert usual_fields([folder], SourceText("Mine", "hackernews", {})) == {"url"}
    assert usual_fields([folder], SourceText("x", "feed", {})) == set()
    # Another source whose name is written alike has its own folder.
    (own / "response.json").write_text('{"source": "Mine"}')
    other = shutil.copytree(own, own.with_name("mine-2"))
    (other / "response.json").write_text('{"source": "mine"}')
    (other / "expected.json").write_text('{"posts": [{"text": "a", "rating": 5}]}')
    assert usual_fields([folder], SourceText("mine", "hackernews", {})) == {"rating"}
    assert usual_fields([folder], SourceText("Mine", "hackernews", {})) == {"url"}
