"""The report's chart: equity, drawdown and prices, in panes above each other on one axis of time."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from domain.bars import Bars, Floats
from domain.time import iso
from simulator.curves import drawdowns
from simulator.metrics import Metrics
from simulator.record import RunRecord
from simulator.report import words
from simulator.report.axes import BOX, Tick, TimeScale
from simulator.report.panes import PRICE_PX, SMALL_PRICE_PX, Pane, drawdown_pane, equity_pane, price_pane
from simulator.trades import Trade

MOST_PRICES = 3
"""How many symbols' prices are drawn."""

SAMPLES = 480
"""How many instants the crosshair can stop at."""


class Chart(msgspec.Struct, frozen=True):
    """All panes, their common axis, what they show in a sentence, and the values at the crosshair's stops.

    Up to `before`, from 0 to 1000, the model may remember what it is shown.
    """

    panes: tuple[Pane, ...]
    ticks: tuple[Tick, ...]
    sentence: str
    samples: dict[str, Any]
    note: str = ""
    before: float = 0.0


def chart(record: RunRecord, metrics: Metrics, made: Sequence[Trade]) -> Chart:
    """Lay out the run's chart."""
    time = TimeScale(int(record.ts[0]), int(record.ts[-1]))
    prices = _shown_prices(record)
    depth = drawdowns(record.equity)
    height = PRICE_PX if len(prices) == 1 else SMALL_PRICE_PX
    numbered = list(enumerate(made, 1))
    return Chart(
        panes=(
            equity_pane(record, time),
            drawdown_pane(record.ts, depth, time),
            *(price_pane(bars, numbered, time, height) for bars in prices.values()),
        ),
        ticks=tuple(time.ticks()),
        sentence=_sentence(record, metrics, list(prices)),
        samples=_samples(record, depth, prices),
        note=_left_out(record, list(prices)),
        before=round(BOX * metrics.split.share_before, 2) if metrics.split else 0.0,
    )


def _shown_prices(record: RunRecord) -> dict[str, Bars]:
    """The bars of the first few symbols that have any within the run."""
    inside = {symbol: bars.between(record.from_ts, record.to_ts) for symbol, bars in record.prices.items()}
    named = [symbol for symbol in record.symbols if len(inside.get(symbol, ()))]
    return {symbol: inside[symbol] for symbol in named[:MOST_PRICES]}


def _left_out(record: RunRecord, shown: list[str]) -> str:
    left_out = [symbol for symbol in record.symbols if symbol not in shown]
    return f"Without the price of {', '.join(left_out)}." if left_out else ""


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
