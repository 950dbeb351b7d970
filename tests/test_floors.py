"""The floors of the house, proved by `ast`: imports go down only, and nobody goes round that by strings or importlib.

Counted are imports anywhere in a file: at the top, in functions, under TYPE_CHECKING. Inside one room anything goes.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    ("crawler.model", "crawler.errors"),
    ("crawler.config", "crawler.plugins", "crawler.net", "crawler.text"),
    ("crawler.store", "crawler.matching", "spiders", "sentiment", "sinks"),
    ("crawler.stages", "crawler.engine", "crawler.reports", "crawler.scrapy_settings"),
    ("crawler.app",),
    ("console",),
    ("crawler.cli",),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
PACKAGES = ("crawler", "spiders", "sentiment", "sinks", "console")
BY_NAME = {"importlib", "pkgutil", "runpy", "imp"}
BY_NAME_MODULE = "crawler.plugins"
NOT_AT_RUN_TIME = "sentiment.train"
HEAVY = (
    "scrapy",
    "twisted",
    "onnxruntime",
    "transformers",
    "fastapi",
    "alembic",
    "extruct",
    "trafilatura",
    "dateparser",
)
DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")


def room_of(module: str) -> str | None:
    """The room that a module belongs to; None for modules of other people."""
    return next((room for room in FLOOR_OF if module == room or module.startswith(room + ".")), None)


def module_of(path: Path) -> str:
    """`crawler/text/urls.py` -> crawler.text.urls"""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(node: ast.AST, package: str) -> Iterator[str]:
    """The modules that one statement may import; relative names made absolute."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
        start = ".".join(filter(None, (base if node.level else "", node.module or "")))
        yield from (f"{start}.{alias.name}" for alias in node.names)


def strings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every string but docstrings and the texts of __all__."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node


def refusal(module: str, target: str) -> str | None:
    """Why `module` may not reach `target`; None when it may."""
    if target.split(".")[0] not in PACKAGES:
        return None
    mine, other = room_of(module), room_of(target)
    if mine is None:
        return f"{module} is in no room, so it may import nothing of ours ({target})"
    if other is None:
        return f"{target} is in no room"
    if mine == other or FLOOR_OF[other] < FLOOR_OF[mine]:
        return None
    how = "a sibling" if FLOOR_OF[other] == FLOOR_OF[mine] else "above"
    return f"{mine} (floor {FLOOR_OF[mine]}) may not reach {other} (floor {FLOOR_OF[other]}): {how}"


