"""From an action to a legal order, or the first reason why it can't be one. Pure.

What the caller gives is made legal in the cautious direction: limits passively, market bounds inwards, triggers away
from firing, sizes down; a full close is exact. Caps come after this (`risk.py`).
"""

from decimal import Decimal

from domain.account import FLAT
from domain.actions import ClosePosition, ProposeOrder, SetProtection
from domain.instruments import MIN_NOTIONAL_USD, Instrument, Toward
from domain.money import BPS, ONE, PERCENT, ZERO, plain
from domain.orders import Order, OrderKind, OrderState, Side, Tif
from domain.verdicts import Refusal, refusal
from engine.desk import Desk
from engine.exposure import opened

LARGEST = Decimal(10) ** 12
"""No size or price is larger: beyond it is a slip, and sums would leave the digits that are exact."""


def order_of(action: ProposeOrder, desk: Desk) -> Order | Refusal:
    """Make the legal order that a proposal asks for. It has no number and no client id yet.

    One that can only close is made reduce-only: so it opens nothing when the position is gone before it fills.
    """
    found = _instrument(action.symbol, desk, reduces=action.reduce_only)
    if isinstance(found, Refusal):
        return found
    instrument, mark = found
    size = _size(action, desk, instrument)
    if isinstance(size, Refusal):
        return size
    limit = _limit(action, desk, instrument, mark)
    if isinstance(limit, Refusal):
        return limit
    entry = _entry(action, limit, mark)
    triggers = [
        _trigger(kind, px, action.side.opposite, instrument, entry)
        for kind, px in ((OrderKind.STOP, action.stop_px), (OrderKind.TAKE_PROFIT, action.take_profit_px))
    ]
    for trigger in triggers:
        if isinstance(trigger, Refusal):
            return trigger
    if action.reduce_only and any(triggers):
        return refusal("reduce_only", "no stop or take-profit", "one", "use set_protection for the position")
    opens = not action.reduce_only and bool(opened(desk.book, action.symbol, action.side, size))
    order = Order(
        number=0,
        client_id="",
        symbol=action.symbol,
        side=action.side,
        kind=OrderKind.MARKET if action.limit_px is None else OrderKind.LIMIT,
        size=size,
        created_ts=desk.ts,
        limit_px=limit,
        tif=Tif.IOC if action.limit_px is None else action.tif,
        reduce_only=not opens,
        stop_px=_px(triggers[0]) if opens else None,
        take_profit_px=_px(triggers[1]) if opens else None,
    )
    return _large_enough(order, desk, mark) or order


def close_of(action: ClosePosition, desk: Desk) -> Order | Refusal:
    """Make the reduce-only market order that closes a whole position, less what is being closed already."""
    held = desk.book.size(action.symbol)
    side = Side.SELL if held > ZERO else Side.BUY
    left = reducible(desk, action.symbol, side)
    if not left:
        return refusal(
            "position", "something to close", "nothing", f"{action.symbol} is flat or being closed"
        )
    return order_of(ProposeOrder(action.symbol, side, left, reduce_only=True), desk)


def protections_of(action: SetProtection, desk: Desk) -> list[Order] | Refusal:
    """Make the stop and the take-profit that a position shall have from now on; none for a None."""
    found = _instrument(action.symbol, desk, reduces=True)
    if isinstance(found, Refusal):
        return found
    instrument, mark = found
    position = desk.book.positions.get(action.symbol, FLAT)
    if not position.size:
        return refusal("position", "an open position", "none", "attach stop_px to the order that opens it")
    side = Side.SELL if position.size > ZERO else Side.BUY
    orders = []
    for kind, wanted in ((OrderKind.STOP, action.stop_px), (OrderKind.TAKE_PROFIT, action.take_profit_px)):
        trigger = _trigger(kind, wanted, side, instrument, mark)
        if isinstance(trigger, Refusal):
            return trigger
        if trigger is not None:
            orders.append(
                Order(
                    number=0,
                    client_id="",
                    symbol=action.symbol,
                    side=side,
                    kind=kind,
                    size=abs(position.size),
                    created_ts=desk.ts,
                    trigger_px=trigger,
                    reduce_only=True,
                )
            )
    return orders


def reducible(desk: Desk, symbol: str, side: Side) -> Decimal:
    """How much of a position an order of this side may still close: what is held, less what is being closed.

    Being closed is what is on its way to the market. What rests there, or was lost on the way, may never fill: it
    doesn't keep anybody from getting out, and the venue closes no more than there is.
    """
    held = desk.book.size(symbol) * -side.sign
    closing = sum(
        (
            order.remaining
            for order in desk.book.orders_of(symbol)
            if order.reduce_only
            and order.side is side
            and order.tif is Tif.IOC
            and order.state is OrderState.IN_FLIGHT
        ),
        ZERO,
    )
    return max(ZERO, held - closing)


