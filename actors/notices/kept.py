"""Where actors tell what happened: written out, kept once for each key, and left to the notifier to send."""

import asyncio
import logging
from uuid import UUID

from actors.notices.texts import prepare, text_of
from db.connection import Connection
from db.errors import DatabaseError
from db.notifications import NewNotification, keep_notification
from db.pool import Database
from domain.notices import Notice, Severity
from domain.time import Clock

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""How long a teller is kept waiting for a database that does not answer."""
BLIND_MS = 10_000
"""For how long after that what is only good to know is not tried, so that nobody waits again and again."""


class KeptNotices:
    """Keeps notices in Postgres. `clock` is the wall's, also for what happens in a market of another time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._failed_ms = -BLIND_MS
        prepare()

    async def tell(self, user_id: UUID, deployment_id: UUID | None, notice: Notice, *, key: str) -> None:
        """Keep a notice in a transaction of its own: as `domain.notices.Notices` promises."""
        matters = notice.severity is not Severity.INFO
        if not matters and 0 <= self._clock.now_ms() - self._failed_ms < BLIND_MS:
            log.warning("a notice of %s (%s) is lost: the database was out of reach", notice.kind, key)
            return
        try:
            async with asyncio.timeout(PATIENCE_S), self._database.as_worker(waits=matters) as connection:
                await self.note(connection, user_id, deployment_id, notice, key=key)
        except (DatabaseError, TimeoutError) as error:
            self._failed_ms = self._clock.now_ms()
            log.warning("a notice of %s (%s) is lost: %s", notice.kind, key, error or "no answer in time")

    async def note(
        self, connection: Connection, user_id: UUID, deployment_id: UUID | None, notice: Notice, *, key: str
    ) -> bool:
        """Keep a notice in the worker's transaction that is open, so that both happen or neither does.

        False where its key was told before. Raises DatabaseError.
        """
        text = text_of(notice)
        new = NewNotification(
            user_id=user_id,
            deployment_id=deployment_id,
            key=key,
            kind=notice.kind,
            severity=notice.severity,
            deployment=text.deployment,
            title=text.title,
            body=text.body,
        )
        wake = notice.severity is not Severity.INFO
        return await keep_notification(connection, new, self._clock.now_ms(), wake=wake)
