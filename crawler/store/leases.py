"""Named leases with an epoch: one clock for all the services that share a database."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.store import tables as t
from crawler.store.events import Part


class Leases(Part):
    """Takes and gives back leases."""

    def take(self, name: str, owner: str, seconds: float, now: datetime | None = None) -> int | None:
        """The lease's epoch when `owner` holds it now, else None. Its own live lease is renewed under one epoch."""
        at = now or self.now()
        return self.db.transact(lambda connection: self._take(connection, name, owner, at, seconds))

    def release(self, name: str, owner: str) -> bool:
        """Let others take it at once; True when `owner` held it."""
        mine = (t.leases.c.name == name, t.leases.c.owner == owner)
        update = sa.update(t.leases).where(*mine).values(until=self.now() - timedelta(seconds=1), owner="")
        return self.db.transact(lambda connection: connection.execute(update).rowcount == 1)

    def holder(self, name: str) -> tuple[str, int, datetime] | None:
        """(owner, epoch, until) of the lease as it stands, expired or not."""
        with self.db.read() as connection:
            row = connection.execute(sa.select(t.leases).where(t.leases.c.name == name)).first()
        return None if row is None else (row.owner, row.epoch, row.until)

    def _take(self, connection: Connection, name: str, owner: str, now: datetime, seconds: float) -> int | None:
        until = now + timedelta(seconds=seconds)
        columns = t.leases.c
        first = {"name": name, "owner": owner, "epoch": 1, "until": until}
        if self.db.insert_once(connection, t.leases, first, "name") is not None:
            return 1
        row = connection.execute(sa.select(t.leases).where(columns.name == name).with_for_update()).one()
        mine = row.owner == owner and row.until > now
        if not mine and row.until > now:
            return None
        epoch = row.epoch if mine else row.epoch + 1
        update = sa.update(t.leases).where(columns.name == name)
        connection.execute(update.values(owner=owner, epoch=epoch, until=until))
        return int(epoch)
