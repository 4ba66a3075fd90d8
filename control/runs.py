"""Simulations as a person works with them: ask for one, carry it out, look at it, stop it, go on, throw it away."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from agent.provider import Provider
from control.checks import LARGEST_SEED, check_cash, check_model, check_seed
from control.errors import Invalid, NotFound
from db import runs as store
from db.connection import Connection
from db.errors import Refused as StoreRefused
from db.inference import spent as spent_in
from db.pool import Database
from db.queue import wake_workers
from db.runs import RunLost, RunRow
from db.skills import VersionRow
from domain.caps import Caps
from domain.ids import uuid7
from domain.money import ZERO, plain
from domain.time import parse_interval
from simulator.coverage import check_market, whole_range
from simulator.metrics import compute
from simulator.rebuild import beside_of, rebuild
from simulator.record import Beside, RunRecord
from simulator.run import Finished, Progress, execute
from simulator.spec import DEFAULT_CASH, Mode, RunSpec, SimulationError, to_config
from skills.skill import Skill
from skills.skill_md import read

MOST_RUNS = 100
MOST_AT_ONCE = 16
"""How many runs of a batch are carried out side by side; each holds a connection meanwhile."""


class RunRequest(msgspec.Struct, frozen=True):
    """A run that is asked for. Without `from_ts` or `to_ts` (UTC ms) it takes all the bars there are.

    `runs` is how often it is made, each time with new outputs of the model and another seed; `mask` has one more made
    that hides names, dates and price levels. `cutoff_ts` replaces the first instant after what the model knows.
    """

    from_ts: int | None = None
    to_ts: int | None = None
    cash: Decimal = DEFAULT_CASH
    costs: Literal["default", "none"] = "default"
    funding: bool = True
    seed: int = 0
    execution_interval: str | None = None
    mode: Mode = "record"
    runs: int = 1
    mask: bool = False
    cutoff_ts: int | None = None


async def ask(
    database: Database,
    user_id: UUID,
    version: VersionRow,
    request: RunRequest,
    platform: Caps,
    provider: Provider,
) -> list[UUID]:
    """Keep what is asked for to be carried out: its runs, the masked one last.

    Raises Invalid, in one line, for what can't be; nothing is kept then.
    """
    specs = await specs_of(database, user_id, version, request, platform, provider)
    return await keep(database, user_id, version, specs)


async def keep(
    database: Database,
    user_id: UUID,
    version: VersionRow,
    specs: Sequence[RunSpec],
    *,
    queued: bool = False,
) -> list[UUID]:
    """Keep runs, as `specs_of` gave them, to be carried out: here, or `queued` by the workers."""
    batch = uuid7() if len(specs) > 1 else None
    async with database.as_user(user_id) as connection:
        if queued:
            await wake_workers(connection)  # they hear of it once all is there
        return [
            await store.create_run(connection, user_id, version.id, to_config(spec), batch, queued=queued)
            for spec in specs
        ]


async def specs_of(
    database: Database,
    user_id: UUID,
    version: VersionRow,
    request: RunRequest,
    platform: Caps,
    provider: Provider,
    *,
    needs_key: bool = True,
) -> list[RunSpec]:
    """Say what each run that is asked for would be, the masked one last. Raises Invalid for what can't be.

    An estimate asks no model, so it needs no key.
    """
    skill = read(version.body, where=f"{version.name}@{version.number}")
    check_model(skill, provider, needs_key=needs_key and request.mode != "replay")
    spec = await _spec(database, user_id, skill, request, platform)
    spec = msgspec.structs.replace(spec, mode=request.mode, cutoff_ts=_cutoff(skill, request, provider))
    several = [
        msgspec.structs.replace(spec, sample=number, seed=spec.seed + number)
        for number in range(request.runs)
    ]
    return [*several, *([msgspec.structs.replace(spec, mask=True)] if request.mask else [])]


async def carry_out(
    database: Database, run_id: UUID, provider: Provider, progress: Progress = lambda done, total: None
) -> Finished:
    """Carry a run to its end in this process, or on from where it stopped.

    Raises Invalid when it can't be, or was cancelled, in one line.
    """
    try:
        return await execute(database, run_id, str(uuid7()), provider, progress)
    except (SimulationError, RunLost) as error:
        raise Invalid(str(error)) from error


async def carry_out_all(
    database: Database,
    run_ids: Sequence[UUID],
    provider: Provider,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Finished]:
    """Carry several runs to their ends side by side; they share the model's limits in turn.

    One that fails stops none of the others. When all have ended, raises Invalid for the first that failed, naming the
    others.
    """
    shares = dict.fromkeys(run_ids, 0.0)
    turns = asyncio.Semaphore(MOST_AT_ONCE)

    def tell(run_id: UUID, share: float) -> None:
        shares[run_id] = share
        progress(sum(shares.values()) / len(shares))

    async def one(run_id: UUID) -> Finished:
        async with turns:
            return await carry_out(database, run_id, provider, lambda done, total: tell(run_id, done / total))

    ended = await asyncio.gather(*map(one, run_ids), return_exceptions=True)
    failed = {
        run_id: end for run_id, end in zip(run_ids, ended, strict=True) if isinstance(end, BaseException)
    }
    for end in sorted(
        failed.values(), key=lambda end: isinstance(end, Invalid)
    ):  # a fault of the program first
        raise _with_the_others(end, failed, len(run_ids)) if isinstance(end, Invalid) else end
    return [end for end in ended if not isinstance(end, BaseException)]


def _with_the_others(first: Invalid, failed: Mapping[UUID, BaseException], of: int) -> Invalid:
    """What the first run that failed says, and what became of those beside it."""
    if of == 1:
        return first
    _, *others = failed
    more = f"; stopped too: {', '.join(map(str, others))}" if others else ""
    return Invalid(f"{first}; of {of} runs, {of - len(failed)} are done{more}")


async def spent(database: Database, user_id: UUID, run_ids: Sequence[UUID]) -> Decimal:
    """Give what was paid for the thinking of some runs, in USD. What was replayed cost nothing."""
    async with database.as_user(user_id) as connection:
        return sum([await spent_in(connection, user_id, f"run:{run_id}") for run_id in run_ids], ZERO)


async def find(database: Database, user_id: UUID, reference: str) -> RunRow:
    """Give the run of this id, or of the only one whose id ends like this; `last` is what was asked for last.

    Of a batch that is the first run. Raises NotFound.
    """
    async with database.as_user(user_id) as connection:
        if reference == "last":
            found = await _last(connection)
        else:
            found = _named(reference, await store.find_runs(connection, reference))
        row = None if found is None else await store.load_run(connection, found)
    if row is None:
        raise NotFound(f"there is no run {reference}; `agentic sim list` shows those there are")
    return row


async def newest(database: Database, user_id: UUID, *, limit: int, skill: str | None = None) -> list[RunRow]:
    """Give a person's newest runs, of one Skill if it is named."""
    async with database.as_user(user_id) as connection:
        return await store.list_runs(connection, limit=limit, skill_name=skill)


