"""Corrections: what a person says of a mention instead of the model; the mention, its ticket and the history follow.

A correction, the Analysis that shows it, the Event and what the ticket is told are one transaction. Undoing one gives
the mention the Analysis back that it had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import CrawlerError, NotFound
from crawler.model import Analysis, Change, Event, Intent, MentionStatus, StoredMention, TicketStatus, Tone
from crawler.store import events
from crawler.store import tables as t
from crawler.store.changing import add_change
from crawler.store.events import Part
from crawler.store.mentions import analysis_values
from crawler.store.recording import HANDED_OVER, NO_MATCH, update_many
from crawler.store.types import AnyRow

# What stands in place of a rule where a person said that a mention is none.
BY_PERSON = "a person"
# What the model of an Analysis begins with that a person gave.
PERSON = "person"
_SETTLED = ("by hand", "withdrawn")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is right, as far as the person says: None leaves what the model said."""

    tone: Tone | None = None
    intent: Intent | None = None
    relevant: bool | None = None

    def __str__(self) -> str:
        relevant = {None: None, True: "relevant", False: "not relevant"}[self.relevant]
        return ", ".join(str(part) for part in (self.tone, self.intent, relevant) if part is not None)


@dataclass(frozen=True, slots=True)
class Correction:
    """One stored correction. `said` is what the Analysis said before: tone, intent, model."""

    id: int
    mention_id: int
    post_version: int
    brand: str
    digest: str
    text: str
    language: str
    target: str | None
    said: Mapping[str, str]
    judgement: Judgement
    actor: str
    at: datetime
    undone_at: datetime | None = None
    undone_by: str | None = None


class Corrections(Part):
    """Writes and reads corrections."""

    def record(
        self, mention: StoredMention, text: str, right: Judgement, shown: Analysis | None, config_version: int
    ) -> int:
        """Store a correction of the mention as it was read; returns its id.

        `shown` is the Analysis that the mention bears from now on (its `model` is named here); None leaves it. What
        has no ticket goes to triage again, or is ignored when it is not relevant; a ticket gets a note.
        Raises NotFound, and CrawlerError when the mention changed meanwhile.
        """
        return self.db.transact(
            lambda connection: _Writing(self, connection, config_version).record(mention, text, right, shown)
        )

    def undo(self, correction_id: int, config_version: int) -> Correction:
        """Take a correction back: the mention shows what it showed before, and goes to triage again.

        Raises NotFound, and CrawlerError when it is undone already.
        """
        self.db.transact(lambda connection: _Writing(self, connection, config_version).undo(correction_id))
        return self.get(correction_id)

    def get(self, correction_id: int) -> Correction:
        """One correction. Raises NotFound."""
        with self.db.read() as connection:
            return _stored(_row(connection, correction_id))

    def list(self, limit: int = 0, brand: str | None = None) -> list[Correction]:
        """Newest first, undone ones too; `limit` 0 = all."""
        query = sa.select(t.corrections).order_by(t.corrections.c.id.desc())
        if brand is not None:
            query = query.where(t.corrections.c.brand == brand)
        with self.db.read() as connection:
            return [_stored(row) for row in connection.execute(query.limit(limit) if limit else query)]

    def in_force(self, limit: int) -> Sequence[Correction]:
        """The newest that are not undone, newest first."""
        columns = t.corrections.c
        query = sa.select(t.corrections).where(columns.undone_at.is_(None))
        with self.db.read() as connection:
            return [_stored(row) for row in connection.execute(query.order_by(columns.id.desc()).limit(limit))]

    def stamp(self) -> tuple[int, int]:
        """(newest id, how many are undone): unchanged as long as nothing was corrected or undone."""
        columns = t.corrections.c
        query = sa.select(sa.func.coalesce(sa.func.max(columns.id), 0), sa.func.count(columns.undone_at))
        with self.db.read() as connection:
            newest, undone = connection.execute(query).one()
        return int(newest), int(undone)


