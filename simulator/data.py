"""The market's data for one run: what the venue replays, what the Skill can know, and a description of both."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

import db.tape
from brokers.paper.tape import Tape, build_tape
from db.connection import Connection
from db.made_up import SYNTHETIC
from db.market import BARS, FUNDING_RATES, MARKS, load_bars, load_funding, load_marks
from db.tape import Rows, back, ends
from domain.bars import Bars
from domain.instruments import Instrument
from domain.time import HOUR_MS, INTERVALS_MS, format_interval, iso, parse_interval
from market.history import History, Series, first_bars, first_rates
from market.instruments import kept_instruments
from simulator.coverage import check_market, covers
from simulator.spec import RunSpec, SimulationError
from skills.skill import Market, Skill

MOST_GAPS_KEPT = 50
LONGEST_FUNDING_MS = 8 * HOUR_MS
"""No venue that we know settles less often."""


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


async def load_market(connection: Connection, skill: Skill, spec: RunSpec) -> MarketData:
    """Load what a run needs. Raises SimulationError for a range, an interval or a symbol that can't be."""
    execution_ms = await check_market(connection, skill, spec)
    try:
        loaded = {
            symbol: await _load_symbol(connection, symbol, skill, spec, execution_ms)
            for symbol in skill.market.symbols
        }
    except ValueError as error:
        raise SimulationError(f"{error}; look at what was imported") from error
    return _assemble(spec, loaded, await kept_instruments(connection), execution_ms, skill.market)


async def _load_symbol(
    connection: Connection, symbol: str, skill: Skill, spec: RunSpec, execution_ms: int
) -> _Symbol:
    """Load one symbol's series. Raises ValueError where prices can't be kept exactly."""
    market_ms = parse_interval(skill.market.interval)
    since = await back(connection, BARS, symbol, market_ms, spec.from_ts, skill.market.bars)
    rows = await load_bars(connection, symbol, market_ms, since, spec.to_ts)
    seen = Series(symbol, market_ms, rows, skill.market.bars)
    trades = seen.first().between(spec.from_ts, spec.to_ts)
    entries = [await _entry(connection, BARS, "bars", symbol, market_ms, rows, _holes(trades, spec))]
    if execution_ms != market_ms:
        rows = await load_bars(connection, symbol, execution_ms, spec.from_ts, spec.to_ts)
        trades = first_bars(symbol, execution_ms, rows)
        holes = _holes(trades, spec)
        entries.append(await _entry(connection, BARS, "execution bars", symbol, execution_ms, rows, holes))
    marks = await _marks(connection, symbol, spec, execution_ms)
    if marks is not None:
        entries.append(await _entry(connection, MARKS, "marks", symbol, marks[0], marks[1], []))
    before = spec.from_ts - skill.market.bars * market_ms
    settled = await load_funding(connection, symbol, before, spec.to_ts + 1)
    if len(settled):
        entries.append(await _entry(connection, FUNDING_RATES, "funding", symbol, None, settled, []))
    mark_bars = None if marks is None else first_bars(symbol, marks[0], marks[1])
    return _Symbol(seen, trades, mark_bars, settled, tuple(entries))


async def _marks(
    connection: Connection, symbol: str, spec: RunSpec, execution_ms: int
) -> tuple[int, Rows] | None:
    """The finest mark series that is no coarser than the execution bars and covers the run without a hole."""
    fitting = [ms for ms in INTERVALS_MS.values() if ms <= execution_ms and execution_ms % ms == 0]
    found = await ends(connection, MARKS, symbol, fitting)
    for ms in fitting:
        if covers(found[ms], ms, spec):
            rows = await load_marks(connection, symbol, ms, spec.from_ts, spec.to_ts)
            if len(first_bars(symbol, ms, rows)) == (spec.to_ts - spec.from_ts) // ms:
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
    return {
        "symbol": symbol,
        "kind": kind,
        **interval,
        "rows": len(rows),
        "source": ", ".join(sources),
        "synthetic": SYNTHETIC in sources,
        **holes,
        **_amendments(rows, interval_ms),
        "digest": hashlib.sha256(rows.tobytes()).hexdigest(),
    }


