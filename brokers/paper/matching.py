"""How orders meet a bar of a tape: what its volume lets through, and at which price.

When each of them gets its turn is `replay.py`'s to say.
"""

from decimal import Decimal
from fractions import Fraction

from brokers.paper import path
from brokers.paper.costs import Costs, kept
from brokers.paper.crossing import CrossingVenue, is_immediate, is_reached
from brokers.paper.lookahead import fires_falling
from brokers.paper.path import Leg
from brokers.paper.tape import Path, Tape, Track
from brokers.paper.venue import VenueState
from domain.account import FLAT
from domain.instruments import Instrument
from domain.money import ZERO, exact
from domain.orders import Order, OrderEvent


class BarVenue(CrossingVenue):
    """A paper account that stands at one place of a tape: before a bar, at its open, or on its path.

    `index` bars have closed. Before the first one has, its open is all there is to serve as the mark.
    """

    def __init__(
        self, tape: Tape, state: VenueState, instruments: dict[str, Instrument], costs: Costs, index: int
    ) -> None:
        self._tape = tape
        self._tracks: dict[str, Track] = {track.symbol: track for track in tape.tracks}
        self._index = max(index - 1, 0)
        self._now = tape.start_ts + index * tape.interval_ms
        self._at_open = index == 0
        self._place_on_path: tuple[int, Fraction] | None = None
        self._paths: dict[str, tuple[Leg, ...]] = {}
        self._budgets: dict[str, Decimal | None] = {}
        super().__init__(state, instruments, costs)

    # What the books ask.

    def instrument(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol) if symbol in self._tracks else None

    def mark(self, symbol: str) -> Decimal | None:
        """The mark; None where the execution bar or its mark is missing, or for a symbol that isn't on the tape."""
        track = self._tracks.get(symbol)
        if track is None or not track.fresh[self._index]:
            return None
        return self._mark_now(symbol)

    def _mark_now(self, symbol: str) -> Decimal:
        if self._place_on_path is not None:
            leg, lam = self._place_on_path
            return self._mark_legs(symbol)[leg].at(lam)
        marks = self._tracks[symbol].marks
        return (marks.open if self._at_open else marks.close)[self._index] * marks.tick

    def _ts(self) -> int:
        return self._now

    # What the bar offers, and orders ask.

    def _present(self, symbol: str) -> bool:
        return bool(self._tracks[symbol].present[self._index])

    def _volume(self, symbol: str) -> Decimal:
        return exact(self._tracks[symbol].volume[self._index])

    def _trades(self, symbol: str) -> Path:
        return self._tracks[symbol].trades

    def _trade_open(self, symbol: str) -> Decimal:
        trades = self._trades(symbol)
        return trades.open[self._index] * trades.tick

    def _budget(self, order: Order) -> Decimal | None:
        """What is left of the bar's volume for us, one budget for both sides; None: any amount."""
        symbol = order.symbol
        if symbol not in self._budgets:
            self._budgets[symbol] = self.costs.budget(self._volume(symbol))
        return self._budgets[symbol]

    def _spend(self, order: Order, size: Decimal) -> None:
        budget = self._budget(order)
        if budget is not None:
            self._budgets[order.symbol] = budget - size

    def _fillable(self, order: Order) -> Decimal:
        """How much of an order this bar lets through: nothing where the bar is missing."""
        return super()._fillable(order) if self._present(order.symbol) else ZERO

    def _offered(self, order: Order) -> Decimal:
        return self._trade_open(order.symbol)

    def _taker_price(self, order: Order, reference: Decimal) -> Decimal:
        symbol = order.symbol
        return self.costs.fill_price(
            reference, order.side, self._wanted(order), self._volume(symbol), self._instruments[symbol]
        )

    # At the open.

    def _open_protection(self, order: Order) -> None:
        """A trigger that the open has passed, or that is still being worked, fills at the open."""
        if self._present(order.symbol) and (
            order.triggered or is_reached(order, self._mark_now(order.symbol))
        ):
            self._fire(order, self._trade_open(order.symbol))

    def _open_new(self, order: Order) -> None:
        """A new order meets its first open, or waits for it for too long."""
        due = order.created_ts + self.costs.latency_ms
        if self._now < due:
            return
        if is_immediate(order) and self._now >= due + self._tape.interval_ms:
            self._close(order, OrderEvent.EXPIRED, "no bar opened within one interval")
        elif self._present(order.symbol):
            self._meet_new(order)

    # Along the path.

    def _legs(self, symbol: str, *, short: bool) -> tuple[Leg, ...]:
        """The legs of the marks, then those of the trades: LEGS of each."""
        track = self._tracks[symbol]
        marks = path.corners(track.marks, self._index, short=short)
        trades = path.corners(track.trades, self._index, short=short)
        return tuple(Leg(four[leg], four[leg + 1]) for four in (marks, trades) for leg in range(path.LEGS))

    def _mark_legs(self, symbol: str) -> tuple[Leg, ...]:
        if symbol not in self._paths:
            held = self.state.positions.get(symbol, FLAT).size
            self._paths[symbol] = self._legs(symbol, short=held < ZERO)
        return self._paths[symbol]

    def _trigger_price(self, order: Order) -> Decimal:
        """What a trigger on the path is filled at, before it is worsened.

        Its level, kept within the trade bar. One that was placed when the mark was already past its level never saw
        the level traded: it gets what is traded where it came to life, as after a gap.
        """
        assert self._place_on_path is not None
        assert order.trigger_px is not None
        leg, lam = self._place_on_path
        legs = self._mark_legs(order.symbol)
        if path.is_past(legs[leg], order.trigger_px, lam, falling=fires_falling(order)):
            return kept(legs[path.LEGS + leg].at(lam))
        trades = self._trades(order.symbol)
        low, high = trades.low[self._index] * trades.tick, trades.high[self._index] * trades.tick
        return min(max(order.trigger_px, low), high)
