"""Alerts, leases and the history."""

from __future__ import annotations

from datetime import timedelta

from store_kit import START, World

from crawler.model import Event


def test_one_open_alert_a_key(world: World) -> None:
    alerts = world.store.alerts
    assert alerts.set_("source:a", "failing", "a")
    world.clock.tick(60)
    assert not alerts.set_("source:a", "failing: 404", "a")
    (alert,) = alerts.open()
    assert (alert.cause, alert.source, alert.first_seen) == ("failing: 404", "a", START)
    assert alert.last_seen == START + timedelta(seconds=60)
    assert alerts.clear("source:a") and not alerts.clear("source:a")
    assert alerts.open() == alerts.list(all=False) == []
    assert alerts.set_("source:a", "failing again", "a")
    assert [it.resolved_at is None for it in alerts.list()] == [True, False]
    assert [it.after for it in world.store.events.of("alert", alert.id)] == ["open", "resolved"]


def test_alerts_are_kept_in_step_with_what_holds(world: World) -> None:
    alerts = world.store.alerts
    alerts.set_("process:web", "down")
    many: dict[str, tuple[str, str | None]] = {f"source:{n}:failing": ("failed", str(n)) for n in range(250)}
    alerts.keep(many, ("source:", "disk"))
    assert len(alerts.open()) == 251
    world.clock.tick(30)
    alerts.keep(many | {"source:0:failing": ("failed 2 times", "0"), "disk": ("low", None)}, ("source:", "disk"))
    seen = {alert.key: (alert.cause, alert.last_seen) for alert in alerts.open()}
    assert seen["source:0:failing"] == ("failed 2 times", START + timedelta(seconds=30))
    assert seen["source:1:failing"] == ("failed", START)
    assert alerts.holds("disk") and not alerts.holds("source:9999:failing")
    world.clock.tick(30)
    alerts.keep({"source:1:failing": ("failed", "1")}, ("source:", "disk"))
    left = {alert.key: alert.last_seen for alert in alerts.open()}
    assert left == {"process:web": START, "source:1:failing": START + timedelta(seconds=60)}
    assert not alerts.holds("disk")


def test_alerts_are_told_once_at_start_and_end(world: World) -> None:
    alerts = world.store.alerts
    alerts.set_("disk", "low")
    (alert,) = alerts.unsent()
    alerts.mark_sent([alert.id])
    assert alerts.unsent() == []
    alerts.clear("disk")
    (ended,) = alerts.unsent()
    assert ended.resolved_at is not None
    alerts.mark_sent([ended.id])
    assert alerts.unsent() == []


def test_an_alert_that_went_before_it_was_told_is_not_told(world: World) -> None:
    world.store.alerts.set_("disk", "low")
    world.store.alerts.clear("disk")
    assert world.store.alerts.unsent() == []


def test_a_lease_has_one_holder_and_a_growing_epoch(world: World) -> None:
    take = world.store.leases.take
    assert take("clock", "a", 15, START) == 1
    assert take("clock", "b", 15, START + timedelta(seconds=14)) is None
    assert take("clock", "a", 15, START + timedelta(seconds=14)) == 1
    assert take("clock", "b", 15, START + timedelta(seconds=29)) == 2
    assert take("clock", "a", 15, START + timedelta(seconds=30)) is None
    assert take("other", "a", 15, START) == 1


def test_a_lease_that_lapsed_gets_a_new_epoch_even_for_its_holder(world: World) -> None:
    take = world.store.leases.take
    assert [take("clock", "a", 15, START), take("clock", "a", 15, START + timedelta(seconds=15))] == [1, 2]


def test_a_released_lease_is_free_at_once(world: World) -> None:
    leases = world.store.leases
    leases.take("clock", "a", 15, START)
    assert not leases.release("clock", "b")
    assert leases.release("clock", "a")
    assert leases.take("clock", "b", 15, START) == 2
    assert leases.holder("clock") == ("b", 2, START + timedelta(seconds=15))
    assert leases.holder("nothing") is None


def test_history_is_read_in_pages_and_by_row(world: World) -> None:
    made = [Event(START + timedelta(seconds=number), "me", "rule", number % 2, "changed") for number in range(7)]
    world.store.events.add(*made)
    assert [it.row_id for it in world.store.events.of("rule", 1)] == [1, 1, 1]
    since = list(world.store.events.since(START + timedelta(seconds=2), page=2))
    assert [it.at.second for it in since] == [2, 3, 4, 5, 6]
