"""The stage between match and triage: what the model fails on waits, and holds up nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from stage_kit import Model, World

from crawler.errors import ModelUnavailable
from crawler.matching import Matcher
from crawler.model import Analysis, MentionStatus
from crawler.stages import analyse, match


class Choking(Model):
    """Gives no numbers for some texts, as weights with a few broken rows do."""

    broken: bool = False

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        if self.broken or any("poison" in text for text in texts):
            raise ModelUnavailable("gives NaN")
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
