"""History as the venue replays it: each symbol's execution bars on one common grid.

A missing bar is a flat, zero-volume bar at the last close that trades nothing and is marked as missing, so that
every symbol can be read at every index.
"""

from decimal import Decimal

import msgspec
import numpy as np

from domain.bars import Bars, FundingRates, Ticks
from domain.time import iso

Column = memoryview


class Path(msgspec.Struct, frozen=True):
    """Open, high, low and close at each grid index, as whole ticks of `tick` USD."""

    open: Column
    high: Column
    low: Column
    close: Column
    tick: Decimal


class Track(msgspec.Struct, frozen=True):
    """One symbol on the tape. `marks` is `trades` where no mark series serves."""

    symbol: str
    trades: Path
    marks: Path
    volume: Column  # base units, float
    present: Column  # 1 where there is a bar, 0 where it is missing
    fresh: Column  # 1 where there is a bar of the marks as well
    funding: FundingRates


class Tape(msgspec.Struct, frozen=True):
    """All symbols' execution bars from `start_ts`, one every `interval_ms`, `length` of them."""

    start_ts: int
    interval_ms: int
    length: int
    tracks: tuple[Track, ...]

    @property
    def end_ts(self) -> int:
        return self.start_ts + self.length * self.interval_ms


def build_tape(
    trades: dict[str, Bars],
    marks: dict[str, Bars],
    funding: dict[str, FundingRates],
    from_ts: int,
    to_ts: int,
) -> Tape:
    """Lay the bars that open in [from_ts, to_ts) on one grid. All `trades` must have one interval.

    `marks` may be finer; they are gathered into execution bars. Raises ValueError when a symbol has no bar at
    `from_ts`, or the intervals differ.
    """
    intervals = {bars.interval_ms for bars in trades.values()}
    if len(intervals) != 1:
        raise ValueError(f"execution bars must have one interval, found {sorted(intervals)}")
    interval_ms = intervals.pop()
    length = (to_ts - from_ts) // interval_ms
    tracks = tuple(
        _track(trades[symbol], marks.get(symbol), funding.get(symbol), from_ts, length)
        for symbol in sorted(trades)
    )
    return Tape(from_ts, interval_ms, length, tracks)


def _track(bars: Bars, marks: Bars | None, funding: FundingRates | None, from_ts: int, length: int) -> Track:
    trades, present = _on_grid(bars, from_ts, bars.interval_ms, length)
    own_marks, seen = (
        (trades, present) if marks is None else _on_grid(marks, from_ts, bars.interval_ms, length)
    )
    inside = bars.between(from_ts, from_ts + length * bars.interval_ms)
    volume = np.zeros(length)
    volume[(inside.ts - from_ts) // bars.interval_ms] = inside.volume
    return Track(
        symbol=bars.symbol,
        trades=trades,
        marks=own_marks,
        volume=volume.data,
        present=present.astype(np.int8).data,
        fresh=(present & seen).astype(np.int8).data,
        funding=funding or FundingRates.empty(bars.symbol),
    )


def _on_grid(bars: Bars, from_ts: int, interval_ms: int, length: int) -> tuple[Path, Ticks]:
    inside = bars.between(from_ts, from_ts + length * interval_ms)
    if not len(inside) or int(inside.ts[0]) // interval_ms != from_ts // interval_ms:
        raise ValueError(f"there is no bar at {iso(from_ts)}: {bars.describe()}")
    index = (inside.ts - from_ts) // interval_ms
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    at = index[starts]
    ends = np.append(starts[1:], len(index)) - 1
    present = np.zeros(length, np.int64)
    present[at] = 1
    last = np.maximum.accumulate(np.where(present == 1, np.arange(length), 0))
    close = _spread(inside.close[ends], at, length)[last]
    path = Path(
        open=_filled(_spread(inside.open[starts], at, length), present, close),
        high=_filled(_spread(np.maximum.reduceat(inside.high, starts), at, length), present, close),
        low=_filled(_spread(np.minimum.reduceat(inside.low, starts), at, length), present, close),
        close=close.data,
        tick=bars.tick,
    )
    return path, present


def _spread(values: Ticks, at: Ticks, length: int) -> Ticks:
    column = np.zeros(length, np.int64)
    column[at] = values
    return column


def _filled(column: Ticks, present: Ticks, close: Ticks) -> Column:
    return np.where(present == 1, column, close).data
