"""An account's books, made anew from its journal: orders, fills, positions and cash (docs/trading-rules.md §2.11)."""

from collections import defaultdict
from decimal import ROUND_DOWN, Decimal

import msgspec

from domain.account import FLAT, Position
from domain.events import Adjusted, FundingPaid, Liquidated, OrderChanged, VenueEvent
from domain.journal import HaltPhase
from domain.orders import NEXT, Fill, Order, OrderKind, OrderState

ZERO = Decimal(0)
FORCED = ("liquidation", "backstop")


class Books:
    """The books as what was read so far tells them. `faults` are what can't be, a line each.

    `filled` is what the fills of each order come to, `had` every size that a symbol ever had. The instants of losses
    and first fills of stops are kept for the caps that look back at them.
    """

    def __init__(self, start_usd: Decimal) -> None:
        self.faults: list[str] = []
        self.count = 0
        self.ts = 0
        self.cash = start_usd
        self.positions: dict[str, Position] = {}
        self.had: dict[str, set[Decimal]] = defaultdict(set)
        self.orders: dict[int, Order] = {}
        self.filled: dict[int, Decimal] = defaultdict(Decimal)
        self.client_ids: dict[str, int] = {}
        self.liquidated_ts: int | None = None
        self.losses: list[int] = []
        self.stops: dict[int, int] = {}
        self.phase = HaltPhase.ACTIVE

    @property
    def live(self) -> list[Order]:
        """The orders that can still do something."""
        return [order for order in self.orders.values() if order.is_live]

    def size(self, symbol: str) -> Decimal:
        """What is held, signed."""
        return self.positions.get(symbol, FLAT).size

    def hold(self, fine: bool, fault: str) -> None:
        """Note a fault, unless all is fine."""
        if not fine:
            self.faults.append(f"entry {self.count}: {fault}")

    def hear(self, event: VenueEvent) -> None:
        """Book what the venue told."""
        match event:
            case OrderChanged():
                self._order(event.order)
            case Fill():
                self._fill(event)
            case FundingPaid():
                self._funding(event)
            case Adjusted():
                self._adjusted(event)
            case Liquidated():
                self.liquidated_ts = event.ts

    def write_down(self, order: Order) -> None:
        """Take in an order that is intended."""
        self.hold(order.number not in self.orders, f"order {order.number} was intended twice")
        self.hold(order.state is OrderState.RECORDED, f"order {order.number} was sent before its intent")
        self._named(order)
        self.orders[order.number] = order

    # Orders.

    def _named(self, order: Order) -> None:
        """A name is an order's own; the protections that one order brings again have theirs one after the other."""
        twin = self.client_ids.get(order.client_id, order.number)
        after = order.kind.is_protection and twin in self.orders and not self.orders[twin].is_live
        fine = twin == order.number or after
        self.hold(fine, f"orders {twin} and {order.number} have one client id: doubled")
        self.client_ids[order.client_id] = order.number

    def _order(self, order: Order) -> None:
        number = order.number
        if number not in self.orders:
            self.hold(self._is_attached(order), f"order {number} is in no intent")
            self._named(order)
            self.orders[number] = msgspec.structs.replace(order, state=OrderState.RECORDED)
        known = self.orders[number]
        again = (order.state, order.filled) == (known.state, known.filled) and order.is_live
        is_step = again or order.state in _reachable(known.state)
        self.hold(is_step, f"order {number} was {known.state} and became {order.state}")
        own = ("client_id", "symbol", "side", "kind", "limit_px", "trigger_px", "tif", "reduce_only")
        changed = [name for name in own if getattr(order, name) != getattr(known, name)]
        self.hold(not changed, f"order {number} changed its {', '.join(changed)}")
        fixed = order.kind.is_protection or order.size == known.size
        self.hold(fixed and order.filled <= order.size, f"order {number} is larger than what was intended")
        told = self.filled[number]
        self.hold(order.filled == told, f"order {number} filled {order.filled}, its fills are {told}")
        self.orders[number] = order

    def _is_attached(self, order: Order) -> bool:
        """Whether it is the stop or take-profit that an order of ours brought."""
        entry = self.client_ids.get(order.client_id.rpartition(":")[0])
        if entry is None or not order.reduce_only:
            return False
        brought = self.orders[entry]
        wanted = {OrderKind.STOP: brought.stop_px, OrderKind.TAKE_PROFIT: brought.take_profit_px}
        return order.trigger_px is not None and wanted.get(order.kind) == order.trigger_px

    # Money.

    def _fill(self, fill: Fill) -> None:
        before = self.positions.get(fill.symbol, FLAT)
        after, realized = before.after(fill.side.sign * fill.size, fill.px)
        self.positions = {**self.positions, fill.symbol: after}
        if not after.size:
            del self.positions[fill.symbol]
        self.had[fill.symbol].add(after.size)
        self.cash += realized - fill.fee
        self.hold(fill.size > 0 and fill.fee >= 0, "a fill of nothing, or with a fee below 0")
        self.hold(fill.realized == realized, f"a fill realized {fill.realized}, by the books {realized}")
        self.hold(
            fill.position == after.size, f"{fill.symbol} is {fill.position}, its fills are {after.size}"
        )
        self._hold_cash(fill.cash)
        reduces = abs(after.size) < abs(before.size) and after.size * before.size >= 0
        if self.phase is not HaltPhase.ACTIVE:
            self.hold(reduces, f"{fill.symbol} was raised while {self.phase}")
        if before.size * fill.side.sign < 0 and realized < fill.fee:
            self.losses.append(fill.ts)
        if fill.cause == OrderKind.STOP:
            self.stops.setdefault(fill.order, fill.ts)
        if fill.cause in FORCED:
            self.hold(fill.ts == self.liquidated_ts, f"a {fill.cause} without a liquidation")
            self.hold(not after.size and not fill.order, f"a {fill.cause} left something")
        else:
            self._fill_of_order(fill, reduces)

    def _fill_of_order(self, fill: Fill, reduces: bool) -> None:
        order = self.orders.get(fill.order)
        if order is None:
            self.hold(False, f"a fill of order {fill.order}, which is in no intent")
            return
        self.filled[fill.order] += fill.size
        self.hold(order.is_live, f"order {order.number} is {order.state} and filled")
        same = (fill.symbol, fill.side, fill.cause) == (order.symbol, order.side, order.kind)
        self.hold(same, f"a fill of order {order.number} is of another kind, side or symbol")
        within = order.kind.is_protection or self.filled[fill.order] <= order.size
        self.hold(within, f"order {order.number} filled more than its size: doubled")
        self.hold(reduces or not order.reduce_only, f"order {order.number} was to reduce, and did not")
        bound = order.limit_px is None or (fill.px - order.limit_px) * fill.side.sign <= 0
        self.hold(bound, f"order {order.number} filled at {fill.px}, beyond its {order.limit_px}")

    def _funding(self, paid: FundingPaid) -> None:
        exactly = -paid.position * paid.price * paid.rate
        amount = exactly.quantize(Decimal("0.000001"), rounding=ROUND_DOWN)
        self.cash += amount
        self.hold(paid.amount == amount, f"funding of {paid.amount}, by the rate {amount}")
        self.hold(paid.position in self.had[paid.symbol], f"funding on {paid.position}, never held")
        self._hold_cash(paid.cash)

    def _adjusted(self, entry: Adjusted) -> None:
        self.cash += entry.amount
        self.hold(not self.positions and entry.cash == 0, f"{entry.reason}, but not everything is gone")
        self._hold_cash(entry.cash)

    def _hold_cash(self, told: Decimal) -> None:
        self.hold(told == self.cash, f"cash is {told}, by the books {self.cash}")


def _reachable(state: OrderState) -> set[OrderState]:
    """The states that an order can come to, by one step or several: some are never told."""
    found: set[OrderState] = set()
    new = set(NEXT[state].values())
    while new:
        found |= new
        new = {after for each in new for after in NEXT[each].values()} - found
    return found
