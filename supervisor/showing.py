"""How a process shows itself to others: a row with its tree, and its log lines.

Every second there is a look at whether there is anything new to show; the row is written every few seconds anyway.

That the database is out of reach for a while is no fault of this process: it is told once, and goes on.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import msgspec

from db.agent_logs import LogRow, write_logs
from db.errors import DatabaseError
from db.heartbeats import Heartbeat, beat, forget
from db.pool import Database
from supervisor.children import Service, State, Tree
from supervisor.logbook import Event, Logbook
from supervisor.supervisor import Identity, Supervisor

log = logging.getLogger(__name__)

NAME = "heartbeat"
LOOK_EVERY_S = 1.0
BEAT_EVERY_S = 5.0
MOST_CHILDREN = 200
MOST_LINES = 500
"""Of the log, for each look: what a process says beyond is in its own log alone."""
_ORDER = (State.LEFT_BEHIND, State.FAILED, State.WAITING)
"""What is shown first where not all can be."""


def showing(supervisor: Supervisor, database: Database, logbook: Logbook) -> Service:
    """Give the child that does it. The first to start, so that it is the last to stop."""

    @asynccontextmanager
    async def running() -> AsyncIterator[Awaitable[object]]:
        shown = _Shown(supervisor, database, logbook)
        task = asyncio.ensure_future(shown.keep())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait({task})
            with suppress(DatabaseError):
                await shown.end()

    return Service(name=NAME, group="supervisor", make=running)


class _Shown:
    """What was shown of a process so far."""

    def __init__(self, supervisor: Supervisor, database: Database, logbook: Logbook) -> None:
        self._supervisor, self._database, self._logbook = supervisor, database, logbook
        self._written = 0
        self._beat_s = float("-inf")
        self._steps = 0
        self._is_told = False

    async def keep(self) -> None:
        """Show it again and again."""
        while True:
            try:
                await self._show()
                self._is_told = False
            except DatabaseError as error:
                if not self._is_told:
                    log.warning("this process can't be shown to others for now: %s", error)
                self._is_told = True
            await self._supervisor.time.sleep(LOOK_EVERY_S)

    async def end(self) -> None:
        """Show what is left to show, and take the row away."""
        await self._write_lines()
        async with self._database.as_worker() as connection:
            await forget(connection, self._supervisor.owner)

    async def _show(self) -> None:
        now_s, steps = self._supervisor.time.monotonic_s(), self._supervisor.steps
        if steps != self._steps or now_s - self._beat_s >= BEAT_EVERY_S:
            await self._beat()
            self._steps, self._beat_s = steps, now_s
        await self._write_lines()

    async def _beat(self) -> None:
        tree = shortened(self._supervisor.tree())
        identity = self._supervisor.identity
        async with self._database.as_worker(waits=False) as connection:
            await beat(
                connection,
                Heartbeat(
                    owner=identity.owner,
                    host=identity.host,
                    pid=identity.pid,
                    groups=identity.groups,
                    started_ts=identity.started_ts,
                    beat_ts=0,
                    tree=msgspec.to_builtins(tree),
                ),
            )

    async def _write_lines(self) -> None:
        events, last = self._logbook.since(self._written, most=MOST_LINES)
        if events:
            async with self._database.as_worker(waits=False) as connection:
                await write_logs(connection, [row_of(event, self._supervisor.identity) for event in events])
        self._written = last


def shortened(tree: Tree, most: int = MOST_CHILDREN) -> Tree:
    """Give a tree with at most so many children, those that are in trouble before the others."""
    left_out = len(tree.children) - most
    if left_out <= 0:
        return tree
    children = sorted(tree.children, key=lambda child: child.state not in _ORDER)
    return msgspec.structs.replace(
        tree, children=children[:most], problems=tree.problems[:most], left_out=left_out
    )


def row_of(event: Event, identity: Identity) -> LogRow:
    """Write an event as a line of the program's own log."""
    body = {
        "owner": identity.owner,
        "child": event.child,
        "logger": event.logger,
        "values": event.values,
        "trace": event.trace,
    }
    return LogRow(event.ts, None, None, event.level, event.event, body)


def event_of(number: int, row: LogRow) -> Event:
    """Read a line as the event that it was."""
    return Event(
        number=number,
        ts=row.ts,
        level=row.level,
        child=row.body.get("child"),
        logger=row.body.get("logger", ""),
        event=row.event,
        values=row.body.get("values", {}),
        trace=row.body.get("trace"),
    )
