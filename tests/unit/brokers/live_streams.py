"""Made-up live markets and what somebody does in them: quotes, marks, funding, orders, and every slip of a feed.

All is decided by `dice(low, high)` beforehand, prices and instants included, so that one stream can be led past several
accounts. Instants are ms since START.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from domain.feeds import FundingSettled, Mark, Quote
from domain.orders import OrderKind, Side, Tif
from domain.time import DAY_MS, HOUR_MS
from tests.unit.brokers.live_samples import Stand, Told
from tests.unit.brokers.samples import START
from tests.unit.brokers.streams import COINS

Dice = Callable[[int, int], int]
D = Decimal

SIZES = ("0.00001", "0.0203", "0.7", "3", "40", "1000", "99999.5")
WAITS = (0, 1, 40, 300, 1000, 1000, 1000, 3000, 14_000, 16_000, 200_000, HOUR_MS, 3 * DAY_MS)


class Hear(NamedTuple):
    """The feed tells something."""

    told: Told


class Order(NamedTuple):
    """Somebody sends an order, or with `what` "cancel" withdraws the oldest, or with "alarm" sets one."""

    what: str
    symbol: str
    side: Side
    size: Decimal
    more: dict[str, Any]


class Step(NamedTuple):
    """After a wait, something happens."""

    wait_ms: int
    what: Hear | Order


class _Maker:
    """Makes one stream: where each price is, and what time it is."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.coins = COINS[: dice(1, 3)]
        self.px = {coin.symbol: D(str(px)) for coin, px, _ in self.coins}
        self.places = {coin.symbol: places for coin, _, places in self.coins}
        self.at = 0

    def one(self, *choices: Any) -> Any:
        return choices[self.dice(0, len(choices) - 1)]

    def near(self, symbol: str, bps: int) -> Decimal:
        """A price so far from where the symbol is, in the decimals that it is quoted in."""
        px = self.px[symbol] * (10_000 + bps) / 10_000
        return px.quantize(D(1).scaleb(-self.places[symbol])).max(D(1).scaleb(-self.places[symbol]))

    def step(self) -> Step:
        wait_ms = WAITS[self.dice(0, len(WAITS) - 1 if self.dice(0, 24) == 0 else 6)]
        self.at += wait_ms
        symbol = self.one(*self.px)
        make = self.one(*[self.quote] * 5, *[self.mark] * 4, self.funding, *[self.order] * 4)
        return Step(wait_ms, make(symbol))

    def move(self, symbol: str) -> None:
        wild = 20 if self.dice(0, 19) == 0 else 1
        self.px[symbol] = self.near(symbol, self.dice(-40, 40) * wild)

    def quote(self, symbol: str) -> Hear:
        self.move(symbol)
        half = self.one(0, 0, 1, 5, 20)
        quote = Quote(
            START + self.at,
            symbol,
            self.near(symbol, -half),
            D(self.one(*SIZES)),
            self.near(symbol, half),
            D(self.one(*SIZES)),
        )
        return Hear(self.slip(quote) if self.dice(0, 9) == 0 else quote)

    def slip(self, quote: Quote) -> Quote:
        ts, symbol, bid, bid_size, ask, ask_size = (getattr(quote, name) for name in quote.__struct_fields__)
        return self.one(  # type: ignore[no-any-return]
            Quote(ts, symbol, ask * D("1.001"), bid_size, ask, ask_size),
            Quote(ts, symbol, D(0), bid_size, ask, ask_size),
            Quote(ts, symbol, bid, bid_size, D("NaN"), ask_size),
            Quote(ts, symbol, bid, D(0), ask, ask_size),
            Quote(ts, symbol, bid / 2, bid_size, ask, ask_size),
            Quote(ts, symbol, bid * 2, bid_size, ask * 2, ask_size),
            Quote(ts - self.one(1, 500, 20_000), symbol, bid, bid_size, ask, ask_size),
            Quote(ts + self.one(1, 500, 10 * DAY_MS), symbol, bid, bid_size, ask, ask_size),
            Quote(ts, "SOL", bid, bid_size, ask, ask_size),
        )

    def mark(self, symbol: str) -> Hear:
        self.move(symbol)
        px, ts = self.near(symbol, self.dice(-10, 10)), START + self.at
        if self.dice(0, 9) == 0:
            px = self.one(px, px * 3, px / 3, -px, D("NaN"))
            ts += self.one(0, -1, -20_000, 10 * DAY_MS)
        return Hear(Mark(ts, symbol, px))

    def funding(self, symbol: str) -> Hear:
        hour = (START + self.at) // HOUR_MS * HOUR_MS - self.one(0, 0, HOUR_MS, 3 * DAY_MS)
        rate = D(self.dice(-200, 200)).scaleb(-self.one(2, 6, 6, 6))
        return Hear(FundingSettled(hour + self.one(0, 0, 900), symbol, rate, self.near(symbol, 0)))

    def order(self, symbol: str) -> Order:
        side, away = self.one((Side.BUY, -1), (Side.SELL, 1))
        what = self.one("market", "market", "limit", "limit", "protect", "cancel", "alarm")
        usd = D(10_000) * self.one(1, 1, 3, 10, 35)
        size = (usd / self.px[symbol]).quantize(D("0.01"))
        more: dict[str, Any] = {}
        limit = self.dice(-30, 30)
        if what == "limit" or (what == "market" and self.dice(0, 1)):
            more["limit_px"] = self.near(symbol, limit if what == "limit" else 50 * side.sign)
        if what == "limit":
            more["tif"] = self.one(Tif.GTC, Tif.GTC, Tif.ALO, Tif.IOC)
        if what == "market":
            more["kind"] = OrderKind.MARKET
        if what == "protect":
            more["kind"] = self.one(OrderKind.STOP, OrderKind.TAKE_PROFIT)
            more["trigger_px"] = self.near(symbol, self.dice(-100, 100))
        elif what in ("market", "limit"):
            more["reduce_only"] = self.dice(0, 5) == 0
            for name, sign in (("stop_px", away), ("take_profit_px", -away)):
                if self.dice(0, 3) == 0:
                    more[name] = self.near(symbol, sign * self.dice(-5, 60))
        return Order(what, symbol, side, size, more)


