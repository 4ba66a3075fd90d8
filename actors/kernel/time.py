"""The time that actors live by: handed in, so that a test or a replay owns it.

There are two kinds. *Instants* are UTC milliseconds of a clock that people set: schedules go by them. *Durations* are
seconds of a clock that nobody sets: time-outs and pauses go by them. When the first jumps, the second does not.

Whoever waits for an instant is woken when the clock shows it, or when as much time has passed as there was to go:
whichever comes first. So a clock set forward makes nobody late, and a clock set back makes nobody wait for ever.
"""

import asyncio
import logging
import time as _time
from collections.abc import Callable
from typing import Protocol

from actors.kernel.agenda import Agenda, Do, Handle
from domain.time import Clock, SystemClock

log = logging.getLogger(__name__)

SLEW_MS = 1_000
"""By less than this a clock is being corrected, by more it was set."""
LOOK_EVERY_S = 1.0
"""How often the wall's clock is compared with the other."""


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
        self.agenda = Agenda()
        self._look_every_s = look_every_s
        self._ahead_ms = self._measure_ahead_ms()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_s = 0.0

    def call_later(self, delay_s: float, do: Do) -> Handle:
        return self._add(self.monotonic_s() + delay_s, do, None)

    def call_at(self, ts: int, do: Do) -> Handle:
        return self._add(self._due_s(ts), do, ts)

    async def wait_until(self, ts: int) -> None:
        await until_done(lambda do: self.call_at(ts, do))

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def _due_s(self, ts: int) -> float:
        return self.monotonic_s() + max(0, ts - self.now_ms()) / 1000

    def _add(self, due_s: float, do: Do, ts: int | None) -> Handle:
        entry = self.agenda.add(due_s, do, ts)
        if self._alarm is None or due_s < self._alarm_s:
            self._set_alarm(due_s)
        return entry

    def _set_alarm(self, due_s: float) -> None:
        """Ring when something is due, and now and then before, to see whether the clock was set."""
        if self._alarm is not None:
            self._alarm.cancel()
        delay_s = min(max(0.0, due_s - self.monotonic_s()), self._look_every_s)
        self._alarm_s = due_s
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._see_whether_the_clock_was_set()
        now_s = self.monotonic_s()
        while (entry := self.agenda.take(now_s)) is not None:
            if entry.ts is not None and 0 < entry.ts - self.now_ms() < SLEW_MS:
                self.agenda.put(self._due_s(entry.ts), entry)  # a little early: the clock was corrected
                continue
            try:
                entry.run()
            except Exception:
                log.exception("something that was to be done later failed")
        due_s = self.agenda.next_s()
        if due_s is not None:
            self._set_alarm(due_s)

    def _see_whether_the_clock_was_set(self) -> None:
        ahead_ms, before_ms = self._measure_ahead_ms(), self._ahead_ms
        self._ahead_ms = ahead_ms
        if abs(ahead_ms - before_ms) >= SLEW_MS:
            self.agenda.bring_forward(self._due_s)

    def _measure_ahead_ms(self) -> float:
        return self.now_ms() - self.monotonic_s() * 1000
