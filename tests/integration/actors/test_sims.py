"""The actor of the queue: so many workers at once, none that is forgotten, and none that outlives its run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from actors.kernel import ManualTime, Ref, Spec, System
from actors.sims import KILLED_AFTER_S, LOOK_EVERY_MS, STOP_S, Look, SimActor
from db.connection import Connection
from db.pool import Database
from db.runs import Chunk, cancel_run, create_run, finish_run, load_run, save_chunk
from tests.integration.db.samples import make_version

PATIENCE_S = 60.0


class PretendedWorker:
    """A worker that does what the test has it do."""

    def __init__(self, run_id: UUID, name: str, heeds: bool = True) -> None:
        self.run_id, self.name = run_id, name
        self.is_told = False
        self.heeds = heeds
        self.end: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    async def wait(self) -> str | None:
        return await asyncio.shield(self.end)

    def tell(self) -> None:
        self.is_told = True
        if self.heeds:
            self.ends(None)

    def kill(self) -> None:
        self.ends("was killed by signal 9")

    def ends(self, how: str | None) -> None:
        if not self.end.done():
            self.end.set_result(how)


class Workshop:
    """An actor with its queue, in a time that the test moves."""

    def __init__(self, database: Database, owner: UUID, workers: int) -> None:
        self.database, self.owner = database, owner
        self.time = ManualTime(1_000_000)
        self.system = System(self.time)
        self.started: list[PretendedWorker] = []
        self.heed = True
        self.can_start, self.tried = True, 0
        self.ref: Ref[SimActor] = self.system.spawn(
            Spec("sims", lambda: SimActor(database, workers, self.launch), stop_s=STOP_S)
        )

    async def launch(self, run_id: UUID, name: str) -> PretendedWorker:
        self.tried += 1
        if not self.can_start:
            raise OSError(12, "Cannot allocate memory")
        worker = PretendedWorker(run_id, name, self.heed)
        self.started.append(worker)
        return worker

    async def ask(self, user_id: UUID | None = None) -> UUID:
        """Leave a run to the workers, and say so."""
        user_id = user_id or self.owner
        async with self.database.as_user(user_id) as connection:
            version = await make_version(connection, user_id)
            run_id = await create_run(connection, user_id, version.id, {}, queued=True)
        self.ref.tell(Look())
        return run_id

    async def look(self, seconds: float = LOOK_EVERY_MS / 1000) -> None:
        """Let time pass, and the actor look at its queue at the end of it."""
        await self.time.advance(round(seconds * 1000))
        self.ref.tell(Look())
        await self.at_rest()

    async def at_rest(self) -> None:
        """Wait until the actor has done all that there was to do."""
        async with asyncio.timeout(PATIENCE_S):
            await self.system.quiet()

    async def without_a_worker(self) -> None:
        """Wait until the actor has no worker, nor any run that needs one."""
        async with asyncio.timeout(PATIENCE_S):
            await self.system.quiet()
            while self.system.stats()[0].children:
                await asyncio.sleep(0)
            await self.system.quiet()

    async def until(self, count: int) -> None:
        """Wait until so many workers were started in all."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.started) < count:
                await asyncio.sleep(0)
        await self.at_rest()

    async def status(self, run_id: UUID) -> str:
        async with self.database.as_worker() as connection:
            row = await load_run(connection, run_id)
        assert row
        return row.status

    async def finish(self, worker: PretendedWorker) -> None:
        """Let a worker bring its run to its end."""
        async with self.database.as_worker() as connection:
            await finish_run(
                connection, worker.run_id, worker.name, manifest={}, metrics={}, digests={}, baselines={}
            )
        worker.ends(None)


@asynccontextmanager
async def workshop(database: Database, owner: UUID, workers: int = 2) -> AsyncIterator[Workshop]:
    """An actor that is stopped at the end."""
    shop = Workshop(database, owner, workers)
    try:
        yield shop
    finally:
        for worker in shop.started:
            worker.heeds = True
        await shop.system.stop_all()


async def test_so_many_runs_are_carried_out_at_once(database: Database, owner: UUID) -> None:
    """The next is begun when one is over, without waiting for the next look."""
    async with workshop(database, owner) as shop:
        runs = [await shop.ask() for _ in range(3)]
        await shop.until(2)
        assert [worker.run_id for worker in shop.started] == runs[:2]
        await shop.finish(shop.started[1])
        await shop.until(3)
        assert shop.started[2].run_id == runs[2]
        assert [await shop.status(run_id) for run_id in runs] == ["running", "done", "running"]


async def test_runs_that_nobody_told_of_are_found(database: Database, owner: UUID) -> None:
    """A notification only wakes: the queue is looked at anyhow."""
    async with workshop(database, owner) as shop:
        await shop.at_rest()
        async with database.as_user(owner) as connection:
            version = await make_version(connection, owner)
            await create_run(connection, owner, version.id, {}, queued=True)
        await shop.time.advance(LOOK_EVERY_MS)
        await shop.until(1)


