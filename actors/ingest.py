"""The actor that keeps market data coming in: each source asked on its own timer, none in another's way.

A source that fails is asked again after its usual pause, and twice as long after each further failure, up to a quarter
of an hour; chance shortens each pause by up to half, so that sources that failed of one cause do not come back at one
instant. One that does not answer at all is given up on for this time.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from actors.kernel import Actor, Failed, Message, Outcome, handles
from actors.kernel.exits import in_one_line
from db.errors import DatabaseError
from db.ingest_cursors import let_go, note_failure, take_source
from db.pool import Database
from market.ingesting import Source, SourceLost, keep_pulled

log = logging.getLogger(__name__)

PULL_MS = 120_000
"""How long a source may take to answer, with what it gave kept."""
LONGEST_PAUSE_MS = 15 * 60_000
LEASE_S = 2 * PULL_MS / 1000
"""How long another process waits for one that has a source and says nothing."""


class Due(Message["IngestActor"], frozen=True):
    """It is time to ask a source."""

    source: str


class TooLong(Message["IngestActor"], frozen=True):
    """A source has not answered in its time."""

    source: str


class Pulled(Message["IngestActor"], frozen=True):
    """A source was asked: after how many ms it is to be asked again, or why it could not be."""

    source: str
    outcome: Outcome[int]


class IngestActor(Actor):
    """Reads all `sources`, as the process `owner`. `random` gives numbers in [0, 1)."""

    def __init__(
        self, database: Database, sources: Sequence[Source], owner: str, random: Callable[[], float]
    ) -> None:
        self._database, self._owner, self._random = database, owner, random
        self._sources = {source.name: source for source in sources}
        self._failures = dict.fromkeys(self._sources, 0)
        self._asking: dict[str, asyncio.Task[int]] = {}

    async def started(self) -> None:
        for name in self._sources:
            self.after(0, Due(name), key=name)

    async def stopping(self) -> None:
        """Leave the sources to whoever comes next, at once."""
        try:
            async with self._database.as_worker() as connection:
                await let_go(connection, self._owner)
        except DatabaseError as error:
            log.info("the sources are left when their leases end: %s", error)

    @handles(Due)
    async def due(self, message: Due) -> None:
        """Ask a source. It is not due again before that has ended."""
        name = message.source
        self._asking[name] = self.child(self._pull(self._sources[name]), then=partial(Pulled, name))
        self.after(PULL_MS, TooLong(name), key=("too long", name))

    @handles(TooLong)
    async def too_long(self, message: TooLong) -> None:
        """Give up on a source for this time."""
        self._asking[message.source].cancel()

    @handles(Pulled)
    async def pulled(self, message: Pulled) -> None:
        """Plan when a source is asked again; write down where it could not be."""
        name, outcome = message.source, message.outcome
        self.cancel_timer(("too long", name))
        del self._asking[name]
        if not isinstance(outcome, Failed):
            self._failures[name] = 0
            self.after(outcome.value, Due(name), key=name)
            return
        pause_ms = self._pause_ms(name)
        self._failures[name] += 1
        error = outcome.error
        why = (
            f"it did not answer in {PULL_MS // 1000} s"
            if isinstance(error, asyncio.CancelledError)
            else in_one_line(error)
        )
        log.warning("%s could not be read, and is asked again in %.0f s: %s", name, pause_ms / 1000, why)
        self.after(pause_ms, Due(name), key=name)
        await self._note(name, why)

    async def _pull(self, source: Source) -> int:
        """Ask a source, and keep what it gives; give after how many ms it is to be asked again."""
        async with self._database.as_worker() as connection:
            taken = await take_source(connection, source.name, self._owner, LEASE_S)
        if taken is None:  # another process reads it
            return source.every_ms
        pulled = await source.pull(taken.cursor)
        try:
            async with self._database.as_worker() as connection:
                await keep_pulled(connection, source.name, self._owner, pulled, self.time.now_ms())
        except SourceLost:
            return source.every_ms
        return 0 if pulled.is_more else source.every_ms

    async def _note(self, name: str, why: str) -> None:
        try:
            async with self._database.as_worker() as connection:
                await note_failure(connection, name, self._owner, why)
        except DatabaseError as error:
            log.info("and that could not be written down: %s", error)

    def _pause_ms(self, name: str) -> int:
        longest = max(LONGEST_PAUSE_MS, self._sources[name].every_ms)
        pause_ms = min(self._sources[name].every_ms * 2.0 ** self._failures[name], longest)
        return round(pause_ms * (1 - self._random() / 2))
