"""`check` and queries: each mistake at its place in the file, however YAML writes it; warnings refuse nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.app import App
from crawler.app.queries import query_problems, query_warnings
from crawler.app.setting_up import check
from crawler.config import load


def app(tmp_path: Path, text: str) -> App:
    path = tmp_path / "mention-crawler.yaml"
    path.write_text(text, encoding="utf-8")
    return App(load(path))


MARK = "@"  # stands right before the mistake; taken out before the file is written
FILES = {
    "plain": "brands:\n  - name: Ladna Pay\n    query: картка OR @NOT суд\n",
    "single quotes": "brands:\n  - {name: Ladna Pay, query: 'it''s OR ''x'' OR @a*'}\n",
    "double quotes": 'brands:\n  - name: Ladna Pay\n    query: "\\"a\\" OR \\u0441 OR @NOT b"\n',
    "literal block": "brands:\n  - name: Ladna Pay\n    query: |\n      a1 OR\n      (b1 AND\n        @/x(/)\n",
    "folded block": "brands:\n  - name: Ladna Pay\n    query: >-\n      a1 OR\n      b1\n      @c1\n",
    "plain over lines": "brands:\n  - name: Ladna Pay\n    query: a1 OR\n      b1 AND\n      @foo:bar\n",
    "second brand": "brands:\n  - name: First\n    query: fine\n  - query: @NOT a\n    name: Second\n",
    "the end": "brands:\n  - name: Ladna Pay\n    query: >-\n      a1\n      AND@\nweb: {port: 8081}\n",
    "comment": "# query: here\nbrands:\n  - name: Ladna Pay\n    query: a OR @colour:red # why\n",
    "anchor": "brands:\n  - name: Ladna Pay\n    query: &q a1 @b1\n",
    "tabs": "brands:\n  - name: Ladna Pay\n    query: 'a1\t\tOR @NOT b1'\n",
}


@pytest.mark.parametrize("what", FILES)
def test_a_mistake_is_found_where_it_stands(tmp_path: Path, what: str) -> None:
    marked = FILES[what]
    before = marked[: marked.index(MARK)]
    [problem] = query_problems(app(tmp_path, marked.replace(MARK, "")))
    expected = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert problem.line == expected[0]
    assert problem.column == expected[1] or what == "anchor"
    assert problem.file.endswith("mention-crawler.yaml") and "query: " in problem.message and problem.fix


def test_check_tells_every_query_and_refuses(tmp_path: Path) -> None:
    queries = ("Ladna, query: NOT a", "Pejna, query: (b", "Treja, query: the OR cccc")
    text = "brands:\n" + "".join(f"  - {{name: {query}}}\n" for query in queries)
    app(tmp_path, text)
    problems, verdict = check(str(tmp_path / "mention-crawler.yaml"))
    assert [problem.line for problem in problems] == [2, 3, 4]
    assert [problem.warning for problem in problems] == [False, False, True]
    assert verdict.endswith("2 mistakes, 1 warning")


def test_warnings_leave_a_config_good(tmp_path: Path) -> None:
    made = app(tmp_path, "brands:\n  - name: Ladna Pay\n    also: [Сам, ок]\n    query: банк OR ladnapay\n")
    found = query_warnings(made)
    assert [(w.line, w.column) for w in found] == [(3, 12), (3, 17), (4, 12)]
    assert all(warning.warning and str(warning).count("warning: ") == 1 for warning in found)
    problems, verdict = check(str(made.config.path))
    assert len(problems) == 3 and verdict.endswith("good, 3 warnings")


def test_names_with_context_are_not_warned_of(tmp_path: Path) -> None:
    assert query_warnings(app(tmp_path, "brands:\n  - {name: Сам, about: [магазин]}\n")) == []
    assert query_warnings(app(tmp_path, "brands:\n  - {name: Сам, query: NAMES NEAR/5 магазин}\n")) == []
    assert query_warnings(app(tmp_path, "brands:\n  - {name: Сам}\n")) != []


@pytest.mark.property
def test_a_query_of_10_000_terms_fits_the_config(tmp_path: Path) -> None:
    made = app(tmp_path, "brands:\n  - name: Many\n    query: " + " OR ".join(f"term{n}" for n in range(10_000)) + "\n")
    assert query_problems(made) == []
