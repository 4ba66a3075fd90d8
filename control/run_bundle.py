"""A run in one file, for a colleague or another machine: written, taken in, and replayed to the same bytes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import msgspec

from control.bundle_file import Carried, read_bundle, write_bundle
from control.bundle_lines import MOST_ROWS, RunLine, SeriesLine, SkillLine
from control.checks import LARGEST_CASH, LARGEST_SEED, SMALLEST_CASH
from control.errors import Invalid
from db import tape
from db.connection import Connection
from db.inference import CallRow, import_calls, import_tool_results
from db.market import BARS, FUNDING_RATES, MARKS, load_instruments
from db.mcp_tools import approved_tools, import_tools, kept_tools
from db.pool import Database
from db.runs import RunRow, create_run
from db.skills import load_version, save_version
from domain.inference import Reply
from domain.tools import PinnedTool, ToolRefused, pin
from market import carrying
from market.carrying import LAST_INSTANT, MOST_USD
from market.tidy.problems import TidyError
from simulator import rows as run_rows
from simulator.answered import answered
from simulator.manifest import tools_of
from simulator.mask import world_of_rows
from simulator.rows import KINDS, RunRows, SeriesRows
from simulator.spec import RunSpec, SimulationError, from_config, to_config
from skills.problems import SkillError
from skills.schema import front_matter
from skills.skill import Skill
from skills.skill_md import read

DIGESTS = ("manifest", "ledger", "report")
AT_ONCE = 500
"""How many recorded calls are written by one statement."""

TAPES = {one.table: one for one in (BARS, MARKS, FUNDING_RATES)}


# Out.


async def bundle(database: Database, row: RunRow, to: Path) -> Carried:
    """Write a finished run of one's own into a file, and give what is in it.

    No key, no id of a person and no path is among it. Raises Invalid for a run that has no results, or whose market
    data or tools are not what they were.
    """
    if row.digests is None or row.manifest is None:
        raise Invalid(f"run {row.id} is {row.status}; only a run that is done can be written into a bundle")
    spec = from_config(row.config)
    async with database.as_worker() as connection:
        version = await load_version(connection, row.skill_version_id)
        assert version is not None
        skill = read(version.body, where=f"{version.name}@{version.number}")
        loaded = await _rows(connection, skill, spec, row)
        carried = Carried(
            digests={name: row.digests[name] for name in DIGESTS},
            skill=SkillLine(version.digest, version.body),
            run=RunLine(to_config(msgspec.structs.replace(spec, of_run="")), row.manifest),
            instruments=[
                one for one in (await load_instruments(connection)).values() if one.symbol in loaded.symbols
            ],
            series=[
                await _series(connection, one) for each in loaded.symbols.values() for one in each.series
            ],
            news=[] if spec.mask else list(loaded.news or ()),  # a mask withholds it
        )
        await _add_thoughts(connection, row, skill, spec, carried)
    write_bundle(carried, to)
    return carried


async def _rows(connection: Connection, skill: Skill, spec: RunSpec, row: RunRow) -> RunRows:
    """What the run read, if it is still there as it was."""
    assert row.manifest is not None
    try:
        loaded = await run_rows.load_rows(connection, skill, spec)
        is_the_same = world_of_rows(skill, spec, loaded).market.digest == row.manifest["data_digest"]
    except SimulationError as error:
        raise Invalid(f"run {row.id} can't be written into a bundle: {error}") from error
    if not is_the_same:
        raise Invalid(f"the market data of run {row.id} has changed since; a bundle of it would not replay")
    return loaded


async def _series(connection: Connection, one: SeriesRows) -> tuple[SeriesLine, tape.Rows]:
    table = KINDS[one.kind]
    at = one.rows[table.at]
    sources = await tape.sources(connection, table, one.scope, int(at[0]), int(at[-1]) + 1)
    return SeriesLine(table.table, one.symbol, one.interval_ms, len(one.rows), sources), one.rows


async def _add_thoughts(
    connection: Connection, row: RunRow, skill: Skill, spec: RunSpec, carried: Carried
) -> None:
    """What models and MCP tools answered in the run, and the tools' definitions."""
    if skill.baseline is not None:
        return
    carried.tools = await _tools(connection, row, spec)
    found = await answered(connection, row, carried.tools)
    if missing := len(found.missing):
        raise Invalid(
            f"{missing:,} of the model's {missing + len(found.calls):,} answers in run {row.id} are not recorded; "
            "run it with --mode record, and write that one into a bundle"
        )
    carried.calls = [_anonymous(call) for call in found.calls]
    carried.answers = found.answers


async def _tools(connection: Connection, row: RunRow, spec: RunSpec) -> list[PinnedTool]:
    """The definitions of the MCP tools that the run had: those that came with its file, or those it began with."""
    had = tools_of(row.manifest or {})
    if spec.origin:
        found = await approved_tools(connection, row.user_id, origin=spec.origin)
        found = [tool for tool in found if had.get(tool.full_name) == tool.digest]
    else:
        found = await kept_tools(connection, row.user_id, had)
    if missing := sorted(had.keys() - {tool.full_name for tool in found}):
        raise Invalid(
            f"how {missing[0]} was described in run {row.id} is not recorded; a bundle of it would not replay"
        )
    return found


