"""The actor that has queued simulation runs carried out: each in a worker process of its own, so many at once.

What happens to a run is in its row, which the worker writes; this actor only sees to it that there are workers. It
takes the run whose turn it is, starts a worker for it, and gives the run back when the worker ended too early, so that
the next one goes on from the run's last stretch. A worker whose run was cancelled ends by itself within a moment; one
that does not is killed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar, Protocol
from uuid import UUID

import msgspec

from actors.kernel import Actor, Failed, Message, Outcome, WhenFull, handles
from db.errors import DatabaseError
from db.pool import Database
from db.queue import give_back, give_back_silent, lost, take_next
from domain.ids import uuid7

log = logging.getLogger(__name__)

LOOK_EVERY_MS = 2_000
"""How often the queue is looked at, whether or not anybody said that there is something."""
KILLED_AFTER_S = 10.0
"""What a worker whose run is not its own any more is given to end in."""
STOP_S = 12.0
"""What an actor of this kind is to be given to stop in: all workers save their runs meanwhile."""


class Worker(Protocol):
    """A run that is being carried out, in a process of its own."""

    async def wait(self) -> str | None:
        """Wait for its end. Gives what became of it, such as "was killed by signal 9"; None: it ended in order."""

    def tell(self) -> None:
        """Ask it to save its run, put it back, and end. Does nothing once it has ended."""

    def kill(self) -> None:
        """End it now, with all it started. Does nothing once it has ended."""


Launch = Callable[[UUID, str], Awaitable[Worker]]
"""Starts a worker for a run, under the name by which the run was taken. Raises OSError when it can't be started."""


class Job(msgspec.Struct):
    """A run in the hands of a worker."""

    run_id: UUID
    worker: str
    process: Worker | None = None  # None while it is being started
    is_told: bool = False  # to stop
    lost_s: float | None = None  # when it was found that the run is not this worker's any more


class Look(Message["SimActor"], frozen=True):
    """There may be something to do."""

    when_full: ClassVar[WhenFull] = WhenFull.KEEP_NEWEST


class Over(Message["SimActor"], frozen=True):
    """A worker has ended, and its run is seen to."""

    worker: str
    outcome: Outcome[bool]  # whether it had a worker at all


class SimActor(Actor):
    """Keeps up to `workers` runs of the queue going."""

    def __init__(self, database: Database, workers: int, launch: Launch) -> None:
        self._database, self._workers, self._launch = database, workers, launch
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[bool]] = {}

    async def started(self) -> None:
        self.every(LOOK_EVERY_MS, Look())
        self.me.tell(Look())

    async def stopping(self) -> None:
        """Have all workers save their runs and put them back; the next start goes on with them."""
        for job in self._jobs.values():
            job.is_told = True
            if job.process is not None:
                job.process.tell()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    @handles(Look)
    async def look(self, message: Look) -> None:
        """End what is to be ended, and begin what can be begun."""
        try:
            await self._end_the_lost()
            await self._begin()
        except DatabaseError as error:
            log.warning("the queue of runs can't be looked at: %s", error)  # and is again in a moment

    @handles(Over)
    async def over(self, message: Over) -> None:
        """Begin the next run in the place of one that has ended."""
        del self._jobs[message.worker], self._tasks[message.worker]
        if isinstance(message.outcome, Failed):
            log.warning("a sim worker's run can't be seen to: %s", message.outcome.error)
        elif message.outcome.value:  # else this machine is in trouble, and the next look is soon enough
            self.me.tell(Look())

    async def _end_the_lost(self) -> None:
        """Kill workers that were given long enough to find out that their run is not theirs any more."""
        async with self._database.as_worker() as connection:
            await give_back_silent(connection)
            gone = await lost(connection, {name: job.run_id for name, job in self._jobs.items()})
        now_s = self.time.monotonic_s()
        for job in map(self._jobs.__getitem__, gone):
            job.lost_s = now_s if job.lost_s is None else job.lost_s
            if now_s - job.lost_s >= KILLED_AFTER_S and job.process is not None:
                log.warning("the worker of run %s does not end and is killed", job.run_id)
                job.process.kill()

    async def _begin(self) -> None:
        """Start workers for the runs whose turn it is, as many as there is room for."""
        while len(self._jobs) < self._workers:
            name = str(uuid7())
            async with self._database.as_worker() as connection:
                row = await take_next(connection, name)
            if row is None:
                return
            job = self._jobs[name] = Job(row.id, name)
            self._tasks[name] = self.child(self._carry_out(job), then=partial(Over, name))

    async def _carry_out(self, job: Job) -> bool:
        """Have a worker carry a run out, and give the run back when it is not over then.

        False where no worker could be started, for which the run is not to blame.
        """
        try:
            job.process = await self._launch(job.run_id, job.worker)
        except OSError as error:
            log.warning("no worker can be started for run %s: %s", job.run_id, error.strerror)
            await self._give_back(job, None)
            return False
        if job.is_told:  # while it was being started
            job.process.tell()
        try:
            ended = await job.process.wait()
        finally:
            job.process.kill()  # where nobody waits for it any more
        status = await self._give_back(job, None if job.is_told else ended)
        if ended is not None and status is not None:
            log.warning("the worker of run %s %s; the run is %s", job.run_id, ended, status)
        return True

    async def _give_back(self, job: Job, why: str | None) -> str | None:
        async with self._database.as_worker() as connection:
            return await give_back(connection, job.run_id, job.worker, why)
