"""The postbox of a process: takes what is told at once, and has it kept in order. Nobody waits for the database.

What can't be kept yet waits here, in memory and bounded, as long as the database is away and this process lives.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from uuid import UUID

from actors.kernel import Time
from actors.notices.kept import Letter, keep
from actors.notices.texts import prepare
from db.errors import Conflict, DatabaseError, NotPermitted, Refused
from db.pool import Database
from domain.notices import Notice, Severity
from simulator.report.words import plural

log = logging.getLogger(__name__)

MOST_WAITING = 2_000
MOST_AT_ONCE = 100
"""How many are kept in one transaction."""
PAUSE_S = 1.0
"""Before it is tried again, when the database could not take it."""
LAST_S = 2.0
"""What the last ones are given, at the end of the process."""

HOPELESS = (Refused, Conflict, NotPermitted)
"""What the database will say again, however often it is asked."""


class Postbox:
    """The `domain.notices.Notices` of a process. `opened` is a service that empties it all the while."""

    def __init__(self, database: Database, time: Time) -> None:
        self._database = database
        self._time = time
        self._waiting: deque[Letter] = deque()
        self._came = asyncio.Event()
        prepare()

    def tell(
        self, user_id: UUID, deployment_id: UUID | None, notice: Notice, *, key: str, unsent: str = ""
    ) -> None:
        """Take a notice: as `domain.notices.Notices` promises."""
        if len(self._waiting) >= MOST_WAITING:
            self._lose_one()
        letter = Letter(
            ts=self._time.now_ms(),
            user_id=user_id,
            deployment_id=deployment_id,
            notice=notice,
            key=key,
            unsent=unsent,
        )
        self._waiting.append(letter)
        self._came.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Awaitable[None]]:
        """Empty it while this is open, and once more at the end."""
        emptying = asyncio.ensure_future(self._empty_for_ever())
        try:
            yield emptying
        finally:
            emptying.cancel()
            await asyncio.wait({emptying})
            await self._empty_at_last()

    async def empty(self) -> None:
        """Have all that waits kept. Raises DatabaseError; what is not kept then waits on."""
        while self._waiting:
            batch = [self._waiting[n] for n in range(min(MOST_AT_ONCE, len(self._waiting)))]
            try:
                await self._keep(batch)
            except HOPELESS:
                await self._keep_one_by_one(batch)
            for letter in batch:
                if self._waiting and self._waiting[0] is letter:  # else it was lost meanwhile
                    self._waiting.popleft()

    async def _keep(self, batch: list[Letter]) -> None:
        waits = any(letter.is_grave for letter in batch)
        async with self._database.as_worker(waits=waits) as connection:
            for letter in batch:
                await keep(connection, letter)

    async def _keep_one_by_one(self, batch: list[Letter]) -> None:
        """Keep those that can be kept; what can't be is told to the log."""
        for letter in batch:
            try:
                await self._keep([letter])
            except HOPELESS as error:
                log.warning("a notice of %s (%s) is lost: %s", letter.notice.kind, letter.key, error)

    async def _empty_for_ever(self) -> None:
        is_away = False
        while True:
            self._came.clear()
            try:
                await self.empty()
            except DatabaseError as error:
                if not is_away:
                    log.warning("%s can't be kept yet: %s", self._those_that_wait, error)
                is_away = True
                await self._time.sleep(PAUSE_S)
            else:
                is_away = False
                await self._came.wait()

    async def _empty_at_last(self) -> None:
        try:
            async with asyncio.timeout(LAST_S):
                await self.empty()
        except (DatabaseError, TimeoutError) as error:
            log.warning(
                "%s can't be kept any more: %s", self._those_that_wait, str(error) or "no answer in time"
            )

    @property
    def _those_that_wait(self) -> str:
        return plural(len(self._waiting), "notice")

    def _lose_one(self) -> None:
        """Make room: the oldest that is only good to know goes, else the oldest."""
        place = next((n for n, one in enumerate(self._waiting) if one.notice.severity is Severity.INFO), 0)
        lost = self._waiting[place]
        del self._waiting[place]
        log.warning("a notice of %s (%s) is lost: too many wait to be kept", lost.notice.kind, lost.key)
