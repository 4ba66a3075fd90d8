"""A paper account on bars that a test writes down, led from open to close by hand."""

from collections.abc import Coroutine, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import numpy as np

from brokers.base import Approved, Seal
from brokers.paper.costs import Costs
from brokers.paper.crossing import CrossingVenue
from brokers.paper.replay import Alarm, ReplayVenue
from brokers.paper.tape import Tape, build_tape
from brokers.paper.venue import VenueState
from domain.account import Account
from domain.bars import Bars, FundingRates
from domain.events import OrderChanged, VenueEvent
from domain.instruments import Instrument, MarginTier
from domain.orders import Fill, Order, OrderKind, Side
from domain.time import HOUR_MS, parse_ts

START = parse_ts("2025-01-01")

BTC = Instrument("BTC", 5, 40, (MarginTier(Decimal(0), 40), MarginTier(Decimal(150_000_000), 20)))
ETH = Instrument("ETH", 4, 25, (MarginTier(Decimal(0), 25), MarginTier(Decimal(100_000_000), 15)))
DOGE = Instrument("DOGE", 0, 10, (MarginTier(Decimal(0), 10), MarginTier(Decimal(20_000_000), 5)))
INSTRUMENTS = {each.symbol: each for each in (BTC, ETH, DOGE)}

FREE = Costs(modelled=False)
PLAIN = Costs(
    taker_bps=Decimal(0), maker_bps=Decimal(0), half_spread_bps=Decimal(0), impact_bps_at_10pct=Decimal(0)
)
"""Fills at the tape's legal prices for nothing, within 10 % of the volume: for rules that are not about price."""

Row = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""

T = TypeVar("T")


def bars(symbol: str, rows: Iterable[Row | None], interval_ms: int = HOUR_MS) -> Bars:
    """A series from START on, one row an interval; None is a missing bar."""
    kept = [(index, row) for index, row in enumerate(rows) if row is not None]
    ts = np.array([START + index * interval_ms for index, _ in kept], np.int64)
    o, h, lo, c, volume = (
        np.array(column, np.float64) for column in zip(*(row for _, row in kept), strict=True)
    )
    return Bars.from_floats(symbol, interval_ms, ts, (o, h, lo, c), volume)


def flat(px: float, volume: float = 1000.0) -> Row:
    """A bar in which the price stands still."""
    return px, px, px, px, volume


def funding(symbol: str, rates: dict[int, float]) -> FundingRates:
    """Settlements by hour since START."""
    hours = np.array([START + hour * HOUR_MS for hour in rates], np.int64)
    return FundingRates(symbol, hours, np.array(list(rates.values()), np.float64))


def tape_of(
    trades: dict[str, list[Row | None]],
    marks: dict[str, list[Row | None]] | None = None,
    rates: dict[str, dict[int, float]] | None = None,
) -> Tape:
    """One hour a bar, from START on, as long as the longest series."""
    length = max(len(rows) for rows in trades.values())
    return build_tape(
        {symbol: bars(symbol, rows) for symbol, rows in trades.items()},
        {symbol: bars(symbol, rows) for symbol, rows in (marks or {}).items()},
        {symbol: funding(symbol, by_hour) for symbol, by_hour in (rates or {}).items()},
        START,
        START + length * HOUR_MS,
    )


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never waits; the paper venue's writes don't."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("the paper venue waited for something")


