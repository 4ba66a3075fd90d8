"""What stands above everything else: warnings first, then few figures, each beside an honest one."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from simulator.bootstrap import Range
from simulator.curves import Curve
from simulator.cutoff import warning
from simulator.metrics import Metrics
from simulator.record import RunRecord
from simulator.report import words
from simulator.report.manifest import flagged
from simulator.spread import band_of, results, verdict

FEW_TRADES = 30


class Notice(msgspec.Struct, frozen=True):
    """One thing to know before reading on. `level` is "bad", "warn", "info" or "done"."""

    level: str
    strong: str
    text: str = ""


class Figure(msgspec.Struct, frozen=True):
    """A figure, and under it what it should be read beside."""

    name: str
    value: str
    tone: str
    notes: tuple[str, ...]


def notices(record: RunRecord, metrics: Metrics) -> list[Notice]:
    """Everything that makes the result worth less than it looks, worst first."""
    return [
        *_ruin(record),
        *_memory(record, metrics),
        *_origins(record),
        *(_warning(text) for text in record.warnings),
        *_unknown(record, metrics),
        *_luck(record, metrics),
        *_dice(record, metrics),
    ]


def _warning(text: str) -> Notice:
    """The run's own warning, its first sentence standing out."""
    first, dot, rest = text.partition(". ")
    return Notice("warn", first + dot.strip(), rest)


def _ruin(record: RunRecord) -> Iterator[Notice]:
    if not record.liquidations:
        return
    first, count = record.liquidations[0], len(record.liquidations)
    times = "Liquidated." if count == 1 else f"Liquidated {count:,} times."
    how = "was below two thirds of" if first.backstop else "met"
    equity, needed = words.dollars(first.equity), words.dollars(first.maintenance)
    when = f"{'At' if count == 1 else 'First at'} {words.minute(first.ts)}"
    yield Notice("bad", times, f"{when}, equity of {equity} {how} the maintenance margin, {needed}.")


def _memory(record: RunRecord, metrics: Metrics) -> Iterator[Notice]:
    """What the model may have known beforehand; that names and dates were hidden makes it less bad, not good."""
    found = metrics.split
    told = found and warning(found.share_before, found.cutoff_ts, is_masked=record.masked)
    if found and told:
        text = told[1]
        if found.after:
            text += f" After that it returned {words.percent(found.after.total_return)}."
        yield Notice("bad" if found.share_before == 1 and not record.masked else "warn", told[0], text)
    if record.masked:
        text = (
            "Symbols, dates and price levels are not the real ones, here as in all that the model was shown."
        )
        yield Notice("info", "This is a masked run.", text)


def _origins(record: RunRecord) -> Iterator[Notice]:
    """What was made up or typed in, unless the run has warned of it itself."""
    warned = " ".join(record.warnings).lower()
    made_up = flagged(record.manifest.get("data"), "synthetic")
    if made_up and "synthetic" not in warned:
        text = f"A program made {', '.join(made_up)}: the result says nothing about a market."
        yield Notice("warn", "The data is synthetic.", text)
    assumed = flagged(record.manifest.get("instruments"), "assumed")
    if assumed and "assumed" not in warned:
        text = "Size decimals and leverage were typed in and are not the venue's."
        yield Notice("warn", f"The terms of {', '.join(assumed)} are assumed.", text)


def _unknown(record: RunRecord, metrics: Metrics) -> Iterator[Notice]:
    if metrics.inference_cost is None:
        text = "What inference cost is not in the result."
        yield Notice("warn", f"The price of {record.model} is not known.", text)
    if record.ticks.get("failed"):
        text = "No decision was made there, and orders and positions stayed as they were."
        yield Notice("warn", f"{words.plural(record.ticks['failed'], 'tick')} failed.", text)


def _luck(record: RunRecord, metrics: Metrics) -> Iterator[Notice]:
    """What is not wrong, and yet means little."""
    if not record.fills:
        yield Notice("info", "Nothing was traded.", ticks_in_words(record))
        return
    sharpe = metrics.sharpe_ci95
    if sharpe and sharpe[0] <= 0 <= sharpe[1]:
        text = f"({_range(sharpe, words.number)})."
        if metrics.trades < FEW_TRADES:
            text += f" {words.plural(metrics.trades, 'closed trade')} can't tell skill from luck."
        yield Notice("info", "The 95% interval for Sharpe includes 0", text)
    if reach := words.reach_of_a_year(record.to_ts - record.from_ts):
        yield Notice("info", "Annualised figures reach far.", reach)


def _dice(record: RunRecord, metrics: Metrics) -> Iterator[Notice]:
    """How far the other runs of the batch lie apart."""
    runs = record.beside.runs if record.beside else ()
    if len(runs) < 2:
        return
    band, hold = band_of(results(runs)), metrics.baselines.get("buy-and-hold")
    reach = f"{_percent_1(band.min)} to {_percent_1(band.max)}"
    text = " ".join(verdict(runs, hold.total_return if hold else None))
    yield Notice("info", f"{words.plural(len(runs), 'run')} of the same gave {reach}.", text)


