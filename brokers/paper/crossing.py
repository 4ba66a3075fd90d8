"""How orders meet a price: takers, makers and triggers, by docs/trading-rules.md §2.4 to §2.6.

Where prices come from, how much there is at each, and whose turn it is, is for the subclasses to say: `matching.py`
and `replay.py` for the bars of a tape, `quotes.py` for live quotes.
"""

from decimal import Decimal

import msgspec

from brokers.paper.lookahead import fires_falling
from brokers.paper.venue import PaperVenue
from domain.money import ZERO
from domain.orders import Liquidity, Order, OrderEvent, OrderKind, OrderState, Tif


class CrossingVenue(PaperVenue):
    """A paper account whose orders meet one price at a time."""

    # What the driver supplies.

    def _offered(self, order: Order) -> Decimal:
        """The price that this order could be traded at now, before costs."""
        raise NotImplementedError

    def _taker_price(self, order: Order, reference: Decimal) -> Decimal:
        """What a taker pays where `reference` is offered."""
        raise NotImplementedError

    def _budget(self, order: Order) -> Decimal | None:
        """How much there is left for an order of this side; None: any amount."""
        raise NotImplementedError

    def _spend(self, order: Order, size: Decimal) -> None:
        """So much of it is gone."""
        raise NotImplementedError

    # How much.

    def _wanted(self, order: Order) -> Decimal:
        return self._reducible(order) if order.reduce_only else order.remaining

    def _fillable(self, order: Order) -> Decimal:
        """How much of an order can fill now, in whole lots."""
        budget, wanted = self._budget(order), self._wanted(order)
        return wanted if budget is None else min(wanted, self._instruments[order.symbol].legal_size(budget))

    # Takers, makers, triggers.

    def _take(self, order: Order, reference: Decimal) -> None:
        """Fill as a taker where `reference` is offered, as far as what there is goes."""
        size = self._fillable(order)
        if size:
            px = self._taker_price(order, reference)
            self._spend(order, size)
            self._fill(order, size, px, reference, Liquidity.TAKER)

    def _make(self, order: Order) -> None:
        """A resting limit fills at its price, as far as what there is goes."""
        assert order.limit_px is not None
        size = self._fillable(order)
        if not size:
            return
        if not self._margin_allows(order, order.limit_px, Liquidity.MAKER):
            self._close(order, OrderEvent.CANCELLED, "marginCanceled")
            return
        self._spend(order, size)
        self._fill(order, size, order.limit_px, order.limit_px, Liquidity.MAKER)

    def _set_off(self, order: Order) -> Order:
        """A protection triggers: its sibling goes. Gives it as it is now."""
        for other in self._live(order.symbol):
            if other.kind.is_protection and other.number != order.number:
                self._close(other, OrderEvent.CANCELLED, "siblingFilledCanceled")
        triggered = msgspec.structs.replace(order, triggered=True)
        self.state.orders[order.number] = triggered
        self._changed()
        return triggered

    def _fire(self, order: Order, reference: Decimal) -> None:
        """A protection triggers, and takes what there is."""
        self._take(self._set_off(order), reference)

    # A resting order, and a new one.

    def _meet_passed(self, order: Order) -> None:
        """A resting limit that the price has gone through fills at its limit."""
        assert order.limit_px is not None
        if (self._offered(order) - order.limit_px) * order.side.sign < ZERO:
            self._make(order)

    def _meet_new(self, order: Order) -> None:
        """A new order meets its first price: it takes, rests, or is turned away."""
        if order.reduce_only and not self._reducible(order):
            self._close(order, OrderEvent.CANCELLED, "reduceOnlyCanceled")
        elif order.kind is OrderKind.LIMIT and order.tif is Tif.ALO:
            self._add_liquidity(order)
        else:
            self._cross(order)

    def _add_liquidity(self, order: Order) -> None:
        """Rest, or be refused where the price touches the limit."""
        assert order.limit_px is not None
        if (self._offered(order) - order.limit_px) * order.side.sign <= ZERO:
            self._close(order, OrderEvent.REJECTED, "badAloPx")
        else:
            self._keep(order.after(OrderEvent.RESTED, ts=self._ts()))

    def _cross(self, order: Order) -> None:
        """Take what lies within the bound; the rest of a limit rests, of anything else goes."""
        offered = self._offered(order)
        px = self._taker_price(order, offered)
        if self._fillable(order) and self._is_within(order, px):
            if not self._margin_allows(order, px, Liquidity.TAKER):
                self._close(order, OrderEvent.CANCELLED, "marginCanceled")
                return
            self._take(order, offered)
        left = self.state.orders.get(order.number)
        if left is None:
            return
        if is_immediate(left):
            self._close(left, OrderEvent.CANCELLED, "iocCancel" if left.filled else "iocCancelRejected")
        elif left.state is OrderState.IN_FLIGHT:
            self._keep(left.after(OrderEvent.RESTED, ts=self._ts()))

    def _is_within(self, order: Order, px: Decimal) -> bool:
        if order.limit_px is None or (order.kind is OrderKind.MARKET and not self.costs.modelled):
            return True
        return (px - order.limit_px) * order.side.sign <= ZERO


def is_reached(order: Order, mark: Decimal) -> bool:
    """Whether a mark is at a protection's trigger, or past it."""
    assert order.trigger_px is not None
    return mark <= order.trigger_px if fires_falling(order) else mark >= order.trigger_px


def is_immediate(order: Order) -> bool:
    """Whether what does not fill at its first price is cancelled."""
    return order.kind is OrderKind.MARKET or (order.kind is OrderKind.LIMIT and order.tif is Tif.IOC)
