"""What an actor is written as: a class with a handler for each type of message that it takes.

    class Counter(Actor):
        def __init__(self) -> None:
            self.total = 0

        @handles(Add)
        async def add(self, message: Add) -> int:
            self.total += message.amount
            return self.total

One message is handled at a time, so an actor's state needs no lock. A handler that raises is a crash: the actor is
thrown away, and where its policy says so another is made in its place.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from actors.kernel.children import Child, Then
from actors.kernel.message import Mail
from actors.kernel.ref import Ref
from actors.kernel.time import Time
from actors.kernel.timers import Repeating, Timed, Timer

if TYPE_CHECKING:
    from actors.kernel.life import Life

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")
M = TypeVar("M", covariant=True)

Handler = Callable[[Any, Any], Coroutine[Any, Any, Any]]


class handles(Generic[M]):
    """Mark a method as the handler of one type of message.

    The type checker holds the method to it: the message must be one for this actor, and the answer the one that the
    message's type promises.
    """

    def __init__(self, kind: type[M]) -> None:
        self._kind = kind

    def __call__(
        self: "handles[Mail[A, R]]", method: Callable[[A, M], Coroutine[Any, Any, R]]
    ) -> Callable[[A, M], Coroutine[Any, Any, R]]:
        method.handled = self._kind  # type: ignore[attr-defined]
        return method


class Actor:
    """The base of all actors. What the kernel gives it (`me`, `time`, timers, children) is there from `started` on."""

    handlers: ClassVar[Mapping[type, Handler]] = {}
    """type of message → what handles it; put together when the class is made."""
    _life: "Life"

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.handlers = {**cls.handlers, **_marked(cls)}

    async def started(self) -> None:
        """Do what comes before the first message. Raising is a crash."""

    async def stopping(self) -> None:
        """Do what comes after the last message, where the actor ends in order."""

    @property
    def me(self) -> Ref[Self]:
        """Where others reach this actor, over all its lives."""
        return self._living.ref

    @property
    def time(self) -> Time:
        """The time it lives by."""
        return self._living.time

    def after(self, delay_ms: int, what: Timed[Self], *, key: Hashable = None) -> Hashable:
        """Get a message once, after a while. Gives the timer's key; a timer that has the same key ends."""
        return self._living.timers.after(delay_ms, what, key)

    def at(self, ts: int, what: Timed[Self], *, key: Hashable = None) -> Hashable:
        """Get a message once, at an instant. Gives the timer's key; a timer that has the same key ends."""
        return self._living.timers.at(ts, what, key)

    def every(
        self, period_ms: int, what: Timed[Self], *, key: Hashable = None, offset_ms: int = 0
    ) -> Hashable:
        """Get a message at each multiple of the period (plus the offset), unless the last one still waits.

        Gives the timer's key; a timer that has the same key ends.
        """
        return self._living.timers.every(period_ms, what, key, offset_ms)

    def cancel_timer(self, key: Hashable) -> None:
        """End a timer; if it has fired and its message still waits, that is not handled."""
        self._living.timers.cancel(key)

    def child(self, work: Coroutine[Any, Any, T], then: Then[T, Self] | None = None) -> asyncio.Task[T]:
        """Run something that takes long beside this actor.

        `then` makes the message by which the actor learns what became of it. Without it a result is dropped, and a
        failure is the actor's own: it crashes. Children are cancelled when this life of the actor ends.
        """
        return self._living.start_child(work, then)

    @property
    def _living(self) -> "Life":
        try:
            return self._life
        except AttributeError:
            name = type(self).__name__
            raise RuntimeError(
                f"{name} does not live yet: use this from `started` on, not in __init__"
            ) from None

    def stop(self) -> None:
        """End in order, after the message in hand."""
        self._living.finish()


def _marked(cls: type[Actor]) -> dict[type, Handler]:
    """The handlers that a class itself adds. Raises TypeError where one type of message has two."""
    found: dict[type, Handler] = {}
    for name, method in vars(cls).items():
        kind = getattr(method, "handled", None)
        if kind is None:
            continue
        if kind in found:
            raise TypeError(f"{cls.__name__}.{name} handles {kind.__name__}, as {found[kind].__name__} does")
        found[kind] = method
    return found


async def open_own(actor: Actor, own: Timer | Child[Any]) -> None:
    """Handle what the actor's own timers and children have sent."""
    message = own.open()
    if message is not None:
        actor._life.in_hand = (message, None, 0.0, 0.0)
        await actor.handlers.get(type(message), unknown)(actor, message)


async def unknown(actor: Actor, message: object) -> None:
    """Handle what the actor has no handler for. Always raises TypeError."""
    kind = type(message).__name__
    raise TypeError(f"{type(actor).__name__} has no handler for {kind}; mark one with @handles({kind})")


Actor.handlers = {Timer: open_own, Repeating: open_own, Child: open_own}
