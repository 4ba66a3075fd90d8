"""How many messages a person is sent: a token bucket for each kind and gravity, and what is over it folded into one.

Pure, on the time that is handed in. The last message that a bucket allows carries everything that still waits, so
nothing is lost, nothing waits longer than until the next token, and a flood is one message.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from domain.time import HOUR_MS

T = TypeVar("T")

BURST = 5
"""How many messages may leave at once, before the hourly rate holds."""


class Bucket(msgspec.Struct):
    """Tokens for messages: `per_hour` come in evenly, up to `BURST` are kept. In any hour at most both together leave.

    Counted in whole units, `HOUR_MS` to a token, so that no rounding makes one up.
    """

    per_hour: int
    units: int
    ts: int

    @classmethod
    def full(cls, per_hour: int, ts: int) -> "Bucket":
        """A bucket that nothing was taken from."""
        return cls(per_hour, BURST * HOUR_MS, ts)

    def tokens(self, now_ms: int) -> int:
        """How many messages may leave now. A clock that was set back gives nothing and takes nothing away."""
        self.units = min(BURST * HOUR_MS, self.units + max(0, now_ms - self.ts) * self.per_hour)
        self.ts = now_ms
        return self.units // HOUR_MS

    def take(self, now_ms: int) -> None:
        """Take a token for a message that leaves; what was taken elsewhere may leave the bucket owing none."""
        self.tokens(now_ms)
        self.units = max(0, self.units - HOUR_MS)

    def next_token(self, now_ms: int) -> int:
        """When there is a token again, as an instant: now, if there is one."""
        if self.tokens(now_ms):
            return now_ms
        return now_ms + -(-(HOUR_MS - self.units) // self.per_hour)


class Rations:
    """The buckets of everybody, by whose and what for. One that is full again is forgotten."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._buckets: dict[object, Bucket] = {}

    def bucket(self, of: object, now_ms: int) -> Bucket:
        """The bucket of one ration, at this moment."""
        if of not in self._buckets:
            self._forget_full_ones(now_ms)
            self._buckets[of] = Bucket.full(self._per_hour, now_ms)
        return self._buckets[of]

    def take(self, of: object, now_ms: int) -> None:
        """Take a token for a message that leaves."""
        self.bucket(of, now_ms).take(now_ms)

    def recall(self, taken: Iterable[tuple[object, int]]) -> None:
        """Take what was taken before this process began: (whose, when), the oldest first."""
        for of, ts in taken:
            self._buckets.setdefault(of, Bucket.full(self._per_hour, ts)).take(ts)

    def _forget_full_ones(self, now_ms: int) -> None:
        self._buckets = {of: bucket for of, bucket in self._buckets.items() if bucket.tokens(now_ms) < BURST}


def batches(waiting: Sequence[T], tokens: int) -> list[Sequence[T]]:
    """Share what waits among at most `tokens` messages: one each, and the last carries the rest."""
    if not tokens:
        return []
    alone = len(waiting) if len(waiting) <= tokens else tokens - 1
    rest = waiting[alone:]
    return [*(waiting[n : n + 1] for n in range(alone)), *([rest] if rest else [])]
