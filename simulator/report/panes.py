"""The pictures that the report's chart is put together from: equity, drawdown, and the price of a symbol.

Only geometry is made here, in a square of 1000 by 1000 that the template stretches; text and marks stand at
percent positions, so that nothing is distorted at any width. Every line keeps at most 1,400 points.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from domain.bars import Bars, Floats, Ticks
from simulator.record import RunRecord
from simulator.report import words
from simulator.report.axes import (
    BOX,
    Scale,
    Tick,
    TimeScale,
    percent_ticks,
    scale_for,
    tag_label,
    thin,
    value_ticks,
)
from simulator.trades import Direction, Trade

EQUITY_PX, DRAWDOWN_PX, PRICE_PX, SMALL_PRICE_PX = 250, 84, 210, 130
"""How high the panes are, in CSS pixels; a price pane is smaller when there are several."""

MOST_MARKED, MOST_MARKED_NARROW = 50, 16
"""How many trades of a symbol are marked, on a wide screen and on a phone: more would hide the price."""

TAG_PX = 20

NAME_PX, NAME_SHARE = 20, 0.3
"""The room that a pane's name takes in a corner: its height, and the share of a phone's width."""


class Line(msgspec.Struct, frozen=True):
    """A path in the square, and the class that colours it."""

    css: str
    path: str


class Tag(msgspec.Struct, frozen=True):
    """The last value of a line, on the axis."""

    at: float
    label: str
    kind: str


class Mark(msgspec.Struct, frozen=True):
    """Where a trade began ("long", "short") or ended ("won", "lost"), in percent of the pane."""

    x: float
    y: float
    kind: str
    title: str
    trade: int
    is_minor: bool


class Pane(msgspec.Struct, frozen=True):
    """One picture of the chart. Its name stands in the lower corner if `name_is_low`, else in the upper.

    `marked` says how many trades are marked, where not all are: on a wide screen, and on a phone.
    """

    name: str
    height: int
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    tags: tuple[Tag, ...] = ()
    marks: tuple[Mark, ...] = ()
    name_is_low: bool = False
    marked: str = ""
    marked_narrow: str = ""


def equity_pane(record: RunRecord, time: TimeScale) -> Pane:
    """The skill over its baselines; one that never moves is a straight dashed line."""
    scale = scale_for([record.equity, *record.baselines.values()])
    lines, tags = [], []
    for values in record.baselines.values():
        if np.ptp(values) == 0:
            level = round(scale.at(float(values[0])), 1)
            lines.append(Line("ln ln--flat", f"M0 {level}H{BOX}"))
        else:
            lines.append(Line("ln ln--base", path_of(record.ts, values, time, scale)))
            tags.append((scale.at(float(values[-1])), tag_label(float(values[-1])), "line"))
    lines.append(Line("ln ln--eq", path_of(record.ts, record.equity, time, scale)))
    tags.append((scale.at(float(record.equity[-1])), tag_label(float(record.equity[-1])), "eq"))
    placed = spread(tags, EQUITY_PX)
    name = "Equity, USD, log scale" if scale.is_log else "Equity, USD"
    ticks = clear_of(value_ticks(scale, 8), placed, EQUITY_PX)
    is_low = stands_low([record.equity, *record.baselines.values()], scale, EQUITY_PX)
    return Pane(name, EQUITY_PX, ticks, tuple(lines), tuple(placed), name_is_low=is_low)


def drawdown_pane(ts: Ticks, depth: Floats, time: TimeScale) -> Pane:
    """How far equity was below its peak."""
    worst = float(depth.min())
    scale = Scale(min(worst * 1.08, -0.001), 0.0)
    path = path_of(ts, depth, time, scale)
    lines = (Line("area-dd", f"{path}V0H0Z"), Line("ln ln--down", path))
    ticks = tuple(percent_ticks(scale, 3))
    return Pane("Drawdown", DRAWDOWN_PX, ticks, lines if worst else (), name_is_low=True)


def price_pane(bars: Bars, numbered: Sequence[tuple[int, Trade]], time: TimeScale, height: int) -> Pane:
    """A symbol's closes, with the way in and out of its trades, which come with their numbers."""
    closes: Floats = bars.close * np.float64(bars.tick)
    own = [(number, trade) for number, trade in numbered if trade.symbol == bars.symbol]
    shown, major = _largest(own, MOST_MARKED), {number for number, _ in _largest(own, MOST_MARKED_NARROW)}
    reached = [float(px) for _, trade in shown for px in (trade.entry_px, trade.exit_px) if px is not None]
    scale = scale_for([closes, np.array(reached)] if reached else [closes])
    gaps = np.flatnonzero(np.diff(bars.ts) != bars.interval_ms)
    lines = [Line("ln ln--ink", path_of(bars.ts + bars.interval_ms, closes, time, scale, gaps))]
    marks: list[Mark] = []
    for number, trade in shown:
        lines += _join(trade, time, scale, is_minor=number not in major)
        marks += _marks(number, trade, time, scale, bars, is_minor=number not in major)
    tag = spread([(scale.at(float(closes[-1])), tag_label(float(closes[-1])), "line")], height)
    return Pane(
        f"{bars.symbol} price, USD" + (", log scale" if scale.is_log else ""),
        height,
        clear_of(value_ticks(scale, 6 if height > SMALL_PRICE_PX else 5), tag, height),
        tuple(lines),
        tuple(tag),
        tuple(marks),
        name_is_low=stands_low([closes], scale, height),
        marked=_marked(bars.symbol, len(shown), len(own)),
        marked_narrow=_marked(bars.symbol, len(major), len(own)),
    )


