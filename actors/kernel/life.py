"""One life of an actor: from its start, over one message after the other, to its end in order or its crash."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol, TypeVar

from actors.kernel.actor import Actor, unknown
from actors.kernel.children import Child, Children, Then
from actors.kernel.errors import Stopped
from actors.kernel.mailbox import Envelope, Mailbox
from actors.kernel.ref import Ref
from actors.kernel.stats import Counts
from actors.kernel.time import Time
from actors.kernel.timers import Timer, Timers

T = TypeVar("T")

IN_A_ROW = 100
"""After so many messages without a pause others get their turn."""


class Keeper(Protocol):
    """Whoever keeps the actor over all its lives: what a life uses of it, and tells it."""

    ref: Ref[Any]
    mailbox: Mailbox
    counts: Counts
    time: Time

    def make(self) -> Actor:
        """Make the actor for this life."""

    def is_up(self, life: "Life") -> None:
        """Hear that the actor has started."""

    def wants_to_end(self, life: "Life") -> None:
        """Hear that the actor asks to end in order; `end` makes it so."""


class Life:
    """What belongs to one life: the message in hand, the timers and the child tasks."""

    __slots__ = ("_children", "_is_over", "_keeper", "_timers", "in_hand", "is_ending", "since_s")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._timers: Timers | None = None  # these two are made when they are first needed:
        self._children: Children | None = None  # most actors have no use for one of them
        self.in_hand: Envelope | None = None
        self.since_s = 0.0
        self.is_ending = False
        self._is_over = False

    @property
    def ref(self) -> Ref[Any]:
        """The actor's, over all its lives."""
        return self._keeper.ref

    @property
    def time(self) -> Time:
        """The time that the actor lives by."""
        return self._keeper.time

    @property
    def timers(self) -> Timers:
        """The timers of this life. Raises Stopped when it is over."""
        if self._timers is None:
            self._timers = Timers(self._keeper.time, self._post, self._keeper.counts)
        self._check_not_over()
        return self._timers

    @property
    def timers_running(self) -> int:
        """How many timers there are."""
        return len(self._timers.running) if self._timers else 0

    @property
    def children_running(self) -> Collection[asyncio.Task[Any]]:
        """The child tasks there are."""
        return [child.task for child in self._children.running] if self._children else ()

    def start_child(self, work: Coroutine[Any, Any, T], then: Then[T, Any] | None) -> asyncio.Task[T]:
        """Run something beside the actor. Raises Stopped when this life is over."""
        if self._is_over:
            work.close()
        self._check_not_over()
        if self._children is None:
            self._children = Children(self._keeper.ref.name, self._post)
        return self._children.start(work, then)

    async def run(self) -> None:
        """Start the actor, let it handle messages until it is told to end, and end it in order.

        What is raised is a crash; `in_hand` is then the message over which it happened.
        """
        actor = self._keeper.make()
        actor._life = self
        await actor.started()
        self._keeper.is_up(self)
        await self._handle_messages(actor)
        await actor.stopping()

    def finish(self) -> None:
        """Ask to end in order."""
        self._keeper.wants_to_end(self)

    def end(self) -> None:
        """End in order, after the message in hand."""
        self.is_ending = True
        self._keeper.mailbox.wake()

    def close(self) -> Envelope | None:
        """See to what a life that is over leaves, but for its children. Gives the message that was in hand."""
        self.is_ending = self._is_over = True
        if self._timers is not None:
            self._timers.clear()
        in_hand, self.in_hand = self.in_hand, None
        return in_hand

    def end_children(self, gone: Callable[[], None]) -> None:
        """Cancel the child tasks; `gone` is called when the last has ended, at once where there is none."""
        if self._children is None:
            gone()
        else:
            self._children.end(gone)

    def leave_children(self) -> None:
        """Wait no longer for those that have not ended."""
        if self._children is not None:
            self._children.leave()

    async def _handle_messages(self, actor: Actor) -> None:
        mailbox, counts, now_s = self._keeper.mailbox, self._keeper.counts, self._keeper.time.monotonic_s
        handlers, in_a_row = actor.handlers, 0
        while not self.is_ending:
            envelope = mailbox.take()
            if envelope is None:
                in_a_row = 0
                await mailbox.arrival()
                continue
            message, answer, until_s, _ = envelope
            self.since_s = now_s()
            if answer is not None and (answer.done() or until_s <= self.since_s):
                counts.expired += 1
                continue
            self.in_hand = envelope
            result = await handlers.get(type(message), unknown)(actor, message)
            self.in_hand = None
            counts.handled += 1
            if answer is None:
                pass
            elif answer.done():
                counts.late += 1
            else:
                answer.set_result(result)
            in_a_row += 1
            if in_a_row == IN_A_ROW:
                in_a_row = 0
                await asyncio.sleep(0)

    def _check_not_over(self) -> None:
        if self._is_over:
            raise Stopped(f"this life of {self._keeper.ref.name} is over")

    def _post(self, own: Timer | Child[Any]) -> None:
        self._keeper.mailbox.put_own((own, None, 0.0, self._keeper.time.monotonic_s()))
