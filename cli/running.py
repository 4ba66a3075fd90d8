"""The processes that are up: those of this home by their sockets, others by what they last showed of themselves.

The embedded database is reached from its own home alone, so there sockets say all. With a `DATABASE_URL`, the processes
that share the database are looked up in it, too.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import msgspec

from cli.output import say
from config.settings import Settings
from supervisor.children import ChildView, Tree
from supervisor.client import Connection, Unreachable
from supervisor.run_folder import pid_at, run_folder, sockets

if TYPE_CHECKING:
    from db.pool import Database

NOTHING_RUNS = "nothing runs here; start it with `agentic up`"


class Here(msgspec.Struct, frozen=True):
    """A process of this home that answers."""

    connection: Connection
    tree: Tree


class Running(msgspec.Struct, frozen=True):
    """What is up in this home. `silent` has a line for each process that is there and does not answer."""

    here: list[Here]
    silent: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is up."""
        return not self.here and not self.silent


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process as it is shown. `seen_ts` is when it said so: now, where it `is_here`."""

    owner: str
    host: str
    pid: int
    groups: list[str]
    started_ts: int
    seen_ts: int
    is_here: bool
    is_draining: bool
    problems: list[str]
    left_behind: int
    left_out: int
    children: list[ChildView]


@contextmanager
def running_here(settings: Settings) -> Iterator[Running]:
    """Connect to all processes of this home."""
    running = Running([], [])
    try:
        for path in sockets(run_folder(settings.home)):
            try:
                connection = Connection(path)
            except Unreachable:
                continue  # a killed one left it
            try:
                running.here.append(Here(connection, connection.ask("tree", Tree)))
            except Unreachable:
                connection.close()
                pid = pid_at(path)
                running.silent.append(f"process {pid} is up and does not answer; `kill -9 {pid}` ends it")
        yield running
    finally:
        for here in running.here:
            here.connection.close()


@asynccontextmanager
async def shared_database(settings: Settings) -> AsyncIterator["Database | None"]:
    """Open the database that others may share; None where there is none, or it can't be had, which is said."""
    if settings.database_url is None:
        yield None
        return
    from db.boot import prepare
    from db.errors import DatabaseError

    try:
        prepared = await prepare(settings.home, settings.database_url.get_secret_value())
    except DatabaseError as error:
        say(f"processes elsewhere can't be seen: {error}")
        yield None
        return
    try:
        yield prepared.database
    finally:
        await prepared.close()


async def trees_elsewhere(database: "Database | None", here: Sequence[Here]) -> list[Process]:
    """Look up the processes that showed themselves lately and are none of this home's."""
    if database is None:
        return []
    from db.heartbeats import live_heartbeats

    owners = {one.tree.owner for one in here}
    async with database.as_worker() as connection:
        beats = await live_heartbeats(connection)
    return [
        process(msgspec.convert(beat.tree, Tree), seen_ts=beat.beat_ts, is_here=False)
        for beat in beats
        if beat.owner not in owners
    ]


def all_that_is_up(settings: Settings) -> list[Process]:
    """Look at every process, here and elsewhere. One that does not answer is said."""

    async def elsewhere(here: Sequence[Here]) -> list[Process]:
        async with shared_database(settings) as database:
            return await trees_elsewhere(database, here)

    with running_here(settings) as running:
        for line in running.silent:
            say(line)
        found = [process(one.tree, seen_ts=one.tree.now_ts, is_here=True) for one in running.here]
        return found + (asyncio.run(elsewhere(running.here)) if settings.database_url else [])


def process(tree: Tree, *, seen_ts: int, is_here: bool) -> Process:
    """Make what is shown of a process out of its tree."""
    return Process(
        owner=tree.owner,
        host=tree.host,
        pid=tree.pid,
        groups=tree.groups,
        started_ts=tree.started_ts,
        seen_ts=seen_ts,
        is_here=is_here,
        is_draining=tree.is_draining,
        problems=tree.problems,
        left_behind=tree.left_behind,
        left_out=tree.left_out,
        children=tree.children,
    )
