"""One service while it is supervised: started, started again after a crash, stopped in its time or left behind."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType

from actors.kernel import Ending, Exit
from actors.kernel.exits import in_one_line
from supervisor.children import Service, State
from supervisor.running import Around, Running

log = logging.getLogger(__name__)

CANCEL_S = 1.0
"""What a service that was cancelled is given to end in."""

_S = State
NEXT: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        _S.STARTING: frozenset({_S.RUNNING, _S.WAITING, _S.FINISHED, _S.FAILED, _S.STOPPING}),
        _S.RUNNING: frozenset({_S.WAITING, _S.FINISHED, _S.FAILED, _S.STOPPING}),
        _S.WAITING: frozenset({_S.STARTING, _S.STOPPING}),
        _S.STOPPING: frozenset({_S.STOPPED, _S.LEFT_BEHIND}),
        _S.STOPPED: frozenset(),
        _S.FINISHED: frozenset(),
        _S.FAILED: frozenset(),
        _S.LEFT_BEHIND: frozenset(),
    }
)
"""What may follow each state of a service. Whoever starts its name again begins a new one."""


class IllegalStep(Exception):
    """A service was to take a step that can't follow where it stands: a fault of the program's own."""


class RunningService(Running):
    """A service over all its starts. Nobody waits for its work: that goes on in a task of its own."""

    def __init__(self, child: Service, around: Around) -> None:
        super().__init__(child, around)
        self._left = around.left
        self._make = child.make
        self._asked = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=child.name)
        self._stopping: asyncio.Task[bool] | None = None

    def become(self, state: State) -> None:
        if state not in NEXT[self.state]:
            raise IllegalStep(f"{self.child.name} is {self.state} and can't become {state}")
        super().become(state)

    async def stop(self) -> bool:
        if self._stopping is None and self._task.done():
            return True
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        return await asyncio.shield(self._stopping)

    async def _stop(self) -> bool:
        """Ask it to end, then cancel it, then leave it behind."""
        was_running = self.state is State.RUNNING
        self.become(State.STOPPING)
        self._asked.set()
        if was_running:
            await asyncio.wait({self._task}, timeout=self.child.stop_s)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CANCEL_S)
        if self._task.done():
            self.become(State.STOPPED)
            return True
        self._left.add(self._task)
        self._task.add_done_callback(self._left.discard)
        log.error("it did not stop in %g s, nor when it was cancelled; it is left behind", self.child.stop_s)
        self.become(State.LEFT_BEHIND)
        return False

    async def _run(self) -> None:
        """Start it again for as long as its policy has it."""
        while True:
            error = await self._once()
            self.error = error or self.error
            if self._asked.is_set():
                return
            exit = Exit(Ending.CRASHED if error else Ending.FINISHED, error)
            delay_s = self.policy.after(exit, self.time.monotonic_s())
            if delay_s is None:
                self._end(error)
                return
            log.warning("%s; it is started again in %.1f s", exit, delay_s, exc_info=error)
            self.become(State.WAITING)
            await self.time.sleep(delay_s)
            self.start_again(error)

    def _end(self, error: Exception | None) -> None:
        if error is None:
            self.become(State.FINISHED)
        else:
            log.error("given up after %d more attempts: %s", self.policy.attempts, in_one_line(error))
            self.become(State.FAILED)

    async def _once(self) -> Exception | None:
        """Run it from a start to an end; give what it crashed with."""
        starting = asyncio.timeout(self.child.start_s)
        try:
            async with AsyncExitStack() as stack:
                async with starting:
                    work = await stack.enter_async_context(self._make())
                self.become(State.RUNNING)
                await self._until_its_end(work)
        except Exception as error:  # noqa: BLE001 - whatever it is: it goes to the policy, and is shown
            return (
                TimeoutError(f"it did not start in {self.child.start_s:g} s") if starting.expired() else error
            )
        return None

    async def _until_its_end(self, work: Awaitable[object] | None) -> None:
        asked = asyncio.ensure_future(self._asked.wait())
        working = {asyncio.ensure_future(work)} if work is not None else set()
        try:
            await asyncio.wait({asked, *working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        for ended in working:
            if ended.cancelled():
                raise RuntimeError("its work was cancelled from inside")
            if ended.done():
                ended.result()