class Hand:
    """One account and the hand that leads it. What happened is in `events`, oldest first."""

    venue: CrossingVenue

    def __init__(self) -> None:
        self.events: list[VenueEvent] = []
        self.alarms: list[Alarm] = []

    @property
    def now(self) -> int:
        """The instant at which orders are made."""
        raise NotImplementedError

    def order(self, side: Side, size: str | Decimal, *, symbol: str = "BTC", **more: Any) -> Order:
        """An order with the next number, made now: market, unless it is given a limit."""
        number = self.venue.take_number()
        for name in ("limit_px", "stop_px", "take_profit_px", "trigger_px"):
            if more.get(name) is not None:
                more[name] = Decimal(more[name])
        limit = more.get("limit_px") is not None
        more.setdefault("kind", OrderKind.LIMIT if limit else OrderKind.MARKET)
        more.setdefault("created_ts", self.now)
        return Order(
            number=number, client_id=f"0x{number}", symbol=symbol, side=side, size=Decimal(size), **more
        )

    def place(self, order: Order) -> int:
        """Send an order, as the engine would after its check; gives its number."""
        at_once(self.venue.place(Approved(order, Seal())))
        self._hear()
        return order.number

    def buy(self, size: str | Decimal, **more: Any) -> int:
        return self.place(self.order(Side.BUY, size, **more))

    def sell(self, size: str | Decimal, **more: Any) -> int:
        return self.place(self.order(Side.SELL, size, **more))

    def protect(self, kind: OrderKind, side: Side, trigger_px: str, *, symbol: str = "BTC") -> int:
        """Place a stop or a take-profit for what is held."""
        held = abs(self.size(symbol))
        return self.place(
            self.order(side, held, symbol=symbol, kind=kind, trigger_px=trigger_px, reduce_only=True)
        )

    def cancel(self, number: int) -> None:
        at_once(self.venue.cancel(Approved(number, Seal())))
        self._hear()

    def _hear(self) -> list[VenueEvent]:
        new = list(self.venue.drain())
        self.events += new
        return new

    # What a test asks.

    def size(self, symbol: str = "BTC") -> Decimal:
        position = self.venue.state.positions.get(symbol)
        return position.size if position else Decimal(0)

    @property
    def cash(self) -> Decimal:
        return self.venue.state.account.cash

    @property
    def equity(self) -> Decimal:
        return self.venue.equity()

    @property
    def fills(self) -> list[Fill]:
        return [event for event in self.events if isinstance(event, Fill)]

    def last(self, number: int) -> Order:
        """How an order was last reported."""
        return [e.order for e in self.events if isinstance(e, OrderChanged) and e.order.number == number][-1]

    def outcome(self, number: int) -> tuple[str, str]:
        """An order's last state and the reason given for it."""
        order = self.last(number)
        return order.state.value, order.reason


class Desk(Hand):
    """An account on a tape. `step` runs one hour: the next open, its path, the close, funding.

    Orders that are placed before `step` meet that open.
    """

    venue: ReplayVenue

    def __init__(
        self,
        tape: Tape,
        *,
        cash: str | Decimal = "1000",
        leverage: int = 10,
        costs: Costs = PLAIN,
        venue: type[ReplayVenue] = ReplayVenue,
        instruments: dict[str, Instrument] | None = None,
        state: VenueState | None = None,
        bars_closed: int = 0,
    ) -> None:
        super().__init__()
        symbols = [track.symbol for track in tape.tracks]
        if state is None:
            state = VenueState(Account(Decimal(cash)), leverage=dict.fromkeys(symbols, leverage))
        self.tape = tape
        self.venue = venue(tape, state, instruments or INSTRUMENTS, costs, index=bars_closed)
        self.next = bars_closed

    @property
    def now(self) -> int:
        """The instant at which the next bar opens."""
        return START + self.next * HOUR_MS

    def open(self) -> list[VenueEvent]:
        """The next bar opens; gives what happened. Alarms are noted, and the bar goes on."""
        return self._until_quiet(lambda: self.venue.open_bar(self.next))

    def close(self) -> list[VenueEvent]:
        """The open bar's path is run and it closes."""
        happened = self._until_quiet(self.venue.close_bar)
        self.next += 1
        return happened

    def settle(self) -> list[VenueEvent]:
        """Funding that is due is paid."""
        self.venue.settle_funding()
        return self._hear()

    def step(self) -> list[VenueEvent]:
        """One whole hour; gives what happened in it."""
        return [*self.open(), *self.close(), *self.settle()]

    def steps(self, count: int) -> list[VenueEvent]:
        return [event for _ in range(count) for event in self.step()]

    def _until_quiet(self, call: Any) -> list[VenueEvent]:
        first = len(self.events)
        while (alarm := call()) is not None:
            self.alarms.append(alarm)
        self._hear()
        return self.events[first:]


def encoded(events: Iterable[VenueEvent]) -> bytes:
    """Events as bytes, to be compared to the last digit."""
    return msgspec.json.encode(list(events))
