"""What the supervisor knows of a child that was started, of either kind."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from actors.kernel import Time
from actors.kernel.exits import in_one_line
from supervisor.children import Child, ChildView, State
from supervisor.policy import Policy

log = logging.getLogger(__name__)


class Around(msgspec.Struct, frozen=True):
    """What all children of a supervisor share.

    `changed` is told after each step of one. `left` holds the tasks that were left behind and still run. `redact`
    takes out of an error what must not be shown.
    """

    time: Time
    random: Callable[[], float]
    changed: Callable[["Running"], None]
    left: set[asyncio.Task[Any]]
    redact: Callable[[str], str]


class Running(ABC):
    """A child from its first start to its end for good."""

    def __init__(self, child: Child, around: Around) -> None:
        self.child = child
        self.state = State.STARTING
        self.error: BaseException | None = None
        self.restarts = 0
        self.is_settled = asyncio.Event()
        """Set once it is up, or its first attempt to start has failed."""
        self.time = around.time
        self.policy = Policy(child.rules, around.random, around.time.monotonic_s())
        self._changed, self._redact = around.changed, around.redact
        self._since_ts = around.time.now_ms()

    @abstractmethod
    async def stop(self) -> bool:
        """End it for good, within its time and a little more. False: it could not be ended and is left behind."""

    def become(self, state: State) -> None:
        """Come to a state, and tell who is to be told."""
        self.state, self._since_ts = state, self.time.now_ms()
        if state not in (State.STARTING, State.STOPPING):
            self.is_settled.set()
        if state is State.FAILED and self.child.on_failed is not None:
            tell = partial(self.child.on_failed, self.child.name, self.error, self._line_of(self.error))
            self._tell_owner(tell, "given up")
        self._changed(self)

    def start_again(self, error: BaseException | None) -> None:
        """Come to another start: after a crash with this error, or by hand."""
        self.restarts += 1
        if error is not None and self.child.on_restart is not None:
            tell = partial(self.child.on_restart, self.child.name, self._line_of(error))
            self._tell_owner(tell, "started again")
        self.become(State.STARTING)

    def _tell_owner(self, tell: Callable[[], None], what: str) -> None:
        try:
            tell()
        except Exception:  # an owner that can't be told, such as by a full mailbox, holds up nobody
            log.exception("the owner of %s could not be told that it was %s", self.child.name, what)

    def _line_of(self, error: BaseException | None) -> str:
        return self._redact(in_one_line(error)) if error else "it ended"

    def view(self) -> ChildView:
        """Show it as it stands."""
        return ChildView(
            name=self.child.name,
            group=self.child.group,
            kind=self.child.kind,
            state=self.state,
            since_ts=self._since_ts,
            restarts=self.restarts,
            last_error=self._line_of(self.error) if self.error else None,
        )
