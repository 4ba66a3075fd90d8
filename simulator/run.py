"""One run from its row to its results: claimed, replayed stretch by stretch, saved with each, finished once.

Whatever ends the process in between, what was saved is whole, and the run goes on from its last stretch.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, NoReturn, TypeVar
from uuid import UUID

import msgspec

from agent.asking import Stop
from agent.provider import Provider
from db.errors import DatabaseError
from db.pool import Database
from db.queue import give_back
from db.runs import (
    STALE_AFTER_S,
    Chunk,
    RunLost,
    RunRow,
    claim_run,
    finish_run,
    hold_run,
    load_run,
    save_chunk,
    stop_run,
)
from simulator.archive import OUTCOMES, chunk_of, record_of
from simulator.baselines import yardsticks
from simulator.metrics import Metrics, as_dict, compute
from simulator.prepare import Prepared, checkpoint_of, prepare, replay_of
from simulator.record import RunRecord
from simulator.replay import Checkpoint
from simulator.report.digest import report_digest
from simulator.spec import SimulationError

T = TypeVar("T")

FIRST_BARS, MOST_BARS = 1_000, 25_000
SAVE_EVERY_S = 1.0
SAVE_THOUGHTS_EVERY_S = 5.0
"""What a model said is in the record at once; a run that is killed finds it there, and loses no more than this."""
BEAT_EVERY_S = 2.0

Progress = Callable[[int, int], None]
"""Is told how many bars of how many have been replayed."""


class Timing(msgspec.Struct):
    """How long the replay itself took, without loading, saving and reporting."""

    bars: int = 0
    loop_s: float = 0.0


class Finished(msgspec.Struct, frozen=True):
    """A run that came to its end."""

    record: RunRecord
    metrics: Metrics
    digests: dict[str, str]
    timing: Timing


async def execute(
    database: Database,
    run_id: UUID,
    worker: str,
    provider: Provider,
    progress: Progress = lambda done, total: None,
    *,
    most_bars: int = MOST_BARS,
    of_queue: bool = False,
) -> Finished:
    """Carry a run to its end, from its last checkpoint if it has one.

    With `of_queue` it was taken from the queue for this very worker, and goes back there when the worker is stopped
    or its database goes away.

    Raises SimulationError when it can't be made or its model can't be asked any more, RunLost when it was cancelled or
    taken by another process, a DatabaseError when the database went away. The run is then `failed` or `interrupted`
    and says why.
    """
    async with _held(database, run_id) as is_alone:
        row = await (
            _taken(database, run_id, worker) if of_queue else _claimed(database, run_id, worker, is_alone)
        )
        try:
            timing = Timing()
            replaying = _prepare_and_replay(database, row, provider, timing, worker, progress, most_bars)
            run, end = await _while_it_is_ours(database, run_id, worker, replaying)
            return await _finish(database, run, timing, end, worker)
        except SimulationError as error:
            await _stop(database, row, worker, "failed", str(error))
            raise
        except Stop as error:
            await _stop(database, row, worker, "interrupted", str(error))
            more = "" if error.is_final else f"; run {run_id} can be resumed"
            raise SimulationError(f"{error}{more}") from error
        except BaseException as error:
            if of_queue and isinstance(error, asyncio.CancelledError | DatabaseError):
                await asyncio.shield(_put_back(database, run_id, worker))
            else:
                await asyncio.shield(_stop(database, row, worker, *_how_it_ended(error)))
            raise


@asynccontextmanager
async def _held(database: Database, run_id: UUID) -> AsyncIterator[bool]:
    """Hold a run while it is worked on; gives whether nobody else holds it.

    The database lets go by itself when a process dies, so what a killed one was at can be taken over at once.
    """
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(database.as_worker())
        try:
            yield await hold_run(connection, run_id)
        finally:
            with suppress(DatabaseError):  # one that went away holds nothing any more
                await stack.aclose()


async def _claimed(database: Database, run_id: UUID, worker: str, is_alone: bool) -> RunRow:
    """Take a run in hand. Raises SimulationError when it can't be carried out."""
    stale_after_s = 0.0 if is_alone else STALE_AFTER_S
    async with database.as_worker() as connection:
        row = await claim_run(connection, worker, run_id, stale_after_s=stale_after_s)
    if row is None:
        raise SimulationError(await _why_not(database, run_id))
    return row


async def _taken(database: Database, run_id: UUID, worker: str) -> RunRow:
    """Give a run that was taken from the queue for a worker. Raises RunLost when it is not that worker's any more."""
    async with database.as_worker() as connection:
        await save_chunk(connection, run_id, worker, Chunk(progress=0))
        row = await load_run(connection, run_id)
    assert row is not None
    return row


def _how_it_ended(error: BaseException) -> tuple[str, str]:
    """The status and the reason that a run is left with."""
    if isinstance(error, asyncio.CancelledError):
        return "interrupted", "stopped by hand"
    if isinstance(error, DatabaseError):
        return "interrupted", str(error)
    return "failed", f"a fault of the program: {type(error).__name__}: {error}"


