"""Initial margin of a cross account: what is held, and what orders could make of it, over leverage. Pure functions."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from domain.account import FLAT, Position
from domain.money import ZERO
from domain.orders import Order, Side


class Priced(NamedTuple):
    """A live order with the price, in USD, that its exposure is counted at."""

    order: Order
    px: Decimal


def side_of(size: Decimal) -> Side:
    """The side that a position of this signed size was bought or sold on; flat counts as bought."""
    return Side.SELL if size < ZERO else Side.BUY


def initial_margin_usd(
    positions: Mapping[str, Position],
    orders: Iterable[Priced],
    leverage: Mapping[str, int],
    mark: Callable[[str], Decimal],
) -> Decimal:
    """Σ over symbols of the largest notional that position and orders could come to, over the symbol's leverage.

    Reduce-only orders add nothing. A symbol whose leverage was never set is margined whole. Symbols are summed in
    order of name, so that the last digit does not depend on how a set happens to be laid out.
    """
    own: dict[str, list[Priced]] = {symbol: [] for symbol in positions}
    for priced in orders:
        if not priced.order.reduce_only:
            own.setdefault(priced.order.symbol, []).append(priced)
    needed = ZERO
    for symbol in sorted(own):
        size = positions.get(symbol, FLAT).size
        needed += _could_be_usd(size, mark, symbol, own[symbol]) / leverage.get(symbol, 1)
    return needed


def _could_be_usd(
    size: Decimal, mark: Callable[[str], Decimal], symbol: str, orders: list[Priced]
) -> Decimal:
    """The notional if all that adds were filled, or if all that goes against the position were: the larger."""
    same = side_of(size)
    adding = _opened_usd([each for each in orders if each.order.side is same], ZERO)
    flipped = _opened_usd([each for each in orders if each.order.side is not same], abs(size))
    held = abs(size) * mark(symbol) if size else ZERO
    return max(held + adding, flipped)


def _opened_usd(orders: list[Priced], closes_first: Decimal) -> Decimal:
    """What orders of one side open, in USD, after the first `closes_first` base units have closed a position."""
    total = ZERO
    for order, px in orders:
        closing = min(closes_first, order.remaining)
        closes_first -= closing
        total += (order.remaining - closing) * px
    return total
