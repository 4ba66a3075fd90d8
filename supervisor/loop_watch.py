"""Whether the event loop still turns, as seen from another thread, and where it is stuck when it does not.

Python can't interrupt a handler that computes without end. But it can be told which one it is.
"""

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path
from types import FrameType

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
STUCK_S = 2.0
"""A loop that has not turned for so long is told of."""


class LoopWatch:
    """Made in the thread of the loop that is watched; looked at from another."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._asked_s = 0.0
        self._is_answered = True
        self._is_told = False

    async def watch(self) -> None:
        """Ask the loop for a sign of life, again and again."""
        while True:
            if self._is_answered:
                self._is_answered, self._is_told, self._asked_s = False, False, time.monotonic()
                self._loop.call_soon_threadsafe(self._answer)
            elif self.silent_s() > STUCK_S and not self._is_told:
                self._is_told = True
                log.warning(self.problem())
            await asyncio.sleep(LOOK_EVERY_S)

    def silent_s(self) -> float:
        """For how long the loop has not turned; 0 when it answered."""
        return 0.0 if self._is_answered else time.monotonic() - self._asked_s

    def problem(self) -> str | None:
        """Say that the loop is stuck, for how long and where; None when it is not."""
        silent_s = self.silent_s()
        if silent_s < STUCK_S:
            return None
        return f"nothing has gone on for {silent_s:.1f} s: the process is busy in {self._where()}"

    def _answer(self) -> None:
        self._is_answered = True

    def _where(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._thread_id)
        if frame is None:
            return "a thread that is gone"
        path = Path(frame.f_code.co_filename)
        return f"{path.parent.name}/{path.name}:{frame.f_lineno} ({frame.f_code.co_name})"
