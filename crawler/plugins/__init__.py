"""Where kinds come from: packages of the house, files in `plugins/` beside the config, and entry points.

The only module that imports by name. It knows no room above: whoever asks says which package to look into.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from crawler.errors import NotFound, PluginError
from crawler.plugins.preset_files import KIND, Preset
from crawler.plugins.presets import add_presets, check_preset, place, presets_in
from crawler.plugins.settings import Secret, SecretText, SecretTree, Settings, Vault, public

__all__ = [
    "Preset",
    "Secret",
    "SecretText",
    "SecretTree",
    "Settings",
    "Vault",
    "check_preset",
    "discover",
    "family",
    "presets_in",
    "public",
    "version",
    "wiring",
]
_WIRING = "mention_crawler.wiring"
_PLUGIN_MODULES = "mention_crawler_plugin_"
_Base = TypeVar("_Base")


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


def _kinds_in(module: ModuleType, base: type[_Base]) -> Iterator[tuple[str, type[_Base]]]:
    for cls in vars(module).values():
        own = isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module.__name__
        if own and "kind" in vars(cls):
            kind = vars(cls)["kind"]
            if not isinstance(kind, str) or not KIND.fullmatch(kind):
                raise PluginError(f"{place(cls)}: {cls.__name__}.kind is {kind!r}; write it like 'my_forum'")
            yield kind, cls


def discover(
    package: str, base: type[_Base], plugin_dir: Path | None = None, group: str | None = None
) -> dict[str, type[_Base]]:
    """The kinds by name: subclasses of `base` with a `kind` of their own in the modules of `package`, in `plugin_dir`
    and behind the entry points of `group`, and the presets (YAML) of these in `presets/` of the package and in
    `plugin_dir`. A preset there of a kind that this package lacks is somebody else's.

    Raises PluginError when two claim one kind or a plug-in does not load; it names the file.
    """
    kinds: dict[str, type[_Base]] = {}
    for modules in (_package_modules(package), _file_modules(plugin_dir), _entry_modules(group)):
        for module in modules:
            for kind, cls in _kinds_in(module, base):
                if kinds.setdefault(kind, cls) is not cls:
                    raise PluginError(f"the kind {kind!r} is declared twice: {place(kinds[kind])} and {place(cls)}")
    own = presets_in(Path(str(importlib.import_module(package).__file__)).parent / "presets")
    for stray in add_presets(kinds, [*own, *presets_in(plugin_dir)]):
        if stray in own:
            raise stray.wrong(("of",), f"of: there is no kind {stray.content.of!r}; known: {', '.join(sorted(kinds))}")
    return dict(sorted(kinds.items()))


def family(package: str, kind: str, base: type[_Base], plugin_dir: Path | None = None) -> dict[str, type[_Base]]:
    """`base` as `kind`, with every preset of it in `package` and `plugin_dir`; no module of the package is loaded."""
    kinds: dict[str, type[_Base]] = {kind: base}
    own = Path(str(importlib.import_module(package).__file__)).parent / "presets"
    add_presets(kinds, [*presets_in(own), *presets_in(plugin_dir)])
    return kinds


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
