"""`watch NAME`, its beginning and its end: a config in a temporary folder, and the one that `--save` keeps."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.app import App
from crawler.app.kinds import check_blocks, spider_kinds
from crawler.app.setting_up import FILE_NAME
from crawler.app.source_text import SourceText
from crawler.app.watching import Wish, config_text, plan
from crawler.errors import ConfigError, NotFound

_NOWHERE = Path("/nonexistent")


@contextmanager
def opened(wish: Wish) -> Iterator[tuple[App, list[SourceText]]]:
    """The app of a config made for the wish, in a folder that is gone afterwards. Raises NotFound, ConfigError."""
    sources = plan(spider_kinds(_NOWHERE), wish)
    folder = Path(tempfile.mkdtemp(prefix="mention-crawler-watch-"))
    try:
        path = folder / FILE_NAME
        path.write_text(config_text(wish, sources), encoding="utf-8")
        app = App.load(str(path))
        if problems := [problem for problem in check_blocks(app) if not problem.warning]:
            raise ConfigError(problems)
        try:
            yield app, sources
        finally:
            app.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def target_of(save: str) -> Path:
    """The file that `--save` names; a folder stands for the config in it. NotFound when something is there already."""
    path = Path(save).expanduser().absolute()
    path = path / FILE_NAME if path.is_dir() or not path.suffix else path
    if path.exists() or path.is_symlink():
        raise NotFound(f"{path} is already there; --save writes no file anew: name another, or remove it first")
    return path


def save(path: Path, wish: Wish, sources: list[SourceText], answered: list[str]) -> int:
    """Write the config of the sources that answered; how many. Raises NotFound when the file is there by now."""
    kept = [source for source in sources if source.name in answered]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(config_text(wish, kept))
    except FileExistsError:
        raise NotFound(f"{path} has come up meanwhile; it is left as it is") from None
    return len(kept)
