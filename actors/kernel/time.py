"""The time that actors live by: handed in, so that a test or a replay owns it.

There are two kinds. *Instants* are UTC milliseconds of a clock that people set: schedules go by them. *Durations* are
seconds of a clock that nobody sets: time-outs and pauses go by them. When the first jumps, the second does not.

Whoever waits for an instant is woken when the clock shows it, or when as much time has passed as there was to go:
whichever comes first. So a clock set forward makes nobody late, and a clock set back makes nobody wait for ever.
"""

import asyncio
import time as _time
from collections.abc import Callable
from typing import Protocol

from domain.time import Clock, SystemClock

Do = Callable[[], object]

SLEW_MS = 1_000
"""By less than this a clock is being corrected, by more it was set."""
LOOK_EVERY_S = 1.0
"""How often the wall's clock is compared with the other."""


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


async def until_done(call: Callable[[Do], Handle]) -> None:
    """Wait until what `call` is given to do is done."""
    woken = asyncio.Event()
    handle = call(woken.set)
    try:
        await woken.wait()
    finally:
        handle.cancel()


class WallTime:
    """The world's time: instants by a clock, durations by the event loop that runs. For one loop."""

    def __init__(self, clock: Clock | None = None, look_every_s: float = LOOK_EVERY_S) -> None:
        self.now_ms = (clock or SystemClock()).now_ms
        self.monotonic_s = _time.monotonic
        self.appointments: set[Appointment] = set()
        self._look_every_s = look_every_s
        self._ahead_ms = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def call_later(self, delay_s: float, do: Do) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, do)

    def call_at(self, ts: int, do: Do) -> Handle:
        if self._watch is None:
            self._ahead_ms = self._measure_ahead_ms()
            self._watch = self.call_later(self._look_every_s, self._look)
        return Appointment(self, ts, do)

    async def wait_until(self, ts: int) -> None:
        await until_done(lambda do: self.call_at(ts, do))

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def _look(self) -> None:
        """See whether the clock was set, and plan anew what is to be done at an instant."""
        ahead_ms, before_ms = self._measure_ahead_ms(), self._ahead_ms
        self._ahead_ms = ahead_ms
        if abs(ahead_ms - before_ms) >= SLEW_MS:
            for appointment in tuple(self.appointments):
                appointment.plan()
        self._watch = self.call_later(self._look_every_s, self._look) if self.appointments else None

    def _measure_ahead_ms(self) -> float:
        return self.now_ms() - self.monotonic_s() * 1000


class Appointment:
    """Something to be done at an instant of a WallTime."""

    __slots__ = ("_do", "_due_s", "_handle", "_time", "_ts")

    def __init__(self, time: WallTime, ts: int, do: Do) -> None:
        self._time, self._ts, self._do = time, ts, do
        self._due_s = float("inf")
        self._handle: Handle | None = None
        time.appointments.add(self)
        self.plan()

    def plan(self) -> None:
        """Wait for as long as there is to go by the clock, but no longer than was planned before."""
        now_s, to_go_ms = self._time.monotonic_s(), self._ts - self._time.now_ms()
        self._due_s = min(self._due_s, now_s + max(0, to_go_ms) / 1000)
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._time.call_later(self._due_s - now_s, self._due)

    def cancel(self) -> None:
        """Have it not done."""
        self._time.appointments.discard(self)
        if self._handle is not None:
            self._handle.cancel()

    def _due(self) -> None:
        if 0 < self._ts - self._time.now_ms() < SLEW_MS:  # a little early: the clock was corrected
            self._due_s = float("inf")
            self.plan()
            return
        self._time.appointments.discard(self)
        self._do()
