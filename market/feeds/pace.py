"""How fast a replay goes: at a multiple of real time, or as fast as it can.

A replay is delayed and never skips. Whatever held it up, a slow tick or a process that was stopped for an hour, it goes
on with the instant that is next: a little lateness is made up for, a long one is not, or there would be a burst.
"""

import asyncio
from decimal import Decimal

from market.feeds.base import Time

MOST_LATE_S = 1.0
"""By less than this a replay hurries after its clock; by more, its clock is set back to where it is."""
TURN_S = 0.002
"""How long a replay without a pace of its own keeps the event loop, before others have their turn."""


class Pace:
    """The pace of one replay, from `from_ts` (UTC ms) on; one that was interrupted gets a new one from where it stands.

    `speed` is a multiple of real time, None is @max. Real time is what passes, whatever clocks are set to.
    """

    def __init__(self, from_ts: int, speed: Decimal | None, time: Time) -> None:
        self._ms_a_second = None if speed is None else float(speed) * 1000
        self._time = time
        self._at_ts = from_ts
        self._at_s: float | None = None  # when the replay's clock showed `_at_ts`
        self._turn_began_s = 0.0
        self.delayed_s = 0.0

    async def until(self, ts: int) -> None:
        """Wait until the replay's clock shows `ts`; at @max only let others have their turn."""
        if self._ms_a_second is None:
            await self._take_turns()
            return
        now_s = self._time.monotonic_s()
        if self._at_s is None:
            self._at_s = now_s
        due_s = self._at_s + (ts - self._at_ts) / self._ms_a_second
        if due_s > now_s:
            await self._time.sleep(due_s - now_s)
        elif now_s - due_s > MOST_LATE_S:
            self.delayed_s += now_s - due_s
            self._at_ts, self._at_s = ts, now_s

    async def _take_turns(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._turn_began_s >= TURN_S:
            await asyncio.sleep(0)
            self._turn_began_s = loop.time()
