"""The language of kind `stream`: where a stream is heard, and where the parts of a post stand in its messages."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from crawler import plugins
from crawler.config.values import Seconds
from spiders.api_settings import PLACEHOLDER, Scalar, Shape
from spiders.json_paths import JsonPath
from spiders.source_settings import SourceSettings

OURS = ("cursor",)


class StreamKindSettings(SourceSettings):
    """What every kind of stream has; kinds in code add their own fields."""

    url: str = Field(
        description="Address of the stream, http or https (a websocket is asked for there).",
        examples=["https://stream.site.example"],
    )
    silence: Seconds = Field(60.0, description="After so long without a word the connection is opened anew.")
    listen_for: Seconds = Field(10.0, description="How long `crawl` and `preview` listen; `run` never stops.")


class KnownAs(plugins.Settings):
    """Messages that name a post by another id than its own: what it is, as an earlier message said."""

    id: JsonPath = Field(description="The other id, in messages that hold the post.", examples=["data.id"])
    is_: JsonPath = Field(alias="is", description="The post's own id there.", examples=["data.uri"])
    link: JsonPath | None = Field(None, description="The post's link there.", examples=["data.url"])
    named: JsonPath = Field(
        description="The other id in messages that only name it; these are given `known` (the own) and `known_url`.",
        examples=["event == 'delete' && data"],
    )


class StreamSettings(StreamKindSettings):
    """Settings of `stream`."""

    by: Literal["websocket", "events"] = Field("websocket", description="A websocket, or server-sent events.")
    path: str = Field("", description="Path below `url`; {names} in it are filled in.", examples=["/subscribe"])
    query: dict[str, Scalar | tuple[Scalar, ...] | None] = Field(
        {}, description="Query parameters; without a value they are left out, a list repeats its name."
    )
    headers: dict[str, plugins.SecretText] = Field({}, description="Headers such as Authorization.")
    secrets: dict[str, plugins.Secret] = Field({}, description="Query parameters that are secret, such as a key.")
    hello: tuple[dict[str, Any] | str, ...] = Field((), description="Messages that a websocket is sent first.")
    each: dict[str, tuple[Scalar, ...]] = Field(
        {}, description="A name and its values: one connection a value.", examples=[{"tag": ["a", "b"]}]
    )
    connections: int = Field(
        10, ge=1, le=100, description="At most so many connections; values of `each` beyond them are told, not heard."
    )
    posts: tuple[Shape, ...] = Field(
        min_length=1,
        description="The posts that a message may hold; server-sent ones are {event, id, data}.",
    )
    cursor: JsonPath | None = Field(None, description="The place in the stream that a message stands at.")
    cursor_is: Literal["micros", "millis", "seconds", "number", "text"] = Field(
        "text", description="What the place is: a time since 1970, a number, or words."
    )
    rewind: Seconds = Field(5.0, description="How far before the last known place (a time) a stream is taken up.")
    time: JsonPath | None = Field(None, description="When a message was published: how far behind we are.")
    known_as: KnownAs | None = Field(None, description="How messages name posts that came before.")
    languages: JsonPath | None = Field(None, description="The languages of a post, when it may have several.")
    only_languages: tuple[str, ...] = Field(
        (), description="Posts that say another language are passed over; empty: all.", examples=[["uk", "ru"]]
    )
    only_words: tuple[str, ...] = Field(
        (), description="Only posts that hold one of these are kept (case and accents do not count); empty: all."
    )

    @model_validator(mode="after")
    def _names_stand_for_something(self) -> StreamSettings:
        known = {*OURS, *self.each}
        values = [said for value in self.query.values() for said in (value if isinstance(value, tuple) else (value,))]
        for text in (self.path, *(value for value in values if isinstance(value, str))):
            for name in PLACEHOLDER.findall(text):
                if name not in known:
                    raise ValueError(f"{{{name}}} stands for nothing; known: {', '.join(sorted(known))}")
        for name, wanted in self.each.items():
            if not wanted:
                raise ValueError(f"each.{name} has no value: nothing would be heard")
        if self.cursor and sum(map(len, self.each.values())) > 1:
            raise ValueError("a stream with a `cursor` is one connection: leave `each` out, or write one source each")
        return self
