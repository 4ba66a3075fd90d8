"""The supervisor: starts children in order, keeps them going by their rules, and stops them the other way round.

It never waits for a child's work. A start is waited for only until the child is up or its first attempt has failed,
so one that can't start holds up nobody; the kernel restarts actors, a task of its own each service.

Children that are there from the start are *standing*: they are shown whatever became of them, and the process is
degraded without them. Those started at run time are *passing*: they are forgotten once they stop or finish, and one
that is given up is the business of its owner, who is told.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Any, TypeVar, overload

import msgspec
from structlog.contextvars import bound_contextvars

from actors.kernel import Actor, Change, Ref, System, Time
from supervisor.actors import RunningActor, with_stats
from supervisor.children import ActorChild, Child, ChildView, Service, State, Tree
from supervisor.errors import Draining, NameTaken, NoSuchChild
from supervisor.redaction import Redactor
from supervisor.running import Around, Running
from supervisor.services import RunningService

log = logging.getLogger(__name__)

A = TypeVar("A", bound=Actor)

OVER = (State.STOPPED, State.FINISHED)
TROUBLE = (State.FAILED, State.LEFT_BEHIND)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A process as others know it. `owner` is made anew at every start: `<host>:<pid>:<random>`."""

    owner: str
    host: str
    pid: int
    groups: list[str]
    started_ts: int


