"""The limit: the job by a small but honest event engine in plain Python. `limit_events.py FOLDER BARS [asyncio]`.

Bar, order and fill objects, a risk check, an equity point a bar, floats. With `asyncio`, the same behind one hop
through a queue for each bar and one back: what an actor for each message would cost before it does anything.
"""

import asyncio
import platform
import sys
from collections import deque
from dataclasses import dataclass

from job import CASH_USD, FAST, FEE_BPS, HOUR_MS, LEVERAGE, SLOW, Stopwatch, crossed, report, tidy_file


@dataclass(slots=True, frozen=True)
class Bar:
    """One closed bar."""

    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(slots=True, frozen=True)
class Order:
    """A market order that waits for the next open."""

    number: int
    size: float


@dataclass(slots=True, frozen=True)
class Fill:
    """An order carried out."""

    order: Order
    ts: int
    price: float
    fee: float


class Average:
    """A simple moving average by a running sum."""

    __slots__ = ("length", "total", "values")

    def __init__(self, length: int) -> None:
        self.length = length
        self.values: deque[float] = deque()
        self.total = 0.0

    def update(self, value: float) -> None:
        """Take in a close."""
        self.values.append(value)
        self.total += value
        if len(self.values) > self.length:
            self.total -= self.values.popleft()

    @property
    def value(self) -> float:
        """The average of the last `length` closes."""
        return self.total / self.length


class Engine:
    """Fills, checks, books, and lets the strategy decide."""

    def __init__(self) -> None:
        self.cash, self.position, self.last = float(CASH_USD), 0.0, 0.0
        self.equity: list[float] = []
        self.pending: list[Order] = []
        self.fills: list[Fill] = []
        self.strategy = Crossing(self)

    def submit(self, size: float) -> bool:
        """Take an order unless it asks for more leverage than there may be."""
        equity = self.cash + self.position * self.last
        if abs(self.position + size) * self.last > LEVERAGE * equity:
            return False
        self.pending.append(Order(len(self.fills) + len(self.pending) + 1, size))
        return True

    def on_bar(self, bar: Bar) -> None:
        """Fill at the open, mark at the close, decide."""
        if self.pending:
            for order in self.pending:
                self.fill(order, bar)
            self.pending.clear()
        self.last = bar.close
        self.equity.append(self.cash + self.position * bar.close)
        self.strategy.on_bar(bar)

    def fill(self, order: Order, bar: Bar) -> None:
        """Carry an order out at the bar's open."""
        fee = abs(order.size) * bar.open * FEE_BPS / 10_000
        self.cash -= order.size * bar.open + fee
        self.position += order.size
        self.fills.append(Fill(order, bar.ts, bar.open, fee))


class Crossing:
    """The job's strategy."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.fast, self.slow, self.target = Average(FAST), Average(SLOW), 0

    def on_bar(self, bar: Bar) -> None:
        """Follow the averages."""
        self.fast.update(bar.close)
        self.slow.update(bar.close)
        if len(self.slow.values) < SLOW:
            return
        target = crossed(self.fast.value, self.slow.value, self.target)
        if target != self.target and self.engine.submit(target - self.target):
            self.target = target


def read(folder: str, bars: int) -> list[Bar]:
    """Read the tidy file."""
    with tidy_file(folder, bars).open() as lines:
        next(lines)
        rows = (line.split(",") for line in lines)
        return [Bar(i * HOUR_MS, *map(float, row[1:])) for i, row in enumerate(rows)]


async def hop_by_hop(engine: Engine, bars: list[Bar]) -> None:
    """Hand each bar to the engine through a queue, and wait for its answer."""
    asked: asyncio.Queue[Bar | None] = asyncio.Queue(1)
    answered: asyncio.Queue[bool] = asyncio.Queue(1)

    async def serve() -> None:
        while (bar := await asked.get()) is not None:
            engine.on_bar(bar)
            await answered.put(True)

    task = asyncio.create_task(serve())
    for bar in bars:
        await asked.put(bar)
        await answered.get()
    await asked.put(None)
    await task


def main() -> None:
    """Do the job and say what came of it."""
    bars = read(sys.argv[1], int(sys.argv[2]))
    engine = Engine()
    watch = Stopwatch()
    if sys.argv[3:] == ["asyncio"]:
        asyncio.run(hop_by_hop(engine, bars))
    else:
        for bar in bars:
            engine.on_bar(bar)
    report(platform.python_version(), watch.seconds(), len(engine.fills), engine.equity[-1])


main()