def stands_low(series: Sequence[Floats], scale: Scale, height: int) -> bool:
    """Whether a name in the upper corner would hide a line that leaves more room in the lower one."""
    starts = np.concatenate([values[: max(1, int(len(values) * NAME_SHARE))] for values in series])
    above = float(scale.at(float(starts.max()))) / BOX * height
    below = height - float(scale.at(float(starts.min()))) / BOX * height
    return above < min(NAME_PX, below)


def _largest(own: list[tuple[int, Trade]], most: int) -> list[tuple[int, Trade]]:
    """All trades if they are few, else those that won or lost most."""
    if len(own) <= most:
        return own
    kept = sorted(own, key=lambda each: abs(each[1].net), reverse=True)[:most]
    return sorted(kept, key=lambda each: each[0])


def _marked(symbol: str, shown: int, count: int) -> str:
    """How many trades of a symbol are marked, where not all are: "50 of 107 in BTC"."""
    return "" if shown == count else f"{shown} of {count:,} in {symbol}"


def _join(trade: Trade, time: TimeScale, scale: Scale, *, is_minor: bool) -> Iterable[Line]:
    """A dashed line from entry to exit."""
    if trade.exit_ts is None or trade.exit_px is None:
        return
    start = f"{time.at(trade.entry_ts):.1f} {scale.at(float(trade.entry_px)):.1f}"
    end = f"{time.at(trade.exit_ts):.1f} {scale.at(float(trade.exit_px)):.1f}"
    css = f"ln ln--dash ln--{words.tone(trade.net) or 'mute'}"
    yield Line(f"{css} hide-s" if is_minor else css, f"M{start}L{end}")


def _marks(
    number: int, trade: Trade, time: TimeScale, scale: Scale, bars: Bars, *, is_minor: bool
) -> Iterable[Mark]:
    """The way in and, unless it is still open, the way out."""

    def mark(ts: int, px: Decimal, kind: str, title: str) -> Mark:
        x, y = round(time.at(ts) / 10, 2), round(scale.at(float(px)) / 10, 2)
        return Mark(x, y, kind, title, number, is_minor)

    side = "Long" if trade.side is Direction.LONG else "Short"
    what = f"{side} {words.grouped(trade.max_size)} {trade.symbol}"
    entry = words.price(trade.entry_px, bars.tick)
    title = f"{what} at {entry}, {words.minute(trade.entry_ts)}"
    yield mark(trade.entry_ts, trade.entry_px, trade.side.value, title)
    if trade.exit_ts is not None and trade.exit_px is not None:
        out, result = words.price(trade.exit_px, bars.tick), words.dollars(trade.net, signed=True)
        title = f"Out at {out}, {words.minute(trade.exit_ts)}: {result}"
        yield mark(trade.exit_ts, trade.exit_px, "lost" if trade.net < 0 else "won", title)


def path_of(ts: Ticks, values: Floats, time: TimeScale, scale: Scale, gaps: Ticks | None = None) -> str:
    """A line through the thinned values, lifted over gaps (the places after which bars are missing)."""
    kept = thin(values)
    xs = np.round(time.all_at(ts[kept]), 1).tolist()
    ys = np.round(scale.all_at(values[kept]), 1).tolist()
    starts = set() if gaps is None else set(np.searchsorted(kept, gaps, side="right").tolist())
    pieces = [
        f"{'M' if i in starts else 'L'}{x:g} {y:g}" for i, (x, y) in enumerate(zip(xs, ys, strict=True))
    ]
    return "M" + "".join(pieces)[1:]


def spread(tags: list[tuple[float, str, str]], height: int) -> list[Tag]:
    """Push tags apart that would cover each other, and keep them inside the pane."""
    half = TAG_PX / 2
    placed: list[list[Any]] = [[at * height / BOX, label, kind] for at, label, kind in sorted(tags)]
    for upper, lower in pairwise(placed):
        overlap = TAG_PX - (lower[0] - upper[0])
        if overlap > 0:
            upper[0] -= overlap / 2
            lower[0] += overlap / 2
    return [
        Tag(round(min(max(at, half), height - half) / height * BOX, 1), label, kind)
        for at, label, kind in placed
    ]


def clear_of(ticks: list[Tick], tags: Sequence[Tag], height: int) -> tuple[Tick, ...]:
    """Leave a tick's label out where a tag stands on it; its grid line stays."""
    near = 15 / height * BOX
    return tuple(
        Tick(tick.at, "") if any(abs(tick.at - tag.at) < near for tag in tags) else tick for tick in ticks
    )