def digest_of(text: str) -> str:
    """sha256 of a text, in hex; any text has one."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Writing:
    part: Part
    connection: Connection
    config_version: int

    def record(self, mention: StoredMention, text: str, right: Judgement, shown: Analysis | None) -> int:
        row = self._mention(mention.id)
        if row is None:
            raise NotFound(f"there is no mention {mention.id}: `mention-crawler mentions list` shows them")
        if row.post_version != mention.post.version or row.analysis_id is None or mention.analysis is None:
            raise CrawlerError(f"mention {mention.id} was changed by somebody else meanwhile; look again")
        number = self._insert(mention, mention.analysis, text, right, row.analysis_id)
        if shown is not None:
            self._show(mention, shown, number, row)
        before = f"{mention.analysis.tone}, {mention.analysis.intent}"
        changes = [self.part.event("mention", row.id, "corrected", before, str(right), f"correction {number}")]
        said = f"{self.part.actor} corrected what was read of the post: {before} -> {right}."
        self._after(row, changes, f"c{number}", said, right.relevant is False)
        return number

    def undo(self, number: int) -> None:
        found = _row(self.connection, number, lock=True)
        if found.undone_at is not None:
            raise CrawlerError(f"correction {number} is undone already: nothing was changed")
        gone = {"undone_at": self.part.now(), "undone_by": self.part.actor}
        self.connection.execute(sa.update(t.corrections).where(t.corrections.c.id == number).values(gone))
        row = self._mention(found.mention_id)
        if row is None:
            return
        judgement = str(_stored(found).judgement)
        changes = [self.part.event("mention", row.id, "correction undone", judgement, None, f"correction {number}")]
        if found.analysis_id is not None and row.analysis_id == found.analysis_id:
            back = {"row_id": row.id, "analysis_id": self._before(found)}
            update_many(self.connection, [back])
        said = f"{self.part.actor} took a correction back: {judgement}."
        self._after(row, changes, f"c{number}u", said, self._not_relevant(row.id))

    def _mention(self, mention_id: int) -> AnyRow | None:
        columns = t.mentions.c
        names = ("id", "status", "reason", "rule", "post_version", "analysis_id", "analysis_count", "ticket_id")
        query = sa.select(*(columns[name] for name in names)).where(columns.id == mention_id)
        return self.connection.execute(query.with_for_update()).first()

    def _insert(self, mention: StoredMention, analysis: Analysis, text: str, right: Judgement, before_id: int) -> int:
        values = {
            "mention_id": mention.id,
            "post_version": mention.post.version,
            "brand": mention.brand,
            "digest": digest_of(text),
            "text": text,
            "language": analysis.language,
            "target": (mention.hits[0].form if mention.hits else "") or None,
            "said": {"tone": analysis.tone.value, "intent": analysis.intent.value, "model": analysis.model},
            "tone": right.tone and right.tone.value,
            "intent": right.intent and right.intent.value,
            "relevant": right.relevant,
            "before_id": before_id,
            "actor": self.part.actor,
            "at": self.part.now(),
        }
        made = sa.insert(t.corrections).values(values).returning(t.corrections.c.id)
        return int(self.connection.execute(made).scalar_one())

    def _show(self, mention: StoredMention, shown: Analysis, number: int, row: AnyRow) -> None:
        values = analysis_values(mention, shown) | {"model": f"{PERSON}: correction {number}", "at": self.part.now()}
        made = sa.insert(t.analyses).values(values).returning(t.analyses.c.id)
        analysis_id = int(self.connection.execute(made).scalar_one())
        update = {"row_id": row.id, "analysis_id": analysis_id, "analysis_count": row.analysis_count + 1}
        update_many(self.connection, [update])
        mine = sa.update(t.corrections).where(t.corrections.c.id == number)
        self.connection.execute(mine.values(analysis_id=analysis_id))

    def _before(self, found: AnyRow) -> int:
        """The Analysis that showed before: of a correction that is undone itself, the one before that."""
        columns = t.corrections.c
        while True:
            query = sa.select(t.corrections).where(columns.analysis_id == found.before_id)
            earlier = self.connection.execute(query).first()
            if earlier is None or earlier.undone_at is None:
                return int(found.before_id)
            found = earlier

    def _not_relevant(self, mention_id: int) -> bool:
        """Whether an earlier correction that stands says that the mention is none."""
        columns = t.corrections.c
        query = sa.select(columns.relevant).where(
            columns.mention_id == mention_id, columns.undone_at.is_(None), columns.relevant.is_not(None)
        )
        said = self.connection.execute(query.order_by(columns.id.desc()).limit(1)).scalar()
        return said is not None and not said

    def _after(self, row: AnyRow, changes: list[Event], mark: str, said: str, not_relevant: bool) -> None:
        """A ticket is told; what has none goes to triage again, or is ignored."""
        if row.status in HANDED_OVER:
            changes += self._note(row, mark, said)
        elif not_relevant:
            changes += self._move(row, MentionStatus.IGNORED, f"{self.part.actor} says it is no mention", BY_PERSON)
        elif row.status != MentionStatus.FOUND.value and row.reason != NO_MATCH and row.rule not in _SETTLED:
            changes += self._move(row, MentionStatus.ANALYSED, "", "")
        events.add(self.connection, changes, self.config_version)

    def _note(self, row: AnyRow, mark: str, said: str) -> list[Event]:
        columns = t.tickets.c
        query = sa.select(columns.id, columns.key, columns.status).where(columns.id == row.ticket_id)
        ticket = self.connection.execute(query.with_for_update()).first()
        if ticket is None or ticket.status == TicketStatus.WITHDRAWN.value:
            return []
        return add_change(self.part, self.connection, ticket.id, Change(f"{ticket.key}/{mark}", said))

    def _move(self, row: AnyRow, status: MentionStatus, reason: str, rule: str) -> list[Event]:
        values = {"row_id": row.id, "status": status.value, "reason": reason, "rule": rule}
        update_many(self.connection, [values | {"changed_at": self.part.now()}])
        if row.status == status.value:
            return []
        return [self.part.event("mention", row.id, "status", row.status, status.value, reason or "corrected")]


def _row(connection: Connection, number: int, lock: bool = False) -> AnyRow:
    query = sa.select(t.corrections).where(t.corrections.c.id == number)
    found = connection.execute(query.with_for_update() if lock else query).first()
    if found is None:
        raise NotFound(f"there is no correction {number}: `mention-crawler model corrections list` shows them")
    return found


def _stored(row: AnyRow) -> Correction:
    given: dict[str, Any] = row._asdict()
    tone, intent, relevant = given.pop("tone"), given.pop("intent"), given.pop("relevant")
    for name in ("before_id", "analysis_id"):
        del given[name]
    right = Judgement(tone and Tone(tone), intent and Intent(intent), relevant)
    return Correction(**given, judgement=right)
