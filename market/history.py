"""The one way an agent reads the past: `history.as_of(t)` shows what was known at `t`, and nothing else.

A series is kept with every version of every row. Between two *amendments* (a late row, or a revision that was seen)
what is known only grows by the bars that close, so each such era has one table of columns, and an instant is a place
in it. The tables are made when an instant falls into their era, so nothing that was seen later can leak into one.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

import msgspec
import numpy as np

from db.news import NewsRow
from db.tape import Rows
from domain.bars import Bar, Bars, FundingRates
from domain.money import canonical, exact, plain
from domain.time import minute
from market.news import NEWS_BACK_MS, NewsSource

_FOREVER = 2**62


ALL = 2**62
"""No bound on how far back can be seen, as a number of bars or of milliseconds."""


class BarsView(msgspec.Struct, frozen=True):
    """The closed bars of one symbol as they were known at an instant.

    They end at row `count` of a table that goes on: what lies behind is nobody's to see, nor what lies more than
    `most` bars back.
    """

    _bars: Bars
    count: int
    _sums: Sequence[int]
    most: int
    _lines: dict[int, str]

    def __len__(self) -> int:
        return min(self.count, self.most)

    def close_sum(self, length: int) -> int:
        """The sum of the last `length` closes, in ticks. Exact; the caller sees to it that there are so many."""
        return self._sums[self.count] - self._sums[self.count - length]

    def last(self, count: int) -> list[Bar]:
        """The newest bars, at most `count` of those there are, oldest first.

        Their decimals have no trailing zeros: how finely the series is kept depends on prices that come later.
        """
        return [
            _canonical(self._bars.bar(index))
            for index in range(self.count - min(count, len(self)), self.count)
        ]

    def lines(self, count: int) -> list[str]:
        """The newest bars as `last` gives them, each as a line "open time,open,high,low,close,volume".

        Times are UTC, to the minute. A line is written once however many instants show it.
        """
        known = self._lines
        found = []
        for index in range(self.count - min(count, len(self)), self.count):
            line = known.get(index)
            if line is None:
                line = known[index] = _line(self._bars, index)
            found.append(line)
        return found


class SeenBars(Protocol):
    """One symbol's bars, to be looked at as they were known at an instant."""

    def as_of(self, ts: int) -> BarsView:
        """The bars that were known at `ts`, UTC ms."""


class Series:
    """One symbol's bars of one interval, with every version of each.

    `rows` (dtype `db.market.BAR`) are sorted by `ts` and then `available_at`. A view looks back over `most` bars, so
    that what is seen at an instant does not depend on when the series begins. `late` counts bars that were first
    seen after their close, `revisions` later versions. Raises ValueError when a price can't be kept exactly.
    """

    def __init__(self, symbol: str, interval_ms: int, rows: Rows, most: int = ALL) -> None:
        self.symbol = symbol
        self.most = most
        self.interval_ms = interval_ms
        is_first, amended = self._judge(rows)
        self.revisions = int(np.count_nonzero(~is_first))
        self.late = int(np.count_nonzero(amended & is_first))
        self._take(rows)

    def _judge(self, rows: Rows) -> tuple[Any, Any]:
        """Which rows are the first version of their bar, and which are amendments."""
        is_first = _is_first(rows["ts"])
        return is_first, ~is_first | (rows["available_at"] > rows["ts"] + self.interval_ms)

    def _take(self, rows: Rows) -> None:
        """Let these be all the rows there are."""
        _, amended = self._judge(rows)
        self._rows = rows
        self._amendments: list[int] = np.unique(rows["available_at"][amended]).tolist()
        if self._amendments:
            _columns(self.symbol, self.interval_ms, rows)  # so that none of the eras raises later
        self._era = -1
        self._bars = Bars.empty(self.symbol, self.interval_ms)
        self._opens: list[int] = []  # of the table, between one that is always past and one that never is
        self._count = 1  # how many of them are past
        self._sums: list[int] = [0]
        self._lines: dict[int, str] = {}

    def as_of(self, ts: int) -> BarsView:
        """The bars whose close, and whose version, was known at `ts`. Cheapest when asked in order of time."""
        amendments = self._amendments
        era = bisect_right(amendments, ts) if amendments else 0
        if era != self._era:
            self._enter(era)
        opens, count, newest_open = self._opens, self._count, ts - self.interval_ms
        if opens[count] <= newest_open:
            count += 1  # as a rule one more bar has closed
        if not opens[count - 1] <= newest_open < opens[count]:
            count = bisect_right(opens, newest_open)
        self._count = count
        return BarsView(self._bars, count - 1, self._sums, self.most, self._lines)

    def first(self) -> Bars:
        """The version of every bar that was seen first: what could be traded on when it happened."""
        if not self._amendments:
            self.as_of(0)
            return self._bars
        return first_bars(self.symbol, self.interval_ms, self._rows)

    def _enter(self, era: int) -> None:
        seen_by = self._amendments[era - 1] if era else -1
        on_time = self._rows["available_at"] <= self._rows["ts"] + self.interval_ms
        known = _newest(self._rows[on_time | (self._rows["available_at"] <= seen_by)])
        self._bars = _columns(self.symbol, self.interval_ms, known)
        self._opens = [-_FOREVER, *self._bars.ts.tolist(), _FOREVER]
        self._sums = list(accumulate(self._bars.close.tolist(), initial=0))
        self._era, self._count, self._lines = era, 1, {}