def stream(dice: Dice, count: int) -> list[Step]:
    """What happens in so many steps, once each symbol has had its first mark."""
    maker = _Maker(dice)
    first = [Step(0, Hear(Mark(START, symbol, px))) for symbol, px in maker.px.items()]
    return first + [maker.step() for _ in range(count)]


def seeded(seed: int, count: int) -> list[Step]:
    """The stream of one seed, the same each time."""
    random = np.random.default_rng(seed)
    return stream(lambda low, high: int(random.integers(low, high + 1)), count)


@st.composite
def streams(draw: st.DrawFn, count: int = 40) -> list[Step]:
    """Streams that hypothesis throws the dice for."""
    return stream(lambda low, high: draw(st.integers(low, high)), count)


def act(desk: Stand, order: Order) -> None:
    """Do what somebody does."""
    if order.what == "cancel":
        desk.cancel(min(desk.venue.state.orders, default=0))
    elif order.what == "alarm":
        desk.venue.set_alarm(desk.equity * D("0.97"))
    elif order.what == "protect":
        held = desk.size(order.symbol)
        side = Side.SELL if held > 0 else Side.BUY
        desk.place(desk.order(side, abs(held) or 1, symbol=order.symbol, reduce_only=True, **order.more))
    else:
        desk.place(desk.order(order.side, order.size, symbol=order.symbol, **order.more))


def run(desk: Stand, steps: list[Step]) -> None:
    """Lead an account through a stream."""
    for step in steps:
        desk.wait(step.wait_ms)
        if isinstance(step.what, Hear):
            desk.tell(step.what.told)
        else:
            act(desk, step.what)
