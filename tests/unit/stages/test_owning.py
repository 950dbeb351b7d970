"""Whose post it is: the brand's own, however spelt; nobody else's, however alike."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.model import Author, Brand, Post
from crawler.stages.owning import is_own

BRAND = Brand(
    "Nova",
    (),
    own=(
        "@Nova_Official",
        "nova.example",
        "https://t.me/NovaPay",
        "Nova Support",
        "https://www.банк.example/",
        "@n@s.example",
    ),
)


def own(url: str | None = "https://forum.example/1", by: Author | None = None, **facts: Any) -> bool:
    return is_own(Post(text="x", url=url, author=by or Author(), **facts), BRAND)


@pytest.mark.parametrize(
    ("url", "by"),
    [
        ("https://forum.example/1", Author("Any", handle="nova_official")),
        ("https://forum.example/1", Author("Any", handle="@NOVA_OFFICIAL")),
        ("https://forum.example/1", Author("Any", handle="＠nova_official")),
        ("https://forum.example/1", Author("@nova_official")),
        ("https://forum.example/1", Author("nova_OFFICIAL")),
        ("https://forum.example/1", Author("  nova   support ")),
        ("https://forum.example/1", Author("Any", handle="@n@s.example")),
        ("https://nova.example/blog/1", None),
        ("http://WWW.Nova.Example:80/blog", None),
        ("https://help.nova.example/x", None),
        ("https://forum.example/1", Author("x", url="https://nova.example/team")),
        ("https://t.me/novapay/17", None),
        ("https://t.me/NOVAPAY", None),
        ("https://m.nova.example/blog", None),
        ("https://mobile.t.me/novapay", None),
        ("https://t.me/x/../novapay/17", None),
        ("https://social.example/1", Author("x", url="https://t.me/novapay?single")),
        ("https://xn--80ab2al.example/news", None),
    ],
)
def test_own(url: str, by: Author | None) -> None:
    assert own(url, by)


@pytest.mark.parametrize(
    ("url", "by"),
    [
        ("https://forum.example/1", Author("Nova")),
        ("https://forum.example/1", Author("nova_official", handle="@angry_client")),
        ("https://forum.example/1", Author("Any", handle="@nova_official_fake")),
        ("https://forum.example/1", Author("Any", handle="@n")),
        ("https://notnova.example/1", None),
        ("https://nova.example.evil.example/1", None),
        ("https://nova.example@evil.example/1", None),
        ("https://evil.example/nova.example/1", None),
        ("https://t.me/novapay_complaints/1", None),
        ("https://t.me/somebody/1", None),
        ("https://t.me/s/novapay", None),
        ("https://www.example/", None),
        ("javascript:nova.example", None),
        (None, Author()),
        (None, Author("", handle="")),
    ],
)
def test_not_own(url: str | None, by: Author | None) -> None:
    assert not own(url, by)


def test_without_an_address_the_site_counts() -> None:
    assert own(None, site="nova.example")
    assert not own(None, site="t.me")
    assert not own("https://forum.example/1", site="nova.example")
