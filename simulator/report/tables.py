"""The report's smaller tables: figures beside the baselines', how it was traded, and where the money went."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from simulator.bootstrap import Range
from simulator.curves import Curve
from simulator.metrics import Metrics
from simulator.record import RunRecord
from simulator.report import words


class Compared(msgspec.Struct, frozen=True):
    """A figure of the skill and the same of each baseline. `note` stands under its name."""

    name: str
    values: tuple[str, ...]
    note: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A name and a value. A sum closes the entries before it; a part belongs to the one above."""

    name: str
    value: str
    tone: str = ""
    is_sum: bool = False
    is_part: bool = False


def compared(metrics: Metrics) -> tuple[tuple[str, ...], list[Compared]]:
    """Return and risk of the skill beside the baselines: the heads, and the rows."""
    heads = ("This skill", *(words.baseline(name) for name in metrics.baselines))
    curves: tuple[Curve, ...] = (metrics, *metrics.baselines.values())
    net = (metrics.net_return, *(curve.total_return for curve in metrics.baselines.values()))
    returns = _interval(metrics.total_return_ci95, percent=True)
    rows = [] if metrics.inference_cost == 0 else [Compared("Net of inference", _percents(net))]
    return heads, [
        *rows,
        Compared("Total return", _percents(c.total_return for c in curves), returns),
        Compared("Annual return", _percents(c.annual_return for c in curves)),
        Compared("Volatility", tuple(words.percent(c.volatility, signed=False) for c in curves)),
        Compared("Sharpe", tuple(words.number(c.sharpe) for c in curves), _interval(metrics.sharpe_ci95)),
        Compared("Sortino", tuple(words.number(c.sortino) for c in curves)),
        Compared("Calmar", tuple(words.number(c.calmar) for c in curves)),
        Compared("Max drawdown", _percents(c.max_drawdown for c in curves)),
        Compared("Length of the deepest", tuple(_length(c) for c in curves)),
        Compared("Longest under water", tuple(words.long_span(c.longest_drawdown_ms) for c in curves)),
    ]


def _percents(fractions: Iterable[float | None]) -> tuple[str, ...]:
    return tuple(words.percent(fraction) for fraction in fractions)


def _interval(bounds: Range | None, *, percent: bool = False) -> str:
    if bounds is None:
        return ""
    low, high = (words.percent(bound, 1) if percent else words.number(bound) for bound in bounds)
    return f"95%: {low} to {high}"


def _length(curve: Curve) -> str:
    lasted = words.long_span(curve.max_drawdown_ms)
    return lasted if curve.max_drawdown_recovered else f"{lasted} so far"


def trading(metrics: Metrics) -> list[Entry]:
    """How it was traded."""
    return [
        Entry("Closed trades", f"{metrics.trades:,}"),
        Entry("Still open", f"{metrics.open_trades:,}"),
        Entry("Win rate", words.percent(metrics.win_rate, 1, signed=False)),
        Entry("Profit factor", words.number(metrics.profit_factor)),
        Entry("Expectancy, USD", _amount(metrics.expectancy)),
        Entry("Average win, USD", _amount(metrics.avg_win)),
        Entry("Average loss, USD", _amount(metrics.avg_loss)),
        Entry("Exposure", words.percent(metrics.exposure, 1, signed=False)),
        Entry("Turnover", words.UNDEFINED if metrics.turnover is None else f"{metrics.turnover:,.1f}×"),
        Entry("Fills", f"{metrics.fills:,}"),
        Entry("Liquidations", f"{metrics.liquidations:,}"),
    ]


def money(record: RunRecord, metrics: Metrics) -> list[Entry]:
    """From what prices alone would have given to what is left, in USD."""
    entries = [Entry("Gross trading result", _amount(metrics.gross_pnl))]
    if metrics.open_trades:
        entries.append(Entry("of it still open", _amount(metrics.open_pnl), is_part=True))
    entries += [
        Entry("Fees", _amount(-metrics.fees)),
        Entry("Slippage and impact", _amount(-metrics.slippage)),
        Entry("Funding", _amount(metrics.funding)),
    ]
    if metrics.adjustments:
        name = "Written off in bankruptcy" if metrics.adjustments > 0 else "Taken by the backstop"
        entries.append(Entry(name, _amount(metrics.adjustments)))
    entries.append(Entry("Result before inference", _amount(metrics.pnl), is_sum=True))
    ticks = words.plural(sum(record.ticks.values()), "tick")
    if metrics.net_pnl is None or metrics.inference_cost is None:
        return [*entries, Entry(f"Inference, {ticks}", words.UNKNOWN)]
    entries.append(Entry(f"Inference, {ticks}", _inference(metrics.inference_cost)))
    return [*entries, Entry("Net result", _amount(metrics.net_pnl), words.tone(metrics.net_pnl), is_sum=True)]


def _amount(amount: Decimal | None) -> str:
    return words.number(amount, signed=True)


def _inference(cost: Decimal) -> str:
    return words.number(-cost, 4 if 0 < cost < 1 else 2, signed=True)
