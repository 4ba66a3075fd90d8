"""A feed of made-up prices: the same whenever it is opened with the same seed, and labelled wherever it is shown.

It tells a quote and a mark each second, the bars of its interval as they close, and funding each hour. What it tells
is read off a path that is the same for every process, so a restart goes on where it left off, and there is a past from
the start. After a pause, bars and funding that were missed are told late; quotes are not.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from domain.bars import Bar
from domain.feeds import BarClosed, FeedEvent, FeedSpec, FundingSettled, Mark, Quote
from domain.instruments import Instrument, Toward
from domain.money import exact
from domain.time import HOUR_MS, MINUTE_MS, SECOND_MS, floor_to, format_interval
from market.feeds.base import EVERYTHING, Listener, Subscription, Time
from market.feeds.freshness import Freshness, Health, Silence
from market.feeds.listeners import Listeners, Subscribed, Told
from market.feeds.onward import Onward
from market.feeds.path import Path
from market.growing import MOST_RATES, GrowingHistory, known_at
from market.growing_series import MOST_BARS

HALF_SPREAD = Decimal("0.0001")
LEAST_SHOWN_USD, MOST_SHOWN_USD = 5_000.0, 250_000.0
PREPARED_IN_S = 30
"""In so many seconds the next minute of every symbol is made ready."""
MOST_MISSED_BARS = 500
"""How many bars are told late after a pause; those before them stay away."""
MADE_BY = "path 1"
"""Which way of making prices up this is. One that makes others gets another name, as it is in the data's digest."""


class SyntheticFeed:
    """Made-up prices of some symbols. `path_of` gives a symbol's path, which feeds of one seed share."""

    def __init__(
        self,
        spec: FeedSpec,
        interval_ms: int,
        instruments: Mapping[str, Instrument],
        time: Time,
        path_of: Callable[[Instrument, int], Path] = Path,
    ) -> None:
        self.spec = spec
        self.interval_ms = interval_ms
        self.instruments = instruments
        self._time = time
        self._clock = Onward(time)
        self._paths = {symbol: path_of(one, spec.seed) for symbol, one in instruments.items()}
        self._told_until = floor_to(self._clock.now_ms(), SECOND_MS)
        self.history = self._past(self._told_until)
        self._listeners = Listeners(str(spec), tuple(instruments))
        self._watchers: Told[Silence] = Told()
        self._freshness = Freshness(instruments, time.monotonic_s())

    @property
    def data_digest(self) -> str:
        """Names the seed, the symbols with their facts, the interval, and how prices are made up."""
        parts = (str(self.spec), format_interval(self.interval_ms), MADE_BY, list(self.instruments.values()))
        return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()

    def subscribe(
        self, symbols: Collection[str], listener: Listener, only: Collection[type[FeedEvent]] = EVERYTHING
    ) -> Subscription:
        return self._listeners.subscribe(symbols, listener, only)

    def watch(self, listener: Callable[[Silence], None]) -> Subscription:
        return Subscribed([self._watchers], listener)

    def health(self) -> Health:
        return self._freshness.health(self._time.monotonic_s())

    def look(self) -> None:
        for silence in self._freshness.look(self._time.monotonic_s()):
            self._watchers.tell(silence)

    async def settled(self, hours: Mapping[str, Collection[int]]) -> Sequence[FundingSettled]:
        asked = sorted((at, symbol) for symbol, of_symbol in hours.items() for at in of_symbol)
        return [self._settled(symbol, at) for at, symbol in asked if at <= self._told_until]

    async def run(self) -> None:
        """Tell what happens, each second, until cancelled."""
        self._freshness.connected()
        try:
            while True:
                second = floor_to(self._clock.now_ms(), SECOND_MS)
                if second > self._told_until:
                    self._beat(second)
                await self._time.sleep((second + SECOND_MS - self._clock.now_ms()) / 1000)
        finally:
            self._freshness.lost("the feed was stopped")

    def _beat(self, ts: int) -> None:
        """Tell what has happened by a second: what closed and was settled, then what is paid and quoted now."""
        self.look()
        for event in self._grown(ts):
            if self.history.add(event, ts):
                self._listeners.tell(event)
        for symbol, path in self._paths.items():
            self._freshness.marked(symbol, ts, self._time.monotonic_s())
            px = exact(path.price(ts))
            self._listeners.tell(Mark(ts, symbol, px))
            self._listeners.tell(_quote(path, ts, px))
        self._told_until = ts
        self.look()
        self._prepare(ts)

    def _prepare(self, ts: int) -> None:
        """Make the next minute of some symbols ready, so that it does not begin with making those of all."""
        turn = ts // SECOND_MS % PREPARED_IN_S
        for path in list(self._paths.values())[turn::PREPARED_IN_S]:
            path.prepare(ts + MINUTE_MS)

    def _grown(self, ts: int) -> Iterator[BarClosed | FundingSettled]:
        """The bars that have closed and the funding that was settled since the last beat, in the order of time."""
        closes = _grid(self._told_until, ts, self.interval_ms)
        hours = _grid(self._told_until, ts, HOUR_MS)
        for at in sorted({*closes, *hours}):
            if at in closes:
                yield from (self._closed(symbol, at, ts) for symbol in self._paths)
            if at in hours:
                yield from (self._settled(symbol, at) for symbol in self._paths)

    def _closed(self, symbol: str, at: int, told_at: int) -> BarClosed:
        opened = at - self.interval_ms
        bar = Bar(opened, *map(exact, self._paths[symbol].bar(self.interval_ms, opened)))
        return BarClosed(known_at(at, told_at), symbol, self.interval_ms, bar)

    def _settled(self, symbol: str, at: int) -> FundingSettled:
        path = self._paths[symbol]
        return FundingSettled(at, symbol, exact(path.rate(at)), exact(path.price(at)))

    def _past(self, now: int) -> GrowingHistory:
        """What was known when the feed was opened, as if it had been open all the time."""
        to_ts = floor_to(now, self.interval_ms)
        from_ts = to_ts - MOST_BARS * self.interval_ms
        last_hour = floor_to(now, HOUR_MS)
        return GrowingHistory(
            self.interval_ms,
            {symbol: path.bars(self.interval_ms, from_ts, to_ts) for symbol, path in self._paths.items()},
            {
                symbol: path.rates(last_hour - MOST_RATES * HOUR_MS, last_hour + 1)
                for symbol, path in self._paths.items()
            },
        )


def _grid(after: int, until: int, step_ms: int) -> range:
    """The instants of a grid in (after, until], the newest of them."""
    last = floor_to(until, step_ms)
    return range(
        max(floor_to(after, step_ms), last - MOST_MISSED_BARS * step_ms) + step_ms, last + 1, step_ms
    )


def _quote(path: Path, ts: int, px: Decimal) -> Quote:
    """What is quoted around a price: a few basis points apart, and no less than a lot."""
    instrument = path.instrument
    return Quote(
        ts,
        instrument.symbol,
        instrument.legal_price(px * (1 - HALF_SPREAD), Toward.DOWN),
        _shown(path, "bid", ts, px),
        instrument.legal_price(px * (1 + HALF_SPREAD), Toward.UP),
        _shown(path, "ask", ts, px),
    )


def _shown(path: Path, side: str, ts: int, px: Decimal) -> Decimal:
    """The size that is displayed on a side, in base units."""
    usd = LEAST_SHOWN_USD * (MOST_SHOWN_USD / LEAST_SHOWN_USD) ** path.chance(side, ts // SECOND_MS)
    return max(path.instrument.legal_size(Decimal(round(usd)) / px), path.instrument.lot)