def _anonymous(call: CallRow) -> CallRow:
    """A call without the gateway that it went by and the provider's number of it."""
    outcome = call.outcome
    if isinstance(outcome, Reply):
        outcome = msgspec.structs.replace(outcome, request_id="")
    return call._replace(route="", outcome=outcome)


# In.


async def take_in(database: Database, user_id: UUID, path: Path, now_ms: int) -> tuple[UUID, Carried]:
    """Keep what a bundle holds, and ask for a replay of its run; gives that and the bundle.

    The file is read and judged to its end first, then all of it is kept, or nothing. Its Skill is kept under a name of
    its own, and what models answered serves replays of this file alone. Raises Invalid, in one line.
    """
    carried = read_bundle(path)
    skill, spec = _skill(carried, path), _spec(carried, path)
    try:
        series = _judged(carried, spec, now_ms)
        async with database.as_worker() as connection:
            await _keep(connection, user_id, carried, series)
    except (TidyError, ToolRefused) as error:
        raise Invalid(f"{path}: {error}; nothing was taken in") from error
    async with database.as_user(user_id) as connection:
        version, _ = await save_version(
            connection,
            user_id,
            name=f"{skill.name}-from-{carried.origin[:8]}",
            digest=carried.skill.digest,
            body=carried.skill.body,
            spec=front_matter(skill),
        )
        spec = msgspec.structs.replace(spec, mode="replay", origin=carried.origin, of_run="")
        return await create_run(connection, user_id, version.id, to_config(spec)), carried


def _skill(carried: Carried, path: Path) -> Skill:
    if hashlib.sha256(carried.skill.body.encode()).hexdigest() != carried.skill.digest:
        raise Invalid(f"{path}: its Skill is not the one that its digest names")
    try:
        return read(carried.skill.body, where=f"the Skill of {path}")
    except SkillError as error:
        raise Invalid(str(error).splitlines()[0]) from error


def _spec(carried: Carried, path: Path) -> RunSpec:
    """The run's settings, if they are some that could have been asked for."""
    try:
        spec = from_config(carried.run.config)
    except msgspec.ValidationError as error:
        raise Invalid(f"{path}: the run's settings can't be read: {error}") from error
    amounts = [spec.cash, *(v for v in msgspec.structs.astuple(spec.platform) if hasattr(v, "is_finite"))]
    fits = (
        all(amount.is_finite() and abs(amount) <= MOST_USD for amount in amounts)
        and SMALLEST_CASH <= spec.cash <= LARGEST_CASH
        and 0 <= spec.seed <= LARGEST_SEED
        and 0 <= spec.sample < 2**31
        and 0 <= spec.from_ts < spec.to_ts < LAST_INSTANT
        and 0 <= (spec.cutoff_ts or 0) < LAST_INSTANT
        and carried.digests.keys() == set(DIGESTS)
    )
    if not fits:
        raise Invalid(f"{path}: the run's settings are none that could have been asked for")
    return spec


def _judged(carried: Carried, spec: RunSpec, now_ms: int) -> list[carrying.Series]:
    """The market data as it is kept. Raises TidyError for what an import would not take, or a replay not bear."""
    symbols = {row.symbol for row in carried.instruments}
    for row in carried.instruments:
        carrying.check_instrument(row)
    carrying.check_news(carried.news, now_ms)
    found = []
    for line, rows in carried.series:
        if line.symbol not in symbols:
            raise TidyError(f"it has rows of {line.symbol[:40]!r}, and not what that is")
        series = carrying.Series(TAPES[line.table], line.symbol, line.interval_ms, rows, line.sources)
        carrying.check_series(series, now_ms)
        found.append(series)
    finest = min((one.interval_ms for one in found if one.interval_ms), default=1)
    if (spec.to_ts - spec.from_ts) // finest * len(symbols) > 2 * MOST_ROWS:
        raise TidyError("the run is longer than its market data")
    for tool in carried.tools:
        again = pin(tool.server, tool.name, tool.description, tool.schema, tool.as_of)
        if msgspec.structs.replace(again, digest=tool.digest) != tool:
            raise TidyError(
                f"the definition of {tool.full_name[:80]!r} is none that could have been approved"
            )
    return found


async def _keep(
    connection: Connection, user_id: UUID, carried: Carried, series: Sequence[carrying.Series]
) -> None:
    for row in carried.instruments:
        await carrying.carry_in_instrument(connection, row)
    for one in series:
        await carrying.carry_in(connection, one)
    await carrying.carry_in_news(connection, carried.news)
    await import_tools(connection, user_id, carried.origin, carried.tools)
    for start in range(0, len(carried.calls), AT_ONCE):
        part = [call._replace(route="") for call in carried.calls[start : start + AT_ONCE]]
        await import_calls(connection, user_id, carried.origin, part)
    for start in range(0, len(carried.answers), AT_ONCE):
        await import_tool_results(
            connection, user_id, carried.origin, carried.answers[start : start + AT_ONCE]
        )
