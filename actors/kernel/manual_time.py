"""Time that stands still until it is moved: for tests, and for what replays history."""

import asyncio
from math import ceil

from actors.kernel.agenda import Agenda, Do, Handle
from actors.kernel.time import until_done

SETTLE_TURNS = 25
"""More turns of the loop than what a timer sets off takes to come to rest, where it only goes through actors."""
ROUNDING_MS = 0.001
"""What a sum of seconds may be off; durations are rounded up to whole milliseconds otherwise."""


class ManualTime:
    """Time that stands still until it is moved: a test's, or a replay's."""

    def __init__(self, now_ms: int = 0) -> None:
        self._passed_ms = 0
        self._start_ms = now_ms
        self._agenda = Agenda()

    def now_ms(self) -> int:
        return self._start_ms + self._passed_ms

    def monotonic_s(self) -> float:
        return self._passed_ms / 1000

    def call_at(self, ts: int, do: Do) -> Handle:
        return self._add(self._due_s(ts), do, ts)

    def call_later(self, delay_s: float, do: Do) -> Handle:
        due_ms = self._passed_ms + ceil(delay_s * 1000 - ROUNDING_MS)
        return self._add(due_ms / 1000, do, None)

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
        while (due_s := self._agenda.next_s()) is not None and due_s <= until_ms / 1000:
            self._passed_ms = max(self._passed_ms, round(due_s * 1000))
            self._do_what_is_due()
            await settle()
        self._passed_ms = until_ms
        await settle()

    async def jump(self, by_ms: int) -> None:
        """Set the clock forward or back, with no time passing."""
        self._start_ms += by_ms
        self._agenda.bring_forward(self._due_s)
        await self.advance(0)

    def _due_s(self, ts: int) -> float:
        return (ts - self._start_ms) / 1000

    def _add(self, due_s: float, do: Do, ts: int | None) -> Handle:
        due_s = max(due_s, self.monotonic_s())
        if due_s == self.monotonic_s():
            asyncio.get_running_loop().call_soon(self._do_what_is_due)
        return self._agenda.add(due_s, do, ts)

    def _do_what_is_due(self) -> None:
        while (entry := self._agenda.take(self.monotonic_s())) is not None:
            entry.run()


async def settle(turns: int = SETTLE_TURNS) -> None:
    """Let the event loop turn until what is ready to run has run."""
    for _ in range(turns):
        await asyncio.sleep(0)
