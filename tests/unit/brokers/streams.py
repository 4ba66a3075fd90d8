"""Made-up markets and streams of orders, wild on purpose: gaps, dead bars, holes, thin and deep volume, much leverage.

Everything is decided by `dice(low, high)`, so that hypothesis can throw them (and shrink what it finds) or a seeded
generator can (and go on for thousands of bars).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from brokers.paper.costs import Costs
from brokers.paper.replay import ReplayVenue
from brokers.paper.tape import Tape
from domain.events import VenueEvent
from domain.instruments import Instrument
from domain.orders import OrderKind, Side, Tif
from tests.unit.brokers.samples import BTC, DOGE, ETH, FREE, Desk, Row, tape_of

Dice = Callable[[int, int], int]

COINS: tuple[tuple[Instrument, float, int], ...] = ((BTC, 60_000.0, 1), (ETH, 3_000.0, 2), (DOGE, 0.2, 5))
"""Instrument, first price, decimals of its prices."""

VOLUMES = (0.0, 0.00123, 0.5, 40.0, 1_000.0, 1e9)
CASH = Decimal(10_000)


class Action(NamedTuple):
    """Something to do before a bar opens. Prices are given in bps of the last mark."""

    what: str  # "market", "limit", "protect", "cancel", "alarm"
    symbol: str
    side: Side
    share: int  # of what the cash carries at full leverage, in percent
    limit_bps: int
    stop_bps: int | None
    profit_bps: int | None
    tif: Tif
    reduce_only: bool


class Stream(NamedTuple):
    """A market and what somebody does in it: actions by bar."""

    tape: Tape
    costs: Costs
    leverage: int
    actions: list[list[Action]]


def _row(dice: Dice, px: float, decimals: int) -> Row:
    wild = 15 if dice(0, 9) == 0 else 1
    smallest = 10.0**-decimals

    def moved(base: float, bps: int) -> float:
        return max(round(base * (1 + bps / 10_000), decimals), smallest)

    opened = moved(px, dice(-60, 60) * wild if dice(0, 2) == 0 else 0)
    closed = moved(opened, dice(-150, 150) * wild)
    high = moved(max(opened, closed), dice(0, 100) * wild)
    low = moved(min(opened, closed), -dice(0, 100) * min(wild, 15))
    return opened, high, low, closed, VOLUMES[dice(0, len(VOLUMES) - 1)]


def _rows(dice: Dice, count: int, px: float, decimals: int) -> list[Row | None]:
    rows: list[Row | None] = []
    for index in range(count):
        row = _row(dice, px, decimals)
        px = row[3]
        rows.append(None if index and dice(0, 14) == 0 else row)
    return rows


def _marks(dice: Dice, rows: list[Row | None], decimals: int) -> list[Row | None]:
    """Marks a little off the trades, with a digit more."""
    found: list[Row | None] = []
    for row in rows:
        shift = 1 + dice(-20, 20) / 10_000
        o, h, lo, c = (
            max(round(px * shift, decimals + 1), 10.0**-decimals) for px in (row or rows[0] or ())[:4]
        )
        found.append((o, h, lo, c, 0.0) if row else None)
    return found


def _action(dice: Dice, symbols: list[str]) -> Action:
    kinds = ("market", "market", "limit", "limit", "protect", "cancel", "alarm")
    return Action(
        what=kinds[dice(0, len(kinds) - 1)],
        symbol=symbols[dice(0, len(symbols) - 1)],
        side=(Side.BUY, Side.SELL)[dice(0, 1)],
        share=(1, 10, 40, 90, 250)[dice(0, 4)],
        limit_bps=dice(-200, 200),
        stop_bps=dice(-50, 400) if dice(0, 2) == 0 else None,
        profit_bps=dice(-50, 400) if dice(0, 2) == 0 else None,
        tif=(Tif.GTC, Tif.GTC, Tif.ALO, Tif.IOC)[dice(0, 3)],
        reduce_only=dice(0, 5) == 0,
    )


def stream(dice: Dice, count: int) -> Stream:
    """A market of one to three coins over `count` bars, and a stream of orders."""
    coins = COINS[: dice(1, 3)]
    rows = {coin.symbol: _rows(dice, count, px, decimals) for coin, px, decimals in coins}
    marks = {
        coin.symbol: _marks(dice, rows[coin.symbol], decimals)
        for coin, _, decimals in coins
        if dice(0, 2) == 0
    }
    rates = {
        symbol: {hour: dice(-200, 200) / 1e6 for hour in range(count + 1) if dice(0, 1)} for symbol in rows
    }
    symbols = list(rows)
    actions = [[_action(dice, symbols) for _ in range(dice(0, 2))] for _ in range(count)]
    costs = (Costs(), Costs(), FREE, Costs(participation=Decimal(1), latency_ms=1))[dice(0, 3)]
    return Stream(tape_of(rows, marks, rates), costs, (1, 3, 10, 40)[dice(0, 3)], actions)


def seeded(seed: int, count: int) -> Stream:
    """The stream of one seed, the same each time."""
    random = np.random.default_rng(seed)
    return stream(lambda low, high: int(random.integers(low, high + 1)), count)


@st.composite
def streams(draw: st.DrawFn, count: int = 12) -> Stream:
    """Streams that hypothesis throws the dice for."""
    return stream(lambda low, high: draw(st.integers(low, high)), count)


def desk_for(made: Stream, venue: type[ReplayVenue] = ReplayVenue) -> Desk:
    """A fresh account in the stream's market."""
    return Desk(made.tape, cash=CASH, leverage=made.leverage, costs=made.costs, venue=venue)