def violations(path: Path, source: str) -> list[str]:
    """Every way in which the file at `path` (relative to the project) breaks the floors."""
    module = module_of(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(source, str(path))
    found = [(1, f"{module} is in no room")] if room_of(module) is None and module not in PACKAGES else []
    for node in ast.walk(tree):
        for target in imported(node, package):
            if target.split(".")[0] in BY_NAME and module != BY_NAME_MODULE:
                found.append((node.lineno, f"{target}: only {BY_NAME_MODULE} imports by name"))
            if why := refusal(module, target):
                found.append((node.lineno, why))
            if target.startswith(NOT_AT_RUN_TIME) and not module.startswith(NOT_AT_RUN_TIME):
                found.append((node.lineno, f"{target} is a recipe: nothing imports it at run time"))
        by_hand = isinstance(node, ast.Name) and node.id == "__import__"
        if by_hand and module != BY_NAME_MODULE:
            found.append((node.lineno, f"__import__: only {BY_NAME_MODULE} imports by name"))
    for text in strings(tree):
        reached = [(target, refusal(module, target)) for target in DOTTED.findall(text.value) if room_of(target)]
        found += [(text.lineno, f"string {target!r}: {why}") for target, why in reached if why]
    return [f"{path}:{line}: {why}" for line, why in sorted(set(found))]


def house(root: Path) -> list[str]:
    """The violations of every file of the five packages below `root`."""
    found: list[str] = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            found += violations(path.relative_to(root), path.read_text("utf-8"))
    return found


def test_imports_go_down_only() -> None:
    assert house(ROOT) == []


def test_every_room_exists() -> None:
    missing = [
        r for r in FLOOR_OF if not any((ROOT / (r.replace(".", "/") + end)).exists() for end in (".py", "/__init__.py"))
    ]
    assert missing == []


@pytest.mark.parametrize("module", ["crawler.cli", "crawler.app", "crawler.config", "crawler.text", "crawler.plugins"])
def test_starting_loads_nothing_heavy(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(set(HEAVY) & set(json.loads(answer.stdout))) == []


PLANTED = [
    ("crawler/model.py", "from crawler.config import load", "may not reach crawler.config (floor 1): above"),
    ("crawler/text/urls.py", "import crawler.store.posts", "may not reach crawler.store (floor 2): above"),
    ("crawler/config/loading.py", "from crawler import plugins", "may not reach crawler.plugins (floor 1): a sibling"),
    ("crawler/config/loading.py", "from ..text import fold", "may not reach crawler.text (floor 1): a sibling"),
    ("crawler/errors.py", "from .model import Post", "may not reach crawler.model (floor 0): a sibling"),
    ("spiders/feed.py", "from sinks.base import Sink", "may not reach sinks (floor 2): a sibling"),
    ("crawler/store/db.py", "import sentiment", "may not reach sentiment (floor 2): a sibling"),
    (
        "crawler/engine/clock.py",
        "from crawler.stages import crawl",
        "may not reach crawler.stages (floor 3): a sibling",
    ),
    ("crawler/reports/ledger.py", "import crawler.engine", "may not reach crawler.engine (floor 3): a sibling"),
    ("crawler/app/work.py", "from console import server", "may not reach console (floor 5): above"),
    ("console/server.py", "from crawler.cli import main", "may not reach crawler.cli (floor 6): above"),
    ("spiders/feed.py", "def f():\n    from crawler.app import App\n", "spiders/feed.py:2: spiders (floor 2) may not"),
    (
        "spiders/base.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from crawler.stages.crawl import Intake\n",
        "spiders/base.py:3: spiders (floor 2) may not reach crawler.stages",
    ),
    ("crawler/plugins.py", "NAME = 'crawler.app:standalone_intake'", "string 'crawler.app': crawler.plugins (floor 1)"),
    ("crawler/engine/processes.py", "ARGS = ['-m', 'crawler.cli.main']", "string 'crawler.cli.main'"),
    ("spiders/base.py", "x = f'crawler.stages.{name}'", "string 'crawler.stages': spiders (floor 2)"),
    ("crawler/app/kinds.py", "import importlib", "importlib: only crawler.plugins imports by name"),
    ("crawler/cli/common.py", "from importlib.metadata import version", "only crawler.plugins imports by name"),
    ("sinks/base.py", "def f():\n    return __import__('json')\n", "__import__: only crawler.plugins"),
    ("sinks/base.py", "import runpy", "runpy: only crawler.plugins"),
    ("crawler/helpers.py", "", "crawler.helpers is in no room"),
    ("crawler/__init__.py", "from crawler import app", "crawler is in no room, so it may import nothing"),
    ("crawler/app/work.py", "from crawler.elsewhere import x", "crawler.elsewhere.x is in no room"),
    ("crawler/app/work.py", "from sentiment.train import corpus", "is a recipe"),
]


@pytest.mark.parametrize(("path", "source", "said"), PLANTED)
def test_a_planted_violation_is_caught(path: str, source: str, said: str) -> None:
    found = violations(Path(path), source)
    assert len(found) == 1, found
    assert said in found[0]


ALLOWED = [
    ("crawler/cli/run.py", "import console.server\nfrom crawler.app import App\nfrom crawler.model import Post\n"),
    ("crawler/store/posts.py", "from crawler.store import tables\nfrom . import db\nfrom .db import Database\n"),
    ("crawler/plugins.py", "import importlib.util, pkgutil\nNAME = 'mention_crawler.wiring'\n"),
    ("crawler/scrapy_settings.py", "X = {'spiders.polite.Robots': 1, 'crawler.net.guard_scrapy.EgressMiddleware': 2}"),
    (
        "spiders/feed.py",
        '"""Used by crawler.app and by crawler.stages.crawl."""\nURL = "https://crawler.example/sinks.html"\n',
    ),
    ("crawler/text/__init__.py", "from crawler.text.urls import site_of\n__all__ = ['site_of']\n"),
]


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert violations(Path(path), source) == []


def test_a_broken_build_is_refused(tmp_path: Path) -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            place = tmp_path / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    sound = house(tmp_path)
    broken = tmp_path / "crawler" / "text" / "folding.py"
    broken.write_text(broken.read_text("utf-8") + "\n\ndef late() -> None:\n    import crawler.app.work\n", "utf-8")
    new = [line for line in house(tmp_path) if line not in sound]
    last = len(broken.read_text("utf-8").splitlines())
    why = "crawler.text (floor 1) may not reach crawler.app (floor 4): above"
    assert new == [f"crawler/text/folding.py:{last}: {why}"]
