"""What a run is made of: its Skill, its market, its past so far, and the parts that replay it."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from agent.baselines import Trader
from agent.provider import Provider, run_budget
from agent.run import Agent
from brokers.paper.replay import ReplayVenue
from brokers.paper.venue import VenueState
from db.connection import Connection
from db.decisions import light_decisions
from db.pool import Database
from db.records import JournalRow, load_rows
from db.runs import RunRow, load_checkpoint
from db.series import load_series
from db.skills import load_version
from domain.account import Account
from domain.caps import tightest
from domain.time import parse_interval
from engine.engine import Engine, start
from engine.journal import GENESIS, BatchedJournal
from market.news import StoredNews
from simulator.archive import History, history_of
from simulator.data import MarketData
from simulator.manifest import build_manifest, manifest_digest, tools_of
from simulator.mask import World, load_world
from simulator.replay import Checkpoint, Replay
from simulator.spec import RunSpec, SimulationError, from_config
from simulator.traders import trader_of
from skills import skill_md
from skills.schedule import Schedule
from skills.skill import Skill


class Saved(msgspec.Struct):
    """A checkpoint as it is kept. `made_of` is the manifest's digest, `mcp_tools` are the digests of its MCP tools."""

    made_of: str
    at: Checkpoint
    mcp_tools: dict[str, str] = {}


class Prepared(msgspec.Struct):
    """Everything one run is made of. `skill`, `spec` and `market` are the masked ones where the run is masked."""

    row: RunRow
    skill: Skill
    spec: RunSpec
    market: MarketData
    trader: Trader
    manifest: dict[str, Any]
    made_of: str
    history: History
    start: Checkpoint


async def prepare(database: Database, row: RunRow, provider: Provider) -> Prepared:
    """Load what a run is made of, and where it stands. Raises SimulationError when it can't be made, or can't go on."""
    world = await world_of(database, row)
    skill, spec, market = world.skill, world.spec, world.market
    async with database.as_worker() as connection:
        version = await load_version(connection, row.skill_version_id)
        saved = await load_checkpoint(connection, row.id)
        history = History() if saved is None else await load_history(connection, row.id)
    assert version is not None
    caps = tightest(skill.caps, spec.platform)
    budget = run_budget(row.id, caps.max_inference_usd_per_run)
    trader, thinking = await trader_of(database, row.user_id, skill, spec, caps, provider, budget)
    manifest = build_manifest(skill, version.number, version.digest, spec, caps, market, thinking)
    made_of = manifest_digest(manifest)
    begin = beginning(spec) if saved is None else _continue(saved, made_of, tools_of(manifest), row)
    return Prepared(row, skill, spec, market, trader, manifest, made_of, history, begin)


async def world_of(database: Database, row: RunRow) -> World:
    """Load the Skill, the settings and the market of a run; under other names where it is masked."""
    skill = await skill_of(database, row)
    async with database.as_worker() as connection:
        return await load_world(connection, skill, from_config(row.config), StoredNews(database.as_worker))


async def skill_of(database: Database, row: RunRow) -> Skill:
    """The Skill of a run, read from the very bytes that were saved."""
    async with database.as_worker() as connection:
        version = await load_version(connection, row.skill_version_id)
    if version is None:
        raise SimulationError(f"the Skill version of run {row.id} is not there")
    return skill_md.read(version.body, where=f"{version.name}@{version.number}")


async def load_history(connection: Connection, run_id: UUID) -> History:
    """What was written of a run so far. Read in a thread: a hundred thousand rows take seconds, and others wait."""
    journal = await load_rows(connection, JournalRow, run_id)
    decisions = await light_decisions(connection, run_id)
    series = await load_series(connection, run_id)
    return await asyncio.to_thread(history_of, journal, decisions, series)


def beginning(spec: RunSpec) -> Checkpoint:
    """Where a run stands before its first bar."""
    return Checkpoint(
        venue=VenueState(Account(spec.cash)),
        engine=start(spec.cash, spec.from_ts),
        index=0,
        link=GENESIS,
        entries=0,
        point_equity=spec.cash,
    )


def checkpoint_of(run: Prepared, at: Checkpoint) -> bytes:
    """Write down where a run stands, for `prepare` to go on from."""
    return msgspec.msgpack.encode(Saved(run.made_of, at, tools_of(run.manifest)))


def _continue(saved: bytes, made_of: str, tools: dict[str, str], row: RunRow) -> Checkpoint:
    found = msgspec.msgpack.decode(saved, type=Saved)
    if found.made_of == made_of:
        return found.at
    if changed := [name for name, digest in found.mcp_tools.items() if tools.get(name) != digest]:
        raise SimulationError(
            f"run {row.id} can't go on: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} now approved in "
            "another form than it began with; start a new run"
        )
    raise SimulationError(
        f"run {row.id} can't go on: its market data, or a default of this program, has changed since it "
        "began; start a new run"
    )


def replay_of(
    skill: Skill, spec: RunSpec, market: MarketData, trader: Trader, begin: Checkpoint, made_of: str
) -> Replay:
    """Put the very parts together that a deployment has too: a broker, an engine, an agent.

    `made_of` names the run in the ids of its decisions and orders.
    """
    account = f"sim:{made_of}"
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
    agent = Agent(skill, trader, market.history, engine, account, market.digest, list(begin.memos))
    point_ms = parse_interval(skill.market.interval)
    return Replay(market.tape, venue, engine, agent, journal, Schedule.parse(skill.schedule), point_ms, begin)
