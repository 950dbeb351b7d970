"""Kinds are found in packages, in files beside the config and behind entry points; secrets stay references."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError

from crawler import plugins
from crawler.errors import NotFound, PluginError
from crawler.plugins import Secret, SecretText, Settings, discover, public


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with two kinds, an abstract class, an import of somebody else's kind and a private module."""
    root = tmp_path / "zoo_of_kinds"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "base.py").write_text("class Kind: ...\nclass Abstract(Kind): ...\n")
    (root / "cat.py").write_text("from zoo_of_kinds.base import Kind\nclass Cat(Kind):\n    kind = 'cat'\n")
    (root / "dog.py").write_text(
        "from zoo_of_kinds.cat import Cat\nclass Dog(Cat):\n    kind = 'dog'\nclass Pup(Dog): ...\n"
    )
    (root / "_private.py").write_text("raise RuntimeError('must not be imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "zoo_of_kinds"
    for name in [name for name in sys.modules if name.split(".")[0] == "zoo_of_kinds"]:
        del sys.modules[name]


def base_of(package: str) -> type:
    __import__(f"{package}.base")
    return sys.modules[f"{package}.base"].Kind  # type: ignore[no-any-return]


def test_kinds_of_a_package(package: str) -> None:
    found = discover(package, base_of(package))
    assert {kind: cls.__name__ for kind, cls in found.items()} == {"cat": "Cat", "dog": "Dog"}


def test_kinds_of_files_beside_the_config(package: str, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "owl.py").write_text("from zoo_of_kinds.base import Kind\nclass Owl(Kind):\n    kind = 'owl'\n")
    (folder / "_draft.py").write_text("this is no Python")
    first = discover(package, base_of(package), folder)
    assert sorted(first) == ["cat", "dog", "owl"]
    assert discover(package, base_of(package), folder)["owl"] is first["owl"]
    assert sorted(discover(package, base_of(package), tmp_path / "absent")) == ["cat", "dog"]


def test_a_changed_file_is_loaded_anew(package: str, tmp_path: Path) -> None:
    path = tmp_path / "plugins" / "owl.py"
    path.parent.mkdir()
    for kind, stamp in (("owl", 1_000_000_000), ("eagle_owl", 1_000_000_001)):
        path.write_text(f"from zoo_of_kinds.base import Kind\nclass Owl(Kind):\n    kind = {kind!r}\n")
        os.utime(path, (stamp, stamp))
        assert sorted(discover(package, base_of(package), path.parent)) == sorted(["cat", "dog", kind])


def test_a_duplicate_kind_names_both_places(package: str, tmp_path: Path) -> None:
    path = tmp_path / "plugins" / "second.py"
    path.parent.mkdir()
    path.write_text("from zoo_of_kinds.base import Kind\nclass Second(Kind):\n    kind = 'cat'\n")
    with pytest.raises(PluginError, match=r"'cat' is declared twice: .*cat\.py and .*second\.py"):
        discover(package, base_of(package), path.parent)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("def broken(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_broken_file_is_named(package: str, tmp_path: Path, source: str, said: str) -> None:
    path = tmp_path / "plugins" / "broken.py"
    path.parent.mkdir()
    path.write_text(source)
    for _ in range(2):
        with pytest.raises(PluginError, match=r"broken\.py: the plug-in does not load") as caught:
            discover(package, base_of(package), path.parent)
        assert said in str(caught.value)


def test_a_kind_must_be_a_plain_word(package: str, tmp_path: Path) -> None:
    path = tmp_path / "plugins" / "odd.py"
    path.parent.mkdir()
    path.write_text("from zoo_of_kinds.base import Kind\nclass Odd(Kind):\n    kind = 'My Forum'\n")
    with pytest.raises(PluginError, match=r"odd\.py: Odd\.kind is 'My Forum'; write it like 'my_forum'"):
        discover(package, base_of(package), path.parent)


def test_kinds_of_installed_distributions(package: str, tmp_path: Path) -> None:
    (tmp_path / "bird_kinds.py").write_text("from zoo_of_kinds.base import Kind\nclass Jay(Kind):\n    kind = 'jay'\n")
    info = tmp_path / "birds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: birds\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[zoo.kinds]\nbirds = bird_kinds\n[zoo.broken]\ngone = no_such_module_here:X\n"
    )
    try:
        assert sorted(discover(package, base_of(package), None, "zoo.kinds")) == ["cat", "dog", "jay"]
        with pytest.raises(PluginError, match=r"entry point gone = no_such_module_here:X of zoo\.broken"):
            discover(package, base_of(package), None, "zoo.broken")
    finally:
        sys.modules.pop("bird_kinds", None)


def test_wiring_gives_the_entry_point_or_says_what_to_do() -> None:
    assert callable(plugins.wiring("intake"))
    with pytest.raises(NotFound, match=r"nothing is wired as 'nonsense'.*pip install"):
        plugins.wiring("nonsense")


@pytest.mark.process
def test_discovering_imports_only_the_scanned_package() -> None:
    code = (
        "import json, sys\n"
        "from crawler import plugins\n"
        "from pathlib import Path\n"
        "plugins.discover('json', object, Path('/nonexistent'))\n"
        "print(json.dumps(sorted({n.split('.')[0] for n in sys.modules} & {'spiders', 'sinks', 'scrapy'})))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == []


class Vault:
    """Knows one variable and one file."""

    def env(self, name: str) -> str:
        if name != "KNOWN":
            raise LookupError(f"{name} is not set", f"export {name}=...")
        return "s3cret"

    def file(self, path: str) -> str:
        return f"content of {path}"


class Helpdesk(Settings):
    """Settings with secrets in every position."""

    token: Secret
    second: Secret | None = None
    headers: dict[str, SecretText] = Field(default_factory=dict)
    nested: list[dict[str, Secret]] = Field(default_factory=list)


def read(**values: object) -> Helpdesk:
    return Helpdesk.model_validate(values, context={"vault": Vault()})


def test_references_are_looked_up_and_kept() -> None:
    made = read(
        token="Token ${KNOWN}", second="file:/run/x", nested=[{"a": "${KNOWN}"}], headers={"Accept": "text/html"}
    )
    assert made.token.get_secret_value() == "Token s3cret"
    assert made.second is not None and made.second.get_secret_value() == "content of /run/x"
    assert public(made) == {
        "token": "Token ${KNOWN}",
        "second": "file:/run/x",
        "nested": [{"a": "${KNOWN}"}],
        "headers": {"Accept": "text/html"},
    }
    assert json.loads(json.dumps(public(made))) == public(made)


def test_no_way_of_showing_settings_shows_a_secret() -> None:
    made = read(token="${KNOWN}", nested=[{"a": "${KNOWN}"}], headers={"Authorization": "Token ${KNOWN}"})
    shown = f"{made} {made!r} {public(made)} {made.model_dump()} {made.model_dump_json()} {made.token}"
    assert "s3cret" not in shown
    assert "s3cret" not in str(public(Helpdesk.model_validate({"token": SecretStr("s3cret")})))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"token": "abc"}, "secret_literal"),
        ({"token": ""}, "secret_literal"),
        ({"token": "$KNOWN"}, "secret_literal"),
        ({"token": "${UNKNOWN}"}, "secret_missing"),
        ({"token": 5}, "string_type"),
        ({"token": "${KNOWN}", "nested": [{"a": "abc"}]}, "secret_literal"),
        ({"token": "${KNOWN}", "headers": {"Authorization": "Bearer abc"}}, "secret_literal"),
        ({"token": "${KNOWN}", "headers": {"X-Key": "0123456789abcdef0123456789"}}, "secret_literal"),
        ({"token": "${KNOWN}", "colour": "red"}, "extra_forbidden"),
    ],
)
def test_literal_and_missing_secrets_are_refused(values: dict[str, object], kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**values)
    assert [error["type"] for error in caught.value.errors()] == [kind]


@pytest.mark.parametrize(
    "header", ["application/json", "text/html; charset=utf-8", "mention-crawler/0.1", "en-GB,en;q=0.5"]
)
def test_plain_headers_need_no_reference(header: str) -> None:
    assert read(token="${KNOWN}", headers={"X": header}).headers["X"].get_secret_value() == header


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read(token="${KNOWN}").token = Secret("other")
