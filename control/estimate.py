"""What a run will probably cost, before anybody is asked anything: its ticks times what a tick takes.

What a tick takes is measured on the newest finished run of the same version, where there is one. Else the contexts of
a few ticks are put together as a model would be shown them, and the rest is assumed: so many calls, and as many words
as the model's answers have on the mean.
"""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from agent.language import LanguageTrader
from agent.provider import Provider
from agent.tick import Tick
from config.models import cost_usd
from control.errors import Invalid
from db.inference import mean_usage
from db.pool import Database
from db.runs import RunRow, list_runs
from db.skills import VersionRow
from domain.caps import tightest
from domain.inference import Usage
from domain.money import ZERO
from simulator.mask import load_world
from simulator.prepare import beginning, replay_of
from simulator.spec import RunSpec, SimulationError
from simulator.traders import trader_of
from skills.schedule import Schedule
from skills.skill import BASELINE, Skill
from skills.skill_md import read

SAMPLED_TICKS = 5
ASSUMED_CALLS = 2
ASSUMED_OUTPUT_TOKENS = 250
BYTES_PER_TOKEN = 2
"""Few, because most of a context is numbers: a guess that errs is to err on the dear side."""


class Estimate(msgspec.Struct, frozen=True):
    """What some runs of a version will take. `calls` and `usage` are those of one tick.

    `cost_usd` is for all runs together, `most_usd` what their budgets allow at most; both are None where the model's
    price is not known. `is_measured` says that a tick was measured on a run of the same version.
    """

    runs: int
    ticks: int
    calls: float
    usage: Usage
    cost_usd: Decimal | None
    most_usd: Decimal | None
    is_measured: bool


async def estimate(
    database: Database, user_id: UUID, version: VersionRow, specs: Sequence[RunSpec], provider: Provider
) -> Estimate:
    """Say what runs of a version will probably cost. Raises Invalid for runs that can't be made."""
    skill, spec = read(version.body, where=f"{version.name}@{version.number}"), specs[0]
    ticks = sum(1 for _ in Schedule.parse(skill.schedule).ticks(spec.from_ts, spec.to_ts))
    caps = tightest(skill.caps, spec.platform)
    if is_free(version, spec):
        return Estimate(len(specs), ticks, 0, Usage(), ZERO, ZERO, is_measured=True)
    found = await _measured(database, user_id, version)
    calls, usage = found or (ASSUMED_CALLS, await _assumed(database, user_id, skill, spec, provider))
    facts = provider.facts(skill)
    price = None if facts is None else facts.price_at(provider.clock.now_ms())
    return Estimate(
        runs=len(specs),
        ticks=ticks,
        calls=calls,
        usage=usage,
        cost_usd=None if price is None else cost_usd(price, usage) * ticks * len(specs),
        most_usd=None if price is None else caps.max_inference_usd_per_run * len(specs),
        is_measured=found is not None,
    )


def is_free(version: VersionRow, spec: RunSpec) -> bool:
    """Whether no model is asked: a baseline decides, or the record alone."""
    return spec.mode == "replay" or str(version.spec["model"]).startswith(f"{BASELINE}:")


async def _measured(database: Database, user_id: UUID, version: VersionRow) -> tuple[float, Usage] | None:
    """Calls and tokens of a tick, as the newest finished run of this version took them."""
    async with database.as_user(user_id) as connection:
        rows = await list_runs(connection, limit=20, skill_name=version.name)
    for row in rows:
        if row.skill_version_id == version.id and (found := _of_a_tick(row)):
            return found
    return None


def _of_a_tick(row: RunRow) -> tuple[float, Usage] | None:
    """Of those that did not fail: one without an answer took less than the next one will."""
    metrics = row.metrics or {}
    totals, ended = metrics.get("inference_totals", {}), metrics.get("ticks", {})
    ticks = sum(ended.values()) - ended.get("failed", 0)
    if not ticks or not totals.get("calls"):
        return None
    usage = {name: -(-tokens // ticks) for name, tokens in totals["usage"].items()}
    return totals["calls"] / ticks, Usage(**usage)


async def _assumed(
    database: Database, user_id: UUID, skill: Skill, spec: RunSpec, provider: Provider
) -> Usage:
    """Tokens of a tick with so many calls: its context is written to the cache once and read by the later calls.

    It says as much as the model's newest answers to this person did on the mean, where there are any.
    """
    opening, contexts = await _prompts(database, user_id, skill, spec, provider)
    context = sum(contexts) // len(contexts) // BYTES_PER_TOKEN if contexts else 0
    async with database.as_user(user_id) as connection:
        usual = await mean_usage(connection, user_id, skill.model.partition(":")[2])
    words = ASSUMED_OUTPUT_TOKENS if usual is None else usual.usage.output
    again = ASSUMED_CALLS - 1
    return Usage(
        input=words * again,
        output=words * ASSUMED_CALLS,
        cache_read=opening // BYTES_PER_TOKEN * ASSUMED_CALLS + context * again,
        cache_write_5m=context,
    )


async def _prompts(
    database: Database, user_id: UUID, skill: Skill, spec: RunSpec, provider: Provider
) -> tuple[int, list[int]]:
    """The bytes of what is the same at every tick, and of the contexts of a few ticks."""
    try:
        async with database.as_user(user_id) as connection:
            world = await load_world(connection, skill, spec)
        caps = tightest(world.skill.caps, spec.platform)
        trader, _ = await trader_of(database, user_id, world.skill, world.spec, caps, provider, None)
    except SimulationError as error:
        raise Invalid(str(error)) from error
    assert isinstance(trader, LanguageTrader)
    agent = replay_of(world.skill, world.spec, world.market, trader, beginning(world.spec), "").agent
    ticks = list(Schedule.parse(skill.schedule).ticks(world.spec.from_ts, world.spec.to_ts))
    sampled = ticks[:: max(1, len(ticks) // SAMPLED_TICKS)][:SAMPLED_TICKS]
    contexts = []
    for ts in sampled:
        tick = Tick(world.skill, agent.engine, agent.history.as_of(ts), agent.account)
        contexts.append(len((await trader.context_of(tick)).encode()))
    return len(msgspec.json.encode(trader.opening)), contexts
