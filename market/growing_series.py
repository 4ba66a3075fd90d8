"""One symbol's bars while they are being made: a `market.history.Series` that grows, and forgets."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from db.market import BAR
from db.tape import Rows
from domain.bars import Bar, Bars, common_decimals, is_exact
from domain.time import format_interval, iso
from market.history import ALL, BarsView, Series

MOST_BARS = 5_000
"""How far back any Skill may look, in bars (`bars` of a Skill's market)."""
SPARE_BARS = 256
"""How many bars are kept beyond that, so that an instant a little in the past can be looked at as well."""

Column = NDArray[Any]

_PRICES = ("open", "high", "low", "close")
_VALUES = (*_PRICES, "volume")


class Forgotten(LookupError):
    """An instant was asked for that lies so far back that what was known at it is forgotten."""


class GrowingSeries(Series):
    """A `Series` that bars are added to; `late` and `revisions` count all there ever were.

    Adding the next bar takes as long however many there are. One that is late or revised takes a look at all that are
    kept. What is seen at an instant is that of a `Series` of the same rows, from `reaches_back_to` (UTC ms) on.
    """

    def __init__(self, symbol: str, interval_ms: int, rows: Rows, most: int = MOST_BARS) -> None:
        self._room = rows  # that of `_rows`, and more behind them
        self._table = Bars.empty(symbol, interval_ms)  # that of `_bars`, and more behind them
        super().__init__(symbol, interval_ms, rows, most)
        self.reaches_back_to = -ALL
        self._decimals = _decimals_of(symbol, rows)
        self._forget()

    def as_of(self, ts: int) -> BarsView:
        """As `Series.as_of`. Raises Forgotten for an instant before `reaches_back_to`."""
        if ts < self.reaches_back_to:
            raise Forgotten(
                f"what was known of {self.symbol} at {iso(ts)} is forgotten; its bars can be looked at as they were "
                f"known from {iso(self.reaches_back_to)} on"
            )
        return super().as_of(ts)

    def has(self, open_ts: int) -> bool:
        """Whether the bar that opened at this instant is there, in whatever version."""
        at = int(np.searchsorted(self._rows["ts"], open_ts))
        return at < len(self._rows) and bool(self._rows["ts"][at] == open_ts)

    def add(self, bar: Bar, available_at: int) -> bool:
        """Add a bar, or another version of one, known from `available_at`; False when it says nothing new.

        Raises ValueError, and changes nothing, for a bar that is not on the grid or has a value that can't be kept.
        """
        row = self._row(bar, max(available_at, bar.ts + self.interval_ms))
        if self._is_next(row):
            self._fit(row)
            self._append(row)
        elif not self._insert(row):
            return False
        if len(self._rows) >= self._forget_at:
            self._forget()
        return True

    def _row(self, bar: Bar, available_at: int) -> Rows:
        values = [float(getattr(bar, name)) for name in _VALUES]
        if bar.ts % self.interval_ms or not all(map(isfinite, values)):
            raise ValueError(
                f"{bar} is no bar of {self.symbol}: it must open on the grid of {format_interval(self.interval_ms)}, "
                "and its values be numbers"
            )
        return np.array([(bar.ts, available_at, *values)], BAR)

    def _is_next(self, row: Rows) -> bool:
        """Whether a bar is on time and newer than all others, as a rule."""
        is_on_time = row["available_at"][0] == row["ts"][0] + self.interval_ms
        return bool(is_on_time and (not len(self._rows) or row["ts"][0] > self._rows["ts"][-1]))

    def _fit(self, row: Rows) -> None:
        """See that a row can be kept beside the others. Raises ValueError."""
        if not _is_exact(row, self._decimals):
            self._decimals = _decimals_of(self.symbol, np.concatenate([self._rows, row]))

    def _append(self, row: Rows) -> None:
        """Add a row behind all others, and behind those of the table that is in use, which is part of every era's."""
        count = len(self._rows)
        if count == len(self._room):
            self._room = np.concatenate([self._rows, np.empty(SPARE_BARS + count // 4, BAR)])
        self._room[count] = row[0]
        self._rows = self._room[: count + 1]
        if self._era < 0:
            return
        if not _is_exact(row, -int(self._bars.tick.as_tuple().exponent)):
            self._era = -1  # its prices are finer: the table is made anew when it is looked at
            return
        self._bars = self._longer(row)
        self._opens.insert(-1, int(row["ts"][0]))
        self._sums.append(self._sums[-1] + int(self._bars.close[-1]))

    def _longer(self, row: Rows) -> Bars:
        """The table in use and one more bar; it shares memory with the ones before."""
        count = len(self._bars)
        if count == len(self._table):
            self._table = _with_room(self._bars)
        table = self._table
        scale = 10.0 ** -int(table.tick.as_tuple().exponent)
        table.ts[count], table.volume[count] = row["ts"][0], row["volume"][0]
        for name in _PRICES:
            getattr(table, name)[count] = round(float(row[name][0]) * scale)
        return _with_columns(table, lambda column: column[: count + 1])

    def _insert(self, row: Rows) -> bool:
        """Add a row that is late, or another version of a bar."""
        first, end = (
            int(np.searchsorted(self._rows["ts"], row["ts"][0], side)) for side in ("left", "right")
        )
        if first < end:
            newest = self._rows[end - 1]
            if all(newest[name] == row[name][0] for name in _VALUES):
                return False
            row["available_at"] = max(row["available_at"][0], newest["available_at"] + 1)
        self._fit(row)
        if first < end:
            self.revisions += 1
        elif row["available_at"][0] > row["ts"][0] + self.interval_ms:
            self.late += 1
        self._take(np.concatenate([self._rows[:end], row, self._rows[end:]]))
        return True

    def _take(self, rows: Rows) -> None:
        super()._take(rows)
        self._room = rows

    def _enter(self, era: int) -> None:
        super()._enter(era)
        self._table = self._bars

    def _forget(self) -> None:
        """Let go of the bars that lie too far back, once in a while."""
        is_first, _ = self._judge(self._rows)
        places = np.flatnonzero(is_first)
        if len(places) > self.most + SPARE_BARS:
            kept = places[-(self.most + SPARE_BARS) :]
            seen = self._rows["available_at"][kept[: self.most]]
            self.reaches_back_to = max(self.reaches_back_to, int(seen.max()))
            self._take(self._rows[kept[0] :].copy())
        self._forget_at = max(len(self._rows), self.most + SPARE_BARS) + SPARE_BARS


def _decimals_of(symbol: str, rows: Rows) -> int:
    """How many decimals hold all prices of some rows. Raises ValueError when none does."""
    return common_decimals(symbol, tuple(np.ascontiguousarray(rows[name]) for name in _PRICES))


def _is_exact(row: Rows, decimals: int) -> bool:
    """Whether the prices of one row are whole ticks of 10^−decimals."""
    return is_exact(np.concatenate([row[name] for name in _PRICES]), decimals)


def _with_room(bars: Bars) -> Bars:
    """The same bars in columns with room for more behind them."""
    room = SPARE_BARS + len(bars) // 4
    return _with_columns(bars, lambda column: np.concatenate([column, np.empty(room, column.dtype)]))


def _with_columns(bars: Bars, change: Callable[[Column], Column]) -> Bars:
    names = ("ts", *_VALUES)
    return msgspec.structs.replace(bars, **{name: change(getattr(bars, name)) for name in names})
