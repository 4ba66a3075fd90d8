"""The queue of runs: people take turns, nobody takes what another has, and a run that kills its workers is given up."""

import asyncio
from contextlib import suppress
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.connection import Connection
from db.pool import Database
from db.queue import (
    CHANNEL,
    MOST_ATTEMPTS,
    give_back,
    give_back_silent,
    lost,
    queue_again,
    take_next,
    waiting,
    wake_workers,
)
from db.runs import Chunk, RunLost, RunRow, cancel_run, claim_run, create_run, load_run, save_chunk, stop_run
from tests.integration.db.samples import make_version

GAVE_UP = "3 workers in a row ended without getting it any further; the last one was killed by signal 9"


async def put_in(database: Database, user_id: UUID, *, queued: bool = True) -> UUID:
    """Ask for a run, as its person."""
    async with database.as_user(user_id) as connection:
        version = await make_version(connection, user_id)
        return await create_run(connection, user_id, version.id, {}, queued=queued)


async def take(database: Database, worker: str = "w") -> RunRow | None:
    async with database.as_worker() as connection:
        return await take_next(connection, worker)


async def back(
    database: Database, run_id: UUID, why: str | None = "was killed by signal 9", worker: str = "w"
) -> str | None:
    async with database.as_worker() as connection:
        return await give_back(connection, run_id, worker, why)


async def advance(database: Database, run_id: UUID, progress: float, worker: str = "w") -> None:
    async with database.as_worker() as connection:
        await save_chunk(connection, run_id, worker, Chunk(progress))


async def row_of(database: Database, run_id: UUID) -> RunRow:
    async with database.as_worker() as connection:
        row = await load_run(connection, run_id)
    assert row
    return row


async def test_the_run_that_waited_longest_is_taken_first(database: Database, owner: UUID) -> None:
    """Also of those that were asked for in one transaction, in which time stands still."""
    async with database.as_user(owner) as connection:
        version = await make_version(connection, owner)
        asked = [await create_run(connection, owner, version.id, {}, queued=True) for _ in range(3)]
    asked.append(await put_in(database, owner))
    taken = [await take(database) for _ in range(5)]
    assert [row and row.id for row in taken] == [*asked, None]


async def test_a_run_that_its_person_carries_out_is_left_to_them(database: Database, owner: UUID) -> None:
    """It is not in the queue, though it says queued until it is begun."""
    await put_in(database, owner, queued=False)
    assert await take(database) is None


async def test_five_workers_at_once_get_three_runs(database: Database, owner: UUID) -> None:
    """One each, and two get none."""
    asked = {await put_in(database, owner) for _ in range(3)}
    taken = await asyncio.gather(*(take(database, f"w{n}") for n in range(5)))
    assert {row.id for row in taken if row} == asked
    assert len({row.worker for row in taken if row}) == 3


async def test_a_run_that_is_being_taken_is_stepped_over(database: Database, owner: UUID) -> None:
    """Nobody waits for another's transaction."""
    first, second = [await put_in(database, owner) for _ in range(2)]
    async with database.as_worker() as connection:
        held = await take_next(connection, "w1")
        other = await take(database, "w2")
    assert (held and held.id, other and other.id) == (first, second)


