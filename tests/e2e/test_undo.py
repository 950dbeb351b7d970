"""A ticket that is held makes no call until its time has come, and none at all when it is withdrawn meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from e2e.life import Life
from ruamel.yaml import YAML

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def held(life: Life, seconds: str) -> None:
    yaml = YAML()
    document = yaml.load(life.config)
    (document["tickets"] if "tickets" in document else document["rules"][0])["hold"] = seconds
    yaml.dump(document, life.config)


def keys(life: Life) -> list[str]:
    rows = life.run("tickets", "list", "--json", "--limit", "0").rows
    return sorted({row["key"] for row in rows})


def test_a_withdrawn_ticket_makes_no_call(begin: Callable[..., Life]) -> None:
    life = begin(sources=("blog-comments",))
    held(life, "10m")
    began = time.monotonic()
    ended = life.crawl()
    ended.assert_good()
    assert time.monotonic() - began < 120 and ended.rows[-1]["deliveries_waiting"] > 0
    assert life.helpdesk.calls() == []
    taken, *others = keys(life)
    assert life.run("tickets", "withdraw", taken).code == 0
    life.recover()
    assert sorted(line["key"] for line in life.helpdesk.stored()) == others
    assert not any(taken in call for call in life.helpdesk.calls())
    again = life.run("tickets", "withdraw", others[0]) if others else None
    assert again is None or (again.code == 1 and "close it there" in again.stderr)
    assert life.run("ledger").code == 0
