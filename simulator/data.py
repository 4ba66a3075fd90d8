"""The market's data for one run: what the venue replays, what the Skill can know, and a description of both."""

import hashlib
from typing import Any

import msgspec

import db.tape
from brokers.paper.tape import Tape, build_tape
from db.connection import Connection
from db.made_up import SYNTHETIC
from db.market import BARS, FUNDING_RATES, MARKS, load_bars, load_funding, load_marks
from db.tape import Ends, Rows, ends
from domain.bars import Bars
from domain.instruments import Instrument
from domain.time import INTERVALS_MS, format_interval, iso, parse_interval
from market.history import History, Series, final_bars, funding_rates
from market.instruments import kept_instruments
from simulator.spec import RunSpec, SimulationError
from skills.schedule import Schedule
from skills.skill import Skill

MOST_GAPS_KEPT = 50


class MarketData(msgspec.Struct, frozen=True):
    """Everything a run reads. `description` is the manifest's part about it, `digest` names all of it."""

    tape: Tape
    history: History
    prices: dict[str, Bars]
    instruments: dict[str, Instrument]
    description: dict[str, Any]
    stood_in: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The sha256 of the description, which holds the digest of every series."""
        return hashlib.sha256(msgspec.json.encode(self.description, order="deterministic")).hexdigest()


class _Symbol(msgspec.Struct, frozen=True):
    """One symbol's data as it was loaded; `entries` describe its series."""

    seen: Series  # the bars that the Skill sees, from before the run on
    trades: Bars
    marks: Bars | None
    funding: Rows
    entries: tuple[dict[str, Any], ...]


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
    return await _execution_interval(connection, skill, spec)


async def load_market(connection: Connection, skill: Skill, spec: RunSpec) -> MarketData:
    """Load what a run needs. Raises SimulationError for a range, an interval or a symbol that can't be."""
    execution_ms = await check_market(connection, skill, spec)
    loaded = {
        symbol: await _load_symbol(connection, symbol, skill, spec, execution_ms)
        for symbol in skill.market.symbols
    }
    return _assemble(spec, loaded, await kept_instruments(connection), execution_ms, skill.market.funding)


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
    """The finest interval that covers every symbol over the whole range and on whose grid the ticks lie."""
    market_ms, grid_ms = parse_interval(skill.market.interval), Schedule.parse(skill.schedule).grid_ms
    fitting = [ms for ms in INTERVALS_MS.values() if ms <= market_ms and market_ms % ms == 0]
    if spec.execution_interval is not None:
        fitting = [ms for ms in fitting if ms == parse_interval(spec.execution_interval)]
    covering = fitting
    for symbol in skill.market.symbols:
        found = await ends(connection, BARS, symbol, covering)
        covering = [ms for ms in covering if _covers(found[ms], ms, spec)]
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


def _covers(found: Ends | None, interval_ms: int, spec: RunSpec) -> bool:
    return found is not None and found.first_ts <= spec.from_ts and found.last_ts + interval_ms >= spec.to_ts


async def _load_symbol(
    connection: Connection, symbol: str, skill: Skill, spec: RunSpec, execution_ms: int
) -> _Symbol:
    market_ms = parse_interval(skill.market.interval)
    before = spec.from_ts - skill.market.bars * market_ms
    rows = await load_bars(connection, symbol, market_ms, before, spec.to_ts)
    seen = Series(symbol, market_ms, rows)
    trades = seen.final().between(spec.from_ts, spec.to_ts)
    entries = [await _entry(connection, BARS, "bars", symbol, market_ms, rows, trades.gaps())]
    if execution_ms != market_ms:
        rows = await load_bars(connection, symbol, execution_ms, spec.from_ts, spec.to_ts)
        trades = final_bars(symbol, execution_ms, rows)
        gaps = trades.gaps()
        entries.append(await _entry(connection, BARS, "execution bars", symbol, execution_ms, rows, gaps))
    marks = await _marks(connection, symbol, spec, execution_ms)
    if marks is not None:
        entries.append(await _entry(connection, MARKS, "marks", symbol, marks[0], marks[1], []))
    settled = await load_funding(connection, symbol, before, spec.to_ts + 1)
    if len(settled):
        entries.append(await _entry(connection, FUNDING_RATES, "funding", symbol, None, settled, []))
    mark_bars = None if marks is None else final_bars(symbol, marks[0], marks[1])
    return _Symbol(seen, trades, mark_bars, settled, tuple(entries))


