"""An actor's timers: messages that it will get from itself.

A timer has a key, and a new one takes the place of the one with the same key. Timers belong to one life of the
actor: when that ends, they end, and what they have sent and was not taken yet is dropped.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeAlias, TypeVar

from actors.kernel.agenda import Handle
from actors.kernel.message import Lane, Mail
from actors.kernel.stats import Counts
from actors.kernel.time import Time

A = TypeVar("A")
T = TypeVar("T", bound="Timer")
AnyMail: TypeAlias = Mail[Any, Any]
Timed: TypeAlias = Mail[A, Any] | Callable[[int], Mail[A, Any]]
"""What a timer sends: the same message each time, or one that is made from the instant for which it was due."""


class Timers:
    """The timers of one life, by their keys. `post` puts one that has fired into the actor's mailbox."""

    __slots__ = ("counts", "post", "running", "time")

    def __init__(self, time: Time, post: Callable[["Timer"], None], counts: Counts) -> None:
        self.time, self.post, self.counts = time, post, counts
        self.running: dict[Hashable, Timer] = {}

    def after(self, delay_ms: int, what: Timed[Any], key: Hashable = None) -> Hashable:
        """Send once, after a while. Gives the timer's key."""
        timer = self._keep(Timer(self, what, key))
        timer.due_ts = self.time.now_ms() + delay_ms
        timer.handle = self.time.call_later(delay_ms / 1000, timer.fire)
        return timer.key

    def at(self, ts: int, what: Timed[Any], key: Hashable = None) -> Hashable:
        """Send once, at an instant. Gives the timer's key."""
        timer = self._keep(Timer(self, what, key))
        timer.due_ts = ts
        timer.handle = self.time.call_at(ts, timer.fire)
        return timer.key

    def every(self, period_ms: int, what: Timed[Any], key: Hashable = None, offset_ms: int = 0) -> Hashable:
        """Send at each instant that is a multiple of the period, plus the offset. Gives the timer's key.

        An instant is skipped, and counted, when the last message still waits or the clock was set over it. When it
        was set back, instants come again. Raises ValueError for a period below 1 ms.
        """
        if period_ms < 1:
            raise ValueError(f"a timer repeats every 1 ms at most; found a period of {period_ms} ms")
        timer = self._keep(Repeating(self, what, key, Grid(period_ms, offset_ms)))
        timer.plan()
        return timer.key

    def cancel(self, key: Hashable) -> None:
        """End a timer. Does nothing when there is none under this key."""
        if timer := self.running.pop(key, None):
            timer.cancel()

    def clear(self) -> None:
        """End all timers."""
        for key in tuple(self.running):
            self.cancel(key)

    def _keep(self, timer: T) -> T:
        self.cancel(timer.key)
        self.running[timer.key] = timer
        return timer


class Timer:
    """One timer, and what waits in the mailbox when it has fired."""

    __slots__ = ("due_ts", "handle", "is_over", "key", "lane", "timers", "what")

    def __init__(self, timers: Timers, what: Timed[Any], key: Hashable) -> None:
        self.timers, self.what = timers, what
        self.key = self if key is None else key
        self.lane = what.lane if isinstance(what, Mail) else Lane.USER
        self.due_ts = 0
        self.is_over = False
        self.handle: Handle | None = None

    def fire(self) -> None:
        """Send the message."""
        self.timers.post(self)

    def open(self) -> AnyMail | None:
        """Give the message, now that it is taken; None when the timer was cancelled after it had fired."""
        if self.is_over:
            return None
        self.timers.cancel(self.key)
        return self.message()

    def message(self) -> AnyMail:
        """The message, made for the instant that is due."""
        return self.what if isinstance(self.what, Mail) else self.what(self.due_ts)

    def cancel(self) -> None:
        """Have it not fire any more, and what it has sent not taken."""
        self.is_over = True
        if self.handle is not None:
            self.handle.cancel()


class Repeating(Timer):
    """A timer that goes on, aligned to a grid of instants. Of its messages one waits at a time."""

    __slots__ = ("grid", "is_waiting", "next_ts")

    def __init__(self, timers: Timers, what: Timed[Any], key: Hashable, grid: "Grid") -> None:
        super().__init__(timers, what, key)
        self.grid, self.is_waiting = grid, False

    def plan(self) -> None:
        """Fire at the next instant of the grid."""
        self.next_ts = self.grid.last(self.timers.time.now_ms()) + self.grid.period_ms
        self.handle = self.timers.time.call_at(self.next_ts, self.fire)

    def fire(self) -> None:
        """Send the message unless the last one still waits, and go on."""
        self.due_ts = self.grid.last(self.timers.time.now_ms())
        self.timers.counts.skipped += max(0, (self.due_ts - self.next_ts) // self.grid.period_ms)
        if self.is_waiting:
            self.timers.counts.skipped += 1
        else:
            self.is_waiting = True
            self.timers.post(self)
        self.plan()

    def open(self) -> AnyMail | None:
        if self.is_over:
            return None
        self.is_waiting = False
        return self.message()


class Grid(NamedTuple):
    """The instants that are a multiple of the period, plus the offset."""

    period_ms: int
    offset_ms: int

    def last(self, ts: int) -> int:
        """The last of them at or before `ts`."""
        return ts - (ts - self.offset_ms) % self.period_ms
