"""The product's kernel, as the jobs of `bench.hops` see it: with a time-out for each ask, and all that is counted."""

import logging
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import ClassVar

from actors.kernel import Actor, Exit, Message, Ref, Request, Spec, System, WallTime, WhenFull, handles
from bench.hops import One

TIMEOUT_S = 30.0


class Counted(Request["Counter", int], frozen=True):
    """Told or asked: counted."""

    when_full: ClassVar[WhenFull] = WhenFull.WAIT


class Crash(Message["Counter"], frozen=True):
    """Told: a crash."""


class Counter(Actor):
    """Counts what it is sent."""

    def __init__(self) -> None:
        self.count = 0

    @handles(Counted)
    async def counted(self, message: Counted) -> int:
        self.count += 1
        return self.count

    @handles(Crash)
    async def crash(self, message: Crash) -> None:
        raise ValueError("told to")


class Due(Message["Ticker"], frozen=True):
    """Sent by the timer."""

    ts: int


class Ticker(Counter):
    """Asks another at an offset in each second."""

    def __init__(self, center: One, offset_ms: int, took_s: list[float], late_s: list[float]) -> None:
        super().__init__()
        self.center, self.offset_ms, self.took_s, self.late_s = center, offset_ms, took_s, late_s

    async def started(self) -> None:
        self.every(1_000, Due, offset_ms=self.offset_ms)

    @handles(Due)
    async def due(self, message: Due) -> None:
        begun = time.perf_counter()
        self.late_s.append(time.time() - message.ts / 1000)
        await self.center.ask(Counted())
        self.took_s.append(time.perf_counter() - begun)


class AtOnce:
    """A policy without a pause."""

    def after(self, exit: Exit, now_s: float) -> float | None:
        return 0.0


class Asked:
    """One actor of the kernel."""

    def __init__(self, ref: Ref[Counter]) -> None:
        self.tell = ref.send
        self.ask = partial(ref.ask, timeout_s=TIMEOUT_S)


class Kernel:
    """The product's side."""

    message, crash = Counted(), Crash()

    def __init__(self) -> None:
        logging.disable()  # of what a line with a traceback takes, the kernel has no part
        self.system = System(WallTime())
        self._numbers = count()

    def actor(self, capacity: int) -> Asked:
        """Start an actor."""
        return self._spawn(Counter, capacity)

    def ticker(self, center: One, offset_ms: int, took_s: list[float], late_s: list[float]) -> None:
        """Start an actor that ticks."""
        self._spawn(partial(Ticker, center, offset_ms, took_s, late_s), 64)

    async def close(self) -> None:
        """Stop all actors, one after the other, as the program does; others may be started afterwards."""
        await self.system.stop_all()
        self.system = System(self.system.time)

    def _spawn(self, make: Callable[[], Counter], capacity: int) -> Asked:
        name = f"{next(self._numbers)}"
        return Asked(self.system.spawn(Spec(name, make, capacity=capacity, policy=AtOnce())))
