"""The paper venue on a tape: opens and closes execution bars in the order that docs/trading-rules.md §3 gives.

Most bars are calm: no order's price is inside them and even their worst corner keeps equity above maintenance and
above the engine's alarm. Such a bar can't change anything and is passed over after one look; every other bar is
walked event by event. The two answers agree by construction, and a property test holds it.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter
from typing import NamedTuple

import msgspec
import numpy as np

from brokers.paper import path
from brokers.paper.costs import Costs
from brokers.paper.lookahead import Exposure, Watch, exposure, fires_falling, watches
from brokers.paper.matching import BarVenue
from brokers.paper.path import Held
from brokers.paper.tape import Tape
from brokers.paper.venue import VenueState
from domain.account import FLAT
from domain.instruments import Instrument
from domain.money import USD_QUANTUM, ZERO, exact
from domain.orders import Order, OrderKind, OrderState, Side


class Alarm(NamedTuple):
    """Equity has met the engine's alarm: the engine acts, and then the bar goes on."""

    ts: int
    equity: Decimal


class Place(msgspec.Struct):
    """Where a venue stands on its tape: `index` bars have closed, and whether the one at `index` is open.

    `budgets` is what an open bar has left of its volume for us, by symbol.
    """

    index: int = 0
    is_open: bool = False
    budgets: dict[str, Decimal | None] = {}


class _Event(NamedTuple):
    """Something on the path. Earlier λ first, then by rank, symbol and order number."""

    lam: Fraction
    rank: int
    symbol: str
    number: int


_TRIGGER, _LIQUIDATION, _HALT, _LIMIT = range(4)
_START = Fraction(0)
_NEVER = 2**63
_NUMBER = attrgetter("number")
_BY_SYMBOL = attrgetter("symbol", "number")