async def _marks(
    connection: Connection, symbol: str, spec: RunSpec, execution_ms: int
) -> tuple[int, Rows] | None:
    """The finest mark series that is no coarser than the execution bars and covers the run without a hole."""
    fitting = [ms for ms in INTERVALS_MS.values() if ms <= execution_ms and execution_ms % ms == 0]
    found = await ends(connection, MARKS, symbol, fitting)
    for ms in fitting:
        if _covers(found[ms], ms, spec):
            rows = await load_marks(connection, symbol, ms, spec.from_ts, spec.to_ts)
            if len(final_bars(symbol, ms, rows)) == (spec.to_ts - spec.from_ts) // ms:
                return ms, rows
    return None


async def _entry(
    connection: Connection,
    tape: db.tape.Tape,
    kind: str,
    symbol: str,
    interval_ms: int | None,
    rows: Rows,
    gaps: list[tuple[int, int]],
) -> dict[str, Any]:
    """One series in the manifest: what it is, how much, its holes, and the digest of every version of every row."""
    found = (await ends(connection, tape, symbol, [interval_ms]))[interval_ms]
    sources = found.sources if found is not None else ()
    interval = {} if interval_ms is None else {"interval": format_interval(interval_ms)}
    holes = {} if interval_ms is None else {"gaps": [list(gap) for gap in gaps[:MOST_GAPS_KEPT]]}
    revised = {"revisions": revisions} if (revisions := _revisions(rows)) else {}
    return {
        "symbol": symbol,
        "kind": kind,
        **interval,
        "rows": len(rows),
        "source": ", ".join(sources),
        "synthetic": SYNTHETIC in sources,
        **holes,
        **revised,
        "digest": hashlib.sha256(rows.tobytes()).hexdigest(),
    }


def _revisions(rows: Rows) -> int:
    """How many rows are later versions of the one before them."""
    names: Any = rows.dtype.names
    at = rows["settled_at" if "settled_at" in names else "ts"]
    return int((at[1:] == at[:-1]).sum())


def _assemble(
    spec: RunSpec,
    loaded: dict[str, _Symbol],
    instruments: dict[str, Instrument],
    execution_ms: int,
    sees_funding: bool,
) -> MarketData:
    rates = (
        {symbol: funding_rates(symbol, one.funding) for symbol, one in loaded.items()} if spec.funding else {}
    )
    marks = {symbol: one.marks for symbol, one in loaded.items() if one.marks is not None}
    try:
        tape = build_tape(
            {symbol: one.trades for symbol, one in loaded.items()}, marks, rates, spec.from_ts, spec.to_ts
        )
    except ValueError as error:
        raise SimulationError(f"{error}; choose another range, or import what is missing") from error
    known = {symbol: one.funding for symbol, one in loaded.items()} if sees_funding else {}
    return MarketData(
        tape=tape,
        history=History({symbol: one.seen for symbol, one in loaded.items()}, known),
        prices={symbol: one.seen.final().between(spec.from_ts, spec.to_ts) for symbol, one in loaded.items()},
        instruments={symbol: instruments[symbol] for symbol in loaded},
        description={
            "execution_interval": format_interval(execution_ms),
            "series": [entry for one in loaded.values() for entry in one.entries],
        },
        stood_in=_stood_in(spec, loaded),
        warnings=tuple(_warnings(spec, loaded)),
    )


def _stood_in(spec: RunSpec, loaded: dict[str, _Symbol]) -> dict[str, str]:
    found = {}
    for symbol, one in loaded.items():
        if one.marks is None:
            found[f"{symbol} mark"] = "trade prices, since no mark series covers the run"
        if spec.funding and len(one.funding):
            price = "trade" if one.marks is None else "mark"
            found[f"{symbol} oracle"] = f"the last closed {price} price, for funding"
    return found


def _warnings(spec: RunSpec, loaded: dict[str, _Symbol]) -> list[str]:
    found = []
    for symbol, one in loaded.items():
        missing = sum(count for _, count in one.trades.gaps())
        if missing:
            first, _ = one.trades.gaps()[0]
            bars = "bar is" if missing == 1 else "bars are"
            found.append(
                f"{missing:,} {bars} missing from {symbol}. The first is that of {iso(first)}; "
                "nothing fills there, and orders are refused for want of a price."
            )
        settled = one.funding["settled_at"] if len(one.funding) else ()
        if spec.funding and not any(spec.from_ts < ts <= spec.to_ts for ts in settled):
            found.append(f"There is no funding for {symbol}. None was paid or received.")
    return found