async def test_a_run_whose_worker_died_goes_on_with_another(database: Database, owner: UUID) -> None:
    """At once, and under another name."""
    async with workshop(database, owner) as shop:
        run_id = await shop.ask()
        await shop.until(1)
        shop.started[0].ends("was killed by signal 9")
        await shop.until(2)
        first, second = shop.started
        assert (first.run_id, second.run_id, first.name == second.name) == (run_id, run_id, False)


async def test_a_run_that_kills_its_workers_is_given_up_with_a_line(database: Database, owner: UUID) -> None:
    """And the runs behind it have their turn."""
    async with workshop(database, owner, workers=1) as shop:
        doomed, healthy = await shop.ask(), await shop.ask()
        for number in range(3):
            await shop.until(number + 1)
            assert shop.started[number].run_id == doomed
            shop.started[number].ends("was killed by signal 11")
        await shop.until(4)
        assert shop.started[3].run_id == healthy
        async with database.as_worker() as connection:
            row = await load_run(connection, doomed)
        assert row
        assert (row.status, row.error) == (
            "failed",
            "3 workers in a row ended without getting it any further; the last one was killed by signal 11",
        )


async def test_a_cancelled_runs_worker_is_killed_if_it_does_not_end(database: Database, owner: UUID) -> None:
    """It is given a while to find out by itself."""
    async with workshop(database, owner) as shop:
        run_id = await shop.ask()
        await shop.until(1)
        async with database.as_user(owner) as connection:
            await cancel_run(connection, run_id)
        await shop.look()
        await shop.look(KILLED_AFTER_S - 1)
        assert not shop.started[0].end.done()
        await shop.look(1)
        assert shop.started[0].end.result() == "was killed by signal 9"
        assert await shop.status(run_id) == "cancelled"


async def test_a_worker_that_is_not_heard_of_loses_its_run(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Another goes on with it, and the silent one is killed, also where both have the same run."""
    async with workshop(database, owner) as shop:
        run_id = await shop.ask()
        await shop.until(1)
        await admin.execute("update sim_runs set heartbeat = now() - interval '1 minute'")
        await shop.look()
        await shop.until(2)
        assert shop.started[1].run_id == run_id
        await shop.look(KILLED_AFTER_S)
        silent, other = shop.started
        assert (silent.end.done(), other.end.done()) == (True, False)
        assert await shop.status(run_id) == "running"


@pytest.mark.parametrize("looks", [1, 3])
async def test_a_worker_that_works_is_left_alone(database: Database, owner: UUID, looks: int) -> None:
    """However long it takes, as long as it is heard of."""
    async with workshop(database, owner) as shop:
        await shop.ask()
        await shop.until(1)
        for number in range(looks):
            async with database.as_worker() as connection:
                worker = shop.started[0]
                await save_chunk(connection, worker.run_id, worker.name, Chunk(0.1 * number))
            await shop.look(3600)
        assert len(shop.started) == 1
        assert not shop.started[0].end.done()


async def test_when_it_stops_its_workers_put_their_runs_back(database: Database, owner: UUID) -> None:
    """They are told, and waited for; nothing of it is held against the runs."""
    async with workshop(database, owner) as shop:
        runs = [await shop.ask() for _ in range(2)]
        await shop.until(2)
        await shop.system.stop(shop.ref)
        assert [worker.is_told for worker in shop.started] == [True, True]
        assert [await shop.status(run_id) for run_id in runs] == ["queued", "queued"]
        async with database.as_worker() as connection:
            assert await connection.fetchval("select max(attempts) from sim_runs") == 0


async def test_a_worker_that_does_not_heed_is_killed_at_the_stop(database: Database, owner: UUID) -> None:
    """The program ends in its time all the same."""
    async with workshop(database, owner) as shop:
        shop.heed = False
        await shop.ask()
        await shop.until(1)
        stopping = asyncio.create_task(shop.system.stop(shop.ref))
        await shop.time.advance(round(STOP_S * 1000) + 1)
        await asyncio.wait_for(stopping, PATIENCE_S)
        assert shop.started[0].end.result() == "was killed by signal 9"


async def test_where_no_worker_can_be_started_it_is_tried_again_later(
    database: Database, owner: UUID
) -> None:
    """Not in a tight circle; and once one can be, the run goes on."""
    async with workshop(database, owner) as shop:
        await shop.at_rest()
        shop.can_start = False
        run_id = await shop.ask()
        for tried in (1, 2, 3, 4, 5):
            await shop.without_a_worker()
            assert (shop.tried, await shop.status(run_id)) == (tried, "queued")
            shop.ref.tell(Look())
        shop.can_start = True
        await shop.look()
        await shop.until(1)


async def test_it_outlives_its_database(
    database: Database, admin: Connection, owner: UUID, database_url: str
) -> None:
    """What can't be looked at now is looked at later; it has not crashed."""
    async with workshop(database, owner) as shop:
        await shop.at_rest()
        await admin.execute("alter table sim_runs rename to gone")
        await shop.look()
        await admin.execute("alter table gone rename to sim_runs")
        await shop.ask()
        await shop.until(1)
        (stats,) = shop.system.stats()
        assert (stats.counts.starts, stats.counts.crashes) == (1, 0)
