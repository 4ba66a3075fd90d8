"""The paper venue on live quotes: docs/trading-rules.md §2, "On live quotes".

Prices come as they happen: quotes, which orders fill on, and marks, which margin and triggers go by. Time is the
feed's: the newest instant that it told of, and what has passed since by a clock that nobody sets. So the wall's clock
may jump without anything becoming stale, fresh or due.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Protocol

import msgspec

from brokers.base import Approved
from brokers.paper.costs import Costs, kept
from brokers.paper.crossing import CrossingVenue, is_immediate, is_reached
from brokers.paper.live import Displayed, LiveMarket, Unfit, is_near, unfit_funding, unfit_mark, unfit_quote
from brokers.paper.replay import Alarm
from brokers.paper.venue import VenueState
from domain.feeds import FundingSettled, Mark, Quote
from domain.instruments import Instrument
from domain.money import ONE, ZERO
from domain.orders import Order, OrderEvent, OrderState, Side
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, floor_to

STALE_AFTER_MS = 15 * SECOND_MS
"""How old a mark may be (docs/trading-rules.md §4.2), and how long a market order waits for a quote."""
AHEAD_MS = MINUTE_MS
"""An instant further ahead of the feed's time is a slip: all others would look old beside it."""
OWED_MS = 2 * DAY_MS
"""A rate that comes later than this after its hour is not charged any more."""


class Time(Protocol):
    """What tells the time. The actors' `Time` is one."""

    def now_ms(self) -> int:
        """The instant it is, in UTC ms, by a clock that people set."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that is never set; only differences mean something."""