class ReplayVenue(BarVenue):
    """A paper account driven by a tape. `open_bar` and `close_bar` are called in turn for each grid index.

    Both give an `Alarm` when equity meets the engine's level; call again until they give None. The alarm is disarmed
    when it is given. `index` is how many bars have closed, and so the next to open: 0 at first, after a checkpoint
    that was taken when bar k had closed k + 1.
    """

    def __init__(
        self,
        tape: Tape,
        state: VenueState,
        instruments: dict[str, Instrument],
        costs: Costs,
        *,
        index: int = 0,
    ) -> None:
        self._opened_inside: set[str] = set()
        self._opened = -1  # the last bar that was opened
        self._walk: Iterator[Alarm] | None = None
        self._exposures: list[Exposure] | None = None
        self._watches: list[Watch] | None = None
        self._watching = False
        self._calm = False
        super().__init__(tape, state, instruments, costs, index)
        for symbol, track in self._tracks.items():  # what was settled before we began is none of ours
            settled = int(np.searchsorted(track.funding.ts, self._now, side="right"))
            state.funding_rows.setdefault(symbol, settled)
        self._funding_due = self._next_funding()

    @classmethod
    def at(
        cls, place: Place, tape: Tape, state: VenueState, instruments: dict[str, Instrument], costs: Costs
    ) -> "ReplayVenue":
        """A venue as it was when it stood at this place: before a bar's open, or behind it."""
        venue = cls(tape, state, instruments, costs, index=place.index)
        if place.is_open:
            venue._index, venue._opened, venue._at_open = place.index, place.index, True
            venue._budgets = dict(place.budgets)
            venue._look_ahead(place.index)
        return venue

    @property
    def standing(self) -> Place:
        """Where it stands, between two of the driver's calls."""
        closed = (self._now - self._tape.start_ts) // self._tape.interval_ms
        is_open = self._at_open and self._opened == closed
        return Place(closed, is_open, dict(self._budgets) if is_open else {})

    @property
    def start_ts(self) -> int:
        """Where the tape begins."""
        return self._tape.start_ts

    @property
    def length(self) -> int:
        """How many bars the tape has."""
        return self._tape.length

    @property
    def now(self) -> int:
        """The instant of what is asked for now: the last close, or just behind the open of the bar that is open."""
        return self._now + (1 if self.standing.is_open else 0)

    # The driver's calls.

    def open_bar(self, index: int) -> Alarm | None:
        """The bar at `index` opens: gapped triggers, liquidation, halt, passed limits, new orders."""
        if self._walk is None:
            self._index = self._opened = index
            self._now = self._tape.start_ts + index * self._tape.interval_ms
            self._at_open = True
            self._budgets.clear()
            if self._look_ahead(index):
                return None
            self._walk = self._opening()
        return self._go_on()

    def close_bar(self) -> Alarm | None:
        """The open bar closes: its path is walked, stamped with the close; marks are its closes."""
        if self._walk is None:
            self._now = self._tape.start_ts + (self._index + 1) * self._tape.interval_ms
            if self._calm:
                self._at_open = False
                return None
            self._walk = self._path()
        return self._go_on()

    def settle_funding(self) -> None:
        """Pay each funding row that is due by now, once, at the last closed price, symbol by symbol."""
        if self._now < self._funding_due:
            return
        settled = self.state.funding_rows
        for symbol, track in self._tracks.items():
            rates = track.funding
            while settled[symbol] < len(rates) and rates.ts[settled[symbol]] <= self._now:
                rate = exact(float(rates.rate[settled[symbol]]))
                self._pay_funding(symbol, rate, self._mark_now(symbol))
                settled[symbol] += 1
        self._funding_due = self._next_funding()

    def _next_funding(self) -> int:
        rows = self.state.funding_rows
        due = (
            int(track.funding.ts[rows[symbol]])
            for symbol, track in self._tracks.items()
            if rows[symbol] < len(track.funding)
        )
        return min(due, default=_NEVER)

    def equity(self) -> Decimal:
        if self._place_on_path is not None:
            return super().equity()
        total = self._raw_usd
        for held in self._exposures or self._exposed():
            total += held.usd_per_tick * (held.opens if self._at_open else held.closes)[self._index]
        return total

    def set_alarm(self, equity_usd: Decimal | None) -> None:
        if equity_usd != self._alarm:
            self._calm = False
        super().set_alarm(equity_usd)

    # Calm bars.

    def _changed(self) -> None:
        self._exposures = None
        self._watching = False
        self._calm = False

    def _exposed(self) -> list[Exposure]:
        if self._exposures is None:
            self._exposures = [
                exposure(self._tracks[symbol], position.size, self._instruments[symbol])
                for symbol, position in self.state.positions.items()
            ]
        return self._exposures

    def _look_ahead(self, index: int) -> bool:
        """Whether nothing can happen from this bar's open to its close. Errs on the side of walking it."""
        equity = room = self._raw_usd
        for held in self._exposures or self._exposed():
            adverse = held.adverse[index]
            equity += held.usd_per_tick * adverse
            room += held.room_per_tick * adverse
        self._calm = (
            (self._alarm is None or equity > self._alarm)
            and (room > USD_QUANTUM or not self.state.positions)
            and not (self.state.orders and self._orders_due(index))
        )
        return self._calm

    def _orders_due(self, index: int) -> bool:
        """Whether the bar at `index` could trigger or fill an order."""
        if not self._watching:
            self._watches = watches(self.state.orders.values(), self._tracks)
            self._watching = True
        return self._watches is None or any(watch.reached(index) for watch in self._watches)

    # Walking a bar.

    def _go_on(self) -> Alarm | None:
        assert self._walk is not None
        alarm = next(self._walk, None)
        if alarm is None:
            self._walk = None
        return alarm

    def _opening(self) -> Iterator[Alarm]:
        """Step 7: gapped triggers; liquidation or backstop; halt; passed limits; new orders, in order of approval."""
        for order in sorted(self.state.orders.values(), key=_BY_SYMBOL):
            if order.kind.is_protection and order.number in self.state.orders:
                self._open_protection(order)
        self._open_margin()
        if self._alarm is not None and self.equity() <= self._alarm:
            yield self._raise_alarm()
        for order in sorted(self.state.orders.values(), key=_BY_SYMBOL):
            is_resting = order.kind is OrderKind.LIMIT and order.state is OrderState.RESTING
            if is_resting and order.number in self.state.orders:
                self._meet_passed(order)
        for order in sorted(self.state.orders.values(), key=_NUMBER):
            if order.state is OrderState.IN_FLIGHT and order.number in self.state.orders:
                self._open_new(order)
        self._look_ahead(self._index)  # what is held and waits now may well be calm to the close

    def _open_margin(self) -> None:
        """Liquidation where equity no longer exceeds maintenance; below ⅔ of it, the backstop."""
        if not self.state.positions:
            return
        equity, maintenance = self.equity(), self._maintenance()
        if 3 * equity < 2 * maintenance:
            self._backstop()
        elif equity <= maintenance:
            self._liquidate_now()

    def _path(self) -> Iterator[Alarm]:
        """Step 1: the events along the bar's path; afterwards the marks are its closes."""
        self._opened_inside.clear()
        self._paths.clear()
        for symbol in self.state.positions:  # each path is what it was when the bar opened
            self._mark_legs(symbol)
        for order in self.state.orders.values():
            self._mark_legs(order.symbol)
        for leg in range(path.LEGS):
            lam = _START
            while (event := self._next_event(leg, lam)) is not None:
                lam = event.lam
                self._place_on_path = (leg, lam)
                if event.rank == _HALT:
                    yield self._raise_alarm()
                else:
                    self._apply(event)
        self._place_on_path = None
        self._at_open = False

    def _raise_alarm(self) -> Alarm:
        """Tell that the level is met, and disarm. Within 1e-6 USD of it, on a path, equity is the level itself."""
        level, equity = self._alarm, self.equity()
        assert level is not None
        if self._place_on_path is not None:
            equity = level if level - equity < USD_QUANTUM else equity.quantize(USD_QUANTUM)
        self._alarm = None
        return Alarm(self._now, equity)

    def _next_event(self, leg: int, since: Fraction) -> _Event | None:
        """The earliest thing that happens on this leg at or after λ = `since`."""
        events = [
            event for order in self.state.orders.values() if (event := self._order_event(order, leg, since))
        ]
        held = [
            Held(position.size, self._mark_legs(symbol)[leg], self._instruments[symbol])
            for symbol, position in self.state.positions.items()
        ]
        lam = path.maintenance_reaches(self._raw_usd, held, since)
        if lam is not None:
            events.append(_Event(lam, _LIQUIDATION, "", 0))
        if self._alarm is not None:
            lam = path.equity_reaches(self._raw_usd, held, self._alarm, since)
            if lam is not None:
                events.append(_Event(lam, _HALT, "", 0))
        return min(events, default=None)

    def _order_event(self, order: Order, leg: int, since: Fraction) -> _Event | None:
        if order.state is not OrderState.RESTING or not self._present(order.symbol):
            return None
        legs = self._mark_legs(order.symbol)
        if order.kind.is_protection:
            waits = order.kind is OrderKind.TAKE_PROFIT and order.symbol in self._opened_inside
            if order.triggered or waits:
                return None
            assert order.trigger_px is not None
            lam = path.reaches(legs[leg], order.trigger_px, since, falling=fires_falling(order))
            return None if lam is None else _Event(lam, _TRIGGER, order.symbol, order.number)
        if not self._fillable(order):
            return None
        assert order.limit_px is not None
        trades = legs[path.LEGS + leg]
        lam = path.reaches(trades, order.limit_px, since, falling=order.side is Side.BUY, through=True)
        return None if lam is None else _Event(lam, _LIMIT, order.symbol, order.number)

    def _apply(self, event: _Event) -> None:
        if event.rank == _LIQUIDATION:
            self._liquidate_now()
        elif event.rank == _TRIGGER:
            order = self.state.orders[event.number]
            self._fire(order, self._trigger_price(order))
        else:
            before = self.state.positions.get(event.symbol, FLAT).size
            self._make(self.state.orders[event.number])
            if before * self.state.positions.get(event.symbol, FLAT).size <= ZERO:
                self._opened_inside.add(event.symbol)

    def _liquidate_now(self) -> None:
        self._liquidate({symbol: self._volume(symbol) for symbol in self.state.positions})
