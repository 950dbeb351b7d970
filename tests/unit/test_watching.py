"""`watch`: which sources a name is looked for in, with which words, and the config that comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler import config as config_room
from crawler.app import App
from crawler.app.kinds import check_blocks, spider_kinds
from crawler.app.watch_loop import in_short
from crawler.app.watching import Wish, base_of, config_text, plan, private_hosts, search_words
from crawler.errors import NotFound

KINDS = spider_kinds(Path("/nonexistent"))


def test_every_keyless_search_is_asked_and_nothing_that_needs_a_key() -> None:
    names = {source.name for source in plan(KINDS, Wish.of("Ladna Pay"))}
    assert {"hackernews", "stackexchange", "mastodon", "bluesky", "github", "lemmy", "reddit"} <= names
    assert not names & {"vk", "reddit_oauth", "disqus", "feed", "page", "telegram", "file"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Nova Poshta", ["Nova Poshta", "нова пошта"]),
        ("Нова Пошта", ["Нова Пошта", "nova poshta"]),
        ("  Ladna \n Pay ", ["Ladna Pay", "ладна пей"]),
        ("=Ладна Pay", ["Ладна Pay"]),
        ("X5", ["X5", "кс5"]),
        ("24", ["24"]),
        ('Ladna "Pay" & Co', ["Ladna Pay & Co", "ладна пей & ко"]),
        ("ТОВ «Ладна Пей»", ["ТОВ Ладна Пей", "tov ladna pei"]),
    ],
)
def test_platforms_are_asked_in_both_scripts(name: str, words: list[str]) -> None:
    assert search_words(Wish.of(name)) == words


def test_other_spellings_are_asked_for_too_but_never_many() -> None:
    wish = Wish.of("Ladna Pay", ["ладна пей", "@ladnapay", "a", "b", "c"])
    assert search_words(wish) == ["Ladna Pay", "ладна пей", "ladnapay", "a"]


def test_a_name_longer_than_anybody_writes_is_cut_between_words() -> None:
    wish = Wish.of("Ladna Pay " * 20)
    assert wish.cut and len(wish.name) <= 100 and wish.name.endswith("Pay")
    assert len(Wish.of("x" * 200).name) == 100
    assert not Wish.of("Ladna  Pay" + " " * 200).cut


@pytest.mark.parametrize("name", ["", "...", "\u202e", "«»"])
def test_a_name_without_letters_is_refused(name: str) -> None:
    with pytest.raises(NotFound, match="no letter"):
        Wish.of(name)


@pytest.mark.parametrize(
    ("kinds", "said"),
    [(["telegram"], "needs channel"), (["feed"], "needs url"), (["vk"], "needs token"), (["hackrnews"], "hackernews")],
)
def test_a_kind_that_cannot_says_why(kinds: list[str], said: str) -> None:
    with pytest.raises(NotFound, match=said):
        plan(KINDS, Wish.of("Ladna Pay", kinds=kinds))


def test_a_pace_that_is_none_is_said_before_anything_runs() -> None:
    with pytest.raises(NotFound, match="--every: 'often' is no duration"):
        Wish.of("Ladna Pay", every="often")


@pytest.mark.parametrize("given", ["hackernews", "hackernews=", "hackernews=host:80", "=", "a=http://", "a=http://["])
def test_an_address_must_be_one(given: str) -> None:
    with pytest.raises(NotFound, match="write KIND=URL"):
        base_of(given)


def test_private_addresses_are_let_through_only_when_named() -> None:
    bases = {"a": "http://127.0.0.1:80", "b": "https://api.example", "c": "http://localhost:1", "d": "http://10.0.0.5/"}
    assert private_hosts(bases) == ["127.0.0.1", "10.0.0.5"]
    assert private_hosts({}) == []


@pytest.mark.parametrize("name", ["Ladna Pay", "Ла\"дна' #: Пей", "{x}", "null", "-", "42", "a: b", "\\", "№1 — «Ё»"])
def test_the_config_of_any_name_is_good(name: str, tmp_path: Path) -> None:
    wish = Wish.of(f"{name} Pay", ["null", "@x"], bases={"hackernews": "http://127.0.0.1:9"})
    path = tmp_path / "mention-crawler.yaml"
    path.write_text(config_text(wish, plan(KINDS, wish)), encoding="utf-8")
    app = App(config_room.load(path))
    assert [problem for problem in check_blocks(app) if not problem.warning] == []
    [brand] = app.config.brands
    assert [entity.text for entity in brand.entities] == [f"{name} Pay", "null", "@x"]
    [source] = [block for block in app.config.sources if block.name == "hackernews"]
    assert source.raw["base_url"] == "http://127.0.0.1:9"


def test_reasons_fit_a_line() -> None:
    two = (
        "https://api.example/s?q=%22a%22: the host name does not resolve; https://api.example/t: the host name does not"
    )
    assert in_short(two) == "api.example: the host name does not resolve"
    assert in_short("http://127.0.0.1:8765/api?x answered 404: gone") == "127.0.0.1:8765 answered 404: gone"
    assert in_short("x" * 999).endswith("…") and len(in_short("x\n" * 999)) == 160
    assert in_short("http://[::1/x: bad") and in_short(None)
