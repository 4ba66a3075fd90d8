"""Time-outs for answers: one timer for all that wait equally long, since a timer for each would cost more than the ask.

Those who wait equally long run out in the order in which they began, so only the first of a row needs watching.
"""

import asyncio
from functools import partial
from typing import Any

from actors.kernel.errors import AskTimeout
from actors.kernel.time import Time

Waiting = tuple[float, str, type]
"""(when it runs out, who was asked, what for)"""
CLOSE_S = 1e-6
"""What is due this soon is due."""


class Deadlines:
    """The answers that are waited for, in a row for each length of time."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._rows: dict[float, dict[asyncio.Future[Any], Waiting]] = {}

    def watch(
        self, answer: asyncio.Future[Any], timeout_s: float, waiting: Waiting
    ) -> dict[asyncio.Future[Any], Waiting]:
        """Let an answer fail with AskTimeout in time. Take it out of the row that this gives once it is there."""
        row = self._rows.get(timeout_s)
        if row is None:
            row = self._rows[timeout_s] = {}
            self._time.call_later(timeout_s, partial(self._sweep, timeout_s))
        row[answer] = waiting
        return row

    def _sweep(self, timeout_s: float) -> None:
        row, now_s = self._rows[timeout_s], self._time.monotonic_s()
        while row:
            answer, (due_s, who, what) = next(iter(row.items()))
            if due_s > now_s + CLOSE_S:
                self._time.call_later(due_s - now_s, partial(self._sweep, timeout_s))
                return
            del row[answer]
            if not answer.done():
                answer.set_exception(
                    AskTimeout(f"{who} did not answer {what.__name__} within {timeout_s:g} s")
                )
        del self._rows[timeout_s]
