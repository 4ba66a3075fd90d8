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

from brokers.paper import path
from brokers.paper.costs import Costs
from brokers.paper.path import Held, Leg
from brokers.paper.tape import Column, Tape, Track
from brokers.paper.venue import PaperVenue, VenueState
from domain.account import FLAT
from domain.instruments import Instrument
from domain.money import ZERO, exact
from domain.orders import Liquidity, Order, OrderEvent, OrderKind, OrderState, Side, Tif

BACKSTOP_SHARE = Decimal(2) / Decimal(3)


class Alarm(NamedTuple):
    """Equity has met the engine's alarm: the engine acts, and then the bar goes on."""

    ts: int
    equity: Decimal


class _Exposure(NamedTuple):
    """What a position does to equity, per tick of its mark."""

    adverse: Column  # the extreme of each bar that hurts
    opens: Column
    closes: Column
    usd_per_tick: Decimal
    margin_per_tick: Decimal  # usd_per_tick less the largest maintenance the tiers can ask


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


class ReplayVenue(PaperVenue):
    """A paper account driven by a tape. `open_bar` and `close_bar` are called in turn for each grid index.

    Both give an `Alarm` when equity meets the engine's level; call again until they give None. The alarm is disarmed
    when it is given.
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
        self._tape = tape
        self._tracks: dict[str, Track] = {track.symbol: track for track in tape.tracks}
        self._index = index
        self._now = tape.start_ts + index * tape.interval_ms
        self._at_open = False
        self._place_on_path: tuple[int, Fraction] | None = None
        self._paths: dict[str, tuple[path.Leg, ...]] = {}
        self._budgets: dict[str, Decimal | None] = {}
        self._opened_inside: set[str] = set()
        self._walk: Iterator[Alarm] | None = None
        self._exposures: list[_Exposure] | None = None
        self._calm = False
        super().__init__(state, instruments, costs)
        self._funding_due = self._next_funding()

    # The driver's calls.

    def open_bar(self, index: int) -> Alarm | None:
        """The bar at `index` opens: gapped triggers, liquidation, halt, passed limits, new orders."""
        if self._walk is None:
            self._index = index
            self._now = self._tape.start_ts + index * self._tape.interval_ms
            self._at_open = True
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
            row = settled.get(symbol, 0)
            while row < len(rates) and rates.ts[row] <= self._now:
                self._pay_funding(symbol, exact(float(rates.rate[row])), self._mark_now(symbol))
                row += 1
                settled[symbol] = row
        self._funding_due = self._next_funding()

    def _next_funding(self) -> int:
        rows = self.state.funding_rows
        due = (
            int(track.funding.ts[rows.get(symbol, 0)])
            for symbol, track in self._tracks.items()
            if rows.get(symbol, 0) < len(track.funding)
        )
        return min(due, default=_NEVER)

    # What PaperVenue asks of its driver.

    def mark(self, symbol: str) -> Decimal | None:
        """The mark; None where the execution bar is missing, or for a symbol that isn't on the tape."""
        track = self._tracks.get(symbol)
        if track is None or not track.present[self._index]:
            return None
        return self._mark_now(symbol)

    def equity(self) -> Decimal:
        if self._place_on_path is not None:
            return super().equity()
        total = self._raw_usd
        for exposure in self._exposed():
            column = exposure.opens if self._at_open else exposure.closes
            total += exposure.usd_per_tick * column[self._index]
        return total

    def _mark_now(self, symbol: str) -> Decimal:
        if self._place_on_path is not None:
            leg, lam = self._place_on_path
            return self._mark_legs(symbol)[leg].at(lam)
        marks = self._tracks[symbol].marks
        return (marks.open if self._at_open else marks.close)[self._index] * marks.tick

    def _ts(self) -> int:
        return self._now

    def _changed(self) -> None:
        self._exposures = None
        self._calm = False

    # Calm bars.

    def _exposed(self) -> list[_Exposure]:
        if self._exposures is None:
            self._exposures = [
                _exposure(self._tracks[symbol], position.size, self._instruments[symbol])
                for symbol, position in self.state.positions.items()
            ]
        return self._exposures

    def _look_ahead(self, index: int) -> bool:
        """Whether nothing can happen from this bar's open to its close. Errs on the side of walking it."""
        equity = margin = self._raw_usd
        for exposure in self._exposed():
            adverse = exposure.adverse[index]
            equity += exposure.usd_per_tick * adverse
            margin += exposure.margin_per_tick * adverse
        self._calm = (
            (self._alarm is None or equity > self._alarm)
            and (margin > ZERO or not self.state.positions)
            and (
                not self.state.orders
                or not any(self._in_reach(order) for order in self.state.orders.values())
            )
        )
        return self._calm

    def _in_reach(self, order: Order) -> bool:
        """Whether this bar could trigger or fill an order."""
        track = self._tracks[order.symbol]
        if order.state is not OrderState.RESTING or order.triggered:
            return True
        if order.kind.is_protection:
            marks, level = track.marks, order.trigger_px
            falling = _fires_falling(order)
        else:
            marks, level = track.trades, order.limit_px
            falling = order.side is Side.BUY
        assert level is not None
        if falling:
            return marks.low[self._index] * marks.tick <= level
        return marks.high[self._index] * marks.tick >= level

    # Walking a bar.

    def _go_on(self) -> Alarm | None:
        assert self._walk is not None
        alarm = next(self._walk, None)
        if alarm is None:
            self._walk = None
        return alarm

    def _opening(self) -> Iterator[Alarm]:
        """Step 7: gapped triggers; liquidation or backstop; halt; passed limits; new orders, in order of approval."""
        self._open_budgets()
        for order in sorted(self.state.orders.values(), key=_by_symbol):
            if order.kind.is_protection and order.number in self.state.orders:
                self._open_protection(order)
        self._open_margin()
        yield from self._judge()
        for order in sorted(self.state.orders.values(), key=_by_symbol):
            is_resting = order.kind is OrderKind.LIMIT and order.state is OrderState.RESTING
            if is_resting and order.number in self.state.orders:
                self._open_passed(order)
        for order in sorted(self.state.orders.values(), key=_NUMBER):
            if order.state is OrderState.IN_FLIGHT and order.number in self.state.orders:
                self._open_new(order)
        self._calm = False

    def _path(self) -> Iterator[Alarm]:
        """Step 1: the events along the bar's path; afterwards the marks are its closes."""
        self._paths.clear()
        self._opened_inside.clear()
        shorts = {symbol: position.size < ZERO for symbol, position in self.state.positions.items()}
        for symbol in {*self.state.positions, *(order.symbol for order in self.state.orders.values())}:
            self._paths[symbol] = self._legs(symbol, short=shorts.get(symbol, False))
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

    def _judge(self) -> Iterator[Alarm]:
        if self._alarm is not None and self.equity() <= self._alarm:
            yield self._raise_alarm()

    def _raise_alarm(self) -> Alarm:
        """Tell that the level is met, and disarm. On a path equity is the level itself, to the last digit."""
        assert self._alarm is not None
        alarm = Alarm(self._now, min(self.equity(), self._alarm))
        self._alarm = None
        return alarm

    def _open_budgets(self) -> None:
        self._budgets = {
            symbol: self.costs.budget(self._volume(track)) for symbol, track in self._tracks.items()
        }

    def _volume(self, track: Track) -> Decimal:
        return exact(track.volume[self._index])

    def _fillable(self, order: Order, wanted: Decimal) -> Decimal:
        """How much of `wanted` this bar lets through: nothing where the bar is missing."""
        if not self._tracks[order.symbol].present[self._index]:
            return ZERO
        budget = self._budgets[order.symbol]
        if order.reduce_only:
            wanted = min(wanted, self._reducible(order))
        if budget is None:
            return wanted
        return min(wanted, self._instruments[order.symbol].legal_size(budget))

    def _spend(self, symbol: str, size: Decimal) -> None:
        budget = self._budgets[symbol]
        if budget is not None:
            self._budgets[symbol] = budget - size

    def _take(self, order: Order, reference: Decimal) -> bool:
        """Fill as a taker at the reference price, worsened; tells whether anything filled."""
        size = self._fillable(order, self._wanted(order))
        if not size:
            return False
        px = self._taker_price(order, reference)
        self._spend(order.symbol, size)
        self._fill(order, size, px, reference, Liquidity.TAKER)
        return True

    def _wanted(self, order: Order) -> Decimal:
        return self._reducible(order) if order.kind.is_protection else order.remaining

    def _taker_price(self, order: Order, reference: Decimal) -> Decimal:
        track = self._tracks[order.symbol]
        return self.costs.fill_price(
            reference, order.side, self._wanted(order), self._volume(track), self._instruments[order.symbol]
        )

    # At the open.

    def _trade_open(self, symbol: str) -> Decimal:
        trades = self._tracks[symbol].trades
        return trades.open[self._index] * trades.tick

    def _open_protection(self, order: Order) -> None:
        """A trigger that the open has passed, or that is still being worked, fills at the open."""
        if not self._tracks[order.symbol].present[self._index]:
            return
        if order.triggered or _fires_at(order, self._mark_now(order.symbol)):
            self._fire(order, self._trade_open(order.symbol))

    def _open_margin(self) -> None:
        if not self.state.positions:
            return
        equity, maintenance = self.equity(), self._maintenance()
        if equity <= maintenance:
            if equity < maintenance * BACKSTOP_SHARE:
                self._backstop()
            else:
                self._liquidate_now()

    def _open_passed(self, order: Order) -> None:
        """A resting limit that the open has gone through fills at its limit."""
        assert order.limit_px is not None
        opened = self._trade_open(order.symbol)
        if (opened - order.limit_px) * order.side.sign < ZERO:
            self._make(order)

    def _open_new(self, order: Order) -> None:
        """A new order meets its first open: takes, rests, expires or is turned away."""
        due = order.created_ts + self.costs.latency_ms
        if self._now < due:
            return
        if order.kind is OrderKind.MARKET and self._now >= due + self._tape.interval_ms:
            self._close(order, OrderEvent.EXPIRED, "no bar opened within one interval")
            return
        if not self._tracks[order.symbol].present[self._index]:
            return
        if order.reduce_only and not self._reducible(order):
            self._close(order, OrderEvent.CANCELLED, "reduceOnlyCanceled")
            return
        self._meet_open(order)

    def _meet_open(self, order: Order) -> None:
        opened = self._trade_open(order.symbol)
        if order.tif is Tif.ALO and order.limit_px is not None:
            if (opened - order.limit_px) * order.side.sign <= ZERO:
                self._close(order, OrderEvent.REJECTED, "badAloPx")
            else:
                self._keep(order.after(OrderEvent.RESTED, ts=self._now))
            return
        if self._within_bound(order, opened):
            if not order.reduce_only and not self._margin_allows(order, opened):
                self._close(order, OrderEvent.CANCELLED, "marginCanceled")
                return
            self._take(order, opened)
        left = self.state.orders.get(order.number)
        if left is None:
            return
        if left.kind is OrderKind.MARKET or left.tif is Tif.IOC:
            self._close(left, OrderEvent.CANCELLED, "iocCancel" if left.filled else "iocCancelRejected")
        elif left.state is OrderState.IN_FLIGHT:
            self._keep(left.after(OrderEvent.RESTED, ts=self._now))

    def _within_bound(self, order: Order, opened: Decimal) -> bool:
        if order.limit_px is None or (order.kind is OrderKind.MARKET and not self.costs.modelled):
            return True
        return (self._worsened(order, opened) - order.limit_px) * order.side.sign <= ZERO

    def _worsened(self, order: Order, reference: Decimal) -> Decimal:
        volume = self._volume(self._tracks[order.symbol])
        return self.costs.worsened(reference, order.side, order.remaining, volume)

    # Along the path.

    def _legs(self, symbol: str, *, short: bool) -> tuple[Leg, ...]:
        """The legs of the marks, then those of the trades: LEGS of each."""
        track = self._tracks[symbol]
        marks = path.corners(track.marks, self._index, short=short)
        trades = path.corners(track.trades, self._index, short=short)
        return tuple(Leg(four[leg], four[leg + 1]) for four in (marks, trades) for leg in range(path.LEGS))

    def _mark_legs(self, symbol: str) -> tuple[Leg, ...]:
        if symbol not in self._paths:
            self._paths[symbol] = self._legs(symbol, short=False)
        return self._paths[symbol]

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
        if order.state is not OrderState.RESTING or not self._tracks[order.symbol].present[self._index]:
            return None
        legs = self._mark_legs(order.symbol)
        if order.kind.is_protection:
            if order.triggered or (
                order.kind is OrderKind.TAKE_PROFIT and order.symbol in self._opened_inside
            ):
                return None
            assert order.trigger_px is not None
            lam = path.reaches(legs[leg], order.trigger_px, since, falling=_fires_falling(order))
            return None if lam is None else _Event(lam, _TRIGGER, order.symbol, order.number)
        if not self._fillable(order, order.remaining):
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
            assert order.trigger_px is not None
            self._fire(order, self._clamped(order.symbol, order.trigger_px))
        else:
            before = self.state.positions.get(event.symbol, FLAT).size
            self._make(self.state.orders[event.number])
            if before * self.state.positions.get(event.symbol, FLAT).size <= ZERO:
                self._opened_inside.add(event.symbol)

    def _clamped(self, symbol: str, px: Decimal) -> Decimal:
        trades = self._tracks[symbol].trades
        low, high = trades.low[self._index] * trades.tick, trades.high[self._index] * trades.tick
        return min(max(px, low), high)

    # Both.

    def _fire(self, order: Order, reference: Decimal) -> None:
        """A protection triggers: its sibling goes, and it takes what the bar lets through."""
        for other in self._live(order.symbol):
            if other.kind.is_protection and other.number != order.number:
                self._close(other, OrderEvent.CANCELLED, "siblingFilledCanceled")
        triggered = msgspec.structs.replace(order, triggered=True)
        self.state.orders[order.number] = triggered
        self._changed()
        self._take(triggered, reference)

    def _make(self, order: Order) -> None:
        """A resting limit fills at its price, as far as the bar's volume goes."""
        assert order.limit_px is not None
        size = self._fillable(order, order.remaining)
        if order.reduce_only and not self._reducible(order):
            self._close(order, OrderEvent.CANCELLED, "reduceOnlyCanceled")
        elif size and not order.reduce_only and not self._margin_allows(order, order.limit_px):
            self._close(order, OrderEvent.CANCELLED, "marginCanceled")
        elif size:
            self._spend(order.symbol, size)
            self._fill(order, size, order.limit_px, order.limit_px, Liquidity.MAKER)

    def _liquidate_now(self) -> None:
        self._liquidate({symbol: self._volume(self._tracks[symbol]) for symbol in self.state.positions})


def _fires_falling(order: Order) -> bool:
    """Whether a protection fires when the mark falls: a long's stop, a short's take-profit."""
    return (order.kind is OrderKind.STOP) is (order.side is Side.SELL)


def _fires_at(order: Order, mark: Decimal) -> bool:
    assert order.trigger_px is not None
    return mark <= order.trigger_px if _fires_falling(order) else mark >= order.trigger_px


def _by_symbol(order: Order) -> tuple[str, int]:
    return order.symbol, order.number


def _exposure(track: Track, size: Decimal, instrument: Instrument) -> _Exposure:
    marks = track.marks
    per_tick = size * marks.tick
    tiers = instrument.tiers
    rate = 1 / Decimal(2 * (min(tier.max_leverage for tier in tiers) if tiers else instrument.max_leverage))
    return _Exposure(
        adverse=marks.low if size > ZERO else marks.high,
        opens=marks.open,
        closes=marks.close,
        usd_per_tick=per_tick,
        margin_per_tick=per_tick - abs(per_tick) * rate,
    )