def _holes(bars: Bars, spec: RunSpec) -> list[tuple[int, int]]:
    """The holes of a run's bars, also one that goes on beyond its end: (first missing open, missing bars)."""
    if not len(bars):
        return []
    ends = int(bars.ts[-1]) + bars.interval_ms
    behind = (spec.to_ts - ends) // bars.interval_ms
    return [*bars.gaps(), *([(ends, behind)] if behind else [])]


def _amendments(rows: Rows, interval_ms: int | None) -> dict[str, int]:
    """How many rows are later versions of the one before them, and how many bars were first seen after their close."""
    names: Any = rows.dtype.names
    at = rows["settled_at" if "settled_at" in names else "ts"]
    is_first = np.diff(at, prepend=-1) != 0
    late = is_first & (rows["available_at"] > at + (interval_ms or 0))
    counts = {"revisions": int((~is_first).sum()), "late": int(late.sum())}
    return {name: count for name, count in counts.items() if count}


def _assemble(
    spec: RunSpec,
    loaded: dict[str, _Symbol],
    instruments: dict[str, Instrument],
    execution_ms: int,
    shown: Market,
) -> MarketData:
    rates = (
        {symbol: first_rates(symbol, one.funding) for symbol, one in loaded.items()} if spec.funding else {}
    )
    marks = {symbol: one.marks for symbol, one in loaded.items() if one.marks is not None}
    try:
        tape = build_tape(
            {symbol: one.trades for symbol, one in loaded.items()}, marks, rates, spec.from_ts, spec.to_ts
        )
    except ValueError as error:
        raise SimulationError(f"{error}; choose another range, or import what is missing") from error
    known = {symbol: one.funding for symbol, one in loaded.items()} if shown.funding else {}
    return MarketData(
        tape=tape,
        history=History(
            {symbol: one.seen for symbol, one in loaded.items()},
            known,
            shown.bars * parse_interval(shown.interval),
        ),
        prices={symbol: one.seen.first().between(spec.from_ts, spec.to_ts) for symbol, one in loaded.items()},
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
            found[f"{symbol} mark"] = (
                "trade prices, since no marks as fine as its execution bars cover the run"
            )
        if spec.funding and len(one.funding):
            price = "trade" if one.marks is None else "mark"
            found[f"{symbol} oracle"] = f"the last closed {price} price, for funding"
    return found


def _warnings(spec: RunSpec, loaded: dict[str, _Symbol]) -> Iterator[str]:
    """What a reader must know of the data."""
    for symbol, one in loaded.items():
        holes = _holes(one.trades, spec)
        if holes:
            missing = sum(count for _, count in holes)
            yield (
                f"{missing:,} {'bar is' if missing == 1 else 'bars are'} missing from {symbol}. The first is that "
                f"of {iso(holes[0][0])}; nothing fills there, and orders are refused for want of a price."
            )
        if revised := sum(entry.get("revisions", 0) for entry in one.entries):
            yield (
                f"{revised:,} {'row' if revised == 1 else 'rows'} of {symbol} came again with another value. Trades "
                "are made on the first; the Skill sees the later one from when it came."
            )
        if spec.funding:
            yield from _funding_warnings(symbol, one.funding, spec)


def _funding_warnings(symbol: str, rows: Rows, spec: RunSpec) -> Iterator[str]:
    settled = rows["settled_at"]
    inside = settled[(settled > spec.from_ts) & (settled <= spec.to_ts)]
    if not len(inside):
        yield f"There is no funding for {symbol}. None was paid or received."
    elif (
        inside[0] > spec.from_ts + LONGEST_FUNDING_MS
        or inside[-1] < spec.to_ts - LONGEST_FUNDING_MS
        or (np.diff(inside) > LONGEST_FUNDING_MS).any()
    ):
        yield (
            f"The funding of {symbol}, from {iso(int(inside[0]))} to {iso(int(inside[-1]))}, does not cover the "
            "whole run. Where it is missing, none was paid or received."
        )
