"""A history that grows: a market's past while it is being made. It shows what `market.history` would of the same rows.

What is told late, and what is told again with other values, is kept beside what was known before, with the instant
from which it was known. What lies so far back that no Skill may look at it is forgotten.
"""

from asyncio import Event
from collections.abc import Mapping

import numpy as np

from db.market import FUNDING
from db.tape import Rows
from domain.feeds import BarClosed, FundingSettled
from domain.time import HOUR_MS, format_interval, iso
from market.growing_series import MOST_BARS, GrowingSeries
from market.history import BarsView, History, SeenBars
from market.news import NewsSource

MOST_RATES = 1_000
"""How many rates of a symbol are kept: twice as many as any Skill may ask for."""
ON_TIME_MS = 5_000
"""What is told so soon after its instant was known at it: a tick waits that long for what it is due."""


def known_at(ts: int, told_at: int) -> int:
    """From when a bar that closed at `ts`, or a rate of `ts`, is known when it was told at `told_at` (UTC ms)."""
    return ts if told_at - ts <= ON_TIME_MS else told_at


class _Bounded:
    """A series of which no more than the newest `most` bars are seen."""

    def __init__(self, series: SeenBars, most: int) -> None:
        self._series = series
        self._most = most

    def as_of(self, ts: int) -> BarsView:
        view = self._series.as_of(ts)
        return BarsView(view._bars, view.count, view._sums, min(view.most, self._most), view._lines)


class GrowingHistory(History):
    """The history of a feed: bars of one interval and funding by symbol, to which the feed adds what it tells.

    `bars` and `funding` are the rows there are at first (dtypes of `db.market`). A symbol that
    `funding` lacks has none.
    """

    def __init__(
        self,
        interval_ms: int,
        bars: Mapping[str, Rows],
        funding: Mapping[str, Rows],
        most: int = MOST_BARS,
        news: NewsSource | None = None,
    ) -> None:
        self.interval_ms = interval_ms
        self.series = {
            symbol: GrowingSeries(symbol, interval_ms, rows, most) for symbol, rows in bars.items()
        }
        self.rates = {symbol: rows[-MOST_RATES:] for symbol, rows in funding.items()}
        self._grown = Event()
        super().__init__(self.series, self.rates, most * interval_ms, news)

    def seen_by(self, bars: int, *, funding: bool = True, news: NewsSource | None = None) -> History:
        """The same history as a Skill may see it: the newest `bars` bars, and funding as far back as those."""
        return History(
            {symbol: _Bounded(series, bars) for symbol, series in self.series.items()},
            self.rates if funding else {},
            bars * self.interval_ms,
            news,
        )

    def add(self, event: BarClosed | FundingSettled, told_at: int | None = None) -> bool:
        """Add what a feed tells; False when it says nothing new. A bar is known from `event.ts` on.

        Funding is known from its hour on, or from `told_at` where it was late. Raises ValueError, and changes nothing,
        for what can't be kept.
        """
        if isinstance(event, BarClosed):
            is_new = self._add_bar(event)
        else:
            is_new = self._add_rate(event, event.ts if told_at is None else known_at(event.ts, told_at))
        if is_new:
            grown, self._grown = self._grown, Event()
            grown.set()
        return is_new

    def has_rate(self, symbol: str, hour: int) -> bool:
        """Whether the rate of this settlement hour is there; True for a symbol that has no funding."""
        rows = self.rates.get(symbol)
        return rows is None or bool((rows["settled_at"] == hour).any())

    async def grown(self) -> None:
        """Wait until something is added."""
        await self._grown.wait()

    def _add_bar(self, event: BarClosed) -> bool:
        if event.interval_ms != self.interval_ms:
            raise ValueError(
                f"a bar of {format_interval(event.interval_ms)} is none of this history's, whose bars are of "
                f"{format_interval(self.interval_ms)}"
            )
        return self.series[event.symbol].add(event.bar, event.ts)

    def _add_rate(self, event: FundingSettled, available_at: int) -> bool:
        if event.ts % HOUR_MS:
            raise ValueError(
                f"funding of {event.symbol} was settled at {iso(event.ts)}, which is no full hour"
            )
        rows, rate = self.rates[event.symbol], float(event.rate)
        at = int(np.searchsorted(rows["settled_at"], event.ts, "right"))
        if at and rows["settled_at"][at - 1] == event.ts:
            if rows["rate"][at - 1] == rate:
                return False
            available_at = max(available_at, int(rows["available_at"][at - 1]) + 1)
        row = np.array([(event.ts, event.ts, available_at, rate)], FUNDING)
        self.rates[event.symbol] = np.concatenate([rows[:at], row, rows[at:]])[-MOST_RATES:]
        return True
