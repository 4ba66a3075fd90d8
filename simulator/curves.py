"""The figures of one equity series, whole or in part: returns, ratios, drawdowns. Formulas are in docs/metrics.md."""

import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from domain.bars import Floats, Ticks
from domain.time import YEAR_MS
from simulator.bootstrap import vary


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one equity series. `max_drawdown` is a fraction ≤ 0.

    `max_drawdown_ms` is the length of the deepest drawdown, from its peak until equity was back there or
    the series ended (then `max_drawdown_recovered` is False). `longest_drawdown_ms` is the longest time
    under water, which may be another drawdown.
    """

    final_equity: Decimal
    total_return: float
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    max_drawdown_ms: int
    max_drawdown_recovered: bool
    longest_drawdown_ms: int


def simple_returns(equity: Floats) -> Floats:
    """The return of each step, equity after over equity before − 1. After an equity of 0 there is none: 0."""
    before = equity[:-1]
    ratio = np.divide(equity[1:], before, out=np.ones(len(before)), where=before > 0)
    return np.asarray(ratio - 1.0)


def curve(ts: Ticks, equity: Floats, interval_ms: int, start: Decimal, final: Decimal) -> dict[str, Any]:
    """Give the fields of a Curve.

    `ts` (UTC ms) and `equity` (USD, the first above 0) are of one length, `interval_ms` lies between the points.
    `start` and `final` are the exact amounts of the first and the last.
    """
    returns = simple_returns(equity)
    year = YEAR_MS / interval_ms
    depth = drawdowns(equity)
    worst = float(depth.min())
    annual = _annual_return(float(equity[-1] / equity[0]), int(ts[-1] - ts[0]))
    return {
        "final_equity": final,
        "total_return": float(final / start) - 1.0,
        "annual_return": annual,
        **_ratios(returns, year),
        "calmar": None if annual is None or not worst else annual / -worst,
        "max_drawdown": worst,
        **_lengths(ts, depth),
    }


def _annual_return(growth: float, duration_ms: int) -> float | None:
    """The yearly rate that gives this growth; None without time, or beyond what a float holds."""
    if not duration_ms or growth < 0:
        return None
    try:
        return float(growth ** (YEAR_MS / duration_ms)) - 1.0
    except OverflowError:
        return None


def _ratios(returns: Floats, year: float) -> dict[str, float | None]:
    """Volatility, Sharpe and Sortino, annualised by √year. Returns that do not vary have no deviation at all."""
    if len(returns) < 2:
        return {"volatility": None, "sharpe": None, "sortino": None}
    mean = float(returns.mean())
    deviation = float(returns.std(ddof=1)) if vary(returns) else 0.0
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return {
        "volatility": deviation * math.sqrt(year),
        "sharpe": mean / deviation * math.sqrt(year) if deviation else None,
        "sortino": mean / downside * math.sqrt(year) if downside else None,
    }


def drawdowns(equity: Floats) -> Floats:
    """How far equity lies below its peak so far, as fractions ≤ 0."""
    return np.asarray(equity / np.maximum.accumulate(equity) - 1.0)


def _lengths(ts: Ticks, depth: Floats) -> dict[str, Any]:
    """How long the deepest drawdown lasted, and the longest, in ms."""
    peaks = np.flatnonzero(depth >= 0)
    ends = np.append(peaks[1:], len(ts) - 1)
    spans = np.where(ends - peaks > 1, ts[ends] - ts[peaks], 0)
    if depth[-1] < 0:
        spans[-1] = ts[-1] - ts[peaks[-1]]
    deepest = int(np.searchsorted(peaks, int(depth.argmin()), side="right")) - 1
    return {
        "max_drawdown_ms": int(spans[deepest]),
        "max_drawdown_recovered": bool(deepest < len(peaks) - 1 or depth[-1] >= 0),
        "longest_drawdown_ms": int(spans.max()),
    }
