"""Kind `api` in real Scrapy against an API that behaves badly: nothing lost, nothing doubled, no limit broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from api_double import ApiDouble, settings
from rough_site import RoughSite, run

pytestmark = pytest.mark.e2e
WAYS = ("page", "offset", "cursor", "next", "link")


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


def job(site: RoughSite, paging: str = "page", **more: Any) -> dict[str, Any]:
    return {"kind": "api", "settings": settings(site, paging, **more)}


def tick(site: RoughSite, name: str = "t") -> dict[str, Any]:
    """A job that does nothing but ask the server for /tick..., where a test may change the world."""
    return {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick{name}", "item": "nothing"}}


def ids(*ranges: range) -> set[str]:
    return {str(n) for numbers in ranges for n in numbers}


@pytest.mark.parametrize("paging", WAYS)
def test_all_pages_are_read_and_then_only_what_is_new(site: RoughSite, paging: str) -> None:
    api = ApiDouble(site, paging)
    api.say(*range(1, 48))
    site.routes["/tickt"] = lambda request: (api.say(*range(48, 73)), request.send("grown"))[1]  # type: ignore[func-returns-value]
    first, again, _, grown = run(job(site, paging), job(site, paging), tick(site), job(site, paging))
    assert (first["verdict"], set(first["ids"]), first["new"]) == ("ok", ids(range(1, 48)), 47)
    assert (again["new"], again["verdict"]) == (0, "ok")
    assert len(again["documents"]) <= 3, "posts within the overlap are read again, the rest is not"
    assert (grown["new"], set(grown["ids"])) == (25, ids(range(1, 73)))
    assert len(grown["documents"]) <= 5


@pytest.mark.parametrize("paging", WAYS)
def test_posts_that_come_while_it_is_read_are_not_lost(site: RoughSite, paging: str) -> None:
    """Every answer is preceded by three new posts: pages shift, and what is shown twice is one post."""
    api = ApiDouble(site, paging)
    api.say(*range(1, 31))
    api.before = lambda number: api.say(*range(30 + 3 * number - 2, 30 + 3 * number + 1)) if number <= 8 else None
    *_, last = run(job(site, paging), job(site, paging), job(site, paging))
    assert set(last["ids"]) == ids(range(1, 55))


def test_posts_deleted_while_it_is_read_hide_no_others(site: RoughSite) -> None:
    """Deleting shifts later posts to pages that were read already; the overlap of the next run finds them."""
    api = ApiDouble(site, "page")
    api.say(*range(1, 41))

    def delete(number: int) -> None:
        if number in (2, 3):
            gone = {40, 39, 38} if number == 2 else {37, 36}
            api.posts = [post for post in api.posts if post.id not in gone]

    api.before = delete
    *_, last = run(job(site, overlap="1d"), job(site, overlap="1d"))
    assert set(last["ids"]) >= ids(range(1, 36))


def test_a_counted_api_is_never_asked_too_often(site: RoughSite) -> None:
    """Two lists at once, five requests a second: the server's own log has no breach."""
    api = ApiDouble(site, "page", limit=5, window=1.0)
    api.say(*range(1, 78))
    both = job(site, each={"word": ["a", "b"]}, query={"q": "{word}"})
    [told] = run(both)
    assert set(told["ids"]) == ids(range(1, 78))
    assert (told["verdict"], api.breaches) == ("ok", 0)


def test_a_429_with_retry_after_is_waited_for(site: RoughSite) -> None:
    api = ApiDouble(site, "page")
    api.say(*range(1, 26))
    refusals = iter([True])
    answer = site.routes["/api/posts*"]

    def sometimes(request: Any) -> None:
        if "page=2" in request.path and next(refusals, False):
            request.send('{"message": "slow down"}', "application/json", status=429, Retry_After="1")
        else:
            answer(request)

    site.routes["/api/posts*"] = sometimes
    [told] = run(job(site))
    assert (told["verdict"], set(told["ids"])) == ("ok", ids(range(1, 26)))
    assert told["seconds"] >= 1


def test_an_answer_that_breaks_off_leaves_the_walk_open(site: RoughSite) -> None:
    """Page 3 breaks off, also when it is tried again: the next run goes on through known pages."""
    api = ApiDouble(site, "cursor")
    api.say(*range(1, 46))
    api.cut = {3, 4}
    first, second = run(job(site, "cursor"), job(site, "cursor"))
    assert first["verdict"] == "failed" and "broke off" in first["error"]
    assert first["new"] == 20
    assert (second["verdict"], set(second["ids"])) == ("ok", ids(range(1, 46)))


