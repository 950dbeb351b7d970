"""Lists of feeds from other tools, ready packs, and how blocks come into a config that somebody wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler import config as config_room
from crawler.app import App
from crawler.app.importing import address_of, read_list
from crawler.app.kinds import check_blocks
from crawler.app.packs import chosen, packs
from crawler.app.setting_up import FILE_NAME
from crawler.app.source_text import SourceText, add_sources, unfilled
from crawler.errors import ConfigError, NotFound

READER = """<?xml version="1.0" encoding="UTF-8"?>
<opml version="1.0"><head><title>Subscriptions</title></head><body>
<outline text="News" title="News">
  <outline type="rss" text="One &amp; only" title="One &amp; only" xmlUrl="https://one.example/feed" htmlUrl="https://one.example"/>
  <outline text="Deep"><outline text="Two" type="rss" XMLURL="feed://two.example/rss"/></outline>
  <outline type="rss" text="Again" xmlUrl="HTTPS://ONE.example:443/feed"/>
</outline>
<outline type="rss" text="" xmlUrl="three.example/atom.xml?a=1&amp;b=2"/>
<outline type="rss" text="bad" xmlUrl="javascript:alert(1)"/>
<outline type="link" text="a page" url="https://page.example/"/>
<outline type="rss" text="as a link" url="https://four.example/feed"/>
</body></opml>"""  # fmt: skip


def write(tmp_path: Path, body: str | bytes, name: str = "feeds.opml") -> Path:
    path = tmp_path / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


def addresses(path: Path) -> list[str]:
    return [str(block.settings["url"]) for block in read_list(path).blocks]


def test_subscriptions_of_a_feed_reader(tmp_path: Path) -> None:
    told = read_list(write(tmp_path, READER))
    assert [(block.name, block.settings["url"], dict(block.labels)) for block in told.blocks] == [
        ("one-only", "https://one.example/feed", {"folder": "News"}),
        ("two", "https://two.example/rss", {"folder": "Deep"}),
        ("three-example", "https://three.example/atom.xml?a=1&b=2", {}),
        ("as-a-link", "https://four.example/feed", {}),
    ]
    assert told.doubles == 1
    [unusable] = told.unusable
    assert (unusable.line, "javascript:alert(1)" in unusable.message) == (9, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251"])
@pytest.mark.parametrize("declared", ["UTF-8", "windows-1251", "no-such-thing"])
def test_whatever_a_file_says_of_its_encoding(tmp_path: Path, encoding: str, declared: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?><opml><body>' + "".join(
        f'<outline text="Українська стрічка новин, вулична й міська {n}" xmlUrl="https://a{n}.example/f"/>'
        for n in range(5)
    )
    told = read_list(write(tmp_path, (text + "</body></opml>").encode(encoding)))
    assert [block.settings["url"] for block in told.blocks] == [f"https://a{n}.example/f" for n in range(5)]
    assert told.blocks[0].name == "українська-стрічка-новин-вулична-й-міська-0"


def test_a_broken_file_gives_what_stands_before_the_break(tmp_path: Path) -> None:
    assert addresses(write(tmp_path, READER[: READER.index("three.example")])) == [
        "https://one.example/feed",
        "https://two.example/rss",
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<?xml version="1.0"?><!DOCTYPE o [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><opml><body/></opml>', "entities"),
        ('<!DOCTYPE o [<!entity a SYSTEM "file:///etc/passwd">]><opml><outline xmlUrl="&a;"/></opml>', "entities"),
        ("<html><body>no feeds</body></html>", "no OPML"),
        ("<opml>" + "<outline text='a'>" * 200 + "</opml>", "deep"),
        ("<", "no OPML"),
    ],
)
def test_files_that_are_none_or_try_to_be_clever(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_list(write(tmp_path, body))


@pytest.mark.parametrize(
    "body",
    [
        "https://one.example/feed\n# a comment\n\ntwo.example/rss\n",
        "name,url\nOne,https://one.example/feed\nTwo,https://two.example/rss\n",
        "One;https://one.example/feed\nTwo;https://two.example/rss;x\n",
        "\ufeffxmlUrl\ttitle\r\nhttps://one.example/feed\tOne\r\nhttps://two.example/rss\tTwo\r\n",
    ],
)
def test_lists_of_addresses(tmp_path: Path, body: str) -> None:
    assert addresses(write(tmp_path, body, "list.csv")) == ["https://one.example/feed", "https://two.example/rss"]


def test_platforms_in_a_list_get_their_own_kind(tmp_path: Path) -> None:
    told = read_list(write(tmp_path, "https://t.me/ladna_news\nnothing here\n", "list.txt"))
    assert [(block.kind, dict(block.settings)) for block in told.blocks] == [("telegram", {"channel": "ladna_news"})]
    assert told.unusable[0].line == 2


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("feed:https://a.example/f", "https://a.example/f"), ("feed://https://a.example/f", "https://a.example/f"),
        ("itpc://a.example/f", "https://a.example/f"), (" http://A.example/a b ", "http://a.example/a%20b"),
        ("пошта.example/f", "https://xn--80a1acn3a.example/f"), ("//a.example/f", None), ("file:///etc/passwd", None),
        ("data:text/xml,x", None), ("http://", None), ("a", None), ("", None), ("http://[::1", None),
    ],
)  # fmt: skip
def test_addresses_of_every_sort(given: str, meant: str | None) -> None:
    assert address_of(given) == meant


# --- into a config

CONFIGS = {
    "nothing": "brands: []\n",
    "empty": "sources:\nalerts: {send_to: []}  # end\n",
    "brackets": "sources: []   # none yet\nalerts: {send_to: []}\n",
    "list": "sources:\n  # one\n  - name: old\n    kind: feed\n    url: https://old.example/f\n\n# behind\nweb: {}\n",
    "flat": "sources:\n- {name: old, kind: feed, url: 'https://old.example/f'} # tail\n# behind\nalerts: {send_to: []}",
    "folded": "sources:\n  - name: old\n    kind: feed\n    url: >-\n      https://old.example/f\n\n",
    "windows": "\ufeffbrands: []\r\nsources:\r\n  - {name: old, kind: feed, url: 'https://old.example/f'}\r\n# end\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_blocks_come_in_and_nothing_else_moves(tmp_path: Path, name: str) -> None:
    before = CONFIGS[name]
    path = write(tmp_path, before, FILE_NAME)
    added = add_sources(path, [SourceText("old", "feed", {"url": "https://new.example/f?a=1"}, comment="why # not")])
    after = path.read_bytes().decode()
    names = [block.name for block in config_room.load(path).sources]
    assert names == (["old", "old-2"] if "old.example" in before else ["old"])
    assert [block.name for block in added.blocks] == names[-1:]
    kept = [line for line in re.split(r"\r?\n", before) if line.strip()]
    rest = re.split(r"\r?\n", after)
    assert [line for line in kept if line not in rest and not line.startswith("sources: []")] == []
    assert after.count("\r\n") == (after.count("\n") if "\r\n" in before else 0)


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIGS["list"], FILE_NAME)
    added = add_sources(path, [SourceText("x", "feed", {"url": "HTTPS://old.example:443/f"})])
    assert (added.blocks, len(added.known), path.read_text()) == ((), 1, CONFIGS["list"])


def test_a_block_that_is_wrong_is_not_written(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIGS["list"], FILE_NAME)
    for block in (SourceText("x", "feeed", {"url": "https://x.example/"}), SourceText("x", "feed", {"url": "x"})):
        with pytest.raises(ConfigError):
            add_sources(path, [block])
    flow = "sources: [{name: old, kind: feed, url: 'https://old.example/f'}]\n"
    path.write_text(flow)
    with pytest.raises(ConfigError, match="write them as a list"):
        add_sources(path, [SourceText("x", "feed", {"url": "https://x.example/"})])
    assert path.read_text() == flow
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


# --- packs


@pytest.mark.parametrize("name", sorted(packs()))
def test_every_pack_gives_a_config_that_checks(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, config_room.starter("Ladna Pay"), FILE_NAME)
    add_sources(path, chosen([name], ["Ladna Pay"]))
    app = App.load(str(path))
    assert [problem for problem in check_blocks(app) if not problem.warning] == []
    text, pack = path.read_text(encoding="utf-8"), packs()[name]
    assert len(app.config.sources) == len(pack.blocks) - pack.to_fill == len(pack.blocks) - len(unfilled(text))
    assert "{brand}" not in text and "{tag}" not in text
    assert text.count("not proved") == len(packs()[name].blocks) - packs()[name].proved


@pytest.mark.parametrize("name", sorted(name for name, pack in packs().items() if pack.to_fill))
def test_blocks_to_fill_in_are_whole_once_they_are_awake(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, "brands: []\n", FILE_NAME)
    add_sources(path, chosen([name], ["Ladna Pay"]))
    text = path.read_text(encoding="utf-8")
    for line in unfilled(text):
        number, key, source = re.fullmatch(r"(\d+): (\w+) of (\S+)", line).groups()  # type: ignore[union-attr]
        assert text.split("\n")[int(number) - 1].startswith(f"#    {key}: ")
        assert f"#  - name: {source}\n" in text
    path.write_text(re.sub(r"^#", "", text, flags=re.M), encoding="utf-8")
    app = App.load(str(path))
    assert [problem for problem in check_blocks(app) if not problem.warning] == []
    assert len(app.config.sources) == len(packs()[name].blocks)


def test_packs_say_when_and_how_they_were_looked_at() -> None:
    for pack in packs().values():
        assert re.match(r"\d{4}-\d\d-\d\d: ", pack.checked), pack.name
        assert len({str(block.get("url", block["name"])) for block in pack.blocks}) == len(pack.blocks), pack.name
        assert all(str(block.get("proved")) for block in pack.blocks)


def test_several_packs_share_what_they_have_in_common() -> None:
    blocks = chosen(["en-tech", "social-search"], ["Ladna Pay"])
    assert [block.kind for block in blocks].count("hackernews") == 1
    assert len({block.name for block in blocks}) == len(blocks)
    assert next(block for block in blocks if block.kind == "mastodon").settings["tags"] == ["LadnaPay"]
    with pytest.raises(NotFound, match="did you mean 'ua-news'"):
        chosen(["ua-new"], ["x"])
