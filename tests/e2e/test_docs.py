"""What the docs say is run: the generated page is fresh, the examples work, every command block of the README runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from e2e.installation import Installation
from e2e.site import Entry, Site

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
# `make` installs and tests by itself, and pip would install over the environment that runs this test.
ELSEWHERE = {"make demo", "make test", "pip install ."}


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(path.read_text(encoding="utf-8")) if kind == language]


def test_the_settings_page_is_fresh() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    import settings_page

    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page.page(), "run: python tools/settings_page.py"


def test_every_setting_is_described() -> None:
    rows = [line for line in (DOCS / "settings.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if not row.split("|")[3].strip()] == []


def test_the_source_example_is_a_kind_that_crawls(tmp_path: Path) -> None:
    code, *_ = blocks(DOCS / "add-a-source.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
    home = Installation(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "guestbook.py").write_text(code, encoding="utf-8")
    with closing(Site(pages={"/book": "2026-11-01 10:00 | Олена | Nova Pay не повертає гроші\n"})) as site:
        home.configure(f"  - {{name: guests, kind: guestbook, url: '{site.url}/book'}}")
        home.run("crawl")
        [mention] = home.run("mentions", "list", "--json").rows
    assert (mention["author"], mention["text"]) == ("Олена", "Nova Pay не повертає гроші")
    assert mention["published_at"].startswith("2026-11-01T10:00")


def test_the_sink_example_takes_tickets_once(tmp_path: Path) -> None:
    [code] = blocks(DOCS / "add-a-sink.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    home = Installation(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "folder.py").write_text(code, encoding="utf-8")
    with closing(Site(feeds={"/feed": [Entry("1", "Nova Pay зняла гроші двічі")]})) as site:
        home.configure(
            f"  - {{name: news, kind: feed, url: '{site.url}/feed'}}",
            rest=f"sinks: [{{name: papers, kind: folder, path: '{tmp_path}/tickets'}}]",
            tickets="tickets: {when: [negative, neutral, positive], sure_at_least: 0.5, send_to: [papers]}",
        )
        home.run("crawl")
        home.run("crawl")
        home.run("sinks", "test", "papers")
    papers = sorted(path.name for path in (tmp_path / "tickets").iterdir())
    assert len([name for name in papers if not name.startswith("mc-test")]) == 1


def test_every_command_of_the_readme_runs(tmp_path: Path) -> None:
    ran, folder = [], tmp_path
    for line in "\n".join(blocks(ROOT / "README.md", "sh")).splitlines():
        if line.startswith("cd "):
            folder = folder / line[3:]
        elif line and line not in ELSEWHERE:
            ran.append(_command(line, folder))
    assert len(ran) >= 6


def _command(line: str, folder: Path) -> str:
    words = shlex.split(line)
    done = subprocess.run([str(BIN / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, timeout=120)
    # The starter config names sites of its own that no test may reach: its crawl may say that they failed.
    allowed = {0, 5} if words[1:2] == ["crawl"] else {0}
    assert done.returncode in allowed, f"{line}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return line


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_knows_the_commands_of_the_readme(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_links_between_the_pages_hold() -> None:
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
