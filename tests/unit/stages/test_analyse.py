"""The stage between match and triage: what the model fails on waits, and holds up nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from stage_kit import BRAND, Model, World

from crawler.errors import ModelUnavailable
from crawler.matching import Matcher
from crawler.model import Analysis, Brand, Entity, EntityKind, MentionStatus
from crawler.stages import analyse, match
from crawler.store import SourceRow


class Choking(Model):
    """Gives no numbers for some texts, as weights with a few broken rows do."""

    broken: bool = False

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        if self.broken or any("poison" in text for text in texts):
            raise ModelUnavailable("gives NaN")
        return super().analyse(texts, targets, hints)


class Seeing(Model):
    """Notes which texts come together."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = []

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        self.seen.append(list(texts))
        return super().analyse(texts, targets, hints)


def waiting(world: World) -> list[str]:
    return [mention.post.post.text for mention in world.store.mentions.unanalysed(100)]


def matched(world: World, *texts: str) -> None:
    world.shows(*(world.post(text, number) for number, text in enumerate(texts, 1)))
    match.run(world.store, Matcher(list(world.store.config.brands())))


def test_one_post_that_the_model_fails_on_waits_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyse, "BATCH", 2)
    model = Choking()
    matched(world, "fine 1", "poison", "fine 2", "fine 3", "poison 2")
    with pytest.raises(ModelUnavailable, match="mention 2 waits: gives NaN"):
        analyse.run(world.store, model)
    assert waiting(world) == ["Nova poison", "Nova poison 2"]
    assert world.store.mentions.count()[MentionStatus.ANALYSED] == 3
    assert analyse.run(world.store, Model()) == 2
    assert waiting(world) == []


def test_a_model_that_fails_on_everything_is_asked_no_further(world: World) -> None:
    model = Choking()
    model.broken = True
    matched(world, "fine 1", "fine 2")
    with pytest.raises(ModelUnavailable, match=r"^gives NaN$"):
        analyse.run(world.store, model)
    assert len(waiting(world)) == 2 and model.calls == []
    model.broken = False
    assert analyse.run(world.store, model) == 2


def test_names_of_one_post_are_judged_side_by_side(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told apart only there: a page that ends within a post leaves the post to the next one."""
    monkeypatch.setattr(analyse, "BATCH", 3)
    orion = Brand("Orion", (Entity(EntityKind.BRAND, "Orion"),), version="v1")
    world.store.config.sync("two", "", [BRAND, orion], [SourceRow("src", "feed", {}, domain="d")])
    model = Seeing()
    matched(world, "one orion", "two orion", "three", "four orion")
    assert analyse.run(world.store, model) == 7
    assert model.seen == [["Nova one orion"] * 2, ["Nova two orion"] * 2, ["Nova three"], ["Nova four orion"] * 2]
    assert waiting(world) == []


def test_a_page_of_one_post_alone_is_judged_as_it_is(world: World) -> None:
    matched(world, "one", "two")
    one, two = world.store.mentions.unanalysed(100)
    assert analyse.together([one, one], 2) == [one, one]
    assert analyse.together([one, two, one], 3) == [one, two]
    assert analyse.together([one, two, two], 4) == [one, two, two]
    assert analyse.together([], 2) == []
