"""The life of a paper account on live quotes, in a process that may be killed at every step of its writing.

The engine, the kept venue and their order of commits are the real ones; what is durable is a small disk in memory.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from brokers.paper.costs import Costs
from brokers.paper.kept import KeptVenue, read_kept
from brokers.paper.quotes import QuoteVenue
from brokers.paper.venue import VenueState
from domain.account import Account
from domain.actions import Action, CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.caps import Caps
from domain.feeds import FundingSettled, Mark, Quote
from domain.ids import decision_id
from domain.journal import Entry, HaltPhase
from domain.orders import Side, Tif
from domain.time import HOUR_MS, floor_to
from engine.engine import Engine, EngineState, start
from engine.recovery import recover
from tests.unit.brokers.live_samples import HandTime, Told
from tests.unit.brokers.samples import INSTRUMENTS, START, at_once

D = Decimal
CASH = D(10_000)
SYMBOLS = ("BTC", "ETH")
CAPS = Caps(
    max_leverage=D(10),
    allow_short=True,
    max_order_usd=D(30_000),
    max_position_usd=D(60_000),
    max_gross_usd=D(80_000),
    max_orders_per_hour=100,
    daily_loss_pct=D(3),
    max_drawdown_pct=D(8),
    price_band_pct=D(5),
)


class Killed(Exception):
    """The process is gone."""


class Fuse:
    """Kills the process at the so-manieth point from now; None: never."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.points = 0

    def __call__(self) -> None:
        """A point at which a process may be killed."""
        self.points += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed


class Disk:
    """What outlives a process. As the database, it takes what goes together whole or not at all."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.engine: bytes | None = None
        self.venue: bytes | None = None
        self.heard = 0


class Store:
    """Where the venue is kept."""

    def __init__(self, disk: Disk, fuse: Fuse) -> None:
        self._disk, self._fuse = disk, fuse

    async def save(self, state: bytes) -> None:
        self._fuse()
        self._disk.venue = state
        self._fuse()


class DiskJournal:
    """The venue first, then entries, engine and what was heard, at once. `db.journal` writes all in one transaction;
    here a kill may come between, as where a venue is somebody else's."""

    def __init__(self, disk: Disk, fuse: Fuse) -> None:
        self._disk, self._fuse = disk, fuse
        self._waiting: list[Entry] = []
        self.life: Life | None = None

    def append(self, entry: Entry) -> None:
        self._waiting.append(entry)

    async def commit(self) -> None:
        """Make all that was appended durable."""
        assert self.life is not None
        venue, engine = self.life.venue, self.life.engine
        await venue.save()
        if not self._waiting:
            return
        self._fuse()
        heard = venue.heard
        self._disk.entries += self._waiting
        self._disk.engine = msgspec.msgpack.encode(engine.state)
        self._disk.heard = heard
        self._waiting = []
        self._fuse()
        venue.forget(heard)


class Life:
    """One account. `tell`, `act`, `beat` and `lift` are what happens to it; a killed process is followed by another.

    `marks` are the marks that decisions were made by.
    """

    engine: Engine
    venue: KeptVenue[QuoteVenue]

    def __init__(self, caps: Caps = CAPS, costs: Costs | None = None) -> None:
        self.caps, self.costs = caps, costs or Costs()
        self.disk, self.fuse, self.time = Disk(), Fuse(), HandTime()
        self.marks: dict[tuple[str, int], Decimal] = {}
        self.deaths = 0
        self._decisions = 0
        self._begin()

    def _begin(self) -> None:
        """A new process opens the account and settles what the one before left in doubt."""
        kept = read_kept(self.disk.venue, VenueState(Account(CASH)))
        inner = QuoteVenue(kept.state, INSTRUMENTS, self.costs, self.time)
        self.venue = KeptVenue(inner, Store(self.disk, self.fuse), kept, self.disk.heard)
        self._journal = DiskJournal(self.disk, self.fuse)
        self._journal.life = self
        state = start(CASH, START)
        if self.disk.engine is not None:
            state = msgspec.msgpack.decode(self.disk.engine, type=EngineState)
        self.engine = Engine(
            self.venue, self._journal, account="life", symbols=SYMBOLS, caps=self.caps, state=state
        )
        self._run(self._settle)

    async def _settle(self) -> None:
        await recover(self.engine, self.venue, self.now)
        await self._journal.commit()
        await self.engine.pursue(self.now)
        await self._journal.commit()

    def _run(self, work: Callable[[], Any]) -> Any:
        """Do something; where the process is killed in it, the next one begins."""
        try:
            return at_once(work())
        except Killed:
            self.deaths += 1
            self._begin()
            return None

    @property
    def now(self) -> int:
        """The instant it is."""
        return self.time.instant_ms

    def wait(self, duration_ms: int) -> None:
        """Let time pass."""
        self.time.pass_ms(duration_ms)

    def tell(self, told: Told) -> None:
        """The market moves."""

        async def hear() -> None:
            inner = self.venue.inner
            hears: Any = {Quote: inner.quote, Mark: inner.marked, FundingSettled: inner.funding}
            for alarm in hears[type(told)](told):
                await self.engine.halt(alarm.ts, alarm.equity)
            self.engine.absorb()
            await self._journal.commit()

        self._run(hear)

    def act(self, action: Action) -> None:
        """A tick decides something."""
        self._decisions += 1
        decision = decision_id("life", self._decisions)
        for symbol in SYMBOLS:
            if (mark := self.venue.mark(symbol)) is not None:
                self.marks[symbol, self.now] = mark

        async def submit() -> None:
            await self.engine.submit(action, ts=self.now, decision=decision, index=0)
            await self._journal.commit()

        self._run(submit)

    def beat(self) -> None:
        """A second has passed: losses are judged, if it is known what the account is worth."""

        async def observe() -> None:
            if self.venue.inner.is_known:
                await self.engine.observe(self.now)
            await self._journal.commit()

        self._run(observe)

    def lift(self) -> None:
        """A person lifts a halt, if there is one to lift."""

        async def reset() -> None:
            if self.engine.state.watch.phase is HaltPhase.HALTED:
                await self.engine.reset_halt(self.now)

        self._run(reset)

    def kill(self) -> None:
        """The process is killed between two messages."""
        self.deaths += 1
        self._begin()