async def _why_not(database: Database, run_id: UUID) -> str:
    async with database.as_worker() as connection:
        row = await load_run(connection, run_id)
    if row is None:
        return f"there is no run {run_id}"
    if row.status == "running":
        return (
            f"run {run_id} is being carried out by another process; `agentic sim watch {run_id}` follows it, "
            "and to take it over cancel it first"
        )
    return f"run {run_id} is {row.status}; it can't be carried out again"


async def _while_it_is_ours(
    database: Database, run_id: UUID, worker: str, replaying: Coroutine[Any, Any, T]
) -> T:
    """Carry a replay out, which may load for long or wait for a model for minutes, giving signs of life meanwhile.

    Raises RunLost, and ends the replay, once the run was cancelled or taken by another process.
    """
    work, beats = asyncio.ensure_future(replaying), asyncio.ensure_future(_beat(database, run_id, worker))
    try:
        await asyncio.wait((work, beats), return_when=asyncio.FIRST_COMPLETED)
        return await (work if work.done() else beats)
    finally:
        for task in (work, beats):
            task.cancel()
        await asyncio.gather(work, beats, return_exceptions=True)


async def _beat(database: Database, run_id: UUID, worker: str) -> NoReturn:
    """Say again and again that a run is being carried out. Raises RunLost when it is no longer this worker's."""
    while True:
        await asyncio.sleep(BEAT_EVERY_S)
        try:
            async with database.as_worker() as connection:
                await save_chunk(connection, run_id, worker, Chunk(progress=0))
        except RunLost:
            raise
        except DatabaseError:
            continue  # who saves next will say what is wrong


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Spare a baseline's replay the search for cyclic garbage: it makes none, and keeps a million objects to search."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


async def _prepare_and_replay(
    database: Database,
    row: RunRow,
    provider: Provider,
    timing: Timing,
    worker: str,
    progress: Progress,
    most_bars: int,
) -> tuple[Prepared, Checkpoint]:
    run = await prepare(database, row, provider)
    return run, await _replay_all(database, run, timing, worker, progress, most_bars)


async def _replay_all(
    database: Database, run: Prepared, timing: Timing, worker: str, progress: Progress, most_bars: int
) -> Checkpoint:
    """Replay to the end, saving about once a second; gives where it ended."""
    replay = replay_of(run.skill, run.spec, run.market, run.trader, run.start, run.made_of)
    total, end = run.market.tape.length, run.start
    bars = min(FIRST_BARS if run.skill.baseline else 1, most_bars)
    while not replay.is_done:
        before, entries, begun = replay.index, end.entries, time.perf_counter()
        if run.skill.baseline:
            with _no_cycles():
                stretch = await replay.run(bars)
        else:
            # by the clock: an answer may take as long as a thousand of those in the record
            stretch = await replay.run(bars, partial(_is_past, begun + SAVE_THOUGHTS_EVERY_S))
        took = time.perf_counter() - begun
        end = stretch.end
        timing.bars += replay.index - before
        timing.loop_s += took
        run.history.add(stretch)
        chunk = chunk_of(stretch, entries, replay.index / total, checkpoint_of(run, end))
        async with database.as_worker() as connection:
            await save_chunk(connection, run.row.id, worker, chunk)
        progress(replay.index, total)
        every_s = SAVE_EVERY_S if run.skill.baseline else SAVE_THOUGHTS_EVERY_S
        bars = max(1, min(most_bars, int((replay.index - before) * every_s / max(took, 1e-9))))
    return end


def _is_past(instant_s: float) -> bool:
    return time.perf_counter() >= instant_s


async def _finish(
    database: Database, run: Prepared, timing: Timing, end: Checkpoint, worker: str
) -> Finished:
    record = record_of(
        str(run.row.id),
        run.skill,
        run.row.skill_number,
        run.spec,
        run.market,
        run.manifest,
        run.history,
        yardsticks(run.skill, run.spec, run.market),
        end.point_equity,
        {OUTCOMES[outcome]: count for outcome, count in sorted(end.ticks.items())},
        dict(sorted(end.refusals.items())),
        end.inference,
    )
    record = msgspec.structs.replace(record, ledger_digest=end.link.hex())
    metrics = compute(record)
    digests = {
        "manifest": run.made_of,
        "ledger": record.ledger_digest,
        "report": report_digest(record, metrics),
    }
    figures = as_dict(metrics)
    async with database.as_worker() as connection:
        await finish_run(
            connection,
            run.row.id,
            worker,
            manifest=run.manifest,
            metrics={
                **figures,
                "ticks": record.ticks,
                "inference_totals": msgspec.to_builtins(record.inference),
            },
            digests=digests,
            baselines=figures["baselines"],
            warnings=record.warnings,
        )
    return Finished(record, metrics, digests, timing)


async def _stop(database: Database, row: RunRow, worker: str, status: str, reason: str) -> None:
    """Say how a run ended, unless it is no longer ours or the database can't be told."""
    with suppress(RunLost, DatabaseError):
        async with database.as_worker() as connection:
            await stop_run(connection, row.id, worker, status, reason)


async def _put_back(database: Database, run_id: UUID, worker: str) -> None:
    """Leave a run to the next worker, unless it is no longer ours or the database can't be told."""
    with suppress(DatabaseError):
        async with database.as_worker() as connection:
            await give_back(connection, run_id, worker, None)