def act(desk: Desk, action: Action) -> None:
    """Do one action, with what the account and the market are now."""
    instrument = desk.venue.instrument(action.symbol)
    mark = desk.venue._mark_now(action.symbol)
    assert instrument is not None
    if action.what == "cancel":
        desk.cancel(min(desk.venue.state.orders, default=0))
        return
    if action.what == "alarm":
        desk.venue.set_alarm(desk.equity * Decimal(100 - action.share % 30) / 100)
        return

    def at(bps: int) -> Decimal:
        return (mark * (10_000 + bps) / 10_000).quantize(Decimal("0.00001")).max(Decimal("0.00001"))

    away = -action.side.sign
    levels: dict[str, Any] = {
        "stop_px": None if action.stop_bps is None else at(away * action.stop_bps),
        "take_profit_px": None if action.profit_bps is None else at(-away * action.profit_bps),
    }
    if action.what == "protect":
        held = desk.size(action.symbol)
        side = Side.SELL if held > 0 else Side.BUY
        kind = OrderKind.STOP if action.stop_bps is None else OrderKind.TAKE_PROFIT
        better = 1 if (kind is OrderKind.STOP) is (side is Side.BUY) else -1
        order = desk.order(
            side,
            abs(held) or instrument.lot,
            symbol=action.symbol,
            kind=kind,
            trigger_px=at(better * abs(action.limit_bps)),
            reduce_only=True,
        )
        desk.place(order)
        return
    leverage = desk.venue.state.leverage[action.symbol]
    size = instrument.legal_size(CASH * leverage * action.share / 100 / mark)
    limit = {"limit_px": at(action.limit_bps), "tif": action.tif} if action.what == "limit" else {}
    desk.place(
        desk.order(
            action.side,
            size or instrument.lot,
            symbol=action.symbol,
            reduce_only=action.reduce_only,
            **limit,
            **levels,
        )
    )


def run(made: Stream, desk: Desk, first: int = 0, last: int | None = None) -> list[VenueEvent]:
    """Lead the account from one bar to another; gives the events of the way."""
    heard = len(desk.events)
    for actions in made.actions[first:last]:
        for action in actions:
            act(desk, action)
        desk.step()
    return desk.events[heard:]
