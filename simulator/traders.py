"""Who decides in a run: a baseline, or a language model with what it may use, its record and its budget."""

import hashlib
from typing import Any
from uuid import UUID

import msgspec

from agent.baselines import Trader
from agent.language import DEADLINE_S, MOST_CALLS, MOST_MALFORMED, MOST_TOOL_CALLS, LanguageTrader
from agent.outside import NotApproved, NotForSimulations, Outside, pins_of
from agent.provider import Provider
from agent.run import baseline_for
from db.inference import PostgresLedger
from db.mcp_tools import approved_tools, keep_tools, kept_tools
from db.pool import Database
from db.runs import RunRow, load_run
from domain.caps import Caps
from domain.inference import Budget
from domain.tools import PinnedTool
from simulator.answered import LedgerOfRun, answered
from simulator.manifest import tools_of
from simulator.spec import RunSpec, SimulationError
from skills.skill import Skill


async def trader_of(
    database: Database,
    user_id: UUID,
    skill: Skill,
    spec: RunSpec,
    caps: Caps,
    provider: Provider,
    budget: Budget | None,
    *,
    is_replayed_history: bool = True,
) -> tuple[Trader, dict[str, Any]]:
    """Give who decides in a run or a deployment, and what the manifest says of it.

    `budget` is the run's own; a deployment's days are in the provider's allowance. Raises SimulationError when nobody
    can decide.
    """
    if (trader := baseline_for(skill, spec.seed)) is not None:
        return trader, {}
    is_replay = spec.mode == "replay"
    replayed = await _replayed(database, user_id, spec)
    pins = await _pins(database, user_id, skill, spec, replayed)
    ledger = PostgresLedger(database, user_id, route=provider.route, origin=spec.origin, any_route=is_replay)
    if replayed is not None:
        async with database.as_worker() as connection:
            found = await answered(connection, replayed, pins)
        ledger = LedgerOfRun(database, user_id, found, origin=spec.origin)
    try:
        servers = None if is_replay else provider.servers
        outside = Outside(pins, servers, ledger, spec.mode, is_replayed_history=is_replayed_history)
    except NotForSimulations as error:
        raise SimulationError(str(error)) from error
    asker = provider.asker(skill, ledger, budget, mode=spec.mode, sample=spec.sample)
    thinker = LanguageTrader(skill, caps, provider.facts(skill), asker, outside if pins else None)
    return thinker, _in_manifest(thinker, pins)


async def _replayed(database: Database, user_id: UUID, spec: RunSpec) -> RunRow | None:
    """The run of this person that is replayed, where it is a certain one. Raises SimulationError when it is gone."""
    if spec.mode != "replay" or not spec.of_run:
        return None
    async with database.as_worker() as connection:
        row = await load_run(connection, UUID(spec.of_run))
    if row is None or row.user_id != user_id:
        raise SimulationError(f"run {spec.of_run}, which is to be replayed, is not there any more")
    return row


async def _pins(
    database: Database, user_id: UUID, skill: Skill, spec: RunSpec, replayed: RunRow | None
) -> list[PinnedTool]:
    """The tools as they are approved, or as the run had them that is replayed."""
    if not skill.mcp:
        return []
    async with database.as_worker() as connection:
        if replayed is not None and not spec.origin:
            there_are = await kept_tools(connection, user_id, tools_of(replayed.manifest or {}))
        else:
            there_are = await approved_tools(connection, user_id, origin=spec.origin)
        try:
            pins = pins_of(skill.tools, there_are)
        except NotApproved as error:
            raise SimulationError(str(error)) from error
        if spec.mode != "replay":
            await keep_tools(connection, user_id, pins)
    return pins


def _in_manifest(trader: LanguageTrader, pins: list[PinnedTool]) -> dict[str, Any]:
    """What else decides what a model says: the part of a request that is the same at every tick, tools, bounds."""
    opening = msgspec.json.encode(trader.opening, order="deterministic")
    return {
        "request_digest": hashlib.sha256(opening).hexdigest(),
        "calls_per_tick": MOST_CALLS,
        "tool_calls_per_tick": MOST_TOOL_CALLS,
        "malformed_answers_per_tick": MOST_MALFORMED,
        "deadline_s": DEADLINE_S,
        "mcp_tools": {pin.full_name: pin.digest for pin in pins},
    }
