"""An actor over all its lives: it begins them, ends them in time, and asks the policy whether there is another.

Nothing here waits. Each step is taken by what made it possible: a life that ended, a limit or a pause that ran out,
somebody who said stop. So no actor holds up another's start or end, however it behaves.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from contextvars import copy_context
from functools import partial
from typing import Any

import msgspec

from actors.kernel.actor import Actor
from actors.kernel.agenda import Handle
from actors.kernel.deadlines import Deadlines
from actors.kernel.errors import ActorFailed, Stopped
from actors.kernel.exits import End, Ending, Exit, in_one_line
from actors.kernel.life import Life
from actors.kernel.mailbox import Envelope, Mailbox
from actors.kernel.message import Mail
from actors.kernel.ref import Ref
from actors.kernel.spec import Spec
from actors.kernel.stats import NEXT, ActorStats, Change, Counts, State
from actors.kernel.time import Time

log = logging.getLogger(__name__)


class Surroundings(msgspec.Struct, frozen=True):
    """What all actors of a system share."""

    time: Time
    deadlines: Deadlines
    changed: Callable[[Change], None]
    lost: Callable[[str, object], None]  # to whom a message was sent that nobody will take, and the message
    left: set[asyncio.Task[Any]]  # what was left behind, and still runs


class Cell:
    """One actor, from its first life to the end of its last."""

    __slots__ = (
        "_around", "_context", "_end", "_following", "_limit", "_overdue", "_task",
        "counts", "last_error", "life", "mailbox", "ref", "spec", "state", "time",
    )  # fmt: skip

    def __init__(self, spec: Spec[Any], around: Surroundings) -> None:
        self.spec, self._around, self.time = spec, around, around.time
        self.state: State | None = None
        self.mailbox = Mailbox(spec.name, spec.capacity)
        self.counts = Counts()
        self._end = End()
        self.ref: Ref[Any] = Ref(spec.name, self.mailbox, around.time, around.deadlines, self._end)
        self.last_error: str | None = None
        self.life: Life | None = None
        self._context = copy_context()
        """That of whoever spawned it, such as for the log: each life has it, whoever brings it about."""
        self._task: asyncio.Task[None] | None = None
        self._limit: Handle | None = None
        self._overdue: TimeoutError | None = None
        self._following: Callable[[Exit], None] | None = None
        """What was decided to follow this life; where nothing was, the policy is asked."""

    def begin(self) -> None:
        """Begin a life."""
        self._overdue = self._following = None
        self.counts.starts += 1
        self._become(State.STARTING)
        self.life = Life(self)
        self._limit_to(self.spec.start_s, "start")
        self._task = asyncio.get_running_loop().create_task(self.life.run(), name=self.spec.name)
        self._task.add_done_callback(self._task_ended)

    def stop(self) -> None:
        """End for good: in order if that can be done in time."""
        self._leave(self._end_for_good)

    def restart(self) -> None:
        """End this life as `stop` does, and begin another. Does nothing when it was told to stop before."""
        if self._following != self._end_for_good:
            self._leave(self._begin_anew)

    # What a life tells

    def make(self) -> Actor:
        """Make the actor for the next life."""
        actor: Actor = self.spec.make()
        return actor

    def is_up(self, life: Life) -> None:
        """Hear that the actor has started."""
        if life is self.life and self.state is State.STARTING:
            self._unlimit()
            self._forgive()
            self._become(State.RUNNING)

    def wants_to_end(self, life: Life) -> None:
        """Hear that the actor asks to end in order."""
        if life is self.life and self.state in (State.STARTING, State.RUNNING):
            self._become(State.STOPPING)
            self._limit_to(self.spec.stop_s, "stop")
            life.end()

    # How a life is ended

    def _leave(self, following: Callable[[Exit], None]) -> None:
        if self.state is State.WAITING:
            self._unlimit()
            following(Exit(Ending.ASKED))
        elif self.life is not None:
            self._following = following
            self.wants_to_end(self.life)

    def _limit_to(self, within_s: float, to_what: str) -> None:
        self._unlimit()
        self._limit = self._later(within_s, partial(self._cut, f"{to_what} within {within_s:g} s"))

    def _unlimit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _cut(self, what: str) -> None:
        """Cancel a life that takes too long, and leave it behind where that does not help either."""
        assert self._task is not None
        self._overdue = TimeoutError(f"{self.spec.name} did not {what}")
        self._task.cancel()
        self._limit = self._later(self.spec.hard_s, self._abandon)

    def _forgive(self) -> None:
        """Let a start that ended after all, although it had been cancelled, be one like any other."""
        if self._overdue is not None and self._task is not None:
            self._task.uncancel()
            self._overdue = None

    def _abandon(self) -> None:
        assert self._task is not None
        log.error("%s, nor when it was cancelled; it is left behind", self._overdue)
        self._leave_behind([self._task])
        self._close_life(self._exit_with(self._overdue))

    def _leave_behind(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        self.counts.abandoned += len(tasks)
        for task in tasks:
            self._around.left.add(task)
            task.add_done_callback(self._around.left.discard)

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
            self._following = self._end_for_good
            return None
        return asyncio.CancelledError("what a handler waited for was cancelled")

    def _exit_with(self, error: BaseException | None) -> Exit:
        if self._following is not None:
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
        in_hand = life.close()
        if in_hand is not None:
            self._fail(in_hand, exit)
        if life.children_running:
            self._limit = self.time.call_later(self.spec.hard_s, self._leave_children)
        life.end_children(partial(self._life_gone, exit))

    def _fail(self, in_hand: Envelope, exit: Exit) -> None:
        """Tell whoever asked for the message in hand."""
        message, answer, _, _ = in_hand
        what = f"with {type(message).__name__} in hand"
        if answer is None or answer.done():
            return
        if exit.ending is Ending.ASKED:
            answer.set_exception(Stopped(f"{self.spec.name} was stopped {what}"))
            return
        failure = ActorFailed(f"{self.spec.name} failed {what}: {self.last_error}")
        failure.__cause__ = exit.error
        answer.set_exception(failure)

    def _leave_children(self) -> None:
        assert self.life is not None
        left = self.life.children_running
        log.error(
            "%d children of %s did not end when cancelled; they are left behind", len(left), self.spec.name
        )
        self._leave_behind(left)
        self.life.leave_children()

    def _life_gone(self, exit: Exit) -> None:
        self._unlimit()
        self.life = None
        (self._following or self._ask_policy)(exit)

    # What follows a life

    def _ask_policy(self, exit: Exit) -> None:
        try:
            delay_s = self.spec.policy.after(exit, self.time.monotonic_s())
        except Exception:
            log.exception("the policy of %s failed; it is not started again", self.spec.name)
            delay_s = None
        if delay_s is None:
            self._end_for_good(exit)
            return
        self._become(State.WAITING, exit, delay_s)
        self._limit = self._later(delay_s, self.begin)

    def _begin_anew(self, exit: Exit) -> None:
        self._context.copy().run(self.begin)

    def _later(self, delay_s: float, do: Callable[[], None]) -> Handle:
        """Do something of this actor's later: a clock calls in the context of whoever was the first to set it."""
        return self.time.call_later(delay_s, partial(self._context.copy().run, do))

    def _end_for_good(self, exit: Exit) -> None:
        self._become(State.ENDED, exit)
        self.mailbox.close(self._lose)
        self._end.come(exit)

    def _lose(self, envelope: Envelope) -> None:
        message, answer, _, _ = envelope
        if answer is None:
            if isinstance(message, Mail):
                self._around.lost(self.spec.name, message)
        elif not answer.done():
            answer.set_exception(Stopped(f"{self.spec.name} has ended and takes nothing any more"))

    def _become(self, state: State, exit: Exit | None = None, delay_s: float | None = None) -> None:
        if self.state is not None and state not in NEXT[self.state]:
            raise RuntimeError(f"{self.spec.name} is {self.state} and can't become {state}")
        self.state = state
        self._around.changed(Change(self.spec.name, state, exit, delay_s))

    # How it looks from outside

    @property
    def is_busy(self) -> bool:
        """Whether it has more to do than to wait for messages, timers and children."""
        if self.state is State.RUNNING:
            return len(self.mailbox) > 0 or (self.life is not None and self.life.in_hand is not None)
        return self.state is not State.WAITING

    def stats(self) -> ActorStats:
        """How it is at this moment."""
        now_s, life, oldest_s = self.time.monotonic_s(), self.life, self.mailbox.oldest()
        in_hand = life.in_hand if life else None
        return ActorStats(
            name=self.spec.name,
            state=self.state or State.STARTING,
            depth=len(self.mailbox),
            capacity=self.spec.capacity,
            oldest_s=None if oldest_s is None else now_s - oldest_s,
            in_hand=type(in_hand[0]).__name__ if in_hand else None,
            in_hand_s=now_s - life.since_s if life and in_hand else None,
            children=len(life.children_running) if life else 0,
            timers=life.timers_running if life else 0,
            refused=self.mailbox.refused,
            dropped=self.mailbox.dropped,
            counts=msgspec.structs.replace(self.counts),
            last_error=self.last_error,
        )