def ticks_in_words(record: RunRecord) -> str:
    """How the ticks ended, most often first: "Of 6,552 ticks: 6,480 hold, 72 acted."."""
    often = sorted(record.ticks.items(), key=lambda kind: (-kind[1], kind[0]))
    kinds = ", ".join(f"{count:,} {name}" for name, count in often if count)
    return f"Of {words.plural(sum(record.ticks.values()), 'tick')}: {kinds}." if kinds else "No tick was due."


def figures(record: RunRecord, metrics: Metrics) -> list[Figure]:
    """The headline row; the first is the headline."""
    hold = metrics.baselines.get("buy-and-hold")
    value = metrics.total_return if metrics.net_return is None else metrics.net_return
    return [
        _result(record, metrics, value),
        *_unseen(record, metrics),
        *([_against(hold, value)] if hold else []),
        _sharpe(metrics, hold),
        _drawdown(metrics, hold),
        _trades(metrics),
    ]


def _result(record: RunRecord, metrics: Metrics, value: float) -> Figure:
    known = metrics.net_pnl is not None
    amount: Decimal = metrics.pnl if metrics.net_pnl is None else metrics.net_pnl
    after = _paid(record) if not metrics.inference_cost else f"{_paid(record)} and inference"
    notes = [f"{words.dollars(amount, signed=True)} {after if known else 'before inference'}"]
    if metrics.total_return_ci95:
        notes.append(f"95%: {_range(metrics.total_return_ci95, _percent_1)}")
    if record.beside and len(record.beside.runs) > 1:
        runs = record.beside.runs
        notes.append(f"median of {len(runs)} runs: {words.percent(band_of(results(runs)).median)}")
    name = "Net return" if known else "Return before inference"
    return Figure(name, words.percent(value), words.tone(value * 100), tuple(notes))


def _paid(record: RunRecord) -> str:
    """What the result is after: not all costs, where some were switched off."""
    modelled = record.manifest.get("costs", {}).get("modelled", True)
    has_funding = record.manifest.get("run", {}).get("funding", True)
    if modelled and has_funding:
        return "after all costs"
    return f"after {'fees, spread and impact' if modelled else 'fees and funding' if has_funding else 'fees alone'}"


def _unseen(record: RunRecord, metrics: Metrics) -> Iterator[Figure]:
    """What was earned where nothing could be remembered, if that is not the whole run."""
    found = metrics.split
    if found is None or not found.share_before:
        return
    name = "Unseen period only"
    if found.after is None or found.cutoff_ts is None:
        yield Figure(
            name, "none", "", ("the cutoff is unknown" if found.cutoff_ts is None else "all may be memory",)
        )
        return
    value, hold = found.after.total_return, found.after.hold
    since = "since the cutoff" if record.masked else f"since {words.day(found.cutoff_ts)}"
    note = f"hold {words.percent(hold.total_return)} {since}" if hold else since
    yield Figure(name, words.percent(value), words.tone(value * 100), (note,))


def _against(hold: Curve, value: float) -> Figure:
    ahead = value - hold.total_return
    note = f"hold {words.percent(hold.total_return)}"
    return Figure("Against buy and hold", words.points(ahead), words.tone(ahead * 100), (note,))


def _sharpe(metrics: Metrics, hold: Curve | None) -> Figure:
    notes = []
    if metrics.sharpe_ci95:
        notes.append(f"95%: {_range(metrics.sharpe_ci95, words.number)}")
    if hold:
        notes.append(f"hold {words.number(hold.sharpe)}")
    return Figure("Sharpe", words.number(metrics.sharpe), "", tuple(notes))


def _drawdown(metrics: Metrics, hold: Curve | None) -> Figure:
    lasted = words.long_span(metrics.max_drawdown_ms)
    notes = [lasted if metrics.max_drawdown_recovered else f"{lasted}, not recovered"]
    if hold:
        notes.append(f"hold {words.percent(hold.max_drawdown, 1)}")
    return Figure("Max drawdown", words.percent(metrics.max_drawdown), "", tuple(notes))


def _trades(metrics: Metrics) -> Figure:
    notes = []
    if metrics.trades:
        won = words.percent(metrics.win_rate, 0, signed=False)
        notes.append(f"{won} won, profit factor {words.number(metrics.profit_factor)}")
    if metrics.open_trades:
        notes.append(f"{metrics.open_trades:,} more still open")
    return Figure("Closed trades", f"{metrics.trades:,}", "", tuple(notes))


def _percent_1(fraction: float) -> str:
    return words.percent(fraction, 1)


def _range(bounds: Range, write: Callable[[float], str]) -> str:
    return f"{write(bounds[0])} to {write(bounds[1])}"
