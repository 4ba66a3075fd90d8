"""What the engine knows of an account: positions, live orders, and the times that caps look back at.

The book is the fold of the journal. Its dictionaries are replaced, never changed, so that whoever holds one keeps the
account as it was at that moment.
"""

from bisect import bisect_right
from decimal import Decimal

import msgspec

from domain.account import FLAT, Position
from domain.caps import StopGuard
from domain.events import OrderChanged
from domain.journal import Entry, IntentRecorded
from domain.money import ZERO
from domain.orders import Fill, Order, OrderKind, OrderState
from domain.time import DAY_MS

KEEP_STOPS_MS = 61 * DAY_MS
"""Longer than the longest window of a stop-guard and its longest pause together."""


_UNRESOLVED = (OrderState.RECORDED, OrderState.UNKNOWN)


class Book(msgspec.Struct):
    """The account as the journal tells it. Instants are UTC ms."""

    positions: dict[str, Position] = {}
    orders: dict[int, Order] = {}  # live ones, by number
    order_times: tuple[int, ...] = ()  # of the last day, ascending
    stop_times: tuple[int, ...] = ()  # when a stop-loss began to fill, ascending
    loss_ts: int | None = None  # the last realized loss
    decided: str = ""  # the last decision with an intent
    fills: int = 0  # how many there were

    def size(self, symbol: str) -> Decimal:
        """The signed size held, in base units."""
        return self.positions.get(symbol, FLAT).size

    def orders_of(self, symbol: str) -> list[Order]:
        """The live orders of a symbol, oldest first."""
        return [order for order in self.orders.values() if order.symbol == symbol]

    def is_resolved(self, symbol: str) -> bool:
        """Whether it is known what became of every order of the symbol.

        An intent that was never followed by an answer is not: its sending was cut short.
        """
        return not any(order.state in _UNRESOLVED for order in self.orders_of(symbol))

    def apply(self, entry: Entry) -> None:
        """Take one journal entry in."""
        match entry:
            case IntentRecorded():
                self._intend(entry)
            case OrderChanged():
                self._change(entry.order)
            case Fill():
                self._fill(entry)

    def _intend(self, entry: IntentRecorded) -> None:
        if entry.action is not None:
            self.decided = entry.decision_id
        if entry.orders:
            self.orders = {**self.orders, **{order.number: order for order in entry.orders}}
        counted = [
            order for order in entry.orders if not order.kind.is_protection and entry.action is not None
        ]
        if counted:
            recent = bisect_right(self.order_times, entry.ts - DAY_MS)
            times = (*self.order_times[recent:], *(entry.ts for _ in counted))
            self.order_times = tuple(
                sorted(times)
            )  # a tick's instant may lie before what was done by hand in it

    def _change(self, order: Order) -> None:
        others = {number: other for number, other in self.orders.items() if number != order.number}
        self.orders = {**others, order.number: order} if order.is_live else others

    def _fill(self, fill: Fill) -> None:
        self.fills += 1
        before = self.positions.get(fill.symbol, FLAT)
        after, _ = before.after(fill.side.sign * fill.size, fill.px)
        others = {symbol: held for symbol, held in self.positions.items() if symbol != fill.symbol}
        self.positions = {**others, fill.symbol: after} if after.size else others
        closes = before.size * fill.side.sign < ZERO
        if closes and fill.realized - fill.fee < ZERO:
            self.loss_ts = fill.ts
        order = self.orders.get(fill.order)
        if fill.cause == OrderKind.STOP and (order is None or not order.filled):  # its first fill
            recent = bisect_right(self.stop_times, fill.ts - KEEP_STOPS_MS)
            self.stop_times = (*self.stop_times[recent:], fill.ts)


def orders_within(times: tuple[int, ...], ts: int, window_ms: int) -> int:
    """How many instants lie in the rolling window (ts − window, ts]."""
    return len(times) - bisect_right(times, ts - window_ms)


def guarded_until(stop_times: tuple[int, ...], guard: StopGuard) -> int | None:
    """Until when a stop-guard pauses raising: the last time enough stops lay within its window, and its pause."""
    for last in range(len(stop_times) - 1, guard.stops - 2, -1):
        if stop_times[last - guard.stops + 1] > stop_times[last] - guard.window_ms:
            return stop_times[last] + guard.pause_ms
    return None
