"""An actor's child tasks: what takes long runs beside it, and comes back to it as a message.

So a handler is short, and what must not wait is never behind what takes long. Children belong to one life of the
actor: when that ends they are cancelled, and what they have sent and was not taken yet is dropped.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from actors.kernel.exits import in_one_line
from actors.kernel.message import Lane, Mail

log = logging.getLogger(__name__)

AnyMail = Mail[Any, Any]
A = TypeVar("A")
T = TypeVar("T")


class Done(msgspec.Struct, Generic[T], frozen=True):
    """That a child task came to its end, and with which result."""

    value: T


class Failed(msgspec.Struct, frozen=True):
    """That a child task failed, and of what: of CancelledError where it was cancelled."""

    error: BaseException


Outcome: TypeAlias = Done[T] | Failed
"""What became of a child task."""
Then: TypeAlias = Callable[[Outcome[T]], Mail[A, Any]]
"""Makes the message that tells an actor what became of a child."""


class Child(Generic[T]):
    """What waits in the mailbox when a child task has come to its end."""

    __slots__ = ("children", "task", "then")
    lane = Lane.USER

    def __init__(self, children: "Children", task: asyncio.Task[T], then: Then[T, Any] | None) -> None:
        self.children, self.task, self.then = children, task, then

    def ended(self, task: asyncio.Task[T]) -> None:
        """Called by the loop when the task has ended."""
        self.children.ended(self)

    def open(self) -> AnyMail | None:
        """Give the message, now that it is taken; None when there is none, or the life that wanted it is over.

        Raises the child's error when nobody asked to be told of it.
        """
        if self.children.is_over:
            return None
        if self.then is not None:
            return self.then(self._outcome())
        if not self.task.cancelled() and (error := self.task.exception()):
            raise error
        return None

    def _outcome(self) -> Outcome[T]:
        if self.task.cancelled():
            return Failed(asyncio.CancelledError())
        error = self.task.exception()
        return Done(self.task.result()) if error is None else Failed(error)


class Children:
    """The child tasks of one life. `post` puts one that has ended into the actor's mailbox."""

    __slots__ = ("_gone", "_name", "_post", "is_over", "running")

    def __init__(self, name: str, post: Callable[[Child[Any]], None]) -> None:
        self._name, self._post = name, post
        self.running: set[Child[Any]] = set()
        self.is_over = False
        self._gone: Callable[[], None] | None = None

    def start(self, work: Coroutine[Any, Any, T], then: Then[T, Any] | None = None) -> asyncio.Task[T]:
        """Run something beside the actor."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name}'s child")
        child = Child(self, task, then)
        self.running.add(child)
        task.add_done_callback(child.ended)
        return task

    def ended(self, child: Child[Any]) -> None:
        """Take note of an end."""
        self.running.discard(child)
        error = None if child.task.cancelled() else child.task.exception()
        if not self.is_over:
            self._post(child)
            return
        if error is not None:
            log.warning("a child of %s failed as it was cancelled: %s", self._name, in_one_line(error))
        if not self.running:
            self.leave()

    def end(self, gone: Callable[[], None]) -> None:
        """Cancel all; `gone` is called when the last has ended, at once where there is none."""
        self.is_over, self._gone = True, gone
        for child in tuple(self.running):
            child.task.cancel()
        if not self.running:
            self.leave()

    def leave(self) -> None:
        """Wait no longer for those that have not ended."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()
