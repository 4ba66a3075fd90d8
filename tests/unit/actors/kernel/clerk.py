"""An actor for tests, the messages it takes, and policies that do as they are told."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from actors.kernel import (
    Actor,
    Exit,
    Lane,
    ManualTime,
    Message,
    Ref,
    Request,
    Spec,
    System,
    WhenFull,
    handles,
)


class Note(Message["Clerk"], frozen=True):
    """Told: written down."""

    text: str


class Urgent(Message["Clerk"], frozen=True):
    """Told by the lane of the system: written down."""

    lane: ClassVar[Lane] = Lane.SYSTEM
    text: str


class Price(Message["Clerk"], frozen=True):
    """Told: written down; of what waits, the newest of a symbol counts."""

    when_full: ClassVar[WhenFull] = WhenFull.KEEP_NEWEST
    key: str
    px: int


class Volume(Price, frozen=True):
    """Told: of another type than a price, for the same symbols. The clerk takes none."""


class Parcel(Request["Clerk", int], frozen=True):
    """Asked, or told: waits for room. Answered with how much is written down."""

    when_full: ClassVar[WhenFull] = WhenFull.WAIT
    text: str


class Courier(Parcel, frozen=True):
    """By the lane of the system, and waits for room there. The clerk takes none."""

    lane: ClassVar[Lane] = Lane.SYSTEM


class Count(Request["Clerk", int], frozen=True):
    """Asked: how much is written down."""


class Hold(Request["Clerk", str], frozen=True):
    """Asked: answered with its text, once the gate is open."""

    text: str = "held"


class Fail(Request["Clerk", None], frozen=True):
    """Asked: the clerk crashes."""

    text: str = "it slipped"


class Leave(Message["Clerk"], frozen=True):
    """Told: the clerk ends in order."""


class Unheard(Message["Clerk"], frozen=True):
    """A message that the clerk has no handler for."""


class Book:
    """What outlives the clerk: what was written, and the gate before which it waits."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.gate = asyncio.Event()


class Clerk(Actor):
    """Writes down what it is told."""

    def __init__(self, book: Book) -> None:
        self.book = book

    async def started(self) -> None:
        self.book.written.append("started")

    async def stopping(self) -> None:
        self.book.written.append("stopping")

    @handles(Note)
    async def note(self, message: Note) -> None:
        self.book.written.append(message.text)

    @handles(Urgent)
    async def urgent(self, message: Urgent) -> None:
        self.book.written.append(message.text)

    @handles(Price)
    async def price(self, message: Price) -> None:
        self.book.written.append(f"{message.key} {message.px}")

    @handles(Parcel)
    async def parcel(self, message: Parcel) -> int:
        self.book.written.append(message.text)
        return len(self.book.written)

    @handles(Count)
    async def count(self, message: Count) -> int:
        return len(self.book.written)

    @handles(Hold)
    async def hold(self, message: Hold) -> str:
        self.book.written.append(f"holding {message.text}")
        await self.book.gate.wait()
        return message.text

    @handles(Fail)
    async def fail(self, message: Fail) -> None:
        raise ValueError(message.text)

    @handles(Leave)
    async def leave(self, message: Leave) -> None:
        self.stop()


class Pauses:
    """A policy that gives these pauses, one after the other, and then no further life. Remembers what it was told."""

    def __init__(self, pauses: Iterable[float]) -> None:
        self._pauses = iter(pauses)
        self.exits: list[Exit] = []

    def after(self, exit: Exit, now_s: float) -> float | None:
        self.exits.append(exit)
        return next(self._pauses, None)


class Office:
    """A system with one clerk, its book, and the time by which it lives."""

    def __init__(self, *pauses: float, capacity: int = 10) -> None:
        self.time = ManualTime(1_000_000)
        self.system = System(self.time)
        self.book = Book()
        self.policy = Pauses(pauses)
        self.clerk: Ref[Clerk] = self.system.spawn(
            Spec("clerk", lambda: Clerk(self.book), capacity=capacity, policy=self.policy)
        )

    @property
    def written(self) -> list[str]:
        """What was written so far."""
        return self.book.written
