"""What was told to actors that have ended for good: counted, the last kept, and logged once in a while."""

import logging
from collections import deque
from collections.abc import Callable

import msgspec

log = logging.getLogger(__name__)

KEPT = 100
LOG_EVERY_S = 10.0


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that nobody took: to whom, and of which type. What it said is not kept."""

    ts: int
    to: str
    type: str


class DeadLetters:
    """All dead letters of a system. When it `is_ending` they are what is to be expected, and nobody is warned."""

    def __init__(self, now_ms: Callable[[], int], now_s: Callable[[], float]) -> None:
        self._now_ms, self._now_s = now_ms, now_s
        self.count = 0
        self.is_ending = False
        self.last: deque[DeadLetter] = deque(maxlen=KEPT)
        self._logged, self._logged_s = 0, float("-inf")

    def add(self, to: str, message: object) -> None:
        """Take note of one."""
        self.count += 1
        self.last.append(DeadLetter(self._now_ms(), to, type(message).__name__))
        if self._now_s() - self._logged_s >= LOG_EVERY_S:
            log.log(
                logging.DEBUG if self.is_ending else logging.WARNING,
                "lost, as their actors have ended: %d messages, the last a %s to %s",
                self.count - self._logged,
                type(message).__name__,
                to,
            )
            self._logged, self._logged_s = self.count, self._now_s()
