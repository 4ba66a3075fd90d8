"""What a trader may ask for. Sizes are base units; prices USD; the engine answers each with a verdict."""

from decimal import Decimal
from typing import Literal

import msgspec

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