class QuoteVenue(CrossingVenue):
    """A paper account on live quotes. `state` is a new one, or one that was kept between any two calls.

    `quote`, `marked` and `funding` give the alarms on the way: nothing happens until they are gone through, and the
    engine is to act on each before the next is asked for. `unfit` counts what was told and left aside, by why.
    """

    def __init__(
        self,
        state: VenueState,
        instruments: dict[str, Instrument],
        costs: Costs,
        time: Time,
        *,
        stale_after_ms: int = STALE_AFTER_MS,
    ) -> None:
        if isinstance(state.market, msgspec.UnsetType):
            state.market = LiveMarket()
        self._market = state.market
        self._time = time
        self._stale_after_ms = stale_after_ms
        self._heard_s: float | None = (
            None  # when the newest instant was heard; None: nothing was, since we listen
        )
        self._is_inside = False  # whether something that was told is being worked through
        self._at_touch = msgspec.structs.replace(costs, half_spread_bps=ZERO, impact_bps_at_10pct=ZERO)
        self.unfit: Counter[Unfit] = Counter()
        super().__init__(state, instruments, costs)

    # What the feed tells.

    def quote(self, quote: Quote) -> Iterator[Alarm]:
        """The best bid and offer are these now: orders meet them."""
        if self._is_unfit(quote):
            return
        with self._hearing(quote.ts):
            self._market.quotes[quote.symbol] = Displayed(quote)
            if self.state.orders and self._is_fresh(quote.ts) and self.mark(quote.symbol) is not None:
                yield from self._meet_all(quote)

    def marked(self, mark: Mark) -> Iterator[Alarm]:
        """The mark is this now: triggers, liquidation or backstop, then the engine's alarm."""
        if self._is_unfit(mark):
            return
        with self._hearing(mark.ts):
            self._market.marks[mark.symbol] = fresh = Mark(mark.ts, mark.symbol, kept(mark.px))
            if not self._is_fresh(mark.ts):
                return
            for order in self._live(mark.symbol):
                if order.kind.is_protection and not order.triggered and order.number in self.state.orders:
                    self._trigger(order, fresh)
            yield from self._judge()

    def funding(self, settled: FundingSettled) -> Iterator[Alarm]:
        """A rate was settled: what was held at its hour pays or is paid, once, however often it is told."""
        if self._is_unfit(settled):
            return
        with self._hearing(settled.ts):
            owed = self._market.owed.get(settled.symbol, {})
            held = owed.pop(floor_to(settled.ts, HOUR_MS), None)
            if held is not None:
                self._pay_funding(settled.symbol, settled.rate, settled.price, held)
                self._write_off()
                yield from self._judge()

    # What the engine asks.

    def mark(self, symbol: str) -> Decimal | None:
        """The mark; None where it is older than 15 s, or the feed has told nothing new since we listen."""
        return None if self._heard_s is None else self._mark_at(symbol, self._ts())

    @property
    def is_known(self) -> bool:
        """Whether all that is held has a fresh mark. Without, equity is a guess, and nobody is judged by it."""
        return all(self.mark(symbol) is not None for symbol in self.state.positions)

    @property
    def owed(self) -> dict[str, tuple[int, ...]]:
        """The settlement hours whose rates have not come yet, by symbol. Who has them from elsewhere may tell them."""
        return {symbol: tuple(hours) for symbol, hours in self._market.owed.items() if hours}

    async def place(self, order: Approved[Order]) -> None:
        """Accept or reject an order. Without a fresh mark only protections are accepted."""
        new = order.what
        if new.symbol in self._instruments and self.mark(new.symbol) is None and not new.kind.is_protection:
            self._close(new.after(OrderEvent.SENT, ts=self._ts()), OrderEvent.REJECTED, "noMark")
            return
        await super().place(order)
        taken = self.state.orders.get(new.number)
        if taken is not None and taken.state is OrderState.IN_FLIGHT:
            self._market.due[new.number] = self._now() + self.costs.latency_ms

    # What the books ask.

    def _mark_now(self, symbol: str) -> Decimal:
        return self._market.marks[symbol].px

    def _ts(self) -> int:
        return self._market.newest if self._is_inside else self._now()

    # Time.

    def _now(self) -> int:
        """The feed's time; the wall's as long as nothing new was told."""
        if self._heard_s is None:
            return self._time.now_ms()
        return self._market.newest + round((self._time.monotonic_s() - self._heard_s) * SECOND_MS)

    def _is_fresh(self, ts: int) -> bool:
        return self._ts() - ts <= self._stale_after_ms

    def _mark_at(self, symbol: str, ts: int) -> Decimal | None:
        """The mark, if it is fresh at this instant of the feed's."""
        mark = self._market.marks.get(symbol)
        return mark.px if mark is not None and ts - mark.ts <= self._stale_after_ms else None

    @contextmanager
    def _hearing(self, ts: int) -> Iterator[None]:
        """Work through something that was told, at the feed's time that it brings."""
        market = self._market
        if ts > market.newest:
            market.newest, self._heard_s = ts, self._time.monotonic_s()
        self._is_inside = True
        try:
            self._pass_hours(floor_to(market.newest, HOUR_MS))
            if market.due:
                self._pass_dues(market.newest)
            yield
        finally:
            self._is_inside = False

    def _pass_hours(self, hour: int) -> None:
        """Note what is held at the settlement hours that have passed. Nothing was traded since the last we heard."""
        market = self._market
        if hour <= market.hour:
            return
        began, market.hour = market.hour, hour
        if not (self.state.positions or market.owed):
            return
        too_old = hour - OWED_MS
        hours = range(max(began, too_old) + HOUR_MS, hour + 1, HOUR_MS)
        for symbol, position in self.state.positions.items():
            market.owed.setdefault(symbol, {}).update(dict.fromkeys(hours, position.size))
        for symbol, owed in list(market.owed.items()):
            market.owed[symbol] = {at: size for at, size in owed.items() if at > too_old}
            if not market.owed[symbol]:
                del market.owed[symbol]

    def _pass_dues(self, now: int) -> None:
        """Forget what has rested or ended; what must trade at once and has met no quote for too long expires."""
        due = self._market.due
        for number, since in list(due.items()):
            order = self.state.orders.get(number)
            if order is None or (order.state is OrderState.RESTING and not order.triggered):
                del due[number]
            elif is_immediate(order) and now >= since + self._stale_after_ms:
                del due[number]
                self._close(order, OrderEvent.EXPIRED, "no quote came in time")

    def _learn_anew(self, ts: int) -> None:
        """Where nothing new was told for so long that nothing is fresh, learn the feed's time as at the start.

        Else all that comes would be a slip to a machine that slept, since its clock of seconds stood still meanwhile.
        And what bears an instant ahead of the wall's, while the feed agrees with the wall, is from a clock that was set
        back since: it is no measure of what is new.
        """
        market, latest = self._market, self._time.now_ms() + AHEAD_MS
        if self._heard_s is not None:
            if self._time.monotonic_s() - self._heard_s <= self._stale_after_ms / SECOND_MS:
                return
            self._heard_s = None
        if ts <= latest < market.newest:
            market.newest = 0
            market.marks = {symbol: Mark(0, symbol, mark.px) for symbol, mark in market.marks.items()}
            market.quotes = {symbol: one for symbol, one in market.quotes.items() if one.quote.ts <= latest}
            market.due = {number: min(due, ts) for number, due in market.due.items()}

    # What is left aside.

    def _is_unfit(self, told: Quote | Mark | FundingSettled) -> bool:
        unfit = self._look_over(told)
        if unfit is not None:
            self.unfit[unfit] += 1
        return unfit is not None

    def _look_over(self, told: Quote | Mark | FundingSettled) -> Unfit | None:
        market, symbol = self._market, told.symbol
        if symbol not in self._instruments:
            return Unfit.UNKNOWN
        self._learn_anew(told.ts)
        if told.ts > self._now() + (DAY_MS if self._heard_s is None else AHEAD_MS):
            return Unfit.AHEAD
        mark = self._mark_at(symbol, told.ts)
        match told:
            case Quote():
                return unfit_quote(told, market.quotes.get(symbol), mark)
            case Mark():
                return unfit_mark(told, market.marks.get(symbol), mark)
            case FundingSettled():
                return unfit_funding(told, mark)

    # Orders meet a quote.

    def _meet_all(self, quote: Quote) -> Iterator[Alarm]:
        """Protections that have fired, limits that are passed, new orders, each by number; all of this symbol.

        What is placed while they do, by the engine or an entry, was not there when the quote came.
        """
        live = self._live(quote.symbol)
        waiting = [order for order in live if order.triggered or not order.kind.is_protection]
        for before in sorted(waiting, key=_turn):
            order = self.state.orders.get(before.number)
            if order is not None and quote.ts >= self._market.due.get(order.number, 0):
                self._meet(order)
                yield from self._judge()

    def _meet(self, order: Order) -> None:
        if order.triggered:
            self._fire(order, self._offered(order))
        elif order.state is OrderState.RESTING:
            self._meet_passed(order)
        else:
            self._meet_new(order)

    def _trigger(self, order: Order, mark: Mark) -> None:
        """A protection that the mark has reached fires. It fills on no quote that is older than this mark."""
        if not is_reached(order, mark.px):
            return
        self._market.due[order.number] = mark.ts
        shown = self._market.quotes.get(order.symbol)
        if shown is not None and shown.quote.ts >= mark.ts and is_near(shown.quote, mark.px):
            self._fire(order, self._offered(order))
        else:
            self._set_off(order)

    def _offered(self, order: Order) -> Decimal:
        quote = self._market.quotes[order.symbol].quote
        return quote.ask if order.side is Side.BUY else quote.bid

    def _taker_price(self, order: Order, reference: Decimal) -> Decimal:
        """What is displayed is there at its price: one that is not legal is made so against the trader, and no more."""
        return self._at_touch.fill_price(reference, order.side, ONE, ONE, self._instruments[order.symbol])

    def _budget(self, order: Order) -> Decimal | None:
        if not self.costs.modelled:
            return None
        shown = self._market.quotes[order.symbol]
        if order.side is Side.BUY:
            return shown.quote.ask_size - shown.bought
        return shown.quote.bid_size - shown.sold

    def _spend(self, order: Order, size: Decimal) -> None:
        shown = self._market.quotes[order.symbol]
        if order.side is Side.BUY:
            shown.bought += size
        else:
            shown.sold += size

    # What comes of it.

    def _judge(self) -> Iterator[Alarm]:
        """Liquidation, or below ⅔ of maintenance the backstop; then the engine's alarm, disarmed as it is given."""
        if not self.is_known:
            return
        if self.state.positions:
            equity, maintenance = self.equity(), self._maintenance()
            if 3 * equity < 2 * maintenance:
                self._backstop()
            elif equity <= maintenance:
                self._liquidate(dict.fromkeys(self.state.positions, ZERO))
        if self._alarm is not None and (equity := self.equity()) <= self._alarm:
            self._alarm = None
            yield Alarm(self._ts(), equity)


def _turn(order: Order) -> tuple[int, int]:
    """An order's place among those that meet a quote."""
    if order.triggered:
        return 0, order.number
    return (1 if order.state is OrderState.RESTING else 2), order.number
