"""Somebody who trusts nobody: holds the engine to docs/trading-rules.md §4 with figures of their own.

What is known comes from the venue's state and from what was written down; nothing here calls the engine's code.
"""

from decimal import Decimal

from domain.account import FLAT
from domain.actions import ClosePosition, ProposeOrder
from domain.events import Adjusted, FundingPaid, OrderChanged
from domain.journal import DayOpened, HaltChanged, HaltPhase, IntentRecorded
from domain.orders import Fill, Order, OrderKind, Side
from domain.time import DAY_MS, HOUR_MS
from domain.verdicts import Verdict
from tests.unit.brokers.ledger import Ledger
from tests.unit.engine.samples import House, reasons

ZERO = Decimal(0)
HUNDRED = Decimal(100)
ABOUT_THE_ORDER = {
    "fresh_price",
    "min_notional",
    "position",
    "price",
    "price_band_pct",
    "reduce_only",
    "size",
    "stop",
    "take_profit",
}
"""Why what reduces may be refused: it is no legal order, or there is nothing to price it by or to close."""


class Auditor:
    """Watches one house from its beginning. Call `before` and `after` around each action, `hour` after each hour."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ledger = Ledger(house)  # type: ignore[arg-type]
        self.seen = 0
        self.phase = HaltPhase.ACTIVE
        self.baseline = self.peak = house.venue.equity()
        self.day = house.ts // DAY_MS
        self.sent: list[int] = []
        self.losses: list[int] = []
        self.stops: dict[int, int] = {}
        self.approved = self.halts = 0

    # Around an action.

    def before(self) -> None:
        """Remember the account as it is before anything is done."""
        state = self.house.venue.state
        self.positions = {symbol: held.size for symbol, held in state.positions.items()}
        self.orders = list(state.orders.values())

    def after(self, action: object, verdict: Verdict, index: int) -> None:
        """Judge what came of it."""
        new = self.house.entries[self.seen :]
        intents = [entry for entry in new if isinstance(entry, IntentRecorded)]
        refused_by_us = not verdict.approved and "venue" not in reasons(verdict)
        assert bool(intents) is not refused_by_us
        if isinstance(action, ClosePosition) or (isinstance(action, ProposeOrder) and action.reduce_only):
            assert verdict.approved or set(reasons(verdict)) <= ABOUT_THE_ORDER, verdict.refusals
        for intent in intents:
            for order in intent.orders:
                self._order(order, index)
        self.approved += verdict.approved
        self.read()
        self.agrees()

    def _order(self, order: Order, index: int) -> None:
        caps, mark = self.house.caps, self.house.venue.mark(order.symbol)
        held = self.positions.get(order.symbol, ZERO)
        assert mark is not None
        if order.kind.is_protection:
            assert held * order.side.sign < 0
            return
        assert order.limit_px is not None
        assert abs(order.limit_px - mark) / mark * HUNDRED <= caps.price_band_pct
        if order.reduce_only:
            assert held * order.side.sign < 0
            assert order.size <= abs(held)
            return
        assert self.phase is HaltPhase.ACTIVE
        assert index < caps.max_actions_per_tick
        self._notional(order, mark, held)
        self._rates_and_pauses(order)
        if caps.require_stop:
            assert order.stop_px is not None
        if order.stop_px is not None and caps.max_stop_distance_pct is not None:
            entry = order.limit_px if order.kind is OrderKind.LIMIT else mark
            assert abs(entry - order.stop_px) / entry * HUNDRED <= caps.max_stop_distance_pct

    def _notional(self, order: Order, mark: Decimal, held: Decimal) -> None:
        """The position that the order's side could come to, alone and with all others."""
        caps, first = self.house.caps, self._filled_first(order)
        reach = self._reach(order.symbol, order.side) + order.size
        opened = min(order.size, reach + first[0])
        assert opened > 0, "what can only close is sent reduce-only"
        own_usd = max(ZERO, reach + max(first)) * mark
        others = {o.symbol for o in self.orders if not o.reduce_only} | set(self.positions)
        others.discard(order.symbol)
        gross = own_usd + sum((self._exposure_usd(symbol) for symbol in others), ZERO)
        assert caps.max_order_usd is None or opened * mark <= caps.max_order_usd
        assert caps.max_position_usd is None or own_usd <= caps.max_position_usd
        assert caps.max_gross_usd is None or gross <= caps.max_gross_usd
        assert gross <= caps.max_leverage * self._equity()
        assert len(others) + 1 <= caps.max_open_positions
        assert caps.allow_short or order.side is Side.BUY

    def _reach(self, symbol: str, side: Side) -> Decimal:
        """|position ± Σ orders|, with a sign: below zero, the side is still closing."""
        plain = (
            o.remaining for o in self.orders if (o.symbol, o.side, o.reduce_only) == (symbol, side, False)
        )
        return self.positions.get(symbol, ZERO) * side.sign + sum(plain, ZERO)

    def _filled_first(self, order: Order) -> tuple[Decimal, Decimal]:
        """What reduce-only orders may close before this one does: those that trade, and those that are triggers."""
        closable = max(ZERO, self.positions.get(order.symbol, ZERO) * -order.side.sign)
        own = [
            o for o in self.orders if (o.symbol, o.side, o.reduce_only) == (order.symbol, order.side, True)
        ]
        trading = sum((o.remaining for o in own if not o.kind.is_protection), ZERO)
        return min(closable, trading), closable if any(o.kind.is_protection for o in own) else ZERO

    def _exposure_usd(self, symbol: str) -> Decimal:
        mark = self.house.venue.mark(symbol)
        assert mark is not None, "what is held elsewhere has no fresh price"
        return max(abs(self._reach(symbol, side)) for side in Side) * mark

    def _rates_and_pauses(self, order: Order) -> None:
        caps, ts = self.house.caps, self.house.ts
        assert order.created_ts == ts
        for cap, window in ((caps.max_orders_per_hour, HOUR_MS), (caps.max_orders_per_day, DAY_MS)):
            assert sum(ts - window < sent <= ts for sent in self.sent) + 1 <= cap
        if caps.cooldown_after_loss_ms is not None:
            assert all(ts >= loss + caps.cooldown_after_loss_ms for loss in self.losses)
        if (guard := caps.stop_guard) is not None:
            times = sorted(self.stops.values())
            for last in times:
                within = sum(last - guard.window_ms < stop <= last for stop in times)
                assert within < guard.stops or ts >= last + guard.pause_ms

    # After an hour.

    def hour(self) -> None:
        """The books agree, and a loss that reached a cap has halted the account."""
        self.read()
        self.agrees()
        house, caps, equity = self.house, self.house.caps, self._equity()
        assert house.engine.equity == equity
        self.peak = max(self.peak, equity)
        watch = house.engine.state.watch
        assert (watch.baseline, watch.peak, watch.phase) == (self.baseline, self.peak, self.phase)
        if self.phase is HaltPhase.ACTIVE:
            for cap, base in ((caps.daily_loss_pct, self.baseline), (caps.max_drawdown_pct, self.peak)):
                assert cap is None or base - equity < cap / HUNDRED * base or equity > base
        if self.phase is HaltPhase.HALTED:
            assert (house.venue.state.positions, house.venue.state.orders) == ({}, {})

    def read(self) -> None:
        """Take in what was written down since the last time, in order."""
        new = self.house.entries[self.seen :]
        self.seen = len(self.house.entries)
        for entry in new:
            match entry:
                case Fill() | FundingPaid() | Adjusted() | OrderChanged():
                    if isinstance(entry, Fill):
                        self._fill(entry)
                    self.ledger.hear([entry])
                case IntentRecorded():
                    by_hand = entry.action is not None
                    self.sent += [entry.ts for o in entry.orders if by_hand and not o.kind.is_protection]
                    assert by_hand or all(order.reduce_only for order in entry.orders)
                case DayOpened():
                    assert entry.ts // DAY_MS > self.day
                    self.day, self.baseline = entry.ts // DAY_MS, entry.equity
                case HaltChanged():
                    self.phase = entry.phase
                    self.halts += entry.phase is HaltPhase.HALTED
                    self.peak = self.peak if entry.peak is None else entry.peak

    def _fill(self, fill: Fill) -> None:
        before = self.ledger.positions[fill.symbol]
        after = before + fill.side.sign * fill.size
        if self.phase is not HaltPhase.ACTIVE:
            assert abs(after) < abs(before), "a halted account raised"
        assert self.house.caps.allow_short or after >= 0
        if before * fill.side.sign < 0 and fill.realized < fill.fee:
            self.losses.append(fill.ts)
        if fill.cause == "stop":
            self.stops.setdefault(fill.order, fill.ts)

    def agrees(self) -> None:
        """The engine's book, the venue's and ours are the same."""
        book, state = self.house.engine.book, self.house.venue.state
        assert book.positions == state.positions
        assert {n: (o.state, o.filled) for n, o in book.orders.items()} == {
            n: (o.state, o.filled) for n, o in state.orders.items()
        }
        self.ledger.agrees()

    def _equity(self) -> Decimal:
        venue = self.house.venue
        held = venue.state.positions
        return self.ledger.raw_usd + sum(
            (held.get(symbol, FLAT).size * venue._mark_now(symbol) for symbol in held), ZERO
        )
