r"""Regular expressions of users over Cyrillic text: `\w`, `\s` and `\b`, which RE2 alone knows for Latin letters."""

from __future__ import annotations

import time

import pytest

from crawler.errors import ConfigError
from crawler.matching import Matcher, parse, warnings
from crawler.model import Brand
from crawler.text import fold


def found(query: str, text: str) -> list[str]:
    matches = Matcher([Brand("x", (), query=query, version="1", id=1)]).match(fold(text), text)
    return [hit.form for match in matches for hit in match.hits]


@pytest.mark.parametrize(
    ("query", "text", "hits"),
    [
        (r"/каз\w+/", "у казну 🏦", ["казну"]),
        (r"/[\w-]+каз/", "пере-каз", ["пере-каз"]),
        (r"/[^\w]каз/", "указ", []),
        (r"/\Wказ/", "указ", []),
        (r"/каз\s+два/", "каз\u00a0два", ["каз\u00a0два"]),
        (r"/\bказ\b/", "указ казка", []),
        (r"/\bказ\b/", "каз каз, «Каз»!", ["каз", "каз", "Каз"]),
        (r"/\bказ/", "указ і казка", ["каз"]),
        (r"/каз\b/", "казка, указ", ["каз"]),
        (r"/\b(?:каз|суд)\b/", "посуд каз суд", ["каз", "суд"]),
        (r"/\bcat\b|\bdog\b/", "cats, dog", ["dog"]),
        (r"/[[:alpha:]\w]+ №\d/", "каз №5", ["каз №5"]),
        (r"/\Qа.б\wв\E/", r"а.б\wв", [r"а.б\wв"]),
        (r"/a\\bc/", r"a\bc", [r"a\bc"]),
    ],
)
def test_classes_and_borders_know_every_script(query: str, text: str, hits: list[str]) -> None:
    assert found(query, text) == hits


@pytest.mark.parametrize("query", [r"/\b\w*\b/", r"/\b(/", r"/\w*/"])
def test_what_would_stand_everywhere_or_cannot_be_read_is_refused(query: str) -> None:
    with pytest.raises(ConfigError):
        found(query, "каз")


def test_borders_take_linear_time() -> None:
    begun = time.monotonic()
    assert len(found(r"/\bа\b/", "а " * 32_000)) == 1_000
    assert found(r"/\b\w+каз\b/", "а" * 65_536) == []
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("query", "warned"), [(r"/\bказ\b|\bсуд\b/", 1), (r"/\b(?:каз|суд)\b/", 0), (r"/\bcat\b|\bdog\b/", 0)]
)
def test_a_border_that_knows_latin_alone_is_warned_of(query: str, warned: int) -> None:
    assert len(warnings(parse(query))) == warned
