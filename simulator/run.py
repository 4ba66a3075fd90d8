"""One run from its row to its results: claimed, replayed stretch by stretch, saved with each, finished once.

Whatever ends the process in between, what was saved is whole, and the run goes on from its last stretch.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import msgspec

from agent.run import Agent, NoTrader, trader_for
from brokers.paper.replay import ReplayVenue
from brokers.paper.venue import VenueState
from db.errors import DatabaseError
from db.pool import Database
from db.records import DecisionRow, JournalRow, load_rows
from db.runs import RunLost, RunRow, claim_run, finish_run, load_checkpoint, save_chunk, stop_run
from db.series import load_series
from db.skills import load_version
from domain.account import Account
from domain.bars import Floats
from domain.caps import tightest
from domain.time import parse_interval
from engine.engine import Engine, start
from engine.journal import GENESIS, BatchedJournal
from simulator.archive import OUTCOMES, History, chunk_of, history_of, record_of
from simulator.baselines import baselines
from simulator.data import MarketData, load_market
from simulator.manifest import build_manifest, manifest_digest
from simulator.metrics import Metrics, as_dict, compute
from simulator.record import RunRecord
from simulator.replay import Checkpoint, Replay
from simulator.report.digest import report_digest
from simulator.spec import RunSpec, SimulationError, from_config
from skills import skill_md
from skills.schedule import Schedule
from skills.skill import Skill

FIRST_BARS, MOST_BARS = 1_000, 25_000
SAVE_EVERY_S = 1.0

Progress = Callable[[int, int], None]
"""Is told how many bars of how many have been replayed."""


class Saved(msgspec.Struct):
    """A checkpoint as it is kept. `made_of` is the manifest's digest."""

    made_of: str
    at: Checkpoint


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


class _Run(msgspec.Struct):
    """Everything one run is made of."""

    row: RunRow
    skill: Skill
    spec: RunSpec
    market: MarketData
    manifest: dict[str, Any]
    made_of: str
    history: History
    start: Checkpoint
    timing: Timing


async def execute(
    database: Database,
    run_id: UUID,
    worker: str,
    progress: Progress = lambda done, total: None,
    *,
    most_bars: int = MOST_BARS,
) -> Finished:
    """Carry a run to its end, from its last checkpoint if it has one.

    Raises SimulationError when it can't be made, RunLost when it was cancelled or taken by another process, a
    DatabaseError when the database went away. The run is then `failed` or `interrupted` and says why.
    """
    async with database.as_worker() as connection:
        row = await claim_run(connection, worker, run_id)
    if row is None:
        raise SimulationError(f"run {run_id} can't be started: it is running, it is done, or there is none")
    try:
        run = await _prepare(database, row)
        replay = await _replay_all(database, run, worker, progress, most_bars)
        return await _finish(database, run, replay, worker)
    except (SimulationError, NoTrader) as error:
        await _stop(database, row, worker, "failed", str(error))
        raise SimulationError(str(error)) from error
    except asyncio.CancelledError:
        await asyncio.shield(_stop(database, row, worker, "interrupted", "stopped by hand"))
        raise


async def rebuild(database: Database, row: RunRow) -> RunRecord:
    """Read a finished run back as a record. Raises SimulationError when its market data is not what it was."""
    skill, spec = await _skill_of(database, row), from_config(row.config)
    if row.manifest is None or row.metrics is None:
        raise SimulationError(f"run {row.id} is {row.status}; it has no results")
    async with database.as_worker() as connection:
        market = await load_market(connection, skill, spec)
        history = await _load_history(connection, row.id)
    if market.digest != row.manifest["data_digest"]:
        raise SimulationError(
            f"the market data of run {row.id} has changed since; run it again, its figures stay as they were"
        )
    ticks, refusals = row.metrics["ticks"], row.metrics["refusals"]
    final = msgspec.convert(row.metrics["final_equity"], type=type(spec.cash))
    beside = _baselines(skill, spec, market)
    record = record_of(
        str(row.id),
        skill,
        row.skill_number,
        spec,
        market,
        row.manifest,
        history,
        beside,
        final,
        ticks,
        refusals,
    )
    return msgspec.structs.replace(record, warnings=tuple(row.warnings))


async def _prepare(database: Database, row: RunRow) -> _Run:
    skill, spec = await _skill_of(database, row), from_config(row.config)
    async with database.as_worker() as connection:
        version = await load_version(connection, row.skill_version_id)
        market = await load_market(connection, skill, spec)
        saved = await load_checkpoint(connection, row.id)
        history = History() if saved is None else await _load_history(connection, row.id)
    assert version is not None
    caps = tightest(skill.caps, spec.platform)
    manifest = build_manifest(skill, version.number, version.digest, spec, caps, market)
    made_of = manifest_digest(manifest)
    begin = _beginning(spec) if saved is None else _continue(saved, made_of, row)
    return _Run(row, skill, spec, market, manifest, made_of, history, begin, Timing())