def market_bound(mark: Decimal, side: Side, bps: Decimal, instrument: Instrument) -> Decimal | Refusal:
    """A market order's bound: this far from the mark, made legal inwards."""
    return _legal(mark * (ONE + side.sign * bps * BPS), _inward(side), instrument)


def _instrument(symbol: str, desk: Desk, *, reduces: bool) -> tuple[Instrument, Decimal] | Refusal:
    """What the venue knows of a symbol, and its fresh mark. What is held may be reduced, whatever the symbol."""
    if symbol not in desk.symbols and not (reduces and symbol in desk.book.positions):
        return refusal("symbols", ", ".join(desk.symbols), symbol)
    instrument = desk.quotes.instrument(symbol)
    if instrument is None:
        return refusal("instrument", "one the venue has", symbol)
    mark = desk.quotes.mark(symbol)
    if mark is None:
        return refusal("fresh_price", "a fresh mark", "none", f"wait until {symbol} has a price")
    return instrument, mark


def _size(action: ProposeOrder, desk: Desk, instrument: Instrument) -> Decimal | Refusal:
    if not action.size.is_finite() or not ZERO < action.size <= LARGEST:
        return refusal("size", f"above 0, at most {LARGEST:.0e}", action.size)
    size = instrument.legal_size(action.size)
    if not size:
        return refusal("size", instrument.lot, action.size, "the smallest size step is larger")
    if action.reduce_only:
        left = reducible(desk, action.symbol, action.side)
        if size > left:
            return refusal("reduce_only", left, size, "a reducing order is no larger than the position")
    return size


def _limit(action: ProposeOrder, desk: Desk, instrument: Instrument, mark: Decimal) -> Decimal | Refusal:
    if action.limit_px is None:
        slippage = min(desk.caps.max_slippage_bps, desk.caps.price_band_pct * PERCENT / BPS)
        return market_bound(mark, action.side, slippage, instrument)
    return _legal(action.limit_px, _inward(action.side), instrument)


def _inward(side: Side) -> Toward:
    """Towards the better price for whoever trades: passive for a limit, tighter for a bound."""
    return Toward.DOWN if side is Side.BUY else Toward.UP


def _legal(px: Decimal, toward: Toward, instrument: Instrument) -> Decimal | Refusal:
    if not px.is_finite() or not ZERO < px <= LARGEST:
        return refusal("price", f"above 0, at most {LARGEST:.0e}", px)
    try:
        return instrument.legal_price(px, toward)
    except ValueError:
        return refusal("price", f"a legal price of {instrument.symbol}", px)


def _entry(action: ProposeOrder, limit: Decimal, mark: Decimal) -> Decimal:
    """The price that protections are measured from: the better of the limit and the mark."""
    if action.limit_px is None:
        return mark
    return min(limit, mark) if action.side is Side.BUY else max(limit, mark)


def _trigger(
    kind: OrderKind, px: Decimal | None, side: Side, instrument: Instrument, entry: Decimal
) -> Decimal | Refusal | None:
    """A legal trigger on its side of the entry, moved away from firing."""
    if px is None:
        return None
    falls = (kind is OrderKind.STOP) is (side is Side.SELL)
    trigger = _legal(px, Toward.DOWN if falls else Toward.UP, instrument)
    if isinstance(trigger, Refusal):
        return trigger
    if (trigger >= entry) if falls else (trigger <= entry):
        return refusal(kind.value, f"{'below' if falls else 'above'} {plain(entry)}", trigger)
    return trigger


def _px(trigger: Decimal | Refusal | None) -> Decimal | None:
    return trigger if isinstance(trigger, Decimal) else None


def _large_enough(order: Order, desk: Desk, mark: Decimal) -> Refusal | None:
    """At least 10 USD at the limit, else at the mark; only a full close may be smaller."""
    is_market = order.kind is OrderKind.MARKET or order.limit_px is None
    notional = order.size * (mark if is_market or order.limit_px is None else order.limit_px)
    if notional >= MIN_NOTIONAL_USD:
        return None
    if order.reduce_only and order.size == abs(desk.book.size(order.symbol)):
        return None
    return refusal("min_notional", MIN_NOTIONAL_USD, notional, "only a full close may be smaller")
