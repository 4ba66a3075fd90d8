"""Whether the market's data covers a run, and which bars its fills are made on."""

from db.connection import Connection
from db.market import BARS, load_bars
from db.tape import Ends, ends, spread
from domain.time import INTERVALS_MS, format_interval, iso, parse_interval
from simulator.spec import RunSpec, SimulationError
from skills.schedule import Schedule
from skills.skill import Skill

MOST_ABSENT = 0.01
"""In which share of the bars that the Skill sees finer bars may be absent altogether and still serve for fills."""


async def whole_range(connection: Connection, skill: Skill) -> tuple[int, int]:
    """The longest range for which every symbol of a Skill has bars. Raises SimulationError when there is none."""
    interval_ms = parse_interval(skill.market.interval)
    found = [await _ends_of(connection, symbol, interval_ms) for symbol in skill.market.symbols]
    first, last = max(one.first_ts for one in found), min(one.last_ts for one in found) + interval_ms
    if first >= last:
        raise SimulationError(f"the bars of {', '.join(skill.market.symbols)} have no time in common")
    return first, last


async def check_market(connection: Connection, skill: Skill, spec: RunSpec) -> int:
    """See, at little cost, whether a run can be made; gives its execution interval in ms.

    Raises SimulationError for a range, an interval or a symbol that can't be.
    """
    market_ms = parse_interval(skill.market.interval)
    _check_range(spec, market_ms)
    for symbol in skill.market.symbols:
        _check_coverage(symbol, market_ms, await _ends_of(connection, symbol, market_ms), spec)
        if not len(await load_bars(connection, symbol, market_ms, spec.from_ts, spec.from_ts + market_ms)):
            raise SimulationError(
                f"there is no {skill.market.interval} bar of {symbol} at {iso(spec.from_ts)}, where the run would "
                "begin; choose another --from, or import what is missing"
            )
    return await _execution_interval(connection, skill, spec)


async def _ends_of(connection: Connection, symbol: str, interval_ms: int) -> Ends:
    found = (await ends(connection, BARS, symbol, [interval_ms]))[interval_ms]
    if found is None:
        name = format_interval(interval_ms)
        raise SimulationError(
            f"there are no {name} bars of {symbol}; import them with `agentic data import bars FILE "
            f"--symbol {symbol} --interval {name}`, or make some up with `agentic data synth`"
        )
    return found


def _check_range(spec: RunSpec, market_ms: int) -> None:
    for name, ts in (("--from", spec.from_ts), ("--to", spec.to_ts)):
        if ts % market_ms:
            every = format_interval(market_ms)
            raise SimulationError(
                f"{name} {iso(ts)} is not the open of a {every} bar; use a multiple of {every}"
            )
    if spec.from_ts >= spec.to_ts:
        raise SimulationError(f"--to {iso(spec.to_ts)} must be later than --from {iso(spec.from_ts)}")


def _check_coverage(symbol: str, interval_ms: int, found: Ends, spec: RunSpec) -> None:
    if found.first_ts > spec.from_ts or found.last_ts + interval_ms < spec.to_ts:
        raise SimulationError(
            f"the {format_interval(interval_ms)} bars of {symbol} reach from {iso(found.first_ts)} to "
            f"{iso(found.last_ts + interval_ms)}, not from {iso(spec.from_ts)} to {iso(spec.to_ts)}; "
            "import more, or choose --from and --to within them"
        )


async def _execution_interval(connection: Connection, skill: Skill, spec: RunSpec) -> int:
    """The finest interval that covers every symbol over the whole range and on whose grid the ticks lie.

    Two islands of minutes with a month between them do not cover it.
    """
    market_ms, grid_ms = parse_interval(skill.market.interval), Schedule.parse(skill.schedule).grid_ms
    fitting = [ms for ms in INTERVALS_MS.values() if ms <= market_ms and market_ms % ms == 0]
    if spec.execution_interval is not None:
        fitting = [ms for ms in fitting if ms == parse_interval(spec.execution_interval)]
    covering = fitting
    for symbol in skill.market.symbols:
        found = await ends(connection, BARS, symbol, covering)
        covering = [ms for ms in covering if covers(found[ms], ms, spec)]
        covering = [ms for ms in covering if await _is_dense(connection, symbol, ms, market_ms, spec)]
    for ms in covering:
        if grid_ms % ms == 0:
            return ms
    if covering:
        finest = format_interval(covering[0])
        raise SimulationError(
            f"the schedule {skill.schedule} does not lie on the grid of {finest} bars, the finest that cover "
            f"{', '.join(skill.market.symbols)}; import finer bars, or tick on multiples of {finest}"
        )
    raise SimulationError(
        f"--execution-interval {spec.execution_interval} does not divide {skill.market.interval}, or its bars "
        f"do not cover {iso(spec.from_ts)} to {iso(spec.to_ts)} for {', '.join(skill.market.symbols)}"
    )


def covers(found: Ends | None, interval_ms: int, spec: RunSpec) -> bool:
    """Whether a series begins no later than a run and ends no earlier."""
    return found is not None and found.first_ts <= spec.from_ts and found.last_ts + interval_ms >= spec.to_ts


async def _is_dense(
    connection: Connection, symbol: str, interval_ms: int, market_ms: int, spec: RunSpec
) -> bool:
    """Whether bars begin with the run and are there throughout, wherever there are bars of the market's interval."""
    if interval_ms == market_ms:
        return True
    steps = (market_ms, spec.from_ts, spec.to_ts)
    first, filled = await spread(connection, BARS, symbol, interval_ms, *steps)
    _, there = await spread(connection, BARS, symbol, market_ms, *steps)
    return first == spec.from_ts and filled >= there * (1 - MOST_ABSENT)
