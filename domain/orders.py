"""Orders and fills, and the one table that says how an order's state may change."""

from decimal import Decimal
from enum import Enum, StrEnum

import msgspec

from domain.money import ZERO


class Side(StrEnum):
    """Which way an order trades. `sign` is +1 for a buy and −1 for a sell."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderKind(StrEnum):
    """A market order is an IOC with a bound; stop and take-profit are reduce-only triggers on the mark."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    TAKE_PROFIT = "take_profit"

    @property
    def is_protection(self) -> bool:
        return self in (OrderKind.STOP, OrderKind.TAKE_PROFIT)


class Tif(StrEnum):
    """How long a limit order lives: good till cancelled, add liquidity only, immediate or cancel."""

    GTC = "gtc"
    ALO = "alo"
    IOC = "ioc"


class OrderState(StrEnum):
    """Where an order stands. Only the last four are final."""

    RECORDED = "recorded"  # committed to the journal, not sent yet
    IN_FLIGHT = "in_flight"  # sent; what became of it is not known yet
    UNKNOWN = "unknown"  # the answer was lost; counts at full size until resolved
    RESTING = "resting"  # on the venue's book, or a trigger that waits
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class OrderEvent(Enum):
    """What can happen to an order."""

    SENT = "sent"
    LOST = "lost"
    RESTED = "rested"
    PART_FILLED = "part_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


_S, _E = OrderState, OrderEvent
_ANSWERS = {
    _E.RESTED: _S.RESTING,
    _E.PART_FILLED: _S.RESTING,
    _E.FILLED: _S.FILLED,
    _E.CANCELLED: _S.CANCELLED,
    _E.REJECTED: _S.REJECTED,
    _E.EXPIRED: _S.EXPIRED,
}

NEXT: dict[OrderState, dict[OrderEvent, OrderState]] = {
    _S.RECORDED: {_E.SENT: _S.IN_FLIGHT, _E.CANCELLED: _S.CANCELLED},
    _S.IN_FLIGHT: {**_ANSWERS, _E.LOST: _S.UNKNOWN},
    _S.UNKNOWN: {**_ANSWERS},  # found again by its client id, or proven dead
    _S.RESTING: {
        _E.PART_FILLED: _S.RESTING,
        _E.FILLED: _S.FILLED,
        _E.CANCELLED: _S.CANCELLED,
        _E.EXPIRED: _S.EXPIRED,
    },
    _S.FILLED: {},
    _S.CANCELLED: {},
    _S.REJECTED: {},
    _S.EXPIRED: {},
}
"""state × event → state; anything else is an error that changes nothing."""


class IllegalStep(Exception):
    """An order was told something that can't happen to it in its state."""


class Order(msgspec.Struct, frozen=True):
    """One order. Sizes are base units and positive; prices USD.

    `limit_px` is a limit's price or a market order's bound (None: unbounded). `stop_px` and `take_profit_px`, on an
    entry, are placed as protections at its first fill, and again when a later one opens a position anew. A protection
    covers the whole position, whatever its `size` was when it was placed.
    """

    number: int
    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    size: Decimal
    created_ts: int
    limit_px: Decimal | None = None
    trigger_px: Decimal | None = None
    tif: Tif = Tif.GTC
    reduce_only: bool = False
    stop_px: Decimal | None = None
    take_profit_px: Decimal | None = None
    decision_id: str = ""
    state: OrderState = OrderState.RECORDED
    filled: Decimal = ZERO
    triggered: bool = False
    closed_ts: int | None = None
    reason: str = ""

    @property
    def remaining(self) -> Decimal:
        """What may still fill, in base units."""
        return self.size - self.filled

    @property
    def is_live(self) -> bool:
        """Whether anything can still happen to it."""
        return bool(NEXT[self.state])

    def after(self, event: OrderEvent, *, ts: int, filled: Decimal = ZERO, reason: str = "") -> "Order":
        """The order after an event; `filled` is what this event filled. Raises IllegalStep, changing nothing.

        FILLED fills what is left, PART_FILLED less than that, and nothing else fills anything.
        """
        try:
            state = NEXT[self.state][event]
        except KeyError:
            raise IllegalStep(f"order {self.number} is {self.state}; it can't be {event.value}") from None
        if not self._may_fill(event, filled):
            raise IllegalStep(
                f"order {self.number} has {self.remaining} left; it can't be {event.value} by filling {filled}"
            )
        closed_ts = None if NEXT[state] else ts
        return msgspec.structs.replace(
            self, state=state, filled=self.filled + filled, closed_ts=closed_ts, reason=reason or self.reason
        )

    def _may_fill(self, event: OrderEvent, filled: Decimal) -> bool:
        if event is OrderEvent.FILLED:
            return ZERO < filled == self.remaining
        return ZERO < filled < self.remaining if event is OrderEvent.PART_FILLED else not filled


class Liquidity(StrEnum):
    """Whether a fill took from the book or gave to it."""

    TAKER = "taker"
    MAKER = "maker"


class Fill(msgspec.Struct, frozen=True, tag="fill"):
    """A trade of ours. `fee` is USD ≥ 0; `realized` is the PnL it closed, before the fee.

    `reference_px` is the tape's price without costs, so that |px − reference_px| × size is the slippage paid.
    """

    ts: int
    order: int
    symbol: str
    side: Side
    size: Decimal
    px: Decimal
    fee: Decimal
    realized: Decimal
    reference_px: Decimal
    liquidity: Liquidity
    cause: str  # the order's kind, or "liquidation", "backstop"
    position: Decimal  # signed, after this fill
    cash: Decimal  # after this fill
