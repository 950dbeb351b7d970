"""Rules say the same of a mention that was only skimmed as of one that was read whole."""

from __future__ import annotations

from datetime import time, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from stage_kit import RULE, World

from crawler.app.rehearsing import needs_of
from crawler.config.blocks import RuleBlock, UrgentIf
from crawler.model import Author
from crawler.stages.ruling import rule_on
from crawler.store import Needs

RULES: dict[str, list[RuleBlock]] = {
    "plain": [RULE.__class__(name="plain")],
    "urgent": [RULE],
    "words": [RuleBlock(name="w", when=(), words=("суд*",)), RuleBlock(name="n", not_words=("скарга",))],
    "entity": [RuleBlock(name="e", when=(), entity=("brand",))],
    "person": [RuleBlock(name="e", when=(), entity=("person",))],
    "source": [RuleBlock(name="s", when=(), source=("src",))],
    "label": [RuleBlock(name="l", when=(), label={"region": ("Київ",)})],
    "hours": [RuleBlock(name="h", when=(), hours=(time(8), time(12)))],
    "days": [RuleBlock(name="d", when=(), days=(0, 1, 2))],
    "famous": [RuleBlock(name="f", urgent_if=UrgentIf(words=(), followers_over=10))],
    "lang": [RuleBlock(name="u", when=(), lang=("uk",), flags=("threat",)), RuleBlock(name="v", lang=("uk",))],
}


@pytest.fixture
def filled(world: World) -> World:
    now = world.at
    world.shows(
        world.post("neg93 скарга до суду", 1, published_at=now - timedelta(hours=3), rating=1.0),
        world.post("neg61 щось не так", 2, by=Author("Іван", "@ivan", followers=5000)),
        world.post("q80 коли це буде", 3, by=Author("Nova", "@nova_official")),
        world.post("neg05 добре", 4, published_at=now - timedelta(days=2, hours=7)),
        world.post("neg93 видалено", 5, deleted=True),
    )
    world.judge(rules=[])
    return world


@pytest.mark.parametrize("name", RULES)
def test_the_same_is_said(filled: World, name: str) -> None:
    store, rules = filled.store, RULES[name]
    brands = {brand.name: brand for brand in store.config.brands()}
    app: Any = SimpleNamespace(config=SimpleNamespace(rules=rules, brands=list(brands.values())))
    skimmed = [it for page in store.skims.pages(needs_of(app)) for it in page]
    whole = store.mentions.list()
    assert [it.id for it in skimmed] == [it.id for it in whole] and len(whole) == 5
    for brief, full in zip(skimmed, whole, strict=True):
        brand = brands[full.brand]
        assert rule_on(brief, rules, brand) == rule_on(full, rules, brand)
        assert (brief.status, brief.rule, brief.ticket_id) == (full.status, full.rule, full.ticket_id)


def test_only_what_is_needed_is_read(filled: World) -> None:
    [page] = filled.store.skims.pages(Needs())
    assert {it.post.folded for it in page} == {""} and {it.post.post.author.name for it in page} == {None}
    assert {it.hits for it in page} == {()} and all(it.analysis for it in page)


def test_a_part_of_the_past(filled: World) -> None:
    pages = filled.store.skims.pages
    assert len(next(pages(Needs(), since=filled.at - timedelta(hours=5)))) == 4
    assert list(pages(Needs(), brand="another")) == [] and list(pages(Needs(), source="another")) == []
    assert len(next(pages(Needs(), brand="Nova", source="src"))) == 5


def test_many_are_read_whole_in_the_order_given(filled: World) -> None:
    ids = [it.id for it in filled.store.mentions.list()]
    assert [it.id for it in filled.store.mentions.many([ids[2], 10**6, ids[0]])] == [ids[2], ids[0]]
