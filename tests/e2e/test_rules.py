"""Rules over the stored past: what would be gained and lost is shown first; what has a ticket keeps it, once; what a
person decided stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from e2e.installation import Installation, Service, until
from e2e.site import Entry, Site
from e2e.stock import BRANDS, SITE, Stock

from crawler import config as config_room
from crawler.app import App, reviewing
from crawler.app.accounting import Asked, accounts
from crawler.app.redo import Scope, redo
from crawler.app.ruling import Tried, rule_rows, try_rules
from crawler.errors import CrawlerError, NotFound
from crawler.model import MentionStatus

pytestmark = pytest.mark.e2e

ENTRIES = [
    Entry("1", "Nova Pay, де мої гроші", author="Оля"),
    Entry("2", "Nova Pay: картка не працює", author="Іван"),
    Entry("3", "Nova Pay шукає касира, вакансія", author="HR"),
    Entry("4", "Nova Pay у новинах", author="News"),
]
OLD = "rules:\n  - {name: money, when: any, priority: normal, words: [гроші]}"
NEW = (
    "rules:\n  - {name: jobs, then: ignore, words: [вакансія]}\n"
    "  - {name: vip, then: add, words: [Nova], tags: [vip]}\n"
    "  - {name: cards, when: any, words: [картка], priority: urgent}\n"
    "  - {name: papers, then: review, words: [новини]}"
)
TABLES = ("mentions", "tickets", "deliveries", "ticket_mentions", "events", "config_versions", "brands", "sources")


@pytest.fixture
def stock(store_url: str, tmp_path: Path) -> Iterator[Stock]:
    stock = Stock(tmp_path, store_url)
    stock.configure(rule=OLD)
    stock.crawl("news", ENTRIES)
    stock.work()
    yield stock
    assert stock.books().gaps == () and accounts(stock.opened, Asked()).gaps == ()
    stock.close()


def everything(stock: Stock) -> dict[str, list[dict[str, Any]]]:
    return {table: stock.rows(table) for table in TABLES}


def looking_at(stock: Stock, rule: str) -> App:
    """The app of a file that nobody has taken over, over the same database."""
    text = stock.path.read_text(encoding="utf-8")
    other = stock.folder / "other.yaml"
    other.write_text(text[: text.index("rules:")] + rule + "\n", encoding="utf-8")
    app = App(config_room.load(other))
    app.__dict__["store"] = stock.opened.store
    return app


def by_rule(tested: Tried) -> dict[str, dict[str, int]]:
    names = ("ticket", "joined", "review", "ignored", "gained", "lost", "added")
    return {row["rule"]: {name: row[name] for name in names if row[name]} for row in tested.rules}


def statuses(stock: Stock) -> dict[str, str]:
    return {it.post.post.author.name or "": it.status.value for it in stock.opened.store.mentions.list()}


def test_a_changed_rule_is_looked_at_before_it_goes_live(stock: Stock) -> None:
    before = everything(stock)
    app = looking_at(stock, NEW)
    tested = try_rules(app, Scope())
    assert by_rule(tested) == {
        "jobs": {"ignored": 1},
        "vip": {"added": 1},
        "cards": {"ticket": 1, "gained": 1},
        "papers": {"review": 1},
        "money": {"lost": 1},
        "no rule": {"ignored": 1},
    }
    assert {(row["change"], row["rule"], row["text"]) for row in tested.changes} == {
        ("ticket gained", "cards", ENTRIES[1].text),
        ("ticket lost", "money", ENTRIES[0].text),
        ("outcome", "papers", ENTRIES[3].text),
    }
    assert tested.mentions == 4
    diff = redo(app, "triage", Scope(), diff=True)
    assert {row["change"] for row in diff.rows} == {"ticket gained", "ticket lost", "outcome"}
    assert everything(stock) == before, "nothing was changed, and the file was not taken over"


def test_then_it_goes_live_and_no_ticket_is_lost_or_doubled(stock: Stock) -> None:
    stock.configure(rule=NEW)
    for _ in range(2):
        redo(stock.opened, "triage", Scope(), diff=False)
        stock.work()
        assert statuses(stock) == {"Оля": "ticketed", "Іван": "ticketed", "HR": "ignored", "News": "review"}
        assert len(stock.rows("tickets")) == len(stock.rows("desk_tickets")) == 2
    tags = {ticket.ticket.author: ticket.ticket.tags for ticket in stock.opened.store.tickets.list()}
    assert "vip" in tags["Іван"] and "vip" not in tags["Оля"]
    assert redo(stock.opened, "triage", Scope(), diff=True).counts["ticket gained"] == 0


def test_priorities_that_would_move_are_shown(stock: Stock) -> None:
    app = looking_at(stock, OLD.replace("normal", "urgent"))
    [change] = try_rules(app, Scope()).changes
    assert (change["change"], change["before"], change["after"]) == ("priority moved", "normal", "urgent")
    assert redo(app, "triage", Scope(), diff=True).counts["priority moved"] == 1


def test_a_part_of_the_past(stock: Stock) -> None:
    app = looking_at(stock, NEW)
    assert try_rules(app, Scope(brand="Nova Pay", source="news")).mentions == 4
    assert try_rules(app, Scope(source="blog")).mentions == 0
    with pytest.raises(NotFound, match="did you mean 'Nova Pay'"):
        try_rules(app, Scope(brand="Nova Pai"))


def test_mentions_that_belong_together_are_one_ticket_in_the_diff_and_after(stock: Stock) -> None:
    stock.crawl("blog", [Entry(str(n), "Nova Pay картка", author="Той самий") for n in range(20, 24)])
    stock.work()
    app = looking_at(stock, NEW)
    gained = [row for row in try_rules(app, Scope()).changes if row["change"] == "ticket gained"]
    stock.configure(rule=NEW)
    redo(stock.opened, "triage", Scope(), diff=False)
    handed = [it for it in stock.opened.store.mentions.list() if it.ticket_id and it.rule.startswith("cards@")]
    assert {row["id"] for row in gained} == {it.id for it in handed}
    stock.work()


def test_a_person_decides_and_rules_leave_it_alone(stock: Stock) -> None:
    ids = {it.post.post.author.name: it.id for it in stock.opened.store.mentions.list()}
    app = stock.opened
    ignored = reviewing.ignore(app, ids["Іван"], "Ann", "a friend")
    assert ignored.mention.status is MentionStatus.IGNORED and "a friend" in ignored.mention.reason
    made = reviewing.make_ticket(app, ids["News"], "Ann", "high")
    assert (made.mention.status, made.mention.rule, made.hold) == (MentionStatus.TICKETED, "by hand", 15.0)
    ticket = app.store.tickets.get(str(made.mention.ticket_key))
    assert ticket.ticket.priority.value == "high" and "Why: Ticket, high: decided by Ann" in ticket.ticket.body
    assert app.store.events.of("mention", ids["News"])[-1].actor == "Ann"
    with pytest.raises(CrawlerError, match="already has its ticket"):
        reviewing.make_ticket(app, ids["News"], "Ann")
    with pytest.raises(CrawlerError, match="already has its ticket"):
        reviewing.ignore(app, ids["News"], "Ann")
    with pytest.raises(NotFound, match="there is no mention 99"):
        reviewing.ignore(app, 99, "Ann")
    with pytest.raises(NotFound, match="there is no priority 'hi'"):
        reviewing.make_ticket(app, ids["HR"], "Ann", "hi")
    stock.configure(rule=NEW)
    redo(stock.opened, "triage", Scope(), diff=False)
    assert statuses(stock) == {"Оля": "ticketed", "Іван": "ignored", "HR": "ignored", "News": "ticketed"}
    stock.work()
    assert len(stock.rows("desk_tickets")) == 1, "within the undo window nothing leaves"


def test_what_was_taken_back_stays_so_until_somebody_decides_anew(stock: Stock) -> None:
    app = stock.opened
    ids = {it.post.post.author.name: it.id for it in app.store.mentions.list()}
    made = reviewing.make_ticket(app, ids["Іван"], "Ann")
    app.store.tickets.withdraw(str(made.mention.ticket_key), MentionStatus.REVIEW, "Ann")
    stock.configure(rule=NEW)
    redo(stock.opened, "triage", Scope(), diff=False)
    assert statuses(stock)["Іван"] == "review"
    again = reviewing.make_ticket(stock.opened, ids["Іван"], "Bob")
    assert again.mention.ticket_key == made.mention.ticket_key


def test_an_edit_lets_the_rules_decide_again(stock: Stock) -> None:
    ids = {it.post.post.author.name: it.id for it in stock.opened.store.mentions.list()}
    reviewing.ignore(stock.opened, ids["Іван"], "Ann")
    stock.crawl("news", [Entry("2", "Nova Pay: картка не працює, і гроші зникли", author="Іван")])
    stock.work()
    assert statuses(stock)["Іван"] == "ticketed"


def test_the_rules_are_listed_as_the_file_says_them(stock: Stock) -> None:
    rows = rule_rows(looking_at(stock, NEW + "\n  - {name: night, rating: <= 2, hours: 22:00-07:00, days: sat-sun}"))
    assert [(row["order"], row["rule"], row["then"]) for row in rows[:2]] == [(1, "jobs", "ignore"), (2, "vip", "add")]
    assert rows[0]["if"] == "words: вакансія" and len(rows[0]["version"]) == 8
    assert rows[-1]["if"] == "when: negative, question; rating: <= 2; hours: 22:00 - 07:00; days: sat, sun"


def test_the_commands(tmp_path: Path, sqlite_template: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mentions.db").write_bytes(sqlite_template.read_bytes())
    place, stock = Installation(tmp_path), Stock(tmp_path, f"sqlite:///{tmp_path / 'data' / 'mentions.db'}")
    stock.configure(rule=OLD)
    stock.crawl("news", ENTRIES)
    stock.work()
    sources = f"  - {{name: news, kind: feed, url: '{SITE}/news'}}"
    place.configure(sources, brands=BRANDS, tickets=NEW)
    rows = place.json("rules", "test", "--since", "14d")
    assert rows[-1] == {"summary": True, "mentions": 4, "gained": 1, "lost": 1, "moved": 0}
    assert [row["rule"] for row in place.json("rules", "list")] == ["jobs", "vip", "cards", "papers"]
    whole = place.json("mentions", "show", "1")[0]
    assert (whole["rule"], len(whole["rule_version"])) == ("money", 8)
    decided = place.json("mentions", "ticket", "4", "--priority", "low", "--as", "Ann")[0]
    assert (decided["status"], decided["hold"]) == ("ticketed", 15.0)
    assert "already has its ticket" in place.run("mentions", "ignore", "4", code=1).err
    assert place.json("mentions", "ignore", "2", "--as", "Ann")[0]["rule"] == "by hand"
    assert place.json("mentions", "list", "--status", "review") == []
    digest = place.run("report", "digest", "--brand", "Nova Pay").out.splitlines()
    assert len(digest) == 7 and digest[2] == "Mentions: 4 (0 the day before)"
    for part in (("--brand", "Nova Pay"), ("--run", "1"), ()):
        books = place.json("ledger", *part)[0]
        assert books["gaps"] == [] and sum(row["mentions"] for row in books["outcomes"]) == 4
    assert place.json("ledger", "--day", "2020-01-01")[0]["outcomes"] == []
    place.run("ledger", "--day", "someday", code=2)
    place.run("ledger", "--run", "99", code=2)
    stock.execute("UPDATE mentions SET status = 'review' WHERE id = 2")
    assert "gap: mentions review: 1 by their rows, 0" in place.run("ledger", "--brand", "Nova Pay", code=6).err
    stock.close()


def test_a_source_kind_that_there_is_not_is_found_at_its_place(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure(
        f"  - {{name: news, kind: feed, url: '{SITE}/news'}}",
        tickets="rules:\n  - name: r\n    when: any\n    source_kind: [feed, fed]",
    )
    [problem] = place.json("check", code=2)
    lines = place.config.read_text(encoding="utf-8").splitlines()
    assert lines[problem["line"] - 1][problem["column"] - 1 :].startswith("fed]")
    assert "there is no source kind 'fed'; did you mean 'feed'?" in problem["message"]


def test_two_services_send_one_digest(tmp_path: Path) -> None:
    with closing(Site(feeds={"/feed": [Entry("1", "Nova Pay, де мої гроші")]})) as site:
        place = Installation(tmp_path)
        text = (
            f"sinks: [{{name: boss, kind: webhook, url: '{site.url}/hook', lookup_url: '{site.url}/hook/{{key}}'}}]\n"
        )
        text += 'digest: {at: "00:00", send_to: [boss]}\nlanguage: uk'
        place.configure(f"  - {{name: news, kind: feed, url: '{site.url}/feed', every: 1h}}", rest=text)
        place.run("crawl")
        assert site.calls == [], "a crawl by hand sends no digest"
        services = [Service(place, "one"), Service(place, "two")]
        try:
            until(lambda: site.calls, 40, "the digest")
            time.sleep(3)
        finally:
            codes = [service.stop() for service in services]
        assert codes == [0, 0]
    [call] = site.calls
    assert call["brand"] == "Nova Pay" and call["tags"] == ["digest"]
    assert len(call["body"].splitlines()) == 5 and call["body"].startswith("Згадки: ")