async def test_one_persons_many_runs_do_not_hold_up_anothers_one(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Who was served longest ago is next, whoever came first."""
    many = [await put_in(database, owner) for _ in range(4)]
    one = await put_in(database, other_user)
    late = await put_in(database, other_user)
    taken = [await take(database) for _ in range(6)]
    assert [row and row.id for row in taken] == [many[0], one, many[1], late, many[2], many[3]]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_people_take_turns(
    database: Database, owner: UUID, other_user: UUID, seed: int
) -> None:
    """Asked, taken, given back, cancelled at random: next is the oldest run of whoever was served longest ago."""
    dice, clock = Random(seed), iter(range(10_000))
    queue: dict[UUID, list[UUID]] = {owner: [], other_user: []}
    asked, served = {}, {owner: -1, other_user: -1}
    held: dict[UUID, UUID] = {}
    for _ in range(60):
        match dice.choice(("ask", "ask", "take", "take", "give back", "cancel")):
            case "ask":
                user_id = dice.choice((owner, owner, other_user))
                run_id = await put_in(database, user_id)
                asked[run_id] = next(clock)
                queue[user_id].append(run_id)
            case "take":
                row = await take(database)
                those = [user_id for user_id, runs in queue.items() if runs]
                if not those:
                    assert row is None
                    continue
                user_id = min(those, key=lambda each: (served[each], min(asked[run] for run in queue[each])))
                expected = min(queue[user_id], key=lambda run: asked[run])
                assert row
                assert row.id == expected
                queue[user_id].remove(expected)
                served[user_id] = next(clock)
                held[expected] = user_id
            case "give back" if held:
                run_id = dice.choice(sorted(held))
                assert await back(database, run_id, None) == "queued"
                queue[held.pop(run_id)].append(run_id)
            case "cancel" if queue[owner]:
                run_id = queue[owner].pop(dice.randrange(len(queue[owner])))
                async with database.as_user(owner) as connection:
                    await cancel_run(connection, run_id)


async def test_a_run_whose_worker_died_goes_back_and_on(database: Database, owner: UUID) -> None:
    """It keeps its place and its progress, and the dead worker's last words are refused."""
    first, _ = [await put_in(database, owner) for _ in range(2)]
    await take(database)
    await advance(database, first, 0.25)
    assert await back(database, first) == "queued"
    with pytest.raises(RunLost, match="it is queued"):
        await advance(database, first, 0.5)
    again = await take(database, "w2")
    assert again
    assert (again.id, again.progress, again.error, again.finished_ts) == (first, 0.25, None, None)


async def test_a_run_that_kills_its_workers_is_given_up(database: Database, owner: UUID) -> None:
    """After three in a row that came no further; each bit of progress starts the count anew."""
    run_id = await put_in(database, owner)
    for attempt in range(2 * MOST_ATTEMPTS):
        assert await take(database)
        await advance(database, run_id, 0.1 * attempt)
        assert await back(database, run_id) == "queued"
    for _ in range(MOST_ATTEMPTS - 1):
        assert await take(database)
        assert await back(database, run_id) == "queued"
    assert await take(database)
    assert await back(database, run_id) == "failed"

    row = await row_of(database, run_id)
    assert (row.status, row.error, row.finished_ts is None) == ("failed", GAVE_UP, False)
    assert await take(database) is None


async def test_workers_that_end_in_order_are_not_counted(database: Database, owner: UUID) -> None:
    """However often the program is stopped while a run begins, nothing is wrong with the run."""
    run_id = await put_in(database, owner)
    for _ in range(MOST_ATTEMPTS):
        assert await take(database)
        await back(database, run_id)
        assert await take(database)
        assert await back(database, run_id, None) == "queued"


@pytest.mark.parametrize("what", ["cancelled", "taken by another", "not of the queue"])
async def test_what_is_not_a_workers_any_more_is_not_given_back(
    database: Database, owner: UUID, what: str
) -> None:
    """Nor counted: it is as its person left it."""
    run_id = await put_in(database, owner)
    assert await take(database)
    if what == "cancelled":
        async with database.as_user(owner) as connection:
            await cancel_run(connection, run_id)
    else:
        async with database.as_worker() as connection:
            worker = "w" if what == "not of the queue" else "somebody"
            assert await claim_run(connection, worker, run_id, stale_after_s=0)
    before = await row_of(database, run_id)
    assert await back(database, run_id) is None
    assert await row_of(database, run_id) == before


async def test_a_silent_workers_run_goes_back(database: Database, admin: Connection, owner: UUID) -> None:
    """Nobody is left to say how it ended, as when a machine stops; a person's own run is left alone."""
    run_id, fresh = [await put_in(database, owner) for _ in range(2)]
    by_hand = await put_in(database, owner, queued=False)
    async with database.as_worker() as connection:
        assert await claim_run(connection, "person", by_hand)
    for _ in range(2):
        assert await take(database)
    await admin.execute(
        "update sim_runs set heartbeat = now() - interval '1 minute' where id = any($1)", [run_id, by_hand]
    )
    async with database.as_worker() as connection:
        assert await give_back_silent(connection) == [run_id]
        assert await give_back_silent(connection) == []
    assert [(await row_of(database, each)).status for each in (run_id, fresh, by_hand)] == [
        "queued",
        "running",
        "running",
    ]
    again = await take(database, "w2")
    assert again
    assert again.id == run_id


async def test_a_run_that_silences_its_workers_is_given_up_too(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """It would stop one machine after the other."""
    run_id = await put_in(database, owner)
    for _ in range(MOST_ATTEMPTS):
        assert await take(database)
        await admin.execute("update sim_runs set heartbeat = now() - interval '1 minute'")
        async with database.as_worker() as connection:
            await give_back_silent(connection)
    row = await row_of(database, run_id)
    assert (row.status, row.error) == (
        "failed",
        GAVE_UP.replace("killed by signal 9", "not heard of any more"),
    )


@pytest.mark.parametrize("status", ["failed", "interrupted", "cancelled"])
async def test_a_stopped_run_can_be_handed_to_the_workers(
    database: Database, owner: UUID, other_user: UUID, status: str
) -> None:
    """By its person alone; it begins anew to count, and goes on from where it was."""
    run_id = await put_in(database, owner, queued=False)
    async with database.as_worker() as connection:
        assert await claim_run(connection, "w", run_id)
        await save_chunk(connection, run_id, "w", Chunk(0.5))
        if status != "cancelled":
            await stop_run(connection, run_id, "w", status, "it broke")
    if status == "cancelled":
        async with database.as_user(owner) as connection:
            await cancel_run(connection, run_id)
    async with database.as_worker() as connection:
        assert not await queue_again(connection, other_user, run_id)
        assert not await queue_again(connection, owner, uuid4())
        assert await queue_again(connection, owner, run_id)
        assert not await queue_again(connection, owner, run_id)
    row = await take(database)
    assert row
    assert (row.id, row.progress, row.error, row.queued_ts is None) == (run_id, 0.5, None, False)


async def test_a_person_who_takes_a_run_in_hand_takes_it_out_of_the_queue(
    database: Database, owner: UUID
) -> None:
    """When they stop, no worker goes on with it."""
    run_id = await put_in(database, owner)
    async with database.as_worker() as connection:
        row = await claim_run(connection, "person", run_id)
        assert row
        assert row.queued_ts is None
        await stop_run(connection, run_id, "person", "interrupted", "stopped by hand")
    assert await take(database) is None


async def test_workers_are_woken_once_the_rows_are_there(
    database: Database, owner: UUID, database_url: str
) -> None:
    """One notification for all that was asked for in a transaction, and none where it was undone."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(database_url)
    try:
        await listener.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[3]))
        with suppress(asyncio.CancelledError):
            async with database.as_user(owner) as connection:
                await wake_workers(connection)
                raise asyncio.CancelledError
        async with database.as_user(owner) as connection:
            version = await make_version(connection, owner)
            for _ in range(2):
                await create_run(connection, owner, version.id, {}, queued=True)
                await wake_workers(connection)
        async with asyncio.timeout(60):
            assert await heard.get() == ""
        await listener.execute("select 1")
        assert heard.empty()
    finally:
        await listener.close()


async def test_each_sees_how_many_of_theirs_wait(database: Database, owner: UUID, other_user: UUID) -> None:
    """The worker sees all of them."""
    for user_id in (owner, owner, other_user):
        await put_in(database, user_id)
    await put_in(database, owner, queued=False)
    async with database.as_user(owner) as connection:
        assert await waiting(connection) == 2
    async with database.as_worker() as connection:
        assert await waiting(connection) == 3


async def test_workers_whose_run_was_lost_are_named(database: Database, owner: UUID) -> None:
    """It was cancelled, or is in other hands; a worker that still has its own is not."""
    held = {}
    for worker in ("w0", "w1", "w2"):
        run_id = await put_in(database, owner)
        assert await take(database, worker)
        held[worker] = run_id
    async with database.as_user(owner) as connection:
        await cancel_run(connection, held["w0"])
    async with database.as_worker() as connection:
        assert await lost(connection, {}) == set()
        assert await lost(connection, held) == {"w0"}
        assert await lost(connection, {**held, "an earlier one": held["w2"]}) == {"w0", "an earlier one"}
