"""Where kinds come from: packages of the house, files in `plugins/` beside the config, and entry points.

The only module that imports by name. It knows no room above: whoever asks says which package to look into.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from crawler.errors import NotFound, PluginError

_KIND = re.compile(r"[a-z][a-z0-9_]*")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FILE = "file:"
_WIRING = "mention_crawler.wiring"
_PLUGIN_MODULES = "mention_crawler_plugin_"
# Words of a header that are a scheme, and runs of letters and digits that no person would write: keys and tokens.
_TOKEN = re.compile(
    r"(?i:\b(?:bearer|basic|token|apikey)\s+\S)"
    r"|(?<![\w/+-])(?=[\w+/=-]*[0-9])(?=[\w+/=-]*[A-Za-z])[\w+/=-]{20,200}(?![\w/+-])"
)
_Base = TypeVar("_Base")


class Settings(BaseModel):
    """Base of every kind's `Settings`: unknown keys refused, frozen. Fields carry `description=` and `examples=`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Vault(Protocol):
    """What stands behind a reference. Both raise LookupError with a message for people when there is nothing."""

    def env(self, name: str) -> str: ...

    def file(self, path: str) -> str: ...


class Secret(SecretStr):
    """A secret field: in the config only a reference, `${NAME}` (also within text, "Token ${NAME}") or `file:/path`.

    Validated with the context {"vault": Vault} a literal is refused and the reference looked up; without a vault (code
    and tests) any text is taken as it is. JSON and `public()` show `reference`, never the value.
    """

    literals = False

    def __init__(self, secret_value: str, reference: str = "") -> None:
        super().__init__(secret_value)
        self.reference = reference

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        shown = core_schema.plain_serializer_function_ser_schema(cls._shown, when_used="json")
        return core_schema.with_info_plain_validator_function(cls._from_config, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        pattern = {} if cls.literals else {"pattern": r"^file:.+|\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
        return {"type": "string", "format": "password", "writeOnly": True, **pattern}

    def _shown(self) -> str:
        return self.reference or "**********"

    @classmethod
    def _from_config(cls, value: object, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, SecretStr):
            return cls(value.get_secret_value())
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "Input should be a valid string")
        vault: Vault | None = (info.context or {}).get("vault")
        return cls(value) if vault is None else cls(cls._looked_up(value, vault), value)

    @classmethod
    def _looked_up(cls, value: str, vault: Vault) -> str:
        try:
            if value.startswith(_FILE):
                return vault.file(value.removeprefix(_FILE))
            if _REFERENCE.search(value):
                return _REFERENCE.sub(lambda match: vault.env(match[1]), value)
        except LookupError as error:
            why, fix, *_ = (*map(str, error.args), None)
            raise PydanticCustomError("secret_missing", "{why}", {"why": why, "fix": fix}) from None
        if cls.literals and not _TOKEN.search(value):
            return value
        raise PydanticCustomError("secret_literal", "a secret must not stand in the file")


class SecretText(Secret):
    """Text that may hold a secret, such as a header: what looks like a key or token is refused, other text is not."""

    literals = True


def public(settings: BaseModel) -> dict[str, Any]:
    """JSON-able settings for storing and showing: references instead of secrets, defaults left out."""
    return settings.model_dump(mode="json", exclude_defaults=True)


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _package_modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for found in sorted(pkgutil.iter_modules(root.__path__), key=lambda module: module.name):
        if not found.ispkg and not found.name.startswith("_"):
            yield importlib.import_module(f"{package}.{found.name}")


def _load_file(path: Path) -> ModuleType:
    """The module of one plug-in file; a changed file is loaded anew, an unchanged one only once."""
    stamp = hashlib.sha256(f"{path.resolve()}\0{path.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    name = f"{_PLUGIN_MODULES}{path.stem}_{stamp}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path}: is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's file does must name the file
        del sys.modules[name]
        raise PluginError(f"{path}: the plug-in does not load: {_said(error)}; mend or remove the file") from error
    return module


def _file_modules(folder: Path | None) -> Iterator[ModuleType]:
    if folder is not None and folder.is_dir():
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield _load_file(path)


def _entry_modules(group: str | None) -> Iterator[ModuleType]:
    """The modules that installed distributions name under `group` ("name = module" or "name = module:Class")."""
    if group is None:
        return
    from importlib.metadata import entry_points

    for entry in sorted(entry_points(group=group), key=lambda point: point.value):
        try:
            yield importlib.import_module(entry.module)
        except Exception as error:
            raise PluginError(f"entry point {entry.name} = {entry.value} of {group}: {_said(error)}") from error


def _place(cls: type) -> str:
    return str(getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__)


def _kinds_in(module: ModuleType, base: type[_Base]) -> Iterator[tuple[str, type[_Base]]]:
    for cls in vars(module).values():
        own = isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module.__name__
        if own and "kind" in vars(cls):
            kind = vars(cls)["kind"]
            if not isinstance(kind, str) or not _KIND.fullmatch(kind):
                raise PluginError(f"{_place(cls)}: {cls.__name__}.kind is {kind!r}; write it like 'my_forum'")
            yield kind, cls


def discover(
    package: str, base: type[_Base], plugin_dir: Path | None = None, group: str | None = None
) -> dict[str, type[_Base]]:
    """The kinds by name: subclasses of `base` with a `kind` of their own in the modules of `package`, in `plugin_dir`
    and behind the entry points of `group`.

    Raises PluginError when two classes claim one kind or a plug-in does not load; it names the file.
    """
    kinds: dict[str, type[_Base]] = {}
    for modules in (_package_modules(package), _file_modules(plugin_dir), _entry_modules(group)):
        for module in modules:
            for kind, cls in _kinds_in(module, base):
                if kinds.setdefault(kind, cls) is not cls:
                    raise PluginError(f"the kind {kind!r} is declared twice: {_place(kinds[kind])} and {_place(cls)}")
    return dict(sorted(kinds.items()))


def wiring(name: str) -> Any:
    """What the installed project names `name` under the entry points of "mention_crawler.wiring"."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=_WIRING, name=name):
        return entry.load()
    raise NotFound(f"nothing is wired as {name!r}: install the project (pip install .) so that its entry points exist")


def version() -> str:
    """The version of the installed project."""
    from importlib.metadata import version as installed

    return installed("mention-crawler")
