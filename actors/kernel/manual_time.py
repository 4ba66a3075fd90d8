"""Time that stands still until it is moved: for tests, and for what replays history."""

import asyncio
import heapq
from itertools import count
from math import ceil

from actors.kernel.time import Do, Handle, until_done

SETTLE_TURNS = 25
"""More turns of the loop than what a timer sets off takes to come to rest, where it only goes through actors."""
ROUNDING_MS = 0.001
"""What a sum of seconds may be off; durations are rounded up to whole milliseconds otherwise."""


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
        return self._push(self._passed_ms + ceil(delay_s * 1000 - ROUNDING_MS), None, do)

    async def wait_until(self, ts: int) -> None:
        await until_done(lambda do: self.call_at(ts, do))

    async def sleep(self, delay_s: float) -> None:
        await until_done(lambda do: self.call_later(delay_s, do))

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
