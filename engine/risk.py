"""The caps, held against one legal order. Pure: what is known at this moment in, every reason against it out.

An order sent reduce-only was found by `validate` to be no larger than the position: it is held to the price band and
to nothing else, so that no cap, halt or rate limit ever stands in the way of getting out.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_UP, Decimal

from domain.money import BPS, PERCENT, ZERO, plain
from domain.orders import Order, OrderKind, Side, Tif
from domain.time import DAY_MS, HOUR_MS, iso
from domain.verdicts import Refusal, refusal
from engine.book import guarded_until, orders_within
from engine.desk import Desk
from engine.exposure import exposure_usd, opened, plain_orders, price_of, side_usd

Reasons = Iterator[Refusal]

_KEPT = "what reduces stays until the account is flat"
_SHOWN = Decimal("0.0001")
_LONGEST_SHOWN = 20


def check(order: Order, desk: Desk) -> list[Refusal]:
    """Give every reason why this order may not be sent; none: it may."""
    refusals = list(_price(order, desk))
    if not order.reduce_only:
        refusals += [reason for rule in _RAISING for reason in rule(order, desk)]
    return refusals


def left_to_open(reducing: Order, desk: Desk) -> tuple[int, ...]:
    """The live orders through zero that this reducing order, filling before them, would leave to pass a cap.

    They were judged on what they open of the position as it was. What reduces is never refused: they go instead.
    """
    mark = desk.quotes.mark(reducing.symbol)
    through = plain_orders(desk.book, reducing.symbol, reducing.side)
    if mark is None or not through:
        return ()
    usd = side_usd(desk.book, reducing.symbol, reducing.side, mark, closing=reducing.size)
    passed = any(_notional(reducing.symbol, usd, desk))
    return tuple(order.number for order in through) if passed else ()


def check_cancel(order: Order, desk: Desk) -> list[Refusal]:
    """Give every reason why this live order may not be withdrawn."""
    refusals = []
    if desk.halted_by and order.reduce_only:
        refusals.append(_halt(desk, _KEPT))
    if desk.caps.require_stop and order.kind is OrderKind.STOP:
        refusals.append(_no_stop("replace it with set_protection"))
    return refusals


def check_protections(
    symbol: str, wanted: Sequence[Order], dropped: Sequence[Order], desk: Desk
) -> list[Refusal]:
    """Give every reason why a position may not be protected like this: `wanted` takes the place of all it has.

    `dropped` are those it has and shall not have any more.
    """
    refusals = [_halt(desk, _KEPT)] if desk.halted_by and dropped else []
    stop = next((order for order in wanted if order.kind is OrderKind.STOP), None)
    if stop is not None and stop.trigger_px is not None:
        entry = desk.book.positions[symbol].entry_px
        assert entry is not None
        refusals += _stop_distance(stop.trigger_px, entry, stop.side.opposite, desk)
    elif desk.caps.require_stop:
        refusals.append(_no_stop("give stop_px"))
    return refusals


def _price(order: Order, desk: Desk) -> Reasons:
    """The band around the mark for every order, and the slippage that a taker may suffer."""
    mark = desk.quotes.mark(order.symbol)
    if mark is None or order.limit_px is None:
        return
    away = abs(order.limit_px - mark) / mark
    band = desk.caps.price_band_pct
    if away > band * PERCENT:
        yield refusal("price_band_pct", band, _shown(away / PERCENT))
    beyond = (order.limit_px - mark) * order.side.sign / mark
    slippage = desk.caps.max_slippage_bps
    takes = order.tif is not Tif.ALO and not order.reduce_only
    if takes and beyond > slippage * BPS:
        yield refusal("max_slippage_bps", slippage, _shown(beyond / BPS))


def _state(order: Order, desk: Desk) -> Reasons:
    """A halted account and one with lost orders raise nothing."""
    if desk.halted_by:
        yield _halt(desk, "only reduce")
    if not desk.book.is_resolved(order.symbol):
        hint = "wait until the venue has told what became of it"
        yield refusal("unresolved", "no lost order", f"one in {order.symbol}", hint)


def _shorting(order: Order, desk: Desk) -> Reasons:
    if desk.caps.allow_short or order.side is Side.BUY:
        return
    short = opened(desk.book, order.symbol, order.side, order.size)
    if short:
        hint = "sell no more than is held and not being sold"
        yield refusal("allow_short", "false", f"a position of {plain(-short)}", hint)


def _size(order: Order, desk: Desk) -> Reasons:
    """One order's notional: of an order through zero, what it opens."""
    cap, mark = desk.caps.max_order_usd, desk.quotes.mark(order.symbol)
    if cap is None or mark is None:
        return
    usd = opened(desk.book, order.symbol, order.side, order.size) * price_of(order, mark)
    if usd > cap:
        yield refusal("max_order_usd", cap, usd)


