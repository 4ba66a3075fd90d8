"""An actor over all its lives: it begins them, ends them in time, and asks the policy whether there is another.

Nothing here waits. Each step is taken by what made it possible: a life's task that ended, a pause or a limit that
ran out, somebody who said stop. So no actor can hold up another's start or end, however it behaves.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from actors.kernel.actor import Actor
from actors.kernel.deadlines import Deadlines
from actors.kernel.errors import ActorFailed, Stopped
from actors.kernel.exits import Ending, Exit, NoRestart, Policy, in_one_line
from actors.kernel.life import Life
from actors.kernel.mailbox import Envelope, Mailbox
from actors.kernel.message import Mail
from actors.kernel.ref import Ref
from actors.kernel.stats import NEXT, ActorStats, Change, Counts, State
from actors.kernel.time import Handle, Time

log = logging.getLogger(__name__)

A = TypeVar("A", bound=Actor)


class Spec(msgspec.Struct, Generic[A], frozen=True):
    """How an actor is made and kept. `make` is called for each of its lives, and must give a new one each time.

    It may take `start_s` to start, and `stop_s` for the message in hand and `stopping` when it is told to stop.
    After that it is cancelled; what is not gone `hard_s` later is abandoned and counted: nothing can end it.
    """

    name: str
    make: Callable[[], A]
    capacity: int = 1000
    policy: Policy = msgspec.field(default_factory=NoRestart)
    start_s: float = 30.0
    stop_s: float = 5.0
    hard_s: float = 1.0


class Surroundings(msgspec.Struct, frozen=True):
    """What all actors of a system share."""

    time: Time
    deadlines: Deadlines
    changed: Callable[[Change], None]
    lost: Callable[[str, object], None]  # a message that nobody will take: to whom, and what


class Cell:
    """One actor, from its first life to the end of its last."""

    def __init__(self, spec: Spec[Any], around: Surroundings) -> None:
        self.spec, self.around = spec, around
        self.state: State | None = None
        self.mailbox = Mailbox(spec.name, spec.capacity)
        self.counts = Counts()
        self.ref: Ref[Any] = Ref(spec.name, self.mailbox, around.time, around.deadlines, self.until_ended)
        self.life: Life | None = None
        self.last_error: str | None = None
        self._ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._timer: Handle | None = None
        self._overdue: TimeoutError | None = None
        self._next: Callable[[Exit], None] = self._ask_policy
        """What follows when this life is over."""

    def begin(self) -> None:
        """Begin a life."""
        self._overdue, self._next = None, self._ask_policy
        self.counts.starts += 1
        self._become(State.STARTING)
        life = self.life = Life(self.ref, self.mailbox, self.counts, self.around.time)
        self._limit(self.spec.start_s, f"did not start within {self.spec.start_s:g} s")
        work = life.run(self.spec.make, partial(self._is_up, life))
        self._task = asyncio.get_running_loop().create_task(work, name=self.spec.name)
        self._task.add_done_callback(self._task_ended)

    def stop(self) -> None:
        """End for good: in order if that can be done in time."""
        self._leave(self._end)

    def restart(self) -> None:
        """End this life as `stop` does, and begin another."""
        if self._next != self._end:
            self._leave(self._begin_anew)

    async def until_ended(self) -> Exit:
        """Wait until there is no further life."""
        return await asyncio.shield(self._ended)

    @property
    def is_busy(self) -> bool:
        """Whether it has more to do than to wait for messages."""
        at_rest = self.state is State.WAITING or (self.state is State.RUNNING and len(self.mailbox) == 0)
        return not at_rest or (self.life is not None and self.life.in_hand is not None)

    def stats(self) -> ActorStats:
        """How it is at this moment."""
        now_s, life, oldest_s = self.around.time.monotonic_s(), self.life, self.mailbox.oldest()
        in_hand = life.in_hand if life else None
        return ActorStats(
            name=self.spec.name,
            state=self.state or State.STARTING,
            depth=len(self.mailbox),
            capacity=self.spec.capacity,
            oldest_s=None if oldest_s is None else now_s - oldest_s,
            in_hand=type(in_hand[0]).__name__ if in_hand else None,
            in_hand_s=now_s - life.since_s if life and in_hand else None,
            children=len(life.children.running) if life else 0,
            timers=len(life.timers.running) if life else 0,
            refused=self.mailbox.refused,
            dropped=self.mailbox.dropped,
            counts=msgspec.structs.replace(self.counts),
            last_error=self.last_error,
        )

    # How a life is limited

    def _is_up(self, life: Life) -> None:
        if life is self.life and self.state is State.STARTING:
            self._unlimit()
            self._become(State.RUNNING)

    def _leave(self, following: Callable[[Exit], None]) -> None:
        if self.state is State.WAITING:
            self._unlimit()
            following(Exit(Ending.ASKED))
        elif self.state is not State.ENDED:
            self._next = following
        if self.life is not None and self.state in (State.STARTING, State.RUNNING):
            self._become(State.STOPPING)
            self._limit(self.spec.stop_s, f"did not stop within {self.spec.stop_s:g} s")
            self.life.end()

    def _limit(self, within_s: float, otherwise: str) -> None:
        self._unlimit()
        self._timer = self.around.time.call_later(within_s, partial(self._cut, otherwise))

    def _unlimit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self, why: str) -> None:
        """Cancel a life that takes too long, and leave it behind where that does not help either."""
        assert self._task is not None
        self._overdue = TimeoutError(f"{self.spec.name} {why}")
        self._task.cancel()
        self._timer = self.around.time.call_later(self.spec.hard_s, self._abandon)

    def _abandon(self) -> None:
        self.counts.abandoned += 1
        log.error("%s, nor when it was cancelled; it is left behind", self._overdue)
        self._close_life(self._exit_with(self._overdue))

    # How a life is closed

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task is self._task:
            self._close_life(self._exit_with(self._error_of(task)))
        elif not task.cancelled():
            task.exception()  # of a life that was left behind: looked at, and no more

    def _error_of(self, task: asyncio.Task[None]) -> BaseException | None:
        if not task.cancelled():
            return task.exception()
        if self._overdue is not None:
            return self._overdue
        if task.cancelling():  # not by us: the event loop is being closed
            self._next = self._end
            return None
        return asyncio.CancelledError("something that a handler waited for was cancelled")

    def _exit_with(self, error: BaseException | None) -> Exit:
        if self._next != self._ask_policy:
            return Exit(Ending.ASKED, error)
        return Exit(Ending.FINISHED if error is None else Ending.CRASHED, error)

    def _close_life(self, exit: Exit) -> None:
        """See to what a life leaves: its message in hand, its timers, its children. Then comes what follows."""
        life, self._task = self.life, None
        assert life is not None
        self._unlimit()
        if self.state is not State.STOPPING:
            self._become(State.STOPPING)
        if exit.error is not None:
            self.counts.crashes += 1
            self.last_error = in_one_line(exit.error)
            log.warning("%s failed: %s", self.spec.name, self.last_error, exc_info=exit.error)
        life.close(self._failure(life, exit))
        if life.children.running:
            self._timer = self.around.time.call_later(self.spec.hard_s, self._leave_children)
        life.children.end(partial(self._life_gone, exit))

    def _failure(self, life: Life, exit: Exit) -> Exception:
        """What whoever asked for the message in hand is told."""
        what = f"{type(life.in_hand[0]).__name__} in hand" if life.in_hand else "nothing in hand"
        if exit.ending is Ending.ASKED:
            return Stopped(f"{self.spec.name} was stopped with {what}")
        failure = ActorFailed(f"{self.spec.name} failed with {what}: {self.last_error}")
        failure.__cause__ = exit.error
        return failure

    def _leave_children(self) -> None:
        assert self.life is not None
        left = len(self.life.children.running)
        self.counts.abandoned += left
        log.error(
            "%d child tasks of %s did not end when cancelled; they are left behind", left, self.spec.name
        )
        self.life.children.leave()

    def _life_gone(self, exit: Exit) -> None:
        self._unlimit()
        self.life = None
        self._next(exit)

    # What follows

    def _ask_policy(self, exit: Exit) -> None:
        delay_s = self.spec.policy.after(exit, self.around.time.monotonic_s())
        if delay_s is None:
            self._end(exit)
            return
        self._become(State.WAITING, exit, delay_s)
        self._timer = self.around.time.call_later(delay_s, self.begin)

    def _begin_anew(self, exit: Exit) -> None:
        self.begin()

    def _end(self, exit: Exit) -> None:
        self._become(State.ENDED, exit)
        self.mailbox.close(self._lose)
        self._ended.set_result(exit)

    def _lose(self, envelope: Envelope) -> None:
        message, answer, _, _ = envelope
        if answer is None:
            if isinstance(message, Mail):
                self.around.lost(self.spec.name, message)
        elif not answer.done():
            answer.set_exception(Stopped(f"{self.spec.name} has ended and takes nothing any more"))

    def _become(self, state: State, exit: Exit | None = None, delay_s: float | None = None) -> None:
        if self.state is not None and state not in NEXT[self.state]:
            raise RuntimeError(f"{self.spec.name} is {self.state} and can't become {state}")
        self.state = state
        self.around.changed(Change(self.spec.name, state, exit, delay_s))
