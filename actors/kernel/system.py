"""All actors of a process: where they are started, found, stopped and looked at."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from actors.kernel.actor import Actor
from actors.kernel.cell import Cell, Surroundings
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.deadlines import Deadlines
from actors.kernel.errors import Stopped
from actors.kernel.exits import Exit
from actors.kernel.ref import Ref
from actors.kernel.spec import Spec
from actors.kernel.stats import ActorStats, Change, State
from actors.kernel.time import Time

A = TypeVar("A", bound=Actor)


class System:
    """A set of actors that live by one time.

    `on_change` is told of each step in an actor's life, at once: it must be quick, and not raise.
    """

    def __init__(self, time: Time, on_change: Callable[[Change], None] | None = None) -> None:
        self.time = time
        self.dead_letters = DeadLetters(time.now_ms, time.monotonic_s)
        self._on_change = on_change
        self._cells: dict[str, Cell] = {}
        self._closed = False
        self.left: set[asyncio.Task[Any]] = set()
        """Tasks that did not end when they were cancelled, and still run."""
        self._around = Surroundings(time, Deadlines(time), self._changed, self.dead_letters.add, self.left)

    def spawn(self, spec: Spec[A]) -> Ref[A]:
        """Start an actor. It takes messages from now on.

        Raises ValueError when its name is taken, and Stopped after `stop_all`.
        """
        if self._closed:
            raise Stopped(f"{spec.name} is not started: all actors are being stopped")
        if spec.name in self._cells:
            raise ValueError(
                f"there is an actor called {spec.name} already; stop it first, or use another name"
            )
        cell = self._cells[spec.name] = Cell(spec, self._around)
        cell.begin()
        return cell.ref

    def find(self, name: str) -> Ref[Any] | None:
        """The actor of this name that has not ended."""
        cell = self._cells.get(name)
        return cell.ref if cell else None

    async def stop(self, ref: Ref[Any]) -> Exit:
        """End an actor for good: in order, within its limits. Its policy is not asked."""
        if cell := self._cell(ref):
            cell.stop()
        return await ref.ended()

    async def stop_all(self) -> None:
        """End all actors, one after the other, the latest first. No others can be started any more."""
        self._closed = True
        for cell in reversed(tuple(self._cells.values())):
            await self.stop(cell.ref)

    def restart(self, ref: Ref[Any]) -> None:
        """End an actor's life as `stop` does, and begin another. Its policy is not asked."""
        if cell := self._cell(ref):
            cell.restart()

    def stats(self) -> list[ActorStats]:
        """All actors that have not ended, in the order in which they were started."""
        return [cell.stats() for cell in self._cells.values()]

    async def quiet(self) -> None:
        """Wait until no actor has anything to do but to wait for its timers and children. For tests.

        It waits for a handler that waits for something, too: in vain, if that is for time to be moved.
        """
        calm = 0
        while calm < 3:
            await asyncio.sleep(0)
            calm = 0 if any(cell.is_busy for cell in self._cells.values()) else calm + 1

    def _cell(self, ref: Ref[Any]) -> Cell | None:
        cell = self._cells.get(ref.name)
        return cell if cell and cell.ref is ref else None

    def _changed(self, change: Change) -> None:
        if change.state is State.ENDED:
            del self._cells[change.name]
        if self._on_change is not None:
            self._on_change(change)
