"""How much of a result may be luck: 95% intervals for Sharpe and total return, from resampled returns.

Circular block bootstrap (Politis and Romano, 1992): the run's returns are put on a ring and cut into blocks
of neighbouring days, so that what returns remember of each other inside a block is kept; blocks drawn with
replacement make a run of the same length, and the middle 95% of many such runs is the interval (percentile
method). The figures are those the metrics report: Sharpe from the returns at interval closes, not from
daily ones.

The ring is made of units of a day. Long runs get longer units, so that there are at most 2,000; short ones
get shorter units, so that there are at least 30. A block is ∛(number of units) units long, rounded up. Both
figures need four sums of a unit and nothing else, so the work hardly grows with the run.
"""

import math

import msgspec
import numpy as np

from domain.bars import Floats
from domain.time import DAY_MS, YEAR_MS

RESAMPLES = 2_000
MOST_UNITS = 2_000
FEWEST_UNITS = 30
TAILS_PCT = (2.5, 97.5)

ROUNDING = 1e-14
"""Returns that lie closer together than this are equal: a quotient of floats is off by that much."""

Range = tuple[float, float]


class Intervals(msgspec.Struct, frozen=True):
    """The 95% intervals, low and high; None where there are too few returns, or none that differ."""

    sharpe: Range | None = None
    total_return: Range | None = None


def intervals(returns: Floats, interval_ms: int, seed: int) -> Intervals:
    """Resample simple returns at interval closes. The same returns and seed give the same intervals.

    Undefined (None) for fewer than 30 returns, for returns that are all alike, and where the account was
    lost.
    """
    if len(returns) < FEWEST_UNITS or not vary(returns) or returns.min() <= -1:
        return Intervals()
    days = len(returns) * interval_ms // DAY_MS
    units = _sums_of_units(returns, min(max(days, FEWEST_UNITS), MOST_UNITS, len(returns)))
    count, total, squares, logarithms = _resampled(units, np.random.default_rng(seed))
    mean = total / count
    deviation = np.sqrt(np.maximum(squares - count * mean**2, 0.0) / (count - 1))
    year = math.sqrt(YEAR_MS / interval_ms)
    sharpe = np.divide(mean * year, deviation, out=np.zeros_like(mean), where=deviation > 0)
    return Intervals(_middle(sharpe), _middle(np.expm1(logarithms)))


def vary(returns: Floats) -> bool:
    """Whether any two returns differ by more than the rounding of floats."""
    return bool(np.ptp(returns) > ROUNDING)


def _sums_of_units(returns: Floats, units: int) -> Floats:
    """How many returns a unit has, their sum, that of their squares and of their logarithms: 4 × units."""
    edges = np.linspace(0, len(returns), units + 1).astype(np.int64)
    columns = (returns, returns**2, np.log1p(returns))
    return np.stack([np.diff(edges), *(np.add.reduceat(column, edges[:-1]) for column in columns)])


def _resampled(units: Floats, random: np.random.Generator) -> Floats:
    """The same four sums of whole runs put together from blocks: 4 × RESAMPLES."""
    count = units.shape[1]
    length = math.ceil(count ** (1 / 3))
    whole, rest = divmod(count, length)
    starts = random.integers(0, count, size=(RESAMPLES, whole + 1))
    blocks = _ring_sums(units, length)[:, starts[:, :whole]].sum(axis=2)
    return np.asarray(blocks + _ring_sums(units, rest)[:, starts[:, whole]])


def _ring_sums(units: Floats, length: int) -> Floats:
    """The sums of `length` neighbours from each place on, the end joined to the start."""
    ring = np.concatenate([units, units[:, :length]], axis=1)
    running = np.concatenate([np.zeros((len(units), 1)), np.cumsum(ring, axis=1)], axis=1)
    first = np.arange(units.shape[1])
    return np.asarray(running[:, first + length] - running[:, first])


def _middle(figures: Floats) -> Range:
    low, high = np.percentile(figures, TAILS_PCT)
    return float(low), float(high)
