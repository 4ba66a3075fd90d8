"""The report's picture: equity, drawdown and prices, in panes above each other on one axis of time.

Only geometry is made here, in a square of 1000 by 1000 that the template stretches; text and marks stand at
percent positions, so that nothing is distorted at any width. Every line keeps at most 1,400 points.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from domain.bars import Bars, Floats, Ticks
from domain.time import iso
from simulator.metrics import Metrics
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

MOST_PRICES = 3
MOST_MARKED = 50
"""How many trades of a symbol are marked: more than this would hide the price, so the largest are."""

SAMPLES = 480
"""How many instants the crosshair can stop at."""

TAG_PX = 20


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


class Pane(msgspec.Struct, frozen=True):
    """One picture of the chart."""

    name: str
    height: int
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    tags: tuple[Tag, ...] = ()
    marks: tuple[Mark, ...] = ()
    note: str = ""


class Chart(msgspec.Struct, frozen=True):
    """All panes, their common axis, what they show in a sentence, and the values at the crosshair's stops."""

    panes: tuple[Pane, ...]
    ticks: tuple[Tick, ...]
    sentence: str
    samples: dict[str, Any]


def chart(record: RunRecord, metrics: Metrics, made: Sequence[Trade]) -> Chart:
    """Lay out the run's chart."""
    time = TimeScale(int(record.ts[0]), int(record.ts[-1]))
    prices = {
        symbol: record.prices[symbol].between(record.from_ts, record.to_ts) for symbol in record.symbols[:3]
    }
    prices = {symbol: bars for symbol, bars in prices.items() if len(bars)}
    depth = record.equity / np.maximum.accumulate(record.equity) - 1.0
    height = PRICE_PX if len(prices) == 1 else SMALL_PRICE_PX
    return Chart(
        panes=(
            _equity_pane(record, time),
            _drawdown_pane(record.ts, depth, time),
            *(_price_pane(bars, list(enumerate(made, 1)), time, height) for bars in prices.values()),
        ),
        ticks=tuple(time.ticks()),
        sentence=_sentence(record, metrics, list(prices)),
        samples=_samples(record, depth, prices),
    )


def _equity_pane(record: RunRecord, time: TimeScale) -> Pane:
    """The skill over its baselines; one that never moves is a straight dashed line."""
    scale = scale_for([record.equity, *record.baselines.values()])
    lines, tags = [], []
    for values in record.baselines.values():
        if np.ptp(values) == 0:
            level = round(scale.at(float(values[0])), 1)
            lines.append(Line("ln ln--flat", f"M0 {level}H{BOX}"))
        else:
            lines.append(Line("ln ln--base", _path(record.ts, values, time, scale)))
            tags.append((scale.at(float(values[-1])), tag_label(float(values[-1])), "line"))
    lines.append(Line("ln ln--eq", _path(record.ts, record.equity, time, scale)))
    tags.append((scale.at(float(record.equity[-1])), tag_label(float(record.equity[-1])), "eq"))
    placed = _spread(tags, EQUITY_PX)
    name = "Equity, USD, log scale" if scale.is_log else "Equity, USD"
    ticks = _clear_of(value_ticks(scale, 8), placed, EQUITY_PX)
    return Pane(name, EQUITY_PX, ticks, tuple(lines), tuple(placed))


def _drawdown_pane(ts: Ticks, depth: Floats, time: TimeScale) -> Pane:
    worst = float(depth.min())
    scale = Scale(min(worst * 1.08, -0.001), 0.0)
    path = _path(ts, depth, time, scale)
    lines = (Line("area-dd", f"{path}V0H0Z"), Line("ln ln--down", path))
    return Pane("Drawdown", DRAWDOWN_PX, tuple(percent_ticks(scale, 3)), lines if worst else ())


def _price_pane(bars: Bars, numbered: list[tuple[int, Trade]], time: TimeScale, height: int) -> Pane:
    closes: Floats = bars.close * np.float64(bars.tick)
    own = [(number, trade) for number, trade in numbered if trade.symbol == bars.symbol]
    shown = _largest(own)
    reached = [float(px) for _, trade in shown for px in (trade.entry_px, trade.exit_px) if px is not None]
    scale = scale_for([closes, np.array(reached)] if reached else [closes])
    known = bars.ts + bars.interval_ms
    gaps = np.flatnonzero(np.diff(bars.ts) != bars.interval_ms)
    lines = [Line("ln ln--ink", _path(known, closes, time, scale, gaps))]
    marks: list[Mark] = []
    for number, trade in shown:
        lines += _join(trade, time, scale)
        marks += _marks(number, trade, time, scale, bars)
    some = f"Only the {len(shown)} largest of {len(own):,} trades in {bars.symbol} are marked."
    note = some if len(shown) < len(own) else ""
    name = f"{bars.symbol} price, USD" + (", log scale" if scale.is_log else "")
    tag = _spread([(scale.at(float(closes[-1])), tag_label(float(closes[-1])), "line")], height)
    ticks = _clear_of(value_ticks(scale, 6 if height > SMALL_PRICE_PX else 4), tag, height)
    return Pane(name, height, ticks, tuple(lines), tuple(tag), tuple(marks), note)