def test_order_edits_pins_and_deletions(site: RoughSite) -> None:
    api = ApiDouble(site, "page", shuffled=True)
    api.say(*range(1, 41))
    api.find(2).pinned = api.find(5).pinned = True

    def change(request: Any) -> None:
        api.find(39).text = "Post number 39, edited"
        api.find(38).deleted = True
        api.say(*range(41, 56))
        request.send("changed")

    site.routes["/tickt"] = change
    first, _, second = run(job(site), tick(site), job(site))
    assert set(first["ids"]) == ids(range(1, 41))
    assert set(second["ids"]) == ids(range(1, 56))
    assert second["deleted"] == ["38"]
    assert "Post number 39, edited" in second["texts"]
    assert len(second["documents"]) <= 5, "pinned posts neither end the walk nor make it long"


def test_an_api_that_asks_for_what_is_new(site: RoughSite) -> None:
    api = ApiDouble(site, "page")
    api.say(*range(1, 31))
    asking = job(site, query={"since": "{since}"}, since={"time": "unix"})
    site.routes["/tickt"] = lambda request: (api.say(31, 32), request.send("grown"))[1]  # type: ignore[func-returns-value]
    first, _, second, third = run(asking, tick(site), asking, asking)
    assert (first["new"], second["new"], third["new"]) == (30, 2, 0)
    assert (len(second["documents"]), third["verdict"]) == (2, "ok")
    since = sorted(path for path in site.asked if "since=" in path)
    assert len(since) >= 2, "what was asked for moved on"


def test_comments_are_read_when_there_are_more(site: RoughSite) -> None:
    api = ApiDouble(site, "page")
    api.say(1, 2, 3)
    api.find(1).comments, api.find(2).comments = 2, 1
    deeper = {
        "items": "posts",
        "key": "id",
        "mark": "comments",
        "only": "comments > `0`",
        "path": "/api/comments/{id}",
        "values": {"id": "id"},
    }

    def more(request: Any) -> None:
        api.find(1).comments = 3
        request.send("more")

    site.routes["/tickt"] = more
    reading = job(site, deeper=[deeper])
    first, again, _, grown = run(reading, reading, tick(site), reading)
    assert set(first["ids"]) == {"1", "2", "3", "1000", "1001", "2000"}
    assert (again["new"], grown["new"]) == (0, 1)
    assert api.comments_asked == [1, 2, 1]


def test_a_run_that_dies_is_gone_on_with(site: RoughSite) -> None:
    api = ApiDouble(site, "cursor")
    api.say(*range(1, 61))
    first, second = run({**job(site, "cursor"), "die_after": 3}, job(site, "cursor"))
    assert first["new"] == 30
    assert set(second["ids"]) == ids(range(1, 61))


def test_a_secret_parameter_is_sent_and_never_kept(site: RoughSite) -> None:
    api = ApiDouble(site, "page")
    api.say(*range(1, 16))
    [told] = run(job(site, secrets={"key": "hush-hush-1"}))
    assert told["new"] == 15
    assert all("key=hush-hush-1" in path for path in site.asked if path.startswith("/api"))
    assert "hush" not in str(told)


def test_another_way_is_tried_when_one_is_closed(site: RoughSite) -> None:
    api = ApiDouble(site, "page")
    api.say(*range(1, 6))
    site.routes["/closed*"] = lambda request: request.send('{"error": "no"}', "application/json", status=401)
    feed = "<rss version='2.0'><channel><item><guid>x#9</guid><title>nine</title></item></channel></rss>"
    site.routes["/feed"] = lambda request: request.send(feed, "application/rss+xml")
    other, by_feed, none = run(
        job(site, path="/closed", otherwise=[{"path": "/api/posts"}]),
        {**job(site, path="/closed", feed_id="#([0-9]+)", otherwise=[{"path": "/feed"}]), "name": "feed"},
        {**job(site, path="/closed", otherwise=[{"path": "/closed/too"}]), "name": "none"},
    )
    assert (other["verdict"], other["new"]) == ("ok", 5)
    assert (by_feed["verdict"], by_feed["ids"]) == ("ok", ["9"])
    assert none["verdict"] == "blocked"


def test_a_spent_daily_limit_ends_a_run_in_peace(site: RoughSite) -> None:
    """An hour to the reset: what was read is kept, the clock is told when to come again, the next run goes on."""
    api = ApiDouble(site, "cursor", limit=3, window=3600)
    api.say(*range(1, 101))
    [told] = run(job(site, "cursor"))
    assert (told["verdict"], len(told["ids"]), api.breaches) == ("ok", 30, 0)
    assert 3000 < told["retry_after"] <= 3600
    [walk] = told["cursor"]["_walks"].values()
    assert walk["open"] is True


def test_oldest_first_goes_on_where_the_budget_ended(site: RoughSite) -> None:
    """Two pages a run, and an overlap longer than they are: each run gets ahead all the same."""
    api = ApiDouble(site, "page", upwards=True)
    api.say(*range(1, 48))
    asking = job(site, query={"since": "{since}"}, since={"time": "unix"}, order="oldest", pages=2, overlap="1h")
    *_, last = run(asking, asking, asking, asking)
    assert (last["verdict"], set(last["ids"])) == ("ok", ids(range(1, 48)))


