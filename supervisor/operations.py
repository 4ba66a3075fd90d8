"""What can be asked for through the control socket.

Requests are read in the socket's own thread. What changes something is handed to the main loop, and waited for as long
as it may take; what only looks is read from here where that loop does not answer at once, so that it can be seen *that*
it does not.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import msgspec

from control.errors import Refused
from supervisor.children import Tree
from supervisor.logbook import Event, Logbook
from supervisor.loop_watch import LoopWatch
from supervisor.supervisor import Supervisor
from supervisor.wire import BadRequest, Name, Request, arguments

T = TypeVar("T")

LOOK_S = 0.04
"""How long the main loop is waited for before it is looked at from outside."""
LOOKS = 5
ACT_S = 60
MOST_TAIL = 1_000
MOST_WAIT_S = 30.0
TAIL_EVERY_S = 0.1


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


class One(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which child."""

    name: Name


class TailArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events: those after a number, of one child or of all, the newest `most`. None there: wait for one."""

    name: Name | None = None
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    most: Annotated[int, msgspec.Meta(ge=1, le=MOST_TAIL)] = 200
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=MOST_WAIT_S)] = 0.0


class Tail(msgspec.Struct, frozen=True):
    """Events, and the number after which the next ones come."""

    events: list[Event]
    last: int


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """A process in a few numbers. `states` counts children; messages are those of all living actors."""

    states: dict[str, int]
    restarts: int
    depth: int
    handled: int
    refused: int
    dropped: int
    dead_letters: int
    left_behind: int
    silent_ms: int  # for how long the main loop has not turned


class Done(msgspec.Struct, frozen=True):
    """It was done. `is_clean` is False where a child could not be ended and was left behind."""

    is_clean: bool = True


class Operations:
    """The operations on one supervisor. Made in the main loop's thread; called in another's."""

    def __init__(self, supervisor: Supervisor, logbook: Logbook, stop: Callable[[], object]) -> None:
        self._supervisor, self._logbook, self._stop = supervisor, logbook, stop
        self._loop = asyncio.get_running_loop()
        self.watch = LoopWatch()

    async def answer(self, request: Request) -> object:
        """Do what a request asks for. Raises BadRequest, Refused."""
        if request.op not in OPERATIONS:
            raise BadRequest(f"there is no op {request.op!r}; there are {', '.join(OPERATIONS)}")
        kind, do = OPERATIONS[request.op]
        return await do(self, arguments(request, kind))

    async def tree(self, _: Nothing) -> Tree:
        """All children, and what is wrong."""
        tree = await self._look(self._supervisor.tree)
        problem = self.watch.problem()
        return msgspec.structs.replace(tree, problems=[problem, *tree.problems]) if problem else tree

    async def stats(self, _: Nothing) -> Stats:
        """The process in a few numbers."""
        tree = await self._look(self._supervisor.tree)
        return Stats(
            states=dict(Counter(child.state.value for child in tree.children)),
            restarts=sum(child.restarts for child in tree.children),
            depth=sum(child.depth for child in tree.children),
            handled=sum(child.handled for child in tree.children),
            refused=sum(child.refused for child in tree.children),
            dropped=sum(child.dropped for child in tree.children),
            dead_letters=self._supervisor.system.dead_letters.count,
            left_behind=tree.left_behind,
            silent_ms=round(self.watch.silent_s() * 1000),
        )

    async def tail(self, args: TailArgs) -> Tail:
        """The latest of the log."""
        waits = round(args.wait_s / TAIL_EVERY_S)
        while True:
            events, last = self._logbook.since(args.after, args.name, args.most)
            if events or waits <= 0:
                return Tail(events, last)
            waits -= 1
            await asyncio.sleep(TAIL_EVERY_S)

    async def spawn(self, args: One) -> Done:
        """Start a child that was stopped, has finished or was given up."""
        await self._act(self._supervisor.start_again(args.name))
        return Done()

    async def stop(self, args: One) -> Done:
        """Stop a child."""
        return Done(await self._act(self._supervisor.stop(args.name)))

    async def restart(self, args: One) -> Done:
        """End a child and start it again."""
        await self._act(self._supervisor.restart(args.name))
        return Done()

    async def drain(self, _: Nothing) -> Done:
        """Start nothing any more, and be shown as about to end."""
        await self._act(_called(self._supervisor.drain))
        return Done()

    async def shutdown(self, _: Nothing) -> Done:
        """End the process in order. Its end is seen by the connection being closed."""
        await self._act(_called(self._stop))
        return Done()

    async def _look(self, look: Callable[[], T]) -> T:
        """Look from within the main loop, or from outside where that does not turn."""
        looking = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_called(look), self._loop))
        done, _ = await asyncio.wait({looking}, timeout=LOOK_S)
        if done:
            return looking.result()
        looking.cancel()
        for _ in range(LOOKS):
            try:
                return look()
            except (RuntimeError, LookupError):  # the main thread changed it at that moment
                continue
        raise Refused("the process is too busy to be looked at; try again")

    async def _act(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the main loop do something, for as long as it turns."""
        acting = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        for _ in range(ACT_S):
            done, _ = await asyncio.wait({acting}, timeout=1)
            if done:
                return acting.result()
            if problem := self.watch.problem():
                raise Refused(f"{problem}; what was asked for is done when that ends")
        raise Refused(f"it is not done after {ACT_S} s, and goes on; `agentic ps` shows how far it is")


async def _called(do: Callable[[], T]) -> T:
    return do()


OPERATIONS: Mapping[str, tuple[type[Any], Callable[[Operations, Any], Awaitable[object]]]] = MappingProxyType(
    {
        "tree": (Nothing, Operations.tree),
        "stats": (Nothing, Operations.stats),
        "tail": (TailArgs, Operations.tail),
        "spawn": (One, Operations.spawn),
        "stop": (One, Operations.stop),
        "restart": (One, Operations.restart),
        "drain": (Nothing, Operations.drain),
        "shutdown": (Nothing, Operations.shutdown),
    }
)
"""op → its arguments and what does it."""
