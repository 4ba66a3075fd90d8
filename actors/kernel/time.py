"""The time that actors live by: handed in, so that a test or a replay owns it.

There are two kinds. *Instants* are UTC milliseconds of a clock that people set: schedules go by them. *Durations* are
seconds of a clock that nobody sets: time-outs and pauses go by them. When the first jumps, the second does not.

Whoever waits for an instant is woken when the clock shows it, or when as much time has passed as there was to go:
whichever comes first. So a clock set forward makes nobody late, and a clock set back makes nobody wait for ever.
"""

import asyncio
import heapq
import time as _time
from collections.abc import Callable
from itertools import count
from typing import Protocol

from domain.time import Clock, SystemClock

Do = Callable[[], object]

SLEW_MS = 1_000
"""By less than this a clock is being corrected, by more it was set."""
LOOK_EVERY_S = 1.0
"""How often the wall's clock is compared with the other."""
SETTLE_TURNS = 25
"""More turns of the loop than what a timer sets off takes to come to rest, where it only goes through actors."""


class Handle(Protocol):
    """Something that will be done."""

    def cancel(self) -> None:
        """Have it not done. Does nothing once it has been."""


class Time(Protocol):
    """What tells the time, and does things later."""

    def now_ms(self) -> int:
        """The instant it is, in UTC ms."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that is never set; only differences mean something."""

    def call_at(self, ts: int, do: Do) -> Handle:
        """Do something at an instant."""

    def call_later(self, delay_s: float, do: Do) -> Handle:
        """Do something after a while."""

    async def wait_until(self, ts: int) -> None:
        """Wait for an instant."""

    async def sleep(self, delay_s: float) -> None:
        """Wait for a while."""


async def _called(call: Callable[[Do], Handle]) -> None:
    """Wait until what `call` is given is done."""
    woken = asyncio.Event()
    handle = call(woken.set)
    try:
        await woken.wait()
    finally:
        handle.cancel()


class WallTime:
    """The world's time, by a clock and the running event loop."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.now_ms = self._clock.now_ms
        self.monotonic_s = _time.monotonic
        self._appointments: set[_Appointment] = set()
        self._ahead_ms = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def call_later(self, delay_s: float, do: Do) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, do)

    def call_at(self, ts: int, do: Do) -> Handle:
        if self._watch is None:
            self._ahead_ms = self._measure_ahead_ms()
            self._watch = self.call_later(LOOK_EVERY_S, self._look_again)
        return _Appointment(self, self._appointments, ts, do)

    async def wait_until(self, ts: int) -> None:
        await _called(lambda do: self.call_at(ts, do))

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def look(self) -> None:
        """See whether the clock was set, and plan anew what is to be done at an instant. Done every second."""
        ahead_ms = self._measure_ahead_ms()
        if abs(ahead_ms - self._ahead_ms) >= SLEW_MS:
            for appointment in tuple(self._appointments):
                appointment.plan(no_later=True)
        self._ahead_ms = ahead_ms

    def _look_again(self) -> None:
        self.look()
        self._watch = self.call_later(LOOK_EVERY_S, self._look_again) if self._appointments else None

    def _measure_ahead_ms(self) -> float:
        return self.now_ms() - self.monotonic_s() * 1000


class _Appointment:
    """Something to be done at an instant of the wall's clock."""

    __slots__ = ("_do", "_due_s", "_handle", "_others", "_time", "_ts")

    def __init__(self, time: WallTime, others: "set[_Appointment]", ts: int, do: Do) -> None:
        self._time, self._others, self._ts, self._do = time, others, ts, do
        self._handle: asyncio.TimerHandle | None = None
        self._due_s = float("inf")
        others.add(self)
        self.plan()

    def plan(self, *, no_later: bool = False) -> None:
        """Wait for as long as there is to go by the clock, or `no_later` than was planned before."""
        now_s = self._time.monotonic_s()
        due_s = now_s + max(0, self._ts - self._time.now_ms()) / 1000
        self.cancel()
        self._others.add(self)
        self._due_s = min(due_s, self._due_s) if no_later else due_s
        self._handle = self._time.call_later(max(0.0, self._due_s - now_s), self._due)

    def cancel(self) -> None:
        self._others.discard(self)
        if self._handle is not None:
            self._handle.cancel()

    def _due(self) -> None:
        if 0 < self._ts - self._time.now_ms() < SLEW_MS:
            self.plan()
            return
        self._others.discard(self)
        self._do()


class ManualTime:
    """Time that stands still until it is moved: a test's, or a replay's."""

    def __init__(self, now_ms: int = 0) -> None:
        self._passed_ms = 0
        self._start_ms = now_ms
        self._numbers = count()
        self._due: list[_Entry] = []

    def now_ms(self) -> int:
        return self._start_ms + self._passed_ms

    def monotonic_s(self) -> float:
        return self._passed_ms / 1000

    def call_at(self, ts: int, do: Do) -> Handle:
        return self._push(self._passed_ms + ts - self.now_ms(), ts, do)

    def call_later(self, delay_s: float, do: Do) -> Handle:
        return self._push(self._passed_ms + round(delay_s * 1000), None, do)

    async def wait_until(self, ts: int) -> None:
        await _called(lambda do: self.call_at(ts, do))

    async def sleep(self, delay_s: float) -> None:
        await _called(lambda do: self.call_later(delay_s, do))

    async def move_to(self, ts: int) -> None:
        """Let time pass until an instant. What is due on the way is done in order, each at its own instant."""
        await self.advance(ts - self.now_ms())

    async def advance(self, duration_ms: int) -> None:
        """Let time pass. Raises ValueError when it would run backwards."""
        if duration_ms < 0:
            raise ValueError(f"time can't run backwards: by {duration_ms} ms; `jump` sets the clock")
        until_ms = self._passed_ms + duration_ms
        await settle()
        while self._due and self._due[0].due_ms <= until_ms:
            self._passed_ms = max(self._passed_ms, self._due[0].due_ms)
            while self._due and self._due[0].due_ms <= self._passed_ms:
                heapq.heappop(self._due).run()
            await settle()
        self._passed_ms = until_ms
        await settle()

    async def jump(self, by_ms: int) -> None:
        """Set the clock forward or back, with no time passing."""
        self._start_ms += by_ms
        for entry in self._due:
            if entry.ts is not None:
                entry.due_ms = min(entry.due_ms, self._passed_ms + entry.ts - self.now_ms())
        heapq.heapify(self._due)
        await self.advance(0)

    def _push(self, due_ms: int, ts: int | None, do: Do) -> Handle:
        entry = _Entry(due_ms, next(self._numbers), ts, do)
        if due_ms <= self._passed_ms:
            asyncio.get_running_loop().call_soon(entry.run)
        else:
            heapq.heappush(self._due, entry)
        return entry


class _Entry:
    """Something to be done when a ManualTime has passed."""

    __slots__ = ("do", "due_ms", "number", "ts")

    def __init__(self, due_ms: int, number: int, ts: int | None, do: Do) -> None:
        self.due_ms, self.number, self.ts = due_ms, number, ts
        self.do: Do | None = do

    def __lt__(self, other: "_Entry") -> bool:
        return (self.due_ms, self.number) < (other.due_ms, other.number)

    def run(self) -> None:
        do, self.do = self.do, None
        if do is not None:
            do()

    def cancel(self) -> None:
        self.do = None


async def settle(turns: int = SETTLE_TURNS) -> None:
    """Let the event loop turn until what is ready to run has run."""
    for _ in range(turns):
        await asyncio.sleep(0)
