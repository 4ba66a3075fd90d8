"""A feed that a test drives: it tells the quotes, marks, funding and bars that it is told to, one by one.

Nothing is told by itself, so a price can stop, leap or come late exactly when a test wants it to. Instants are those of
the test's time where none is given.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

import numpy as np

from actors.kernel import Time
from config.instruments import find
from db.market import BAR, FUNDING
from domain.bars import Bar
from domain.feeds import BarClosed, FeedEvent, FeedSpec, FundingSettled, Mark, Quote
from domain.instruments import Instrument
from market.feeds.base import EVERYTHING, Listener, Subscription
from market.feeds.freshness import Freshness, Health, Silence
from market.feeds.listeners import Listeners, Subscribed, Told
from market.growing import GrowingHistory

PLENTY = Decimal(1_000)
HALF_SPREAD = Decimal("0.5")


class DrivenFeed:
    """Prices of some symbols, as a test tells them. `rates` is what `settled` finds, by symbol and hour."""

    def __init__(self, spec: FeedSpec, symbols: Collection[str], interval_ms: int, time: Time) -> None:
        self.spec = spec
        self.interval_ms = interval_ms
        self.instruments: Mapping[str, Instrument] = {symbol: find(symbol) for symbol in symbols}
        self.data_digest = "told by a test"
        self.history = GrowingHistory(
            interval_ms,
            {symbol: np.array([], BAR) for symbol in symbols},
            {symbol: np.array([], FUNDING) for symbol in symbols},
        )
        self.rates: dict[tuple[str, int], FundingSettled] = {}
        self._time = time
        self._listeners = Listeners("driven", tuple(symbols))
        self._watchers: Told[Silence] = Told()
        self._freshness = Freshness(symbols, time.monotonic_s())

    # What a test tells.

    def price(self, px: str, symbol: str = "BTC", *, shown: Decimal = PLENTY, ts: int | None = None) -> None:
        """The mark, and a quote half a dollar on either side of it, with this size displayed."""
        self.mark(px, symbol, ts=ts)
        self.quote(px, symbol, shown=shown, ts=ts)

    def mark(self, px: str, symbol: str = "BTC", *, ts: int | None = None) -> None:
        at = self._at(ts)
        self._freshness.marked(symbol, at, self._time.monotonic_s())
        self._listeners.tell(Mark(at, symbol, Decimal(px)))

    def quote(self, px: str, symbol: str = "BTC", *, shown: Decimal = PLENTY, ts: int | None = None) -> None:
        bid, ask = Decimal(px) - HALF_SPREAD, Decimal(px) + HALF_SPREAD
        self._listeners.tell(Quote(self._at(ts), symbol, bid, shown, ask, shown))

    def funding(self, hour: int, rate: str, price: str, symbol: str = "BTC") -> None:
        """A rate was settled: it is told now, and can be looked up from now on."""
        event = self.rates[symbol, hour] = FundingSettled(hour, symbol, Decimal(rate), Decimal(price))
        self._grow(event)

    def tell_again(self, hour: int, symbol: str = "BTC") -> None:
        """The rate of an hour that was told before."""
        self._listeners.tell(self.rates[symbol, hour])

    def bar(self, bar: Bar, symbol: str = "BTC") -> None:
        """A bar of the feed's interval has closed."""
        self._grow(BarClosed(self._at(None), symbol, self.interval_ms, bar))

    def _grow(self, event: BarClosed | FundingSettled) -> None:
        if self.history.add(event, self._time.now_ms()):
            self._listeners.tell(event)

    def _at(self, ts: int | None) -> int:
        return self._time.now_ms() if ts is None else ts

    # A feed.

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
        return [self.rates[symbol, at] for at, symbol in asked if (symbol, at) in self.rates]

    async def run(self) -> None:
        """Be connected, until cancelled."""
        self._freshness.connected()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._freshness.lost("the feed was stopped")
