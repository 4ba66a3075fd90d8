"""What it takes to tell in one look that a bar will be calm. Pure structures, made anew when the account changes."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from brokers.paper.tape import Column, Track
from domain.instruments import Instrument
from domain.money import ZERO
from domain.orders import Order, OrderKind, OrderState, Side


class Exposure(NamedTuple):
    """What a position does to equity, per tick of its mark."""

    adverse: Column  # the extreme of each bar that hurts
    opens: Column
    closes: Column
    usd_per_tick: Decimal
    room_per_tick: Decimal  # usd_per_tick less the largest maintenance the tiers can ask


class Watch(NamedTuple):
    """What a resting order waits for: that a column of the tape comes to `level`, in ticks."""

    column: Column
    level: int
    falling: bool

    def reached(self, index: int) -> bool:
        """Whether the bar at `index` touches the level."""
        return self.column[index] <= self.level if self.falling else self.column[index] >= self.level


def exposure(track: Track, size: Decimal, instrument: Instrument) -> Exposure:
    """How a position of this signed size moves with its marks."""
    marks = track.marks
    per_tick = size * marks.tick
    return Exposure(
        adverse=marks.low if size > ZERO else marks.high,
        opens=marks.open,
        closes=marks.close,
        usd_per_tick=per_tick,
        room_per_tick=per_tick - abs(per_tick) * instrument.largest_maintenance_rate,
    )


def watches(orders: Iterable[Order], tracks: dict[str, Track]) -> list[Watch] | None:
    """What the orders wait for; None when one of them is due at the next open, whatever the prices."""
    found = []
    for order in orders:
        if order.state is not OrderState.RESTING or order.triggered:
            return None
        found.append(_watch(order, tracks[order.symbol]))
    return found


def fires_falling(order: Order) -> bool:
    """Whether a protection fires when the mark falls: a long's stop, a short's take-profit."""
    return (order.kind is OrderKind.STOP) is (order.side is Side.SELL)


def _watch(order: Order, track: Track) -> Watch:
    if order.kind.is_protection:
        prices, level, falling = track.marks, order.trigger_px, fires_falling(order)
    else:
        prices, level, falling = track.trades, order.limit_px, order.side is Side.BUY
    assert level is not None
    whole, part = divmod(level, prices.tick)
    if falling:
        return Watch(prices.low, int(whole), falling)
    return Watch(prices.high, int(whole) + (1 if part else 0), falling)
