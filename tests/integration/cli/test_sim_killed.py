"""Workers that are killed wherever it hurts: their runs go on by themselves, and end in the same bytes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from actors.kernel import Ref, Spec, System, WallTime
from actors.sims import STOP_S, Look, SimActor
from cli.sim_process import Process, launch
from control import queue, runs, skills
from control.runs import RunRequest
from db.connection import Connection
from db.pool import Database
from domain.caps import LOOSEST
from simulator.run import execute
from tests.integration.cli.test_thinking_process import KEY, Doom
from tests.integration.cli.workers import (
    PATIENCE_S,
    POINTS,
    close,
    hang_up,
    make_market,
    open_again,
    queue_runs,
    row_of,
    set_gates,
    until_held_at,
    until_it_is,
)
from tests.integration.simulator.samples import carry_out, keep_market
from tests.integration.simulator.thinking import PERIOD, SKILL, Biller, ask
from tests.standins.messages_api import stand_in
from tests.standins.provider import provider

COUNTS = """
select array[(select count(*) from journal_entries where account_id = $1),
  (select count(*) from fills where account_id = $1), (select count(*) from orders where account_id = $1),
  (select count(*) from decision_snapshots where account_id = $1), (select count(*) from sim_series where run_id = $1)]
"""


class Sims:
    """The actor of the queue, and the processes that it started."""

    def __init__(self, database: Database, workers: int) -> None:
        self.started: list[Process] = []
        self.system = System(WallTime())
        self.ref: Ref[SimActor] = self.system.spawn(
            Spec("sims", lambda: SimActor(database, workers, self._launch), stop_s=STOP_S)
        )

    async def _launch(self, run_id: UUID, worker: str) -> Process:
        self.started.append(await launch(run_id, worker))
        return self.started[-1]

    async def kill_the_last(self, admin: Connection) -> None:
        """Kill a worker that is held somewhere."""
        self.started[-1].kill()
        await hang_up(admin)


@pytest.fixture
async def sims(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Sims]:
    """One worker at a time, in processes of their own."""
    monkeypatch.setenv("AGENTIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    sims = Sims(database, workers=1)
    yield sims
    async with asyncio.timeout(PATIENCE_S):
        await sims.system.stop_all()


def schedule(seed: int) -> list[str]:
    """Where one worker after the other is killed: at each point never, once or twice."""
    dice = Random(seed)
    return [point for point in POINTS for _ in range(dice.randrange(3))]


@pytest.mark.parametrize("seed", [3, 5, 6])
async def test_a_run_whose_workers_are_killed_ends_in_the_same_digests(
    database: Database, admin: Connection, owner: UUID, sims: Sims, seed: int
) -> None:
    """Whatever the seed has them killed at; each row is there once, and nobody had to do anything."""
    await make_market(database)
    await set_gates(admin)
    killed_at = schedule(seed)
    for point in killed_at[:1]:
        await close(admin, point)
    (run_id,) = await queue_runs(database, owner)
    sims.ref.tell(Look())
    for number, point in enumerate(killed_at):
        await until_held_at(admin, point)
        for following in killed_at[number + 1 : number + 2]:
            if following != point:
                await close(admin, following)
        await sims.kill_the_last(admin)
        if point not in killed_at[number + 1 :]:
            await open_again(admin, point)
    await until_it_is(admin, run_id, "done", "failed")

    (other,) = await queue_runs(database, owner)
    whole = await carry_out(database, other)
    row = await row_of(database, run_id)
    assert (row.error, row.digests) == (None, whole.digests)
    assert len(sims.started) == len(killed_at) + 1
    counts = [await admin.fetchval(COUNTS, each) for each in (run_id, other)]
    assert counts[0] == counts[1]
    assert min(counts[0]) > 0


async def test_a_run_that_always_kills_its_worker_is_given_up(
    database: Database, admin: Connection, owner: UUID, sims: Sims
) -> None:
    """After three, with a line that says how the last one ended; what was saved stays, to be looked at or resumed."""
    await make_market(database)
    await set_gates(admin)
    await close(admin, "the second stretch")
    (run_id,) = await queue_runs(database, owner)
    sims.ref.tell(Look())
    for _ in range(4):  # the first gets as far as its first stretch
        await until_held_at(admin, "the second stretch")
        await sims.kill_the_last(admin)
    await until_it_is(admin, run_id, "failed")

    row = await row_of(database, run_id)
    assert row.error == (
        "3 workers in a row ended without getting it any further; the last one was killed by signal 9"
    )
    assert 0 < row.progress < 1
    await open_again(admin, "the second stretch")
    assert (await carry_out(database, run_id)).digests["ledger"]


async def until_started(sims: Sims, count: int) -> None:
    """Wait until so many workers were started in all."""
    async with asyncio.timeout(PATIENCE_S):
        while len(sims.started) < count:
            await asyncio.sleep(0.01)


async def test_a_cancelled_run_ends_its_worker(
    database: Database, admin: Connection, owner: UUID, sims: Sims
) -> None:
    """By itself, when it next saves; the next run has its turn then."""
    await make_market(database)
    await set_gates(admin)
    await close(admin, "the second stretch")
    doomed, *_ = await queue_runs(database, owner), await queue_runs(database, owner)
    sims.ref.tell(Look())
    await until_held_at(admin, "the second stretch")
    await admin.execute("update sim_runs set status = 'cancelled' where id = $1", doomed[0])
    await open_again(admin, "the second stretch")
    await until_started(sims, 2)
    assert await sims.started[0].wait() is None
    row = await row_of(database, doomed[0])
    assert (row.status, row.error) == ("cancelled", None)


async def queue_thought(database: Database, owner: UUID, url: str) -> UUID:
    """Leave a run that a model at this address decides to the workers."""
    saved = await skills.save(database, owner, SKILL)
    version = await skills.find(database, owner, f"{saved.name}@{saved.version}")
    specs = await runs.specs_of(database, owner, version, RunRequest(**PERIOD), LOOSEST, provider(url))
    (run_id,) = await queue.enqueue(database, owner, version, specs)
    return run_id


async def test_a_model_is_asked_nothing_again_that_it_answered(
    database: Database,
    admin: Connection,
    owner: UUID,
    sims: Sims,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two workers are killed while a call is on its way: only that call is made again, and the end is the same."""
    await keep_market(database)
    biller, in_hand = Biller(), list[str]()
    doom = Doom(biller)

    def kill() -> None:
        sims.started[-1].kill()
        in_hand.append(biller.keys[-1])
        if len(in_hand) == 1:
            doom.at(9, kill)

    async with stand_in(doom, piece_bytes=200) as api:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", api.url)
        doom.at(4, kill)
        run_id = await queue_thought(database, owner, api.url)
        sims.ref.tell(Look())
        await until_it_is(admin, run_id, "done", "failed")
        asked = Counter(biller.keys)
        (other,) = await ask(database, owner, provider(api.url), mode="live")
        whole = await execute(database, other, "nobody kills it", provider(api.url))

    row = await row_of(database, run_id)
    assert (row.error, len(in_hand), len(sims.started)) == (None, 2, 3)
    assert asked - Counter(set(asked)) == Counter(in_hand)
    assert row.digests == whole.digests
    assert row.digests["ledger"]