class History:
    """What a Skill can know of its market: bars of one interval, and the funding of `back_ms`, by symbol; news."""

    def __init__(
        self,
        bars: Mapping[str, SeenBars],
        funding: Mapping[str, Rows],
        back_ms: int = ALL,
        news: NewsSource | None = None,
    ) -> None:
        self._bars = bars
        self._funding = funding
        self._back_ms = back_ms
        self._news = news

    def as_of(self, ts: int) -> "Past":
        """The past as it was known at `ts`, UTC ms."""
        return Past(self, ts)


class Past(msgspec.Struct, frozen=True):
    """What was known at `ts`. Holds no data of its own, so that making one costs nothing."""

    history: History
    ts: int

    def bars(self, symbol: str) -> BarsView:
        """The closed bars of a symbol. Raises KeyError for one that the history was not made with."""
        return self.history._bars[symbol].as_of(self.ts)

    def funding(self, symbol: str, count: int) -> list[tuple[int, float]]:
        """The newest settled rates, at most `count`, oldest first: (settlement hour in UTC ms, rate)."""
        rows = self.history._funding.get(symbol)
        if rows is None:
            return []
        since = self.ts - self.history._back_ms
        known = newest_rates(rows[(rows["available_at"] <= self.ts) & (rows["settled_at"] > since)])[-count:]
        return list(zip(known["settled_at"].tolist(), known["rate"].tolist(), strict=True))

    async def latest_news(self, symbols: Sequence[str], limit: int) -> list[NewsRow]:
        """The newest stories of these symbols or of none, at most `limit`, newest first."""
        news = self.history._news
        return [] if news is None else await news.latest(self.ts, self.ts - NEWS_BACK_MS, symbols, limit)

    async def search_news(
        self, query: str, symbols: Sequence[str], limit: int, back_ms: int = NEWS_BACK_MS
    ) -> list[NewsRow]:
        """The stories of these symbols or of none that fit the words best, known in the last `back_ms`, best first."""
        news = self.history._news
        since = self.ts - min(back_ms, NEWS_BACK_MS)
        return [] if news is None else await news.search(query, self.ts, since, symbols, limit)


def newest_rates(rows: Rows) -> Rows:
    """The newest version of each settlement of some funding rows (sorted by hour, then `available_at`)."""
    newest: Rows = rows[np.diff(rows["settled_at"], append=-1) != 0]
    return newest


def first_rates(symbol: str, rows: Rows) -> FundingRates:
    """A symbol's funding as it was settled: the version of each row that was seen first."""
    first = rows[_is_first(rows["settled_at"])]
    return FundingRates(
        symbol, np.ascontiguousarray(first["settled_at"]), np.ascontiguousarray(first["rate"])
    )


def first_bars(symbol: str, interval_ms: int, rows: Rows) -> Bars:
    """The version of every bar that was seen first; `volume` is 0 where the rows have none (marks)."""
    return _columns(symbol, interval_ms, rows[_is_first(rows["ts"])])


def _is_first(instants: Any) -> Any:
    """Which rows of a sorted series are the first of their instant."""
    return np.diff(instants, prepend=-1) != 0


def _canonical(bar: Bar) -> Bar:
    return Bar(
        bar.ts, *(canonical(getattr(bar, name)) for name in ("open", "high", "low", "close", "volume"))
    )


def _line(bars: Bars, index: int) -> str:
    decimals = -int(bars.tick.as_tuple().exponent)
    prices = (column[index] for column in (bars.open, bars.high, bars.low, bars.close))
    volume = plain(exact(float(bars.volume[index])))
    return f"{minute(int(bars.ts[index]))},{','.join(_px(int(px), decimals) for px in prices)},{volume}"


def _px(ticks: int, decimals: int) -> str:
    """Whole ticks of 10^−decimals as people write them, without trailing zeros."""
    if not decimals:
        return str(ticks)
    whole, rest = divmod(ticks, 10**decimals)
    return f"{whole}.{rest:0{decimals}}".rstrip("0").rstrip(".")


def _newest(rows: Rows) -> Rows:
    newest: Rows = rows[np.diff(rows["ts"], append=-1) != 0]
    return newest


def _columns(symbol: str, interval_ms: int, rows: Rows) -> Bars:
    o, h, lo, c = (np.ascontiguousarray(rows[name]) for name in ("open", "high", "low", "close"))
    names: Any = rows.dtype.names
    volume = np.ascontiguousarray(rows["volume"]) if "volume" in names else np.zeros(len(rows))
    return Bars.from_floats(symbol, interval_ms, np.ascontiguousarray(rows["ts"]), (o, h, lo, c), volume)
