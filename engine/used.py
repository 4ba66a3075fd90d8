"""How much of its caps an account uses: the numbers that `risk` would hold a further order against. Pure."""

from decimal import Decimal

import msgspec

from domain.caps import Caps
from domain.money import PERCENT, ZERO
from domain.time import DAY_MS, HOUR_MS
from engine.book import guarded_until, orders_within
from engine.desk import Desk
from engine.exposure import exposure_usd
from engine.watch import Watch


class Used(msgspec.Struct, frozen=True):
    """What is used, orders in hand included. USD, percent, and UTC ms.

    What needs a price is None where one is missing, and `leverage` where there is no equity. `paused_until` is when a
    cool-down or a stop-guard ends, None when neither holds.
    """

    gross_usd: Decimal | None
    position_usd: Decimal | None  # of the largest
    leverage: Decimal | None
    open_positions: int
    orders_per_hour: int
    orders_per_day: int
    daily_loss_pct: Decimal
    drawdown_pct: Decimal
    paused_until: int | None


def used(desk: Desk, watch: Watch) -> Used:
    """What an account uses of its caps at this moment."""
    book, equity = desk.book, desk.quotes.equity()
    raising = {order.symbol for order in book.orders.values() if not order.reduce_only}
    symbols = raising | set(book.positions)
    marks = {symbol: desk.quotes.mark(symbol) for symbol in symbols}
    usd = [exposure_usd(book, symbol, mark) for symbol, mark in marks.items() if mark is not None]
    gross = sum(usd, ZERO) if len(usd) == len(symbols) else None
    return Used(
        gross_usd=gross,
        position_usd=None if gross is None else max(usd, default=ZERO),
        leverage=None if gross is None or equity <= ZERO else gross / equity,
        open_positions=len(symbols),
        orders_per_hour=orders_within(book.order_times, desk.ts, HOUR_MS),
        orders_per_day=orders_within(book.order_times, desk.ts, DAY_MS),
        daily_loss_pct=_lost(watch.baseline, equity),
        drawdown_pct=_lost(watch.peak, equity),
        paused_until=_paused_until(desk, desk.caps),
    )


def _lost(before: Decimal, equity: Decimal) -> Decimal:
    return max(ZERO, (before - equity) / before / PERCENT) if before > ZERO else ZERO


def _paused_until(desk: Desk, caps: Caps) -> int | None:
    ends = []
    if caps.cooldown_after_loss_ms is not None and desk.book.loss_ts is not None:
        ends.append(desk.book.loss_ts + caps.cooldown_after_loss_ms)
    if caps.stop_guard is not None and (end := guarded_until(desk.book.stop_times, caps.stop_guard)):
        ends.append(end)
    return max((end for end in ends if end > desk.ts), default=None)
