"""A second bookkeeper: it hears the venue's events alone, keeps books of its own, and objects when they differ."""

from collections import defaultdict
from decimal import Decimal

from brokers.paper.tape import Tape
from domain.events import Adjusted, FundingPaid, OrderChanged, VenueEvent
from domain.orders import NEXT, Fill, Liquidity, Order, OrderKind, OrderState
from tests.unit.brokers.samples import Hand

ZERO = Decimal(0)
FORCED = ("liquidation", "backstop")


class Ledger:
    """Books built from events: raw USD, the parts of cash, positions as sums of fills, orders by number."""

    def __init__(self, desk: Hand) -> None:
        self.desk = desk
        self.start = desk.cash
        self.raw_usd = desk.cash
        self.parts: dict[str, Decimal] = defaultdict(Decimal)
        self.positions: dict[str, Decimal] = defaultdict(Decimal)
        self.orders: dict[int, Order] = {}
        self.filled: dict[int, Decimal] = defaultdict(Decimal)
        self.taken: dict[str, Decimal] = defaultdict(Decimal)  # of this bar's volume
        self.entered: dict[int, Order] = {}

    @property
    def cash(self) -> Decimal:
        """start + realized + funding − fees + adjustments."""
        parts = self.parts
        return self.start + parts["realized"] + parts["funding"] - parts["fees"] + parts["adjustments"]

    def hear(self, events: list[VenueEvent]) -> None:
        """Book what happened, and check each event by itself."""
        for event in events:
            match event:
                case Fill():
                    self._fill(event)
                case FundingPaid():
                    self._funding(event)
                case Adjusted():
                    self.parts["adjustments"] += event.amount
                    self.raw_usd += event.amount
                    assert event.cash == self.cash
                case OrderChanged():
                    self._order(event.order)

    def _fill(self, fill: Fill) -> None:
        before = self.positions[fill.symbol]
        after = before + fill.side.sign * fill.size
        self.positions[fill.symbol] = after
        self.parts["realized"] += fill.realized
        self.parts["fees"] += fill.fee
        self.raw_usd -= fill.side.sign * fill.size * fill.px + fill.fee
        assert fill.size > 0
        assert fill.fee >= 0
        assert (fill.position, fill.cash) == (after, self.cash)
        if before * fill.side.sign >= 0:
            assert fill.realized == 0
        if fill.cause in FORCED:
            assert after == 0
            return
        self.filled[fill.order] += fill.size
        self.taken[fill.symbol] += fill.size
        order = self.orders.get(fill.order)
        assert order is not None
        if order.reduce_only:
            assert abs(after) < abs(before)
            assert after * before >= 0
        if order.limit_px is not None and (order.kind is OrderKind.LIMIT or self.desk.venue.costs.modelled):
            assert (fill.px - order.limit_px) * fill.side.sign <= 0
        if fill.liquidity is Liquidity.MAKER:
            assert fill.px == order.limit_px

    def _funding(self, paid: FundingPaid) -> None:
        exactly = -paid.position * paid.price * paid.rate
        self.parts["funding"] += paid.amount
        self.raw_usd += paid.amount
        assert paid.position == self.positions[paid.symbol]
        assert abs(exactly - paid.amount) < Decimal("0.000001")
        assert abs(paid.amount) <= abs(exactly)
        assert paid.cash == self.cash

    def _order(self, order: Order) -> None:
        known = self.orders.get(order.number)
        if known is not None:
            reachable = set(NEXT[known.state].values())
            assert order.state in reachable, f"{known.state} became {order.state}"
        self.orders[order.number] = order
        assert ZERO <= order.filled <= order.size
        assert order.filled == self.filled[order.number]
        assert (order.state is OrderState.FILLED) == (order.filled == order.size)
        assert (order.closed_ts is None) == bool(NEXT[order.state])

    def check_bar(self, tape: Tape, index: int) -> None:
        """No more of the bar's volume was taken than may be; the next bar starts anew."""
        for track in tape.tracks:
            budget = self.desk.venue.costs.budget(Decimal(str(track.volume[index])))
            assert budget is None or self.taken[track.symbol] <= budget
            assert track.present[index] or not self.taken[track.symbol]
        self.taken.clear()

    def agrees(self) -> None:
        """The venue's books are ours, to the last digit, at the marks of the tape."""
        venue, state = self.desk.venue, self.desk.venue.state
        held = {symbol: size for symbol, size in self.positions.items() if size}
        marks = {symbol: venue._mark_now(symbol) for symbol in held}
        equity = self.raw_usd + sum((size * marks[symbol] for symbol, size in held.items()), ZERO)
        costs = sum((position.cost for position in state.positions.values()), ZERO)
        assert {symbol: position.size for symbol, position in state.positions.items()} == held
        assert state.account.cash == self.cash
        assert self.cash - costs == self.raw_usd
        assert venue.equity() == equity
        assert venue.account(0).equity == equity
        assert held or self.cash >= 0
        live = {number: order for number, order in self.orders.items() if order.is_live}
        assert live.keys() == state.orders.keys()
        for order in state.orders.values():
            assert order.is_live
            if order.kind.is_protection:
                assert held.get(order.symbol, ZERO) * order.side.sign < 0
