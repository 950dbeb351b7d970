"""The app names every room below and hands them to each other. Everything is opened when first asked for."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from crawler import config as config_room
from crawler.config import Config
from crawler.errors import StoreError
from crawler.model import Brand

if TYPE_CHECKING:
    from crawler.matching import Matcher
    from crawler.net.guard import EgressPolicy
    from crawler.reports.ledger import Books
    from crawler.store import Store
    from sentiment import Analyser
    from sentiment.spec import ModelSpec
    from sinks.base import Sink
    from spiders.base import SourceSpider

__all__ = ["App", "now", "standalone_intake"]


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


class App:
    """One configuration and the rooms that serve it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"

    @classmethod
    def load(cls, path: str | None = None) -> App:
        """The app of the config file at `path`, or of the first one found in the usual places."""
        return cls(config_room.load(config_room.find(path)))

    @classmethod
    def in_force(cls, path: str, url: str, *, durable: bool = True) -> App:
        """The app of the config that was last taken over, whatever the file says now. For the children of a parent."""
        from crawler.store import Store

        store = Store.open(url, durable=durable)
        app = cls(config_room.load(Path(path), text=store.config.text(store.config.version())))
        app.__dict__["store"] = store
        return app

    @property
    def plugin_dir(self) -> Path:
        """Where kinds of the user's own live: `plugins/` beside the config."""
        return self.config.path.parent / "plugins"

    @cached_property
    def spiders(self) -> Mapping[str, type[SourceSpider]]:
        """Source kinds by name. Imports Scrapy."""
        from crawler.app.kinds import spider_kinds

        return spider_kinds(self.plugin_dir)

    @cached_property
    def sink_kinds(self) -> Mapping[str, type[Sink]]:
        """Sink kinds by name."""
        from crawler.app.kinds import sink_kinds

        return sink_kinds(self.plugin_dir)

    @cached_property
    def policy(self) -> EgressPolicy:
        """Which addresses we may talk to."""
        from crawler.net.guard import EgressPolicy

        return EgressPolicy(allow_private=self.config.allow_private)

    @cached_property
    def store(self) -> Store:
        """The database, which must exist; `init` creates it."""
        from crawler.store import Store

        return Store.open(self.config.database_url)

    def store_created(self) -> Store:
        """The database, created when it is not there yet."""
        from crawler.store import Store

        try:
            return self.store
        except StoreError:
            store = Store.create(self.config.database_url)
        self.__dict__["store"] = store
        return store

    @cached_property
    def sinks(self) -> Mapping[str, Sink]:
        """Configured sinks by name, ready to call."""
        from crawler.app.kinds import make_sinks

        return make_sinks(self)

    @cached_property
    def model(self) -> Analyser:
        """The tone model of the config. Loading happens at its first use."""
        from sentiment import Analyser

        return Analyser(self.model_spec())

    def model_spec(self, model: str | None = None) -> ModelSpec:
        """The tone model of the config, or another one, whose labels and digest the config does not speak of."""
        from sentiment.spec import ModelSpec

        told, base, store = self.config.sentiment, self.config.path.parent, self.config.data_dir / "models"
        if model is not None and model != told.model:
            return ModelSpec(model, base, store)
        return ModelSpec(told.model, base, store, told.labels, told.sha256, told.wording)

    @property
    def brands(self) -> Mapping[str, Brand]:
        """Brands of the config by name, with the ids they have in the database."""
        return {brand.name: brand for brand in self.store.config.brands()}

    def matcher(self) -> Matcher:
        """The automaton over today's brands; the same one until a brand changes, since building takes its time."""
        from crawler.matching import Matcher, version_of

        brands = list(self.brands.values())
        known = self.__dict__.get("_matcher")
        if known is None or known.version != version_of(brands):
            known = self.__dict__["_matcher"] = Matcher(brands)
        return cast("Matcher", known)

    def books(self) -> Books:
        """The ledger, balanced now; sinks of kind `desk` are checked against the desk's own tickets."""
        from crawler.reports.ledger import balance

        desks = [block.name for block in self.config.sinks if block.kind == "desk"]
        return balance(self.store.counts.ledger(desks))

    def close(self) -> None:
        """Close the database when it was opened."""
        store = self.__dict__.pop("store", None)
        if store is not None:
            store.close()


def standalone_intake(spider: Any) -> Any:
    """What `scrapy crawl KIND -a source=NAME` needs: the Source, an Intake, and a call for the end of the run."""
    from crawler.app.standalone import standalone

    return standalone(spider)