async def load(database: Database, user_id: UUID, run_id: UUID) -> RunRow:
    """Give one run of a person's. Raises NotFound."""
    async with database.as_user(user_id) as connection:
        row = await store.load_run(connection, run_id)
    if row is None:
        raise NotFound(f"there is no run {run_id}; see `agentic sim list`")
    return row


async def together(database: Database, user_id: UUID, row: RunRow) -> list[UUID]:
    """Give a run and those that were asked for with it, in the order in which they were."""
    if row.batch is None:
        return [row.id]
    async with database.as_user(user_id) as connection:
        return [each.id for each in await store.batch_runs(connection, user_id, row.batch)]


async def record(database: Database, user_id: UUID, run_id: UUID) -> RunRecord:
    """Read a finished run back whole. Raises NotFound, or Invalid when it has no results."""
    row = await load(database, user_id, run_id)
    try:
        return await rebuild(database, row)
    except SimulationError as error:
        raise Invalid(str(error)) from error


async def beside(database: Database, user_id: UUID, run_id: UUID) -> Beside | None:
    """Give the finished runs that were asked for together with one, this one among them. Raises NotFound."""
    return await beside_of(database, await load(database, user_id, run_id))


async def report_html(database: Database, user_id: UUID, run_id: UUID) -> str:
    """Write the report of a finished run, in a thread, because a long one takes a second. Raises as `record` does."""
    from simulator.report import render  # templates take a while to load, and only reports need them

    found = await record(database, user_id, run_id)
    return await asyncio.to_thread(lambda: render(found, compute(found)))


async def cancel(database: Database, user_id: UUID, run_id: UUID) -> None:
    """Cancel a run; whoever carries it out finds out within a second or so. Raises Invalid when it is over."""
    try:
        async with database.as_user(user_id) as connection:
            await store.cancel_run(connection, run_id)
    except StoreRefused as error:
        raise Invalid(str(error)) from error


async def delete(database: Database, user_id: UUID, run_id: UUID) -> None:
    """Throw a run away with all it recorded. Raises NotFound."""
    async with database.as_worker() as connection:
        if not await store.delete_run(connection, user_id, run_id):
            raise NotFound(f"there is no run {run_id}")


async def _spec(
    database: Database, user_id: UUID, skill: Skill, request: RunRequest, platform: Caps
) -> RunSpec:
    """Fill in what was left out, and see whether the run can be made."""
    if not 1 <= request.runs <= MOST_RUNS:
        raise Invalid(f"--runs must be 1 to {MOST_RUNS}, was {request.runs}")
    check_cash(request.cash)
    check_seed(request.seed, LARGEST_SEED - request.runs + 1)
    try:
        if request.execution_interval is not None:
            parse_interval(request.execution_interval)
        async with database.as_user(user_id) as connection:
            first, last = await whole_range(connection, skill)
            spec = RunSpec(
                from_ts=first if request.from_ts is None else request.from_ts,
                to_ts=last if request.to_ts is None else request.to_ts,
                cash=Decimal(plain(request.cash)),  # equal amounts are written alike
                costs=request.costs,
                funding=request.funding,
                seed=request.seed,
                execution_interval=request.execution_interval,
                platform=platform,
            )
            await check_market(connection, skill, spec)
    except (SimulationError, ValueError) as error:
        raise Invalid(str(error)) from error
    return spec


def _cutoff(skill: Skill, request: RunRequest, provider: Provider) -> int | None:
    """The first instant after what a Skill's model knows: 0 for a baseline, None where it is not known."""
    if skill.baseline is not None or request.cutoff_ts is not None:
        return request.cutoff_ts or 0
    facts = provider.facts(skill)
    return None if facts is None else facts.knowledge_ends_ts


async def _last(connection: Connection) -> UUID | None:
    newest = await store.list_runs(connection, limit=1)
    if newest and newest[0].batch is not None:
        newest = await store.batch_runs(connection, newest[0].user_id, newest[0].batch)
    return newest[0].id if newest else None


def _named(reference: str, found: list[UUID]) -> UUID | None:
    if len(found) > 1:
        raise Invalid(f"{len(found)} runs end in {reference}; write more of the id")
    return found[0] if found else None