class Player:
    """Makes a life up from a seed: a market, what somebody does in it, and when the process is killed."""

    def __init__(self, seed: int, life: Life) -> None:
        self._random = np.random.default_rng(seed)
        self.life = life
        self.px = {"BTC": D(60_000), "ETH": D(3_000)}

    def dice(self, low: int, high: int) -> int:
        return int(self._random.integers(low, high + 1))

    def one(self, *choices: Any) -> Any:
        return choices[self.dice(0, len(choices) - 1)]

    def play(self, steps: int) -> None:
        """Live so many steps, then in quiet until everything on its way has come to its end."""
        for _ in range(steps):
            self._move()
            if self.dice(0, 1):
                self.life.act(self._action())
            if self.dice(0, 9) == 0:
                self.one(self.life.lift, self.life.kill)()
        self.life.fuse.left = None
        for _ in range(20):
            for symbol in self.px:
                self._tell(symbol, D(10**6))

    def _move(self) -> None:
        life = self.life
        if self.dice(0, 2) == 0:
            life.fuse.left = self.dice(0, 12)
        if self.dice(0, 30) == 0:
            life.wait(self.one(16_000, HOUR_MS, 25 * HOUR_MS))
        for symbol in self.px:
            wild = 8 if self.dice(0, 7) == 0 else 1
            moved = self.px[symbol] * (10_000 + self.dice(-40, 40) * wild) / 10_000
            self.px[symbol] = moved.quantize(D("0.1"))
            if self.dice(0, 5):
                self._tell(symbol, D(self.one("0.01", "0.3", "2", "50")))
        if self.dice(0, 5) == 0:
            symbol, hour = self.one(*self.px), floor_to(life.now, HOUR_MS)
            life.tell(FundingSettled(hour, symbol, D(self.dice(-9, 9)).scaleb(-5), self.px[symbol]))
        life.beat()

    def _tell(self, symbol: str, size: Decimal) -> None:
        px, half = self.px[symbol], self.one(0, 1, 4)
        self.life.wait(500)
        self.life.tell(Mark(self.life.now, symbol, px))
        bid, ask = (px * (10_000 + away * half) / 10_000 for away in (-1, 1))
        self.life.tell(Quote(self.life.now, symbol, bid, size, ask, size))
        self.life.beat()

    def _action(self) -> Action:
        symbol, (side, away) = self.one(*self.px), self.one((Side.BUY, -1), (Side.SELL, 1))

        def near(bps: int) -> Decimal:
            return (self.px[symbol] * (10_000 + bps) / 10_000).quantize(D("0.01"))

        held = self.life.engine.book.size(symbol)
        what = self.dice(0, 9)
        if what == 0:
            return ClosePosition(symbol)
        if what == 1:
            return CancelOrder(self.one(*(sorted(self.life.engine.book.orders) or [0])))
        if what == 2:
            towards = -1 if held > 0 else 1
            return SetProtection(symbol, near(towards * 90), self.one(None, near(-towards * 90)))
        usd = D(self.one(2_000, 10_000, 25_000, 40_000, 90_000))
        size = (usd / self.px[symbol]).quantize(D("0.001"))
        reduces = self.dice(0, 5) == 0
        return ProposeOrder(
            symbol,
            side,
            min(size, abs(held)) if reduces else size,
            limit_px=self.one(None, None, near(self.dice(-40, 40))),
            tif=self.one(*Tif),
            reduce_only=reduces,
            stop_px=None if reduces else self.one(None, near(away * 120)),
            take_profit_px=None if reduces else self.one(None, near(-away * 120)),
        )


def lived(seed: int, steps: int = 60, caps: Caps = CAPS) -> Life:
    """A whole life of this seed."""
    life = Life(caps)
    Player(seed, life).play(steps)
    return life