class Supervisor:
    """Keeps the children of one process.

    `random` gives numbers in [0, 1), for the pauses between starts; `redact` takes secrets out of errors.
    """

    def __init__(
        self,
        identity: Identity,
        time: Time,
        random: Callable[[], float],
        redact: Callable[[str], str] = Redactor(),  # noqa: B008 - it has no state
    ) -> None:
        self.identity = identity
        self.time = time
        self.system = System(time, self._pass_on)
        self._draining = asyncio.Event()
        self._around = Around(time, random, self._changed, self.system.left, redact)
        self._running: dict[str, Running] = {}
        self._standing: list[str] = []
        self.steps = 0
        """Counts what has changed: the steps of all children."""

    @property
    def owner(self) -> str:
        """The name of this start of this process, for leases and heartbeats."""
        return self.identity.owner

    @property
    def is_draining(self) -> bool:
        """Whether the process is about to end: nothing is started any more."""
        return self._draining.is_set()

    # Starting

    @asynccontextmanager
    async def keeping(self, children: Iterable[Child], stop: asyncio.Event) -> AsyncIterator[None]:
        """Start standing children, and stop all at the end. The process drains from when `stop` is set.

        Who is cancelled in between, as by a second Ctrl-C, waits for nobody.
        """
        draining = asyncio.create_task(self._drain_when(stop))
        try:
            await self.start(children)
            yield
        except asyncio.CancelledError:
            raise
        except BaseException:
            await self.shutdown()
            raise
        else:
            await self.shutdown()
        finally:
            draining.cancel()

    async def start(self, children: Iterable[Child]) -> None:
        """Start standing children in order. One that does not come up is gone on with in the background."""
        for child in children:
            if self.is_draining:
                return
            running = self._launch(child)
            self._standing.append(child.name)
            waits = [asyncio.ensure_future(event.wait()) for event in (running.is_settled, self._draining)]
            await asyncio.wait(waits, timeout=child.start_s + 1, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    @overload
    def spawn(self, child: ActorChild[A]) -> Ref[A]: ...
    @overload
    def spawn(self, child: Service) -> None: ...
    def spawn(self, child: ActorChild[Any] | Service) -> Ref[Any] | None:
        """Start a passing child, without waiting for it. Raises NameTaken, or Draining."""
        running = self._launch(child)
        return running.ref if isinstance(running, RunningActor) else None

    def find(self, name: str) -> Ref[Any] | None:
        """The actor of this name, if it has not ended."""
        return self.system.find(name)

    def names(self, group: str) -> list[str]:
        """The children of a group, in the order of their start: those that live, and those given up."""
        return [name for name, running in self._running.items() if running.child.group == group]

    # Stopping

    def drain(self) -> None:
        """Start nothing any more, and be shown as about to end. What runs goes on."""
        self._draining.set()
        self.system.dead_letters.is_ending = True

    async def stop(self, name: str) -> bool:
        """Stop a child for good, within its time. False: it is left behind. Raises NoSuchChild."""
        running = self._find(name)
        is_over = await running.stop()
        if name not in self._standing and self._running.get(name) is running:
            del self._running[name]
        return is_over

    async def start_again(self, name: str) -> None:
        """Start a child that is over or was given up, with its failures forgotten. Raises NoSuchChild, NameTaken."""
        self._launch(self._find(name).child)

    async def restart(self, name: str) -> None:
        """End a child in order and start it again, with its failures forgotten. Raises NoSuchChild, Draining.

        An actor keeps its mailbox, and who knows it still reaches it.
        """
        running = self._find(name)
        self._refuse_when_draining()
        running.policy.forget()
        with bound_contextvars(child=name):
            log.info("it is restarted by hand")
        if isinstance(running, RunningActor) and self.find(name):
            self.system.restart(running.ref)
            return
        await running.stop()
        self._launch(running.child)

    async def shutdown(self) -> None:
        """Stop all: passing children by their rank, the highest first and one rank at once, then standing ones.

        Standing children are stopped one after the other, the latest first.
        """
        self.drain()
        ranks = defaultdict[int, list[Running]](list)
        for name, running in self._running.items():
            if name not in self._standing:
                ranks[running.child.rank].append(running)
        for rank in sorted(ranks, reverse=True):
            await asyncio.gather(*(running.stop() for running in ranks[rank]))
        for name in reversed(self._standing):
            await self._running[name].stop()

    # Looking

    def tree(self) -> Tree:
        """Show the process and all its children."""
        identity = self.identity
        return Tree(
            owner=identity.owner,
            host=identity.host,
            pid=identity.pid,
            groups=identity.groups,
            started_ts=identity.started_ts,
            now_ts=self.time.now_ms(),
            is_draining=self.is_draining,
            children=list(self._views()),
            problems=list(self._problems()),
            left_behind=len(self.system.left),
        )

    def troubles(self) -> list[str]:
        """What keeps the process from its work, a line for each: it ends, or a standing child is no more."""
        ending = ["It is ending."] if self.is_draining else []
        return ending + [
            f"{name} is {running.state}."
            for name in self._standing
            if (running := self._running.get(name)) and running.state in TROUBLE
        ]

    def _problems(self) -> Iterator[str]:
        """All that is wrong, passing children included."""
        if self.is_draining:
            yield "it is ending"
        for name, running in list(self._running.items()):
            if running.state in (*TROUBLE, State.WAITING):
                view = running.view()
                yield f"{name} is {view.state}: {view.last_error or 'it ended'}"

    def _views(self) -> Iterator[ChildView]:
        stats = {one.name: one for one in self.system.stats()}
        for name, running in list(self._running.items()):
            view = running.view()
            yield with_stats(view, stats[name]) if name in stats else view

    # Within

    async def _drain_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.drain()

    def _launch(self, child: Child) -> Running:
        self._refuse_when_draining()
        if child.name in self._running and self._running[child.name].state not in (*OVER, *TROUBLE):
            raise NameTaken(f"{child.name} runs already; stop it first")
        with bound_contextvars(child=child.name):
            running: Running
            match child:
                case ActorChild():
                    running = RunningActor(child, self.system, self._around)
                case Service():
                    running = RunningService(child, self._around)
                case _:
                    raise TypeError(f"{child.name} is neither an actor nor a service")
        self._running[child.name] = running
        return running

    def _refuse_when_draining(self) -> None:
        if self.is_draining:
            raise Draining("this process is ending, and starts nothing any more")

    def _find(self, name: str) -> Running:
        try:
            return self._running[name]
        except KeyError:
            near = get_close_matches(name, self._running, n=1)
            hint = f"did you mean {near[0]}?" if near else "`agentic ps` shows those there are"
            raise NoSuchChild(f"nothing here is called {name}; {hint}") from None

    def _pass_on(self, change: Change) -> None:
        """Tell an actor's own keeper what the kernel says of it."""
        running = self._running.get(change.name)
        if isinstance(running, RunningActor):
            running.changed(change)

    def _changed(self, running: Running) -> None:
        """Forget a passing child that is over."""
        self.steps += 1
        name = running.child.name
        is_passing = name not in self._standing and self._running.get(name) is running
        if is_passing and running.state in OVER:
            del self._running[name]
