"""The caps, held against the orders of an account's intents by somebody else's arithmetic (docs/trading-rules.md §4.4).

Where a mark is not known, a price that the mark can't have been below is taken: what is called a fault is one.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from domain.caps import Caps
from domain.orders import Order, OrderKind, Side
from domain.time import DAY_MS, HOUR_MS
from tests.audit.books import ZERO, Books

ONE, HUNDRED = Decimal(1), Decimal(100)
ROUNDED = Decimal("0.01")
"""Making a price legal moves it by less than this part of it, unless it is next to nothing."""

Marks = Callable[[str, int], Decimal | None]
"""The mark of a symbol at an instant, where it is known."""


class Limits:
    """Holds orders that raise against the caps. `books` are as they were before the intent."""

    def __init__(self, books: Books, caps: Caps, marks: Marks) -> None:
        self.books, self.caps, self.marks = books, caps, marks
        self.sent: list[int] = []  # when orders were sent that somebody asked for
        self.raised: Counter[str] = Counter()  # how many each decision raised with

    def passed(self, order: Order, decision: str) -> list[str]:
        """The caps that an order which raises passes, by name."""
        self.raised[decision] += 1
        kept = {**self._how_much(order), **self._how_often(order, decision), **self._pauses()}
        return [name for name, fine in kept.items() if not fine]

    def _how_much(self, order: Order) -> dict[str, bool]:
        caps, px = self.caps, self._least_px(order)
        trading, protecting = self._filled_first(order)
        reach = self._reach(order.symbol, order.side) + order.size
        opened = min(order.size, reach + trading)
        own_usd = max(ZERO, reach + max(trading, protecting)) * px
        gross, equity = self._gross_usd(order.symbol, own_usd), self._equity()
        raising = {o.symbol for o in self.books.live if not o.reduce_only}
        return {
            "allow_short": caps.allow_short or order.side is Side.BUY or opened <= 0,
            "max_order_usd": caps.max_order_usd is None or opened * px <= caps.max_order_usd,
            "max_position_usd": caps.max_position_usd is None or own_usd <= caps.max_position_usd,
            "max_gross_usd": caps.max_gross_usd is None or gross <= caps.max_gross_usd,
            "max_leverage": equity is None or gross <= caps.max_leverage * equity,
            "max_open_positions": len(raising | {*self.books.positions, order.symbol})
            <= caps.max_open_positions,
        }

    def _how_often(self, order: Order, decision: str) -> dict[str, bool]:
        caps, ts = self.caps, self.books.ts
        hour, day = (sum(ts - window < sent <= ts for sent in self.sent) + 1 for window in (HOUR_MS, DAY_MS))
        return {
            "max_orders_per_hour": hour <= caps.max_orders_per_hour,
            "max_orders_per_day": day <= caps.max_orders_per_day,
            "max_actions_per_tick": self.raised[decision] <= caps.max_actions_per_tick,
            "require_stop": not caps.require_stop or order.stop_px is not None,
            "price_band_pct": self._is_in_band(order),
        }

    def _pauses(self) -> dict[str, bool]:
        ts, cooldown, guard = self.books.ts, self.caps.cooldown_after_loss_ms, self.caps.stop_guard
        times = sorted(self.books.stops.values())
        hits: list[int] = []
        if guard is not None:
            runs = zip(times, times[guard.stops - 1 :], strict=False)
            hits = [last + guard.pause_ms for first, last in runs if first > last - guard.window_ms]
        return {
            "cooldown_after_loss": cooldown is None or all(ts >= at + cooldown for at in self.books.losses),
            "stop_guard": all(ts >= until for until in hits),
        }

    def _least_px(self, order: Order) -> Decimal:
        """The price that an order's exposure is counted at: the mark, or a higher limit; at least this where unknown.

        A market order is bounded so many bps from the mark, so the bound tells where the mark was.
        """
        mark, limit = self.marks(order.symbol, self.books.ts), order.limit_px
        if order.kind is OrderKind.LIMIT and limit is not None:
            return limit if mark is None else max(limit, mark)
        if mark is not None or limit is None:
            return mark or ZERO
        away = min(self.caps.max_slippage_bps / 10_000, self.caps.price_band_pct / HUNDRED)
        return limit * (ONE - ROUNDED) / (ONE + order.side.sign * away)

    def _is_in_band(self, order: Order) -> bool:
        mark = self.marks(order.symbol, self.books.ts)
        if mark is None or order.limit_px is None:
            return True
        return abs(order.limit_px - mark) / mark * HUNDRED <= self.caps.price_band_pct

    def _reach(self, symbol: str, side: Side) -> Decimal:
        """|position ± Σ orders|, with a sign: below zero, the side is still closing."""
        plain = [
            o.remaining for o in self.books.live if (o.symbol, o.side, o.reduce_only) == (symbol, side, False)
        ]
        return self.books.size(symbol) * side.sign + sum(plain, ZERO)

    def _filled_first(self, order: Order) -> tuple[Decimal, Decimal]:
        """What reduce-only orders may close before this one: those that trade, and those that are triggers."""
        closable = max(ZERO, self.books.size(order.symbol) * -order.side.sign)
        own = [
            o
            for o in self.books.live
            if (o.symbol, o.side, o.reduce_only) == (order.symbol, order.side, True)
        ]
        trading = sum((o.remaining for o in own if not o.kind.is_protection), ZERO)
        return min(closable, trading), closable if any(o.kind.is_protection for o in own) else ZERO

    def _gross_usd(self, symbol: str, own_usd: Decimal) -> Decimal:
        """Exposure of all symbols; of those without a mark nothing is counted."""
        others = ({o.symbol for o in self.books.live if not o.reduce_only} | set(self.books.positions)) - {
            symbol
        }
        priced = ((other, self.marks(other, self.books.ts) or ZERO) for other in others)
        return own_usd + sum((max(abs(self._reach(o, s)) for s in Side) * mark for o, mark in priced), ZERO)

    def _equity(self) -> Decimal | None:
        """Cash and open profit at the marks; None where one is not known."""
        total = self.books.cash
        for symbol, position in self.books.positions.items():
            mark = self.marks(symbol, self.books.ts)
            if mark is None:
                return None
            total += position.unrealized(mark)
        return total