async def _skill_of(database: Database, row: RunRow) -> Skill:
    """The Skill of a run, read from the very bytes that were saved."""
    async with database.as_worker() as connection:
        version = await load_version(connection, row.skill_version_id)
    if version is None:
        raise SimulationError(f"the Skill version of run {row.id} is not there")
    return skill_md.read(version.body, where=f"{version.name}@{version.number}")


async def _load_history(connection: Any, run_id: UUID) -> History:
    journal = await load_rows(connection, JournalRow, run_id)
    decisions = await load_rows(connection, DecisionRow, run_id)
    return history_of(journal, decisions, await load_series(connection, run_id))


def _beginning(spec: RunSpec) -> Checkpoint:
    return Checkpoint(
        venue=VenueState(Account(spec.cash)),
        engine=start(spec.cash, spec.from_ts),
        index=0,
        link=GENESIS,
        entries=0,
        point_equity=spec.cash,
    )


def _continue(saved: bytes, made_of: str, row: RunRow) -> Checkpoint:
    found = msgspec.msgpack.decode(saved, type=Saved)
    if found.made_of != made_of:
        raise SimulationError(
            f"run {row.id} can't go on: its market data, or a default of this program, has changed since it "
            "began; start a new run"
        )
    return found.at


def _replay_of(run: _Run) -> Replay:
    """Put the very parts together that a deployment has too: a broker, an engine, an agent."""
    skill, spec, market, begin = run.skill, run.spec, run.market, run.start
    account = f"sim:{run.made_of}"
    venue = ReplayVenue(market.tape, begin.venue, market.instruments, spec.cost_model, index=begin.index)
    journal = BatchedJournal(begin.link, begin.entries)
    engine = Engine(
        venue,
        journal,
        account=account,
        symbols=skill.market.symbols,
        caps=tightest(skill.caps, spec.platform),
        state=begin.engine,
    )
    trader = trader_for(skill, spec.seed)
    agent = Agent(skill, trader, market.history, engine, account, market.digest)
    point_ms = parse_interval(skill.market.interval)
    return Replay(market.tape, venue, agent, journal, Schedule.parse(skill.schedule), point_ms, begin)


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Spare the replay the search for cyclic garbage: it makes none, and keeps a million objects to search."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


async def _replay_all(
    database: Database, run: _Run, worker: str, progress: Progress, most_bars: int
) -> Checkpoint:
    """Replay to the end, saving about once a second; gives where it ended."""
    replay, total, end = _replay_of(run), run.market.tape.length, run.start
    bars = min(FIRST_BARS, most_bars)
    while not replay.is_done:
        before, entries, begun = replay.index, end.entries, time.perf_counter()
        with _no_cycles():
            stretch = await replay.run(bars)
        took = time.perf_counter() - begun
        end = stretch.end
        run.timing.bars += replay.index - before
        run.timing.loop_s += took
        run.history.add(stretch)
        checkpoint = msgspec.msgpack.encode(Saved(run.made_of, end))
        chunk = chunk_of(stretch, entries, replay.index / total, checkpoint)
        async with database.as_worker() as connection:
            await save_chunk(connection, run.row.id, worker, chunk)
        progress(replay.index, total)
        bars = max(1, min(most_bars, int((replay.index - before) * SAVE_EVERY_S / max(took, 1e-9))))
    return end


async def _finish(database: Database, run: _Run, end: Checkpoint, worker: str) -> Finished:
    record = record_of(
        str(run.row.id),
        run.skill,
        run.row.skill_number,
        run.spec,
        run.market,
        run.manifest,
        run.history,
        _baselines(run.skill, run.spec, run.market),
        end.point_equity,
        {OUTCOMES[outcome]: count for outcome, count in sorted(end.ticks.items())},
        dict(sorted(end.refusals.items())),
    )
    metrics = compute(record)
    digests = {
        "manifest": run.made_of,
        "ledger": end.link.hex(),
        "report": report_digest(record, metrics),
    }
    figures = as_dict(metrics)
    async with database.as_worker() as connection:
        await finish_run(
            connection,
            run.row.id,
            worker,
            manifest=run.manifest,
            metrics={**figures, "ticks": record.ticks},
            digests=digests,
            baselines=figures["baselines"],
            warnings=record.warnings,
        )
    return Finished(record, metrics, digests, run.timing)


def _baselines(skill: Skill, spec: RunSpec, market: MarketData) -> dict[str, Floats]:
    tape = market.tape
    ticks = Schedule.parse(skill.schedule).ticks(tape.start_ts, tape.end_ts)
    entry = (next(ticks, tape.start_ts) - tape.start_ts) // tape.interval_ms
    every = parse_interval(skill.market.interval) // tape.interval_ms
    return baselines(tape, market.instruments, spec.cost_model, spec.cash, entry, every)


async def _stop(database: Database, row: RunRow, worker: str, status: str, reason: str) -> None:
    """Say how a run ended, unless it is no longer ours or the database can't be told."""
    with suppress(RunLost, DatabaseError):
        async with database.as_worker() as connection:
            await stop_run(connection, row.id, worker, status, reason)
