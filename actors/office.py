"""What all actors of a process share: the database, what is told to people, and what is written down in batches."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec

from db.agent_logs import LogRow, write_logs
from db.agent_state import StateRow, save_states
from db.errors import DatabaseError
from db.pool import Database
from db.seen_bars import SeenBar, write_seen
from domain.notices import Notices
from domain.time import Clock

MOST_WAITING = 10_000
"""How many log lines, and bars, wait for a database that is out of reach; then the oldest go."""
SLICE = 100
"""How many are written in one go. Between two, the ticks of thousands of deployments have their turn."""


class Records:
    """Where each deployment stands, and its log: shown and not relied on, and written all together now and then."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._turn = asyncio.Lock()
        self._states: dict[UUID, Callable[[], StateRow]] = {}
        self._logs: list[LogRow] = []
        self._seen: list[SeenBar] = []

    def state(self, deployment_id: UUID, state: Callable[[], StateRow]) -> None:
        """A deployment stands somewhere else now: `state` gives where, when it is written down."""
        self._states[deployment_id] = state

    def seen(self, bar: SeenBar) -> None:
        """A bar that a deployment saw, which nobody could look up later."""
        self._seen.append(bar)
        del self._seen[:-MOST_WAITING]

    def log(
        self, user_id: UUID, deployment_id: UUID, level: str, event: str, body: Mapping[str, Any]
    ) -> None:
        """A line of a deployment's log."""
        self._logs.append(LogRow(self._clock.now_ms(), deployment_id, user_id, level, event, dict(body)))
        del self._logs[:-MOST_WAITING]

    async def flush(self) -> None:
        """Write what waits, after whoever writes already. What a database out of reach does not take waits on."""
        async with self._turn:
            await self._write()

    async def _write(self) -> None:
        states, self._states = self._states, {}
        logs, self._logs = self._logs, []
        seen, self._seen = self._seen, []
        try:
            while states or logs or seen:
                some = list(islice(states, SLICE))
                async with self._database.as_worker() as connection:
                    await save_states(connection, [states[one]() for one in some])
                    await write_logs(connection, logs[:SLICE])
                    await write_seen(connection, seen[:SLICE])
                for one in some:
                    del states[one]
                del logs[:SLICE], seen[:SLICE]
        except DatabaseError:
            self._states = {**states, **self._states}
            self._logs = [*logs, *self._logs][-MOST_WAITING:]
            self._seen = [*seen, *self._seen][-MOST_WAITING:]
            raise


class Office(msgspec.Struct, frozen=True):
    """One for a process."""

    database: Database
    clock: Clock
    owner: str
    notices: Notices
    records: Records