def _exposure(order: Order, desk: Desk) -> Reasons:
    """What could come to be held on the order's side, that with all other symbols, and the sum over equity.

    The order changes its own side of zero alone, so it is judged on that: one through zero on what it opens.
    """
    mark = desk.quotes.mark(order.symbol)
    if mark is None:
        return
    yield from _notional(order.symbol, side_usd(desk.book, order.symbol, order.side, mark, order), desk)


def _notional(of: str, own: Decimal, desk: Desk) -> Reasons:
    """Hold what could come to be held of a symbol, in USD, against the caps on notional."""
    caps = desk.caps
    if caps.max_position_usd is not None and own > caps.max_position_usd:
        yield refusal("max_position_usd", caps.max_position_usd, own)
    gross, equity = own, desk.quotes.equity()
    for symbol in sorted(_symbols(desk) - {of}):
        other = desk.quotes.mark(symbol)
        if other is None:
            hint = f"wait until {symbol} has a price"
            yield refusal("fresh_price", f"a fresh mark of {symbol}, which is held or ordered", "none", hint)
            return
        gross += exposure_usd(desk.book, symbol, other)
    if caps.max_gross_usd is not None and gross > caps.max_gross_usd:
        yield refusal("max_gross_usd", caps.max_gross_usd, gross)
    if gross > caps.max_leverage * equity:
        would_be = _shown(gross / equity) if equity > ZERO else "no equity"
        yield refusal("max_leverage", caps.max_leverage, would_be)


def _symbols(desk: Desk) -> set[str]:
    """The symbols with a position, or with an order that could open one."""
    raising = {order.symbol for order in desk.book.orders.values() if not order.reduce_only}
    return raising | set(desk.book.positions)


def _count(order: Order, desk: Desk) -> Reasons:
    """How many symbols may be held at once, and how many orders sent in an hour and in a day."""
    caps, taken = desk.caps, _symbols(desk)
    if order.symbol not in taken and len(taken) >= caps.max_open_positions:
        yield refusal("max_open_positions", caps.max_open_positions, len(taken) + 1)
    for name, window_ms in (("max_orders_per_hour", HOUR_MS), ("max_orders_per_day", DAY_MS)):
        cap: int = getattr(caps, name)
        sent = orders_within(desk.book.order_times, desk.ts, window_ms)
        if sent >= cap:
            yield refusal(name, cap, sent + 1)


def _stops(order: Order, desk: Desk) -> Reasons:
    mark = desk.quotes.mark(order.symbol)
    if order.stop_px is None:
        if desk.caps.require_stop:
            yield _no_stop("give stop_px")
    elif mark is not None:
        is_limit = order.kind is OrderKind.LIMIT and order.limit_px is not None
        entry = order.limit_px if is_limit and order.limit_px is not None else mark
        yield from _stop_distance(order.stop_px, entry, order.side, desk)


def _stop_distance(stop_px: Decimal, entry_px: Decimal, side: Side, desk: Desk) -> Reasons:
    """How far below a long's entry, or above a short's, its stop may lie. `side` is the entry's."""
    cap = desk.caps.max_stop_distance_pct
    distance = (entry_px - stop_px) * side.sign / entry_px / PERCENT
    if cap is not None and distance > cap:
        yield refusal("max_stop_distance_pct", cap, _shown(distance))


def _pauses(order: Order, desk: Desk) -> Reasons:
    """The cool-down after a loss and the stop-guard, for the whole account."""
    caps, book = desk.caps, desk.book
    if caps.cooldown_after_loss_ms is not None and book.loss_ts is not None:
        until = book.loss_ts + caps.cooldown_after_loss_ms
        if desk.ts < until:
            yield refusal("cooldown_after_loss", f"nothing before {iso(until)}", iso(desk.ts))
    if caps.stop_guard is not None:
        paused = guarded_until(book.stop_times, caps.stop_guard)
        if paused is not None and desk.ts < paused:
            yield refusal("stop_guard", f"nothing before {iso(paused)}", iso(desk.ts))


def _halt(desk: Desk, hint: str) -> Refusal:
    return refusal("halt", "an account that is not halted", f"halted by {desk.halted_by}", hint)


def _no_stop(hint: str) -> Refusal:
    return refusal("require_stop", "a stop", "none", hint)


def _shown(value: Decimal) -> Decimal:
    """A quotient rounded up to what people read, so that it never looks like the limit that it passes."""
    return value if value.adjusted() > _LONGEST_SHOWN else value.quantize(_SHOWN, rounding=ROUND_UP)


_RAISING: tuple[Callable[[Order, Desk], Reasons], ...] = (
    _state,
    _shorting,
    _size,
    _exposure,
    _count,
    _stops,
    _pauses,
)
