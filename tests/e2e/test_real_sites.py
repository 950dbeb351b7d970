"""Real sites that installed here: Isso, whose comments its own script draws, and a django-machina forum.

What the site was told is compared with what is stored: nothing lost, nothing doubled, through edits and new posts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installation import Installation
from servers.isso import Isso
from servers.machina import Machina

from crawler.app.health import browser_path

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
BRAND = "  - {name: Ladna Pay, also: [Ладна Пей]}"
FORUM = """
  - name: forum
    kind: page
    url: {url}/forum/
    pages: 60
    timezone: Europe/Kyiv
    links: 'a[href*="/forum/forum/"]:not([href*="/topic/"])@href, .topic-name a[href*="/topic/"]@href'
    item: .card.post
    fields: {{text: .post-content, author: .username, id: "@id", published_at: small.text-muted}}
    next: 'ul.pagination .active + li a@href'
"""


@pytest.fixture(scope="module")
def isso(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isso]:
    with Isso(tmp_path_factory.mktemp("isso")) as running:
        yield running


@pytest.fixture(scope="module")
def machina(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machina]:
    with Machina(tmp_path_factory.mktemp("machina")) as running:
        yield running


def stored(place: Installation) -> dict[str, dict[str, Any]]:
    """Mentions by their text; each text once."""
    rows = place.json("mentions", "list", "--limit", "1000")
    found = {row["text"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def totals(rows: list[dict[str, Any]]) -> tuple[int, int, int]:
    """(new, seen, edited) over the sources of one `crawl --json`."""
    sources = [row for row in rows if "source" in row]
    assert all(row["verdict"] == "ok" for row in sources), sources
    new, seen, edited = (sum(row[name] for row in sources) for name in ("posts_new", "posts_seen", "posts_edited"))
    return new, seen, edited


@pytest.mark.browser
@pytest.mark.skipif(browser_path() is None, reason="no Chromium: apt-get install chromium")
def test_isso_drawn_by_its_own_script(isso: Isso, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    # Isso's first .isso-text is an empty one of the preview, and hidden for ever.
    place.configure(
        f"  - {{name: comments, kind: browser, url: '{isso.page}', item: '.isso-comment[id]',"
        " wait_for: '.isso-comment .isso-text', fields: {text: .isso-text, author: .isso-author, id: '@id'}}",
        brands=BRAND,
    )
    first = isso.say("Оксана", "Ладна Пей двічі списала гроші за одну покупку.")
    isso.say("Петро", "У мене Ладна Пей зробила так само.", parent=first)
    isso.say("<b>Ada</b>", "Is Ladna Pay down? <script>alert(1)</script>")
    assert totals(place.json("crawl")) == (3, 0, 0)
    assert {row["author"] for row in stored(place).values()} >= {"Оксана", "Петро"}
    isso.edit(first, "Ладна Пей тричі списала гроші за одну покупку.")
    isso.say("Ірина", "А Ладна Пей відповіла?")
    assert totals(place.json("crawl")) == (1, 2, 1)
    texts = stored(place)
    assert len(texts) == 4 and any("тричі" in text for text in texts)
    assert not any("двічі" in text for text in texts)
    place.run("ledger")


def test_issos_feed_gives_ids_authors_and_answers(isso: Isso, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure(f"  - {{name: comments, kind: feed, url: '{isso.feed}'}}", brands=BRAND)
    mine = isso.say("Feed reader", "Ladna Pay in the feed, first words.")
    isso.say("Answerer", "Ladna Pay in the feed, an answer.", parent=mine)
    place.run("crawl")
    found = {row["author"]: row for row in stored(place).values()}
    assert found["Answerer"]["url"].endswith(f"#isso-{mine + 1}")
    again = totals(place.json("crawl"))
    assert again[0] == again[2] == 0
    place.run("ledger")


def test_a_forum_of_several_boards_topics_and_pages(machina: Machina, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure(FORUM.format(url=machina.url), brands=BRAND)
    posts = [("Перекази", f"Автор{n % 5}", f"Ладна Пей не приймає переказ номер {n}.") for n in range(40)]
    posts += [("Картки", "Олена", f"Ладна Пей, картка {n}: дякую за швидкість.") for n in range(3)]
    numbers = machina.say(*posts)
    assert totals(place.json("crawl"))[0] == 43
    found = stored(place)
    assert set(found) == {text for _, _, text in posts}
    assert {row["author"] for row in found.values()} == {author for _, author, _ in posts}
    assert all(row["published_at"] for row in found.values())
    machina.edit(numbers[0], "Ладна Пей прийняла переказ, питання зняте.")
    machina.say(("Перекази", "Автор9", "Ладна Пей: новий допис на останній сторінці."))
    new, _, edited = totals(place.json("crawl"))
    assert (new, edited) == (1, 1)
    assert len(stored(place)) == 44
    place.run("ledger")


def test_a_forums_feed_with_a_foreign_host_in_its_links(machina: Machina, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure(f"  - {{name: topics, kind: feed, url: '{machina.url}/forum/feeds/topics/'}}", brands=BRAND)
    machina.say(("Тема для стрічки", "Олена", "Ладна Пей у стрічці."))
    place.run("crawl")
    assert any("у стрічці" in text for text in stored(place))
    assert totals(place.json("crawl"))[0] == 0
    place.run("ledger")


def test_the_forum_is_known_by_its_program(machina: Machina, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure(
        f"  - {{name: forum, kind: forum, url: '{machina.url}/forum/', timezone: Europe/Kyiv}}", brands=BRAND
    )
    said = [("Комісія", f"Автор{n % 5}", f"Ладна Пей: допис {n} про комісію.") for n in range(25)]
    machina.say(*said)
    place.run("crawl")
    # The subject of a thread is the title of its first post alone.
    found = {text.rpartition("\n")[2]: row for text, row in stored(place).items() if "комісію" in text}
    assert set(found) == {text for _, _, text in said}
    assert {row["author"] for row in found.values()} == {f"Автор{n}" for n in range(5)}
    assert all(row["published_at"] and "#" in row["url"] for row in found.values())
    again = totals(place.json("crawl"))
    assert again[0] == again[2] == 0
    place.run("ledger")