def _largest(own: list[tuple[int, Trade]]) -> list[tuple[int, Trade]]:
    """All trades if they are few, else those that won or lost most."""
    if len(own) <= MOST_MARKED:
        return own
    kept = sorted(own, key=lambda each: abs(each[1].net), reverse=True)[:MOST_MARKED]
    return sorted(kept, key=lambda each: each[0])


def _join(trade: Trade, time: TimeScale, scale: Scale) -> Iterable[Line]:
    """A dashed line from entry to exit."""
    if trade.exit_ts is None or trade.exit_px is None:
        return
    start = f"{time.at(trade.entry_ts):.1f} {scale.at(float(trade.entry_px)):.1f}"
    end = f"{time.at(trade.exit_ts):.1f} {scale.at(float(trade.exit_px)):.1f}"
    result = words.tone(trade.net) or "mute"
    yield Line(f"ln ln--dash ln--{result}", f"M{start}L{end}")


def _marks(number: int, trade: Trade, time: TimeScale, scale: Scale, bars: Bars) -> Iterable[Mark]:
    side = "Long" if trade.side is Direction.LONG else "Short"
    what = f"{side} {words.grouped(trade.max_size)} {trade.symbol}"
    entry = words.price(trade.entry_px, bars.tick)
    title = f"{what} at {entry}, {words.minute(trade.entry_ts)}"
    yield _mark(time.at(trade.entry_ts), scale.at(float(trade.entry_px)), trade.side.value, title, number)
    if trade.exit_ts is None or trade.exit_px is None:
        return
    out = words.price(trade.exit_px, bars.tick)
    result = words.dollars(trade.net, signed=True)
    title = f"Out at {out}, {words.minute(trade.exit_ts)}: {result}"
    kind = "lost" if trade.net < 0 else "won"
    yield _mark(time.at(trade.exit_ts), scale.at(float(trade.exit_px)), kind, title, number)


def _mark(x: float, y: float, kind: str, title: str, number: int) -> Mark:
    return Mark(round(x / 10, 2), round(y / 10, 2), kind, title, number)


def _path(ts: Ticks, values: Floats, time: TimeScale, scale: Scale, gaps: Ticks | None = None) -> str:
    """A line through the thinned values, lifted over gaps (the places after which bars are missing)."""
    kept = thin(values)
    xs = np.round(time.all_at(ts[kept]), 1).tolist()
    ys = np.round(scale.all_at(values[kept]), 1).tolist()
    starts = set() if gaps is None else set(np.searchsorted(kept, gaps, side="right").tolist())
    pieces = [
        f"{'M' if i in starts else 'L'}{x:g} {y:g}" for i, (x, y) in enumerate(zip(xs, ys, strict=True))
    ]
    return "M" + "".join(pieces)[1:]


def _spread(tags: list[tuple[float, str, str]], height: int) -> list[Tag]:
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


def _clear_of(ticks: list[Tick], tags: Sequence[Tag], height: int) -> tuple[Tick, ...]:
    """Leave a tick's label out where a tag stands on it; its grid line stays."""
    near = 15 / height * BOX
    return tuple(
        Tick(tick.at, "") if any(abs(tick.at - tag.at) < near for tag in tags) else tick for tick in ticks
    )


def _samples(record: RunRecord, depth: Floats, prices: dict[str, Bars]) -> dict[str, Any]:
    """What the crosshair reads: instants, their place, and a column of texts for each line."""
    places = np.unique(np.linspace(0, len(record.ts) - 1, SAMPLES).astype(np.int64))
    ts = record.ts[places]
    columns = {"equity": [words.number(value) for value in record.equity[places].tolist()]}
    for name, values in record.baselines.items():
        columns[name] = [words.number(value) for value in values[places].tolist()]
    columns["drawdown"] = [words.percent(value) for value in depth[places].tolist()]
    for symbol, bars in prices.items():
        last = np.searchsorted(bars.ts + bars.interval_ms, ts, side="right") - 1
        columns[f"price-{symbol}"] = [
            words.price(int(bars.close[place]) * bars.tick, bars.tick) if place >= 0 else words.UNKNOWN
            for place in last.tolist()
        ]
    x = np.round(TimeScale(int(record.ts[0]), int(record.ts[-1])).all_at(ts) / BOX, 4)
    return {"at": x.tolist(), "time": [words.minute(each) for each in ts.tolist()], "columns": columns}


def _sentence(record: RunRecord, metrics: Metrics, symbols: list[str]) -> str:
    """The picture in words."""
    start, end = words.number(record.start_usd, 0), words.number(record.final_equity, 0)
    text = f"Equity from {start} to {end} dollars between {iso(record.from_ts)} and {iso(record.to_ts)}"
    for name, curve in metrics.baselines.items():
        text += f", {words.baseline(name).lower()} {words.number(curve.final_equity, 0)}"
    deepest = words.percent(metrics.max_drawdown, 1)
    trades = words.plural(metrics.trades + metrics.open_trades, "trade")
    return (
        f"{text}; drawdown at worst {deepest}; price of {' and '.join(symbols) or 'nothing'} with {trades}."
    )
