"""What the supervisor can be given to keep running, and what it then says of it.

A child is an *actor*, which the kernel runs, or a *service*: anything else that is started and stopped, such as the
page with its socket, or a loop that writes a row now and then.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import msgspec

from supervisor.policy import Rules

if TYPE_CHECKING:
    from actors.kernel import Actor

A = TypeVar("A", bound="Actor")

Kind = Literal["actor", "service"]

OnFailed = Callable[[str, BaseException | None, str], None]
"""Told the child's name and its last error, also as a line that may be shown, when it is given up. Must be quick."""

OnRestart = Callable[[str, str], None]
"""Told the child's name and that line of its crash when it is started again after one. Must be quick."""


class State(StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"  # for its next start, after an end
    STOPPING = "stopping"
    STOPPED = "stopped"  # it was told to
    FINISHED = "finished"  # by itself, and it is not to come back
    FAILED = "failed"  # given up
    LEFT_BEHIND = "left behind"  # it neither stopped in its time nor let itself be cancelled


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """What both kinds have. Durations in seconds.

    `start_s` bounds one attempt at a start, `stop_s` an ending in order; after it the child is cancelled.
    `rank` orders the stop of children that were started at run time: the higher ranks first, one rank at once.
    """

    kind: ClassVar[Kind]

    name: str
    group: str
    rules: Rules = Rules()
    start_s: float = 15.0
    stop_s: float = 5.0
    rank: int = 0
    on_failed: OnFailed | None = None
    on_restart: OnRestart | None = None


class ActorChild(Child, Generic[A], frozen=True, kw_only=True):
    """An actor: `make` gives a new one for each start; `capacity` bounds its mailbox, in messages."""

    kind: ClassVar[Kind] = "actor"

    make: Callable[[], A]
    capacity: int = 1000


class Service(Child, frozen=True, kw_only=True):
    """Anything else. Each start enters what `make` gives, and leaves it at the end.

    What entering gives may be awaited, or be None: its end is then the end of the service, an error its crash.
    """

    kind: ClassVar[Kind] = "service"

    make: Callable[[], AbstractAsyncContextManager[Awaitable[object] | None]]


def looped(work: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], Any]:
    """Make the `make` of a service out of a coroutine function; it is stopped by cancelling it."""

    @asynccontextmanager
    async def running() -> AsyncIterator[Awaitable[object]]:
        task = asyncio.ensure_future(work())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait({task})

    return running


class ChildView(msgspec.Struct, frozen=True, kw_only=True):
    """One child as it is shown. `depth` and what follows is of actors: messages, and ages in ms."""

    name: str
    group: str
    kind: Kind
    state: State
    since_ts: int  # when it came to this state
    restarts: int = 0
    last_error: str | None = None
    depth: int = 0
    oldest_ms: int | None = None  # how long the first of the messages that wait has waited
    in_hand: str | None = None  # the message that is being handled
    in_hand_ms: int | None = None
    handled: int = 0
    refused: int = 0
    dropped: int = 0
    abandoned: int = 0


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A process and all its children. `problems` has a line for each thing that is wrong."""

    owner: str
    host: str
    pid: int
    groups: list[str]
    started_ts: int
    now_ts: int
    is_draining: bool
    children: list[ChildView]
    problems: list[str]
    left_behind: int = 0  # tasks that did not end when they were cancelled, and still run
    left_out: int = 0  # children that are not in the list, which is kept short in heartbeats
