"""How a halted account gets flat: what to cancel and what to send at each attempt. Pure.

Protections stay until the position is gone. Each attempt widens the bound of its reduce-only market orders, so that a
thin market can't keep the account from getting out.
"""

from decimal import Decimal

import msgspec

from domain.caps import Caps
from domain.money import ZERO
from domain.orders import Order, OrderKind, OrderState, Side, Tif
from domain.verdicts import Refusal
from engine.book import Book
from engine.desk import Quotes
from engine.validate import market_bound

WIDEST_BPS = Decimal(5_000)


class Steps(msgspec.Struct, frozen=True):
    """What one attempt does. Nothing at all, with nothing held, means that the account is flat."""

    cancels: tuple[int, ...]
    closes: tuple[Order, ...]


def steps(book: Book, quotes: Quotes, caps: Caps, ts: int, attempt: int) -> Steps:
    """Cancel what could raise or has nothing to reduce; close each position that has a price and isn't being closed."""
    cancels = tuple(
        number
        for number, order in book.orders.items()
        if not (order.reduce_only and order.symbol in book.positions)
    )
    found = (_close(symbol, book, quotes, caps, ts, attempt) for symbol in sorted(book.positions))
    return Steps(cancels, tuple(order for order in found if order is not None))


def is_flat(book: Book) -> bool:
    """No position, no order, nothing unresolved."""
    return not book.positions and not book.orders


def band_bps(caps: Caps, attempt: int) -> Decimal:
    """How far from the mark an attempt may trade: twice as far each time, at most half the price."""
    return min(caps.max_slippage_bps * (1 << min(attempt, 20)), WIDEST_BPS)


def _close(symbol: str, book: Book, quotes: Quotes, caps: Caps, ts: int, attempt: int) -> Order | None:
    held = book.size(symbol)
    side = Side.SELL if held > ZERO else Side.BUY
    mark, instrument = quotes.mark(symbol), quotes.instrument(symbol)
    if mark is None or instrument is None or _is_being_closed(symbol, book):
        return None
    bound = market_bound(mark, side, band_bps(caps, attempt), instrument)
    if isinstance(bound, Refusal):
        return None
    return Order(
        number=0,
        client_id="",
        symbol=symbol,
        side=side,
        kind=OrderKind.MARKET,
        size=abs(held),
        created_ts=ts,
        limit_px=bound,
        tif=Tif.IOC,
        reduce_only=True,
    )


def _is_being_closed(symbol: str, book: Book) -> bool:
    """Whether an order that closes the whole position is on its way; one for a part of it is not enough."""
    held = book.size(symbol)
    return any(
        order.reduce_only
        and order.kind is OrderKind.MARKET
        and order.state is OrderState.IN_FLIGHT
        and order.side.sign * held < ZERO
        and order.remaining >= abs(held)
        for order in book.orders_of(symbol)
    )
