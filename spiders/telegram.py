"""Source kind `telegram`: the public pages of a channel (t.me/s/NAME), newest messages first, back by `before`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import Field, model_validator
from scrapy.http import Request, Response

from crawler.model import Author, Post, Verdict
from spiders import vanished
from spiders.base import SourceSettings, SourceSpider
from spiders.dates import Dates
from spiders.html import Element, root_of, text_of
from spiders.json_paths import count
from spiders.selecting import picker
from spiders.verdicts import Finding

_MESSAGES = picker("div.tgme_widget_message[data-post]")
_TEXT = picker("xpath:.//div[contains(concat(' ', @class, ' '), ' js-message_text ')]")
_OLD_TEXT = picker(".tgme_widget_message_text")
_REPLY = picker("a.tgme_widget_message_reply")
_OWNER = picker(".tgme_widget_message_owner_name")
_SIGNED = picker(".tgme_widget_message_from_author")
_DATE = picker("a.tgme_widget_message_date time[datetime]@datetime")
_REACTIONS = picker(".tgme_reaction")
_LAST_NUMBER = re.compile(r"\d[\d.,]{0,12}[KMkm]?$")
_VIEWS = picker(".tgme_widget_message_views")
_TITLES = picker(".link_preview_title, .tgme_widget_message_document_title")
_POLL = picker(".tgme_widget_message_poll_question, .tgme_widget_message_poll_option_text")
_OLDER = picker("a.tme_messages_more[data-before]@data-before, link[rel=prev]@href")
_MEMBERS = picker(".tgme_channel_info_counter, .tgme_header_counter")
_SUBSCRIBERS = re.compile(r"^([\d.,\s\u00a0]{1,15}[KMkm]?)\s*(?:subscriber|member|подписчик|учасник|підписник)")
_NOT_HERE = picker(".tgme_page_title, .tgme_page_description, .tgme_page_context_action, .tgme_page_post")
_NAME = re.compile(r"(?:https?://)?(?:t\.me/(?:s/)?|telegram\.me/(?:s/)?|@)?([A-Za-z][A-Za-z0-9_]{3,31})/?")
_NUMBER = re.compile(r"\d{1,12}")


class TelegramSpider(SourceSpider):
    """Reads what a public channel shows to everybody; groups and comments are not shown there."""

    kind = "telegram"
    proved = "recorded pages of 2026; forwards, polls and reactions by their description"
    can = ("search", "threads", "edits", "deletions")
    notes = "No key. 20 messages a page. Channels may switch their page off: that is said, it is no silence."

    class Settings(SourceSettings):
        url: str = Field("", description="Made of `channel`.", json_schema_extra={"readOnly": True})
        channel: str = Field(description="Name of the channel.", examples=["ladnapay_news"])
        search: str | None = Field(None, description="Only messages with this word.", examples=["Ladna Pay"])
        base_url: str = Field("https://t.me", description="Where the pages are.", examples=["https://t.me"])
        order: Literal["newest"] = Field("newest", description="Newest messages first.")

        @model_validator(mode="before")
        @classmethod
        def _page(cls, given: Any) -> Any:
            """Any way of writing the name is understood; the address follows from it."""
            if not isinstance(given, dict) or not isinstance(given.get("channel"), str):
                return given
            found = _NAME.fullmatch(given["channel"].strip())
            if not found:
                raise ValueError(f"channel: {given['channel']!r} is no name of a channel; write it like ladnapay_news")
            base = str(given.get("base_url", "https://t.me")).rstrip("/")
            return {**given, "channel": found[1], "url": f"{base}/s/{found[1]}"}

    settings_: Settings

    def requests(self) -> Iterable[Request]:
        """The newest page."""
        search = self.settings_.search
        yield Request(self.settings_.url + (f"?{urlencode({'q': search})}" if search else ""))

    def posts(self, response: Response) -> Iterable[Post]:
        """Messages, the newest first. Service messages and pictures without words say nothing."""
        root = root_of(response)  # type: ignore[arg-type]
        dates = Dates(self.now(response), self.settings_.timezone)
        said = (_SUBSCRIBERS.match(found) for found in _MEMBERS.values(root))
        members = next((count(found[1].strip()) for found in said if found), None)
        items = [item for item in _MESSAGES.all(root) if "service_message" not in (item.get("class") or "")]
        made = list(self.each(reversed(items), lambda item: _post(item, dates, members)))
        return [*made, *self._vanished(root)]

    def _vanished(self, root: Element) -> Iterator[Post]:
        """Messages that once stood between these and stand there no more: numbers of a channel only ever rise."""
        for channel, shown in self._shown(root).items():
            if shown != sorted(shown):
                continue
            for number in vanished.gone(self.cursor_.get("_known", {}).get(channel, ""), shown, ends=True):
                name = f"{channel}/{number}"
                yield Post("", f"https://t.me/{name}", platform_id=name, site="t.me", thread=channel, deleted=True)

    def _shown(self, root: Element) -> dict[str, list[int]]:
        """The numbers of all messages of a page, also wordless ones, by channel; none where only some are shown."""
        found: dict[str, list[int]] = {}
        for item in _MESSAGES.all(root) if not self.settings_.search else ():
            channel, _, number = (item.get("data-post") or "").strip().rpartition("/")
            if channel and _NUMBER.fullmatch(number):
                found.setdefault(channel, []).append(int(number))
        return found

    def cursor(self, response: Response, posts: Sequence[Post]) -> Mapping[str, Any] | None:
        """The numbers that stood on the last pages, to see which of them are taken down."""
        known: Mapping[str, str] = self.cursor_.get("_known", {})
        said = {str(post.platform_id): post.deleted for post in posts}
        for channel, shown in self._shown(root_of(response)).items():  # type: ignore[arg-type]
            here = [number for number in shown if said.get(f"{channel}/{number}") is False]
            prefix = f"{channel}/"
            gone = [int(name.removeprefix(prefix)) for name, dead in said.items() if dead and name.startswith(prefix)]
            known = vanished.learned(known, channel, here, gone=gone)
        return {"_known": dict(known)} if known else None

    def follow(self, response: Response) -> Iterable[Request]:
        """The page before this one; the first page of a channel has none."""
        root = root_of(response)  # type: ignore[arg-type]
        said = _OLDER.value(root)
        before = said if said and said.isdecimal() else (parse_qs(urlsplit(said or "").query).get("before") or [""])[0]
        if _NUMBER.fullmatch(before) and _MESSAGES.all(root):
            search = {"q": self.settings_.search} if self.settings_.search else {}
            yield self.next_page(f"{self.settings_.url}?{urlencode({**search, 'before': before})}")

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        """A channel whose page is switched off leads to its visiting card; one without words is quiet."""
        root = root_of(response)  # type: ignore[arg-type]
        if posts:
            return None
        if not _MESSAGES.all(root) and _NOT_HERE.all(root):
            why = f"{response.url}: the channel has no public page (it is private, or its preview is off)"
            return Finding(Verdict.BLOCKED, f"{why}; check `channel`")
        return Verdict.OK if _MESSAGES.all(root) and not self._drops else None


def _post(item: Element, dates: Dates, members: int | None) -> Post | None:
    name = item.get("data-post").strip()
    if not re.fullmatch(r"[\w-]{1,64}/\d{1,12}", name):
        raise ValueError(f"a message with the id {name[:60]!r}")
    text = _words(item)
    if not text:
        return None
    counted = {"views": count(_VIEWS.value(item) or ""), "reactions": _reactions(item)}
    answered = _REPLY.all(item)
    return Post(
        text=text,
        url=f"https://t.me/{name}",
        platform_id=name,
        site="t.me",
        author=Author(
            _SIGNED.value(item) or _OWNER.value(item), name.split("/")[0], f"https://t.me/{name.split('/')[0]}", members
        ),
        published_at=dates.read(_DATE.value(item)),
        parent=_message(answered[0].get("href")) if answered else None,
        thread=name.split("/")[0],
        engagement={name: number for name, number in counted.items() if number is not None},
    )


def _reactions(item: Element) -> int | None:
    """All reactions together; None where the channel shows none."""
    said = [_LAST_NUMBER.search(text) for text in _REACTIONS.values(item)]
    counts = [number for hit in said if hit and (number := count(hit[0])) is not None]
    return sum(counts) if counts else None


def _words(item: Element) -> str:
    """The text of a message without the one it answers: that stands in a link and shares the class of texts."""
    quoted = {inner for reply in _REPLY.all(item) for inner in reply.iter()}
    found = _TEXT.all(item) or _OLD_TEXT.all(item)
    texts = [element for element in found if element not in quoted and not _inside(element, found)]
    said = [text_of(element) for element in texts] + [text_of(element) for element in _POLL.all(item)]
    return "\n".join(dict.fromkeys(filter(None, said))) or "\n".join(map(text_of, _TITLES.all(item)))


def _inside(element: Element, others: Sequence[Element]) -> bool:
    """Whether a text stands within another: pages nest the same text twice."""
    return any(above in others for above in element.iterancestors())


def _message(link: str | None) -> str | None:
    found = re.search(r"/([\w-]{1,64}/\d{1,12})(?:\?|$)", link or "")
    return found[1] if found else None