def test_more_new_posts_than_the_budget_holds_are_no_secret(site: RoughSite) -> None:
    api = ApiDouble(site, "page")
    api.say(*range(1, 11))
    site.routes["/tickt"] = lambda request: (api.say(*range(11, 61)), request.send("grown"))[1]  # type: ignore[func-returns-value]
    short = job(site, pages=2)
    first, _, second, third = run(short, tick(site), short, short)
    assert (first["verdict"], second["verdict"], third["verdict"]) == ("ok", "too_big", "ok")
    assert "raise `pages`" in second["error"]


def test_the_rules_of_the_place_choose_the_way(site: RoughSite) -> None:
    """The first way is closed by the rules, so it is not even tried; the place of the list is remembered."""
    api = ApiDouble(site, "page")
    api.say(*range(1, 31))
    site.routes["/rules"] = lambda request: request.send('{"lists": "closed"}', "application/json")
    ask = {"path": "/rules", "when": "lists != 'closed'"}
    asking = job(site, path="/closed", ask=ask, otherwise=[{"path": "/api/posts"}])
    first, again = run(asking, asking)
    assert (first["verdict"], first["new"], again["new"]) == ("ok", 30, 0)
    assert "/closed" not in site.asked
    assert first["cursor"]["_walks"]["api?"]["newest"]
    nowhere = {**job(site, path="/closed", ask=ask), "name": "nowhere"}
    [told] = run(nowhere)
    assert (told["verdict"], "leave no way" in told["error"]) == ("blocked", True), told["error"]


class Gate:
    """Gives tokens for an app's name and password, and lets only the newest one in; `lives` answers a token."""

    def __init__(self, site: RoughSite, api: ApiDouble, lives: int = 1000) -> None:
        self.site, self.lives, self.given, self.left = site, lives, 0, 0
        self.said: list[str] = []
        self.inner = site.routes["/api/posts*"]
        site.routes |= {"/token": self.give, "/api/posts*": self.let}

    def give(self, request: Any) -> None:
        body = request.rfile.read(int(request.headers["content-length"])).decode()
        self.said.append(f"{request.headers['authorization']} {body}")
        if request.headers["authorization"] != "Basic YXBwOmh1c2gtaHVzaA==":
            request.send('{"error": "invalid_client"}', "application/json", status=401)
            return
        self.given, self.left = self.given + 1, self.lives
        request.send(json.dumps({"access_token": f"very-hush-{self.given}"}), "application/json")

    def let(self, request: Any) -> None:
        if request.headers["authorization"] != f"Bearer very-hush-{self.given}" or not self.left:
            request.send('{"error": "expired"}', "application/json", status=401)
            return
        self.left -= 1
        self.inner(request)


def login(site: RoughSite, password: str = "hush-hush") -> dict[str, Any]:
    basic = {"user": "app", "password": password}
    return {"path": f"{site.url}/token", "basic": basic, "form": {"grant_type": "client_credentials"}}


def test_a_token_is_fetched_carried_and_fetched_again(site: RoughSite) -> None:
    """A token that lives for two answers: each refusal leads to a new one, nothing is lost, nothing secret is kept."""
    api = ApiDouble(site, "cursor")
    gate = Gate(site, api, lives=2)
    api.say(*range(1, 48))
    [told] = run(job(site, "cursor", login=login(site)))
    assert (told["verdict"], set(told["ids"])) == ("ok", ids(range(1, 48)))
    assert gate.given == 3 and "grant_type=client_credentials" in gate.said[0]
    assert "hush" not in json.dumps(told)


def test_a_login_that_is_refused_is_told(site: RoughSite) -> None:
    api = ApiDouble(site, "page")
    Gate(site, api)
    api.say(1)
    [told] = run(job(site, login=login(site, "wrong-one")))
    assert (told["verdict"], told["new"]) == ("blocked", 0)
    assert "login was refused with status 401: invalid_client" in told["error"] and "wrong-one" not in told["error"]


def test_what_proves_who_we_are_goes_nowhere_else(site: RoughSite) -> None:
    """The answer leads its next page to a host that the config does not name."""
    api, other = ApiDouble(site, "next"), RoughSite()
    try:
        api.say(1)
        elsewhere = other.url.replace("127.0.0.1", "127.0.0.9")
        site.routes["/api/posts*"] = lambda request: request.send(
            json.dumps({"posts": [{"id": 1, "html": "x"}], "more": True, "next": f"{elsewhere}/steal"}),
            "application/json",
        )
        run(job(site, "next", secrets={"key": "hush-1"}, headers={"X-Key": "hush-2", "Authorization": "Token hush-3"}))
        assert all("hush" not in path for path in other.asked)
        assert all("hush" not in str(headers) for headers in other.headers.values())
    finally:
        other.close()
