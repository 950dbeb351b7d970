"""Presets: YAML that turns a base kind into a new one; mistakes in the file name file and line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crawler.errors import PluginError
from crawler.plugins import check_preset, discover, public

BASE = """
from pydantic import BaseModel, Field
from crawler.plugins import Secret, SecretText, Settings

class Call(BaseModel, extra="forbid"):
    path: str
    body: dict = Field(default_factory=dict)

class Kind: ...

class Rest(Kind):
    kind = "rest"
    placeholders = ("subject",)

    class Settings(Settings):
        common = ("url",)
        url: str = Field(description="Address", examples=["https://x.example"])
        headers: dict[str, SecretText] = Field(default_factory=dict)
        create: Call
        pages: int = 1
"""
PRESET = """\
kind: zed
of: rest
about: Tickets in Zed
settings:
  token: {secret: true, description: API token, examples: ["${ZED_TOKEN}"]}
  group: {default: Users, description: Group}
  queue: {type: integer, default: null, description: Queue}
with:
  headers: {Authorization: "Bearer {token}"}
  create:
    path: /t/{subject}/{{x}}
    body: {title: "{subject}", group: "{group}", queue: "{queue}", "q_{queue}": 1, tags: [a, "{queue}"]}
"""


class Vault:
    def env(self, name: str) -> str:
        if name != "KNOWN":
            raise LookupError(f"{name} is not set", f"export {name}=...")
        return "s3cret"

    def file(self, path: str) -> str:
        return "from a file"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "zoo_of_presets"
    (root / "presets").mkdir(parents=True)
    (root / "__init__.py").write_text(BASE)
    monkeypatch.syspath_prepend(tmp_path)
    yield root
    sys.modules.pop("zoo_of_presets", None)


def kinds(package: Path, plugin_dir: Path | None = None) -> dict[str, Any]:
    __import__(package.name)
    return discover(package.name, sys.modules[package.name].Kind, plugin_dir)


def zed(package: Path, text: str = PRESET) -> Any:
    (package / "presets" / "zed.yaml").write_text(text)
    return kinds(package)["zed"]


def read(kind: Any, **data: Any) -> Any:
    return kind.Settings.model_validate(data, context={"vault": Vault()})


def test_a_preset_is_a_kind_of_its_base(package: Path) -> None:
    kind = zed(package)
    assert sorted(kinds(package)) == ["rest", "zed"]
    assert issubclass(kind, kinds(package)["rest"])
    assert kinds(package)["zed"] is kind
    made = read(kind, url="https://z.example", token="${KNOWN}", queue=7)
    assert made.headers["Authorization"].get_secret_value() == "Bearer s3cret"
    assert made.headers["Authorization"].reference == "Bearer ${KNOWN}"
    assert made.create.path == "/t/{subject}/{{x}}"
    assert made.create.body == {"title": "{subject}", "group": "Users", "queue": 7, "q_7": 1, "tags": ["a", 7]}
    assert "s3cret" not in f"{made!r}{public(made)}{made.model_dump_json()}"


def test_what_stands_for_nothing_is_left_out(package: Path) -> None:
    made = read(zed(package), url="https://z.example", token="file:/run/t")
    assert made.create.body == {"title": "{subject}", "group": "Users", "tags": ["a"]}
    assert made.headers["Authorization"].get_secret_value() == "Bearer from a file"


def test_the_user_may_change_what_the_preset_gives(package: Path) -> None:
    body = {"group": None, "custom": "{subject}"}
    made = read(zed(package), url="https://z.example", token="${KNOWN}", pages=3, create={"body": body})
    assert made.create.body == {"title": "{subject}", "tags": ["a"], "custom": "{subject}"}
    assert (made.pages, made.create.path) == (3, "/t/{subject}/{{x}}")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"url": "u"}, [("missing", ("token",))]),
        ({"token": "${KNOWN}"}, [("missing", ("url",))]),
        ({"url": "u", "token": "literal"}, [("secret_literal", ("token",))]),
        ({"url": "u", "token": "${GONE}"}, [("secret_missing", ("token",))]),
        ({"url": "u", "token": "${KNOWN}", "queue": "x"}, [("int_parsing", ("queue",))]),
        ({"url": "u", "token": "${KNOWN}", "colour": 1}, [("extra_forbidden", ("colour",))]),
        (
            {"url": "u", "token": "${KNOWN}", "create": {"pth": "/x"}},
            [("extra_forbidden", ("create", "pth"))],
        ),
        ({"url": "u", "token": "${KNOWN}", "create": {"path": 5}}, [("string_type", ("create", "path"))]),
    ],
)
def test_the_users_mistakes_stand_where_they_are(package: Path, data: dict[str, Any], found: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        read(zed(package), **data)
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("of: rest", "off: rest", r"zed\.yaml:2: unknown key 'off'; did you mean 'of'|'of' is missing"),
        ("of: rest", "of: rest\nof: rest", r"zed\.yaml:3: the key 'of' stands twice"),
        ("of: rest", "of: nothing", r"zed\.yaml:2: of: there is no kind 'nothing'; known: rest"),
        ("kind: zed", "kind: Zed desk", r"zed\.yaml:1: kind: "),
        ("kind: zed", "kind: rest", r"zed\.yaml:1: the kind 'rest' is declared twice: here and in .*__init__\.py"),
        (
            "group: {default",
            "group: {defalt",
            r"zed\.yaml:6: unknown key 'settings.group.defalt'",
        ),
        ("  group:", "  subject:", r"zed\.yaml:6: settings\.subject: 'subject' is a placeholder of the base kind"),
        ("  group:", "  pages:", r"zed\.yaml:6: settings\.pages: 'pages' is a setting of the base kind"),
        ("  headers:", "  haeders:", r"zed\.yaml:9: with\.haeders: the kind 'rest' has no such setting"),
        ("about: Tickets", "about: [Tickets", r"zed\.yaml:\d: this is no valid YAML"),
        ("secret: true,", "secret: true, default: x,", r"zed\.yaml:5: settings\.token: a secret has no default"),
    ],
)
def test_mistakes_in_the_file_name_file_and_line(package: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        zed(package, PRESET.replace(old, new, 1))


def test_what_the_base_refuses_names_the_line_of_the_preset(package: Path) -> None:
    kind = zed(package, PRESET.replace("path: /t", "pth: /t"))
    with pytest.raises(ValidationError) as caught:
        read(kind, url="u", token="${KNOWN}")
    said = caught.value.errors()[0]["msg"]
    assert re.search(r"zed\.yaml:11: with\.create\.pth: Extra inputs", said), said
    assert "with.create.path: Field required" in said
    with pytest.raises(PluginError, match=r"zed\.yaml:1[01]: with\.create"):
        check_preset(kind)


def test_secrets_do_not_slip_into_open_fields(package: Path) -> None:
    kind = zed(package, PRESET.replace("/t/{subject}", "/t/{token}"))
    with pytest.raises(ValidationError, match=r"with\.create\.path") as caught:
        read(kind, url="u", token="${KNOWN}")
    assert "s3cret" not in str(caught.value)


def test_presets_beside_the_config_and_presets_of_presets(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    zed(package)
    (folder / "ours.yaml").write_text(
        "kind: ours\nof: zed\nabout: Ours\nsettings: {team: {description: Team}}\n"
        "with: {group: '{team}', url: 'https://o.example'}\n"
    )
    (folder / "other.yaml").write_text("kind: other\nof: page\nabout: of another room\nwith: {}\n")
    found = kinds(package, folder)
    assert sorted(found) == ["ours", "rest", "zed"]
    made = read(found["ours"], token="${KNOWN}", team="Ours")
    assert (made.url, made.create.body["group"]) == ("https://o.example", "Ours")
    assert made.headers["Authorization"].get_secret_value() == "Bearer s3cret"


def test_examples_of_a_preset_are_tried(package: Path) -> None:
    check_preset(zed(package))
