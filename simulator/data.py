"""The market's data for one run: what the venue replays, what the Skill can know, and a description of both."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from brokers.paper.tape import Tape, build_tape
from db.made_up import SYNTHETIC
from db.tape import Rows
from domain.bars import Bars
from domain.instruments import Instrument
from domain.time import HOUR_MS, format_interval, iso, parse_interval
from market.history import History, Series, first_bars, first_rates
from market.news import NewsSource, RunNews
from simulator.news import news_entry, news_warnings
from simulator.rows import KINDS, RunRows, SeriesRows, SymbolRows, unreadable
from simulator.spec import RunSpec, SimulationError
from skills.skill import Market

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
    """One symbol's data as a run uses it; `entries` describe its series."""

    seen: Series  # the bars that the Skill sees, from before the run on
    trades: Bars
    marks: Bars | None
    funding: Rows
    entries: tuple[dict[str, Any], ...]


def assemble(loaded: RunRows, shown: Market, spec: RunSpec, archive: NewsSource | None = None) -> MarketData:
    """Put together what a run uses of the rows it reads. Raises SimulationError for rows that can't be used."""
    try:
        symbols = {symbol: _symbol(rows, shown, spec) for symbol, rows in loaded.symbols.items()}
    except ValueError as error:
        raise unreadable(error) from error
    rates = (
        {symbol: first_rates(symbol, one.funding) for symbol, one in symbols.items()} if spec.funding else {}
    )
    marks = {symbol: one.marks for symbol, one in symbols.items() if one.marks is not None}
    try:
        tape = build_tape(
            {symbol: one.trades for symbol, one in symbols.items()}, marks, rates, spec.from_ts, spec.to_ts
        )
    except ValueError as error:
        raise SimulationError(f"{error}; choose another range, or import what is missing") from error
    known = {symbol: one.funding for symbol, one in symbols.items()} if shown.funding else {}
    return MarketData(
        tape=tape,
        history=History(
            {symbol: one.seen for symbol, one in symbols.items()},
            known,
            shown.bars * parse_interval(shown.interval),
            None if loaded.news is None else RunNews(loaded.news, archive),
        ),
        prices={
            symbol: one.seen.first().between(spec.from_ts, spec.to_ts) for symbol, one in symbols.items()
        },
        instruments=loaded.instruments,
        description={
            "execution_interval": format_interval(loaded.execution_ms),
            "series": [
                *(entry for one in symbols.values() for entry in one.entries),
                *([] if loaded.news is None else [news_entry(loaded.news)]),
            ],
        },
        stood_in=_stood_in(spec, symbols),
        warnings=(
            *_warnings(spec, symbols),
            *([] if loaded.news is None else news_warnings(loaded.news, shown.symbols, spec)),
        ),
    )


def _symbol(rows: SymbolRows, shown: Market, spec: RunSpec) -> _Symbol:
    """Build one symbol's series. Raises ValueError where prices can't be kept exactly."""
    market_ms = parse_interval(shown.interval)
    seen = Series(rows.bars.symbol, market_ms, rows.bars.rows, shown.bars)
    trades = seen.first().between(spec.from_ts, spec.to_ts)
    holes = {"bars": _holes(trades, spec)}
    if rows.execution is not None:
        trades = _first(rows.execution)
        holes["execution bars"] = _holes(trades, spec)
    return _Symbol(
        seen=seen,
        trades=trades,
        marks=None if rows.marks is None else _first(rows.marks),
        funding=rows.funding.rows,
        entries=tuple(_entry(one, holes.get(one.kind, [])) for one in rows.series),
    )


def _first(series: SeriesRows) -> Bars:
    assert series.interval_ms is not None
    return first_bars(series.symbol, series.interval_ms, series.rows)


def _entry(series: SeriesRows, gaps: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """One series in the manifest: what it is, how much, its holes, and the digest of every version of every row."""
    interval_ms = series.interval_ms
    interval = {} if interval_ms is None else {"interval": format_interval(interval_ms)}
    holes = {} if interval_ms is None else {"gaps": [list(gap) for gap in gaps[:MOST_GAPS_KEPT]]}
    return {
        "symbol": series.symbol,
        "kind": series.kind,
        **interval,
        "rows": len(series.rows),
        "source": ", ".join(series.sources),
        "synthetic": SYNTHETIC in series.sources,
        **holes,
        **_amendments(series),
        "digest": hashlib.sha256(series.rows.tobytes()).hexdigest(),
    }


def _holes(bars: Bars, spec: RunSpec) -> list[tuple[int, int]]:
    """The holes of a run's bars, also one that goes on beyond its end: (first missing open, missing bars)."""
    if not len(bars):
        return []
    ends = int(bars.ts[-1]) + bars.interval_ms
    behind = (spec.to_ts - ends) // bars.interval_ms
    return [*bars.gaps(), *([(ends, behind)] if behind else [])]


def _amendments(series: SeriesRows) -> dict[str, int]:
    """How many rows are later versions of the one before them, and how many bars were first seen after their close."""
    at: Any = series.rows[KINDS[series.kind].at]
    is_first = np.diff(at, prepend=-1) != 0
    late = is_first & (series.rows["available_at"] > at + (series.interval_ms or 0))
    counts = {"revisions": int((~is_first).sum()), "late": int(late.sum())}
    return {name: count for name, count in counts.items() if count}


def _stood_in(spec: RunSpec, symbols: dict[str, _Symbol]) -> dict[str, str]:
    found = {}
    for symbol, one in symbols.items():
        if one.marks is None:
            found[f"{symbol} mark"] = (
                "trade prices, since no marks as fine as its execution bars cover the run"
            )
        if spec.funding and len(one.funding):
            price = "trade" if one.marks is None else "mark"
            found[f"{symbol} oracle"] = f"the last closed {price} price, for funding"
    return found


def _warnings(spec: RunSpec, symbols: dict[str, _Symbol]) -> Iterator[str]:
    """What a reader must know of the data."""
    for symbol, one in symbols.items():
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
