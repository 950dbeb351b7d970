"""What a ticket says, in plain text: the quote first, then who, where and when, then why.

Everything from outside is hostile: it is quoted line by line with `> ` or kept on one line, so that no post can write a
line of ours; controls and characters that turn the reading direction are dropped; texts are cut between whole letters.
Sinks escape the result for their own edge.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from crawler.model import EntityKind, Post, Priority, StoredMention, Ticket
from crawler.stages.match import full_text
from crawler.stages.ruling import Ruling, Setting
from crawler.stages.ticket_words import followers, say
from crawler.stages.working_hours import due_at

SUBJECT_CHARS = 120
QUOTE_CHARS = 3000
QUOTE_LINES = 200
NAME_CHARS = 120
LINK_CHARS = 2000
MOST_FORMS = 12
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_JOINER = "\u200d"
_LONGEST_CLUSTER = 32


def ticket_key(mention: StoredMention) -> str:
    """Stable for one post and brand, in every process, after every rebuild: `mc-` and 16 hex digits."""
    post = mention.post
    identity = f"{mention.brand}\n{post.post.site}\n{post.key}"
    return "mc-" + hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:16]


def make_ticket(mention: StoredMention, ruling: Ruling, now: datetime, setting: Setting) -> Ticket:
    """The ticket of a mention."""
    post, analysis = mention.post.post, mention.analysis
    due = due_at(ruling.priority, now, setting.targets, setting.business, setting.timezone)
    found = [mention.brand, *([analysis.tone, analysis.intent, analysis.language] if analysis else []), *ruling.tags]
    return Ticket(
        key=ticket_key(mention),
        subject=_subject(mention),
        body=_body(mention, ruling, due, setting),
        priority=Priority(ruling.priority),
        brand=mention.brand,
        tags=tuple(dict.fromkeys(str(tag) for tag in found)),
        url=post.url,
        author=author_of(post),
        reason=ruling.reason,
        language=analysis.language if analysis else None,
        opened_at=now,
        due_at=due,
    )


def follow_up(mention: StoredMention, ruling: Ruling, setting: Setting) -> str:
    """The comment for a ticket that a mention joins."""
    post, language = mention.post.post, ruling.language or setting.language
    head = f"{author_of(post) or say('Someone', language)} {say('again', language)}:"
    lines = [head, *quoted(full_text(post)), "", *_where(mention, language, setting)]
    return "\n".join([*lines, f"{say('Why', language)}: {_why(ruling, language)}"])


def author_of(post: Post) -> str | None:
    """Name and handle on one line; never more than that: authors seldom have an address."""
    name, handle = (one_line(value or "", NAME_CHARS) for value in (post.author.name, post.author.handle))
    if name and handle and handle.lstrip("@").casefold() != name.lstrip("@").casefold():
        return f"{name} ({handle})"
    return name or handle or None


def local(at: datetime, zone: str) -> str:
    """`2026-11-22 14:05 (Europe/Kyiv, +02:00)`."""
    here = at.astimezone(ZoneInfo(zone))
    offset = here.strftime("%z")
    return f"{here:%Y-%m-%d %H:%M} ({zone}, {offset[:3]}:{offset[3:5]})"


def quoted(text: str, limit: int = QUOTE_CHARS) -> list[str]:
    """The text as lines that begin with `> `; blank lines in a row are one, what is cut off shows as an ellipsis."""
    lines: list[str] = []
    for line in shortened(text, limit).splitlines():
        kept = _harmless(line).strip()
        if kept or (lines and lines[-1] != ">"):
            lines.append(f"> {kept}" if kept else ">")
    if len(lines) > QUOTE_LINES:
        lines = [*lines[:QUOTE_LINES], "> …"]
    while lines and lines[-1] == ">":
        lines.pop()
    return lines or [">"]


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters; of a long text only the beginning is read."""
    text = text[: 10 * limit + 1000]
    return shortened(" ".join(_harmless(" ".join(text.splitlines())).split()), limit)


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters with the ellipsis; never cut inside what a reader sees as one letter."""
    if len(text) <= limit:
        return text
    end = least = limit - 1
    while end > 0 and least - end < _LONGEST_CLUSTER and _belongs(text, end):
        end -= 1
    end = least if least - end >= _LONGEST_CLUSTER else end
    return text[:end].rstrip() + "…"


def _belongs(text: str, at: int) -> bool:
    """Whether the character there is a part of the letter before it: a mark, a joined or coloured emoji, a flag."""
    char, before = text[at], text[at - 1]
    if unicodedata.category(char)[0] == "M" or char == _JOINER or before == _JOINER:
        return True
    if "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    return _flags_before(text, at) % 2 == 1 if _is_flag(char) else False


def _flags_before(text: str, at: int) -> int:
    count = 0
    while count < at and count < _LONGEST_CLUSTER and _is_flag(text[at - 1 - count]):
        count += 1
    return count


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _harmless(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _CONTROLS.sub(" ", _TURNING.sub("", text))


def _subject(mention: StoredMention) -> str:
    head = f"{mention.brand}: "
    return head + one_line(full_text(mention.post.post), max(20, SUBJECT_CHARS - len(head)))


def _body(mention: StoredMention, ruling: Ruling, due: datetime | None, setting: Setting) -> str:
    language = ruling.language or setting.language
    lines = [*quoted(full_text(mention.post.post)), "", *_where(mention, language, setting)]
    lines += _counted(mention.post.post, language)
    lines += _judged(mention, language)
    if due is not None:
        lines.append(f"{say('Due', language)}: {local(due, setting.timezone)}")
    if mention.id:
        kept = f"{say('mention', language)} {mention.id}, {say('version', language)} {mention.post.version}"
        lines.append(f"{say('Kept', language)}: {kept} (mention-crawler mentions show {mention.id})")
    return "\n".join([*lines, f"{say('Why', language)}: {_why(ruling, language)}"])


def _where(mention: StoredMention, language: str, setting: Setting) -> Iterator[str]:
    post, unknown = mention.post.post, say("unknown", language)
    known = f", {followers(post.author.followers, language)}" if post.author.followers is not None else ""
    yield f"{say('Author', language)}: {author_of(post) or unknown}{known}"
    yield f"{say('Link', language)}: {one_line(post.url or '', LINK_CHARS) or say('none', language)}"
    if post.published_at is not None:
        yield f"{say('Published', language)}: {local(post.published_at, setting.timezone)}"
    else:
        seen = local(mention.post.seen_at, setting.timezone)
        yield f"{say('Published', language)}: {unknown}; {say('Seen', language)}: {seen}"
    places = ", ".join(mention.post.sources) or one_line(post.site or "", NAME_CHARS) or unknown
    yield f"{say('Source', language)}: {places}"


def _counted(post: Post, language: str) -> Iterator[str]:
    """What readers gave, where the site says it."""
    if post.rating is not None:
        yield f"{say('Rating', language)}: {post.rating:g}"
    if counts := [f"{one_line(str(name), 40)} {count}" for name, count in list(post.engagement.items())[:10]]:
        yield f"{say('Engagement', language)}: {', '.join(counts)}"


def _judged(mention: StoredMention, language: str) -> Iterator[str]:
    analysis = mention.analysis
    if analysis is not None:
        tone = f"{say('Tone', language)}: {say(analysis.tone.value, language)} {analysis.confidence:.0%}"
        intent = f"{say('intent', language)}: {say(analysis.intent.value, language)}"
        yield f"{tone}; {intent}; {say('language', language)}: {analysis.language}"
    kinds = {kind: say(f"is {kind.value}", language) for kind in EntityKind}
    forms = sorted({f"«{one_line(hit.form, NAME_CHARS)}» ({kinds[hit.kind]})" for hit in mention.hits})
    more = f" + {len(forms) - MOST_FORMS}" if len(forms) > MOST_FORMS else ""
    yield f"{say('Found', language)}: {', '.join(forms[:MOST_FORMS])}{more}"


def _why(ruling: Ruling, language: str) -> str:
    """In the ticket's language when it is made of parts that we can say in it."""
    return ruling.why.in_words(language) if ruling.why else ruling.reason
