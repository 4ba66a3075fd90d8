"""How far a position could come to go with every order in hand, on each side of zero. Pure.

What is reduce-only never makes less of it. But it may fill before a plain order of its side does: what it would close
is then not there to be closed by the other, so an order through zero is not credited with it either.
"""

from decimal import Decimal

from domain.money import ZERO
from domain.orders import Order, OrderKind, Side
from engine.book import Book


def opened(book: Book, symbol: str, side: Side, size: Decimal) -> Decimal:
    """How much an order of this size would open, in base units; 0 when all it can do is close.

    Two orders see each other: what a reducing order in hand closes is closed once.
    """
    reach = _ahead(book, symbol, side, protections=False)
    reach += sum((order.remaining for order in plain_orders(book, symbol, side)), ZERO)
    return max(ZERO, reach + size) - max(ZERO, reach)


def side_usd(
    book: Book, symbol: str, side: Side, mark: Decimal, new: Order | None = None, *, closing: Decimal = ZERO
) -> Decimal:
    """What could come to be held on one side of zero, in USD: at the mark, or a higher limit.

    `new` is one more order, `closing` what one more reduce-only order of the side may take off first.
    """
    ahead = _ahead(book, symbol, side, protections=True)
    usd, to_close = max(ZERO, ahead) * mark, max(ZERO, -ahead - closing)
    for order in [*plain_orders(book, symbol, side), *([new] if new is not None else [])]:
        closes = min(to_close, order.remaining)
        to_close -= closes
        usd += (order.remaining - closes) * price_of(order, mark)
    return usd


def exposure_usd(book: Book, symbol: str, mark: Decimal) -> Decimal:
    """A symbol's exposure in USD: max(|position + Σ buys|, |position − Σ sells|), orders as in `side_usd`."""
    return max(side_usd(book, symbol, side, mark) for side in Side)


def price_of(order: Order, mark: Decimal) -> Decimal:
    """The price that an order's exposure is counted at, in USD."""
    if order.kind is OrderKind.LIMIT and order.limit_px is not None:
        return max(order.limit_px, mark)
    return mark


def _ahead(book: Book, symbol: str, side: Side, *, protections: bool) -> Decimal:
    """The position in the direction of a side: below 0 while there is something for it to close."""
    held = book.size(symbol) * side.sign
    if held >= ZERO:
        return held
    reducing = (o for o in book.orders_of(symbol) if o.reduce_only and o.side is side)
    for order in reducing:
        if not order.kind.is_protection:
            held += order.remaining
        elif protections:  # it covers the whole position
            return ZERO
    return min(ZERO, held)


def plain_orders(book: Book, symbol: str, side: Side) -> list[Order]:
    """The live orders of one side that could open something."""
    return [order for order in book.orders_of(symbol) if order.side is side and not order.reduce_only]
