"""Runs that are left to the workers of `agentic up`: put into the queue, and followed until they are over."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from control.errors import Invalid, NotFound
from control.runs import keep, load
from db import queue as store
from db.heartbeats import live_heartbeats
from db.pool import Database
from db.runs import RunRow, load_run
from db.skills import VersionRow
from simulator.spec import RunSpec

MOST_WAITING = 10_000
"""How many runs of one person may wait at once."""

GROUP = "sim"
LOOK_EVERY_S = 0.5
UNDER_WAY = ("queued", "running")


async def enqueue(
    database: Database, user_id: UUID, version: VersionRow, specs: Sequence[RunSpec]
) -> list[UUID]:
    """Leave runs, as `runs.specs_of` gave them, to the workers. Raises Invalid when too many of theirs wait already."""
    async with database.as_user(user_id) as connection:
        waiting = await store.waiting(connection)
    if waiting + len(specs) > MOST_WAITING:
        raise Invalid(
            f"{waiting:,} of your runs wait already, and at most {MOST_WAITING:,} may; cancel some, or wait for them"
        )
    return await keep(database, user_id, version, specs, queued=True)


async def hand_over(database: Database, user_id: UUID, run_id: UUID) -> None:
    """Leave a run that was stopped to the workers; it goes on from where it was. Raises Invalid when it can't."""
    row = await load(database, user_id, run_id)
    async with database.as_worker() as connection:
        done = await store.queue_again(connection, user_id, run_id)
    if not done:
        raise Invalid(f"run {run_id} can't be put into the queue: it is {where_it_is(row)}")


async def has_workers(database: Database) -> bool:
    """Whether a process with sim workers is up, here or elsewhere."""
    async with database.as_worker() as connection:
        return any(GROUP in process.groups for process in await live_heartbeats(connection))


async def follow(
    database: Database, user_id: UUID, run_ids: Sequence[UUID], progress: Callable[[float], None]
) -> list[RunRow]:
    """Wait until runs are over, whoever carries them out, and give them. `progress` is told how far they are, 0 to 1.

    Raises NotFound for one that is not there (any more), Invalid for one that nobody is going to carry out.
    """
    while True:
        async with database.as_user(user_id) as connection:
            rows = [_there(await load_run(connection, run_id), run_id) for run_id in run_ids]
        for row in rows:
            if row.status == "queued" and row.queued_ts is None:
                raise Invalid(f"run {row.id} is left to nobody; `agentic sim resume {row.id}` carries it out")
        progress(sum(_share(row) for row in rows) / len(rows))
        if all(row.status not in UNDER_WAY for row in rows):
            return rows
        await asyncio.sleep(LOOK_EVERY_S)


def where_it_is(row: RunRow) -> str:
    """A run's status in words that say who has it."""
    return "in the queue" if row.status == "queued" and row.queued_ts is not None else row.status


def _share(row: RunRow) -> float:
    """How much of a run is behind it; all of it once it is over, however it ended."""
    return row.progress if row.status in UNDER_WAY else 1.0


def _there(row: RunRow | None, run_id: UUID) -> RunRow:
    if row is None:
        raise NotFound(f"there is no run {run_id}; see `agentic sim list`")
    return row
