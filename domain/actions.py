"""What a trader may ask for. Sizes are base units; prices USD; the engine answers each with a verdict."""

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from domain.money import plain
from domain.orders import Side, Tif


class ProposeOrder(msgspec.Struct, frozen=True, tag="propose_order"):
    """Buy or sell. Without `limit_px` it is a market order. A stop and a take-profit may be attached."""

    symbol: str
    side: Side
    size: Decimal
    limit_px: Decimal | None = None
    tif: Tif = Tif.GTC
    reduce_only: bool = False
    stop_px: Decimal | None = None
    take_profit_px: Decimal | None = None
    why: str = ""


class CancelOrder(msgspec.Struct, frozen=True, tag="cancel_order"):
    """Withdraw one order by its number."""

    order: int
    why: str = ""


class SetProtection(msgspec.Struct, frozen=True, tag="set_protection"):
    """Replace the stop and the take-profit of a position; None takes that one away."""

    symbol: str
    stop_px: Decimal | None = None
    take_profit_px: Decimal | None = None
    why: str = ""


class ClosePosition(msgspec.Struct, frozen=True, tag="close_position"):
    """Close a whole position with a reduce-only market order."""

    symbol: str
    why: str = ""


Action = ProposeOrder | CancelOrder | SetProtection | ClosePosition
ActionName = Literal["propose_order", "cancel_order", "set_protection", "close_position"]


def in_words(action: Action, number: Callable[[Decimal], str] = plain) -> str:
    """An action as a person would say it: "buy 0.14 BTC, stop 94126". `number` writes sizes and prices."""
    match action:
        case ProposeOrder():
            at = "" if action.limit_px is None else f" at {number(action.limit_px)}"
            what = f"{action.side} {number(action.size)} {action.symbol}{at}"
            return what + _protection(action, number)
        case CancelOrder():
            return f"cancel order {action.order}"
        case SetProtection():
            return f"protect {action.symbol}" + (_protection(action, number) or ", no stop and no target")
        case ClosePosition():
            return f"close {action.symbol}"


def _protection(action: ProposeOrder | SetProtection, number: Callable[[Decimal], str]) -> str:
    stop = "" if action.stop_px is None else f", stop {number(action.stop_px)}"
    return stop + ("" if action.take_profit_px is None else f", target {number(action.take_profit_px)}")
