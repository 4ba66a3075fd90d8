"""What is to be done later, in the order in which it is due. Both kinds of time keep one."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

Do = Callable[[], object]
FEW = 64
"""So many cancelled entries may lie around."""


class Handle(Protocol):
    """Something that will be done."""

    def cancel(self) -> None:
        """Have it not done. Does nothing once it has been."""


class Entry:
    """One thing to be done. `ts` is the instant that it waits for, where it waits for one."""

    __slots__ = ("_agenda", "_do", "ts")

    def __init__(self, agenda: "Agenda", do: Do, ts: int | None) -> None:
        self._agenda, self.ts = agenda, ts
        self._do: Do | None = do

    @property
    def is_over(self) -> bool:
        """Whether it was done or cancelled."""
        return self._do is None

    def run(self) -> None:
        """Do it, once."""
        do, self._do = self._do, None
        if do is not None:
            do()

    def cancel(self) -> None:
        """Have it not done."""
        if self._do is not None:
            self._do = None
            self._agenda.drop_cancelled()


class Agenda:
    """Entries by when they are due, in seconds of a clock that is never set; of equal ones the earlier came first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Entry]] = []
        self._numbers = count()
        self._cancelled = 0

    def add(self, due_s: float, do: Do, ts: int | None = None) -> Entry:
        """Note something to be done."""
        entry = Entry(self, do, ts)
        self.put(due_s, entry)
        return entry

    def put(self, due_s: float, entry: Entry) -> None:
        """Note an entry, as when it was taken too early."""
        heapq.heappush(self._heap, (due_s, next(self._numbers), entry))

    def next_s(self) -> float | None:
        """When the next is due; None where there is none."""
        while self._heap and self._heap[0][2].is_over:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None

    def take(self, now_s: float) -> Entry | None:
        """Remove the next entry, if it is due."""
        due_s = self.next_s()
        return heapq.heappop(self._heap)[2] if due_s is not None and due_s <= now_s else None

    def bring_forward(self, due_of: Callable[[int], float]) -> None:
        """Note what waits for an instant for when that is due now, if that is earlier: the clock was set."""
        self._heap = [
            (due_s if entry.ts is None else min(due_s, due_of(entry.ts)), number, entry)
            for due_s, number, entry in self._heap
        ]
        heapq.heapify(self._heap)

    def drop_cancelled(self) -> None:
        """Take note that one was cancelled; when most were, forget them all."""
        self._cancelled += 1
        if self._cancelled > FEW and self._cancelled > len(self._heap) // 2:
            self._heap = [noted for noted in self._heap if not noted[2].is_over]
            heapq.heapify(self._heap)
            self._cancelled = 0
