"""The gate before a model's door: how many calls a key makes at once, and when it makes none at all.

All runs and deployments of a process that share a key share its gate. Each has at most one call on its way, and they
are let through in the order in which they came, so that none goes hungry while another eats.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Gate:
    """Lets `at_once` calls through at a time. `now` gives seconds that only go up; it and `sleep` may be handed in."""

    def __init__(
        self,
        at_once: int,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._closed_until = 0.0
        self._now = now
        self._sleep = sleep

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while a call is on its way. Never hold it while waiting to try again."""
        async with self._slots:
            while (wait_s := self._closed_until - self._now()) > 0:
                await self._sleep(wait_s)
            yield

    def close(self, for_s: float) -> None:
        """Let nobody through for a while: the provider said that this key must wait."""
        self._closed_until = max(self._closed_until, self._now() + for_s)
