"""What the stream child is given: picklable arguments here, live tools made of them there. No Scrapy for presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crawler import plugins
from crawler.app import App, logs, now
from crawler.app.hosting import block_of, schedule_of, spider_of
from crawler.app.working import renewed
from crawler.config import settings_of
from crawler.engine.clock import may_run
from crawler.model import Run, Source

if TYPE_CHECKING:
    from crawler.stages.stream import StreamTools
    from crawler.store import SourceState
    from spiders.stream_reading import Reader, Wire

STREAM = "stream"


def make_stream_tools(config_path: str, url: str, owner: str, log_json: bool = False) -> StreamTools:
    """In the child: the store, and what reads a stream by the config in force. `owner` outlives the child."""
    from crawler.stages.stream import StreamTools

    app = App.in_force(config_path, url, durable=False)
    app.owner = owner
    logs.configure(app.config, as_json=log_json)
    readers = Readers(app)
    return StreamTools(store=app.store, reader=readers.reader, owner=owner, open_now=readers.open_now)


class Readers:
    """Makes readers by the config that was taken over last."""

    def __init__(self, app: App) -> None:
        self.app, self.version = app, app.store.config.version()
        self.kinds: Mapping[str, Any] | None = None
        # By source: what its posts are called where they are only named. A stretch of reading lasts an hour.
        self.names: dict[int, dict[str, dict[str, str]]] = {}

    def reader(self, run: Run) -> tuple[Reader, Wire]:
        """What listens to the run's source, and the guarded wire. Raises ConfigError for wrong settings."""
        from crawler.net.live import Live

        if (version := self.app.store.config.version()) != self.version:
            self.app, self.version, self.kinds = renewed(self.app), version, None
        return self._reader(run.source), Live(self.app.policy, self.app.config.user_agent)

    def open_now(self, state: SourceState) -> bool:
        """Whether the stream may be read at this time of day."""
        return may_run(schedule_of(state), now(), self.app.config.timezone)

    def _reader(self, source: Source) -> Reader:
        from spiders.stream_reading import LightReader

        if self.kinds is None:
            self.kinds = plugins.family("spiders", STREAM, LightReader, self.app.plugin_dir)
        kind = self.kinds.get(source.kind)
        if kind is None:
            # A kind in code: it brings Scrapy with it.
            spider, known = spider_of(self.app, source)
            made: Any = spider(source=known)
            return made  # type: ignore[no-any-return]
        settings = settings_of(block_of(source.name, source.kind, source.settings), kind.Settings, self.app.config)
        light = kind(Source(source.name, source.kind, settings, source.labels, source.cursor, id=source.id))
        light.names = self.names.setdefault(source.id or 0, light.names)
        return light  # type: ignore[no-any-return]
