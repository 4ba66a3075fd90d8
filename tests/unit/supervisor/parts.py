"""Children for the tests: services and actors that do as they are told, and a supervisor on time that stands still."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from actors.kernel import Actor, ManualTime, Message, handles
from supervisor.children import ActorChild, ChildView, Service
from supervisor.policy import Rules
from supervisor.supervisor import Identity, Supervisor

NOW = 1_700_000_000_000


def supervisor(time: ManualTime | None = None) -> Supervisor:
    """A supervisor of this test's own, whose pauses are never shortened."""
    identity = Identity(owner="host:1:a", host="host", pid=1, groups=["web"], started_ts=NOW)
    return Supervisor(identity, time or ManualTime(NOW), lambda: 0.0)


class Diary:
    """Services that write down what happens to them."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.crashes: list[tuple[str, str]] = []
        self.release = asyncio.Event()

    def service(
        self,
        name: str,
        *,
        fails: Callable[[], bool] = lambda: False,
        work: Callable[[], Awaitable[object]] | None = None,
        at_start: Callable[[], Awaitable[object]] | None = None,
        at_end: Callable[[], Awaitable[object]] | None = None,
        **rest: Any,
    ) -> Service:
        """One that starts and stops, with these things happening meanwhile."""

        @asynccontextmanager
        async def running() -> AsyncIterator[Awaitable[object] | None]:
            self.said.append(f"start {name}")
            if fails():
                raise OSError(f"{name} can't start")
            if at_start:
                await at_start()
            try:
                yield work() if work else None
            finally:
                if at_end:
                    await at_end()
                self.said.append(f"stop {name}")

        return Service(
            name=name, group="web", make=running, on_failed=self.failed, on_restart=self.restarted, **rest
        )

    def failed(self, name: str, error: BaseException | None, line: str) -> None:
        """Who is told that one was given up."""
        self.failures.append((name, line))

    def restarted(self, name: str, line: str) -> None:
        """Who is told that one is started again after a crash."""
        self.crashes.append((name, line))

    async def stubborn(self) -> None:
        """Something that does not let itself be cancelled, until it is released."""
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.said.append("not cancelled")


class Crash(Message["Worker"], frozen=True):
    """Fail."""


class Hang(Message["Worker"], frozen=True):
    """Never return."""


class Clutch(Message["Worker"], frozen=True):
    """Not even be cancelled, until it is released."""


class Note(Message["Worker"], frozen=True):
    """Write this down."""

    text: str


class Worker(Actor):
    """An actor that can be made to crash and to hang."""

    def __init__(self, said: list[str], diary: Diary | None = None) -> None:
        self._said, self._diary = said, diary

    async def started(self) -> None:
        self._said.append("started")

    async def stopping(self) -> None:
        self._said.append("stopping")

    @handles(Crash)
    async def crash(self, message: Crash) -> None:
        raise ValueError("told to crash")

    @handles(Hang)
    async def hang(self, message: Hang) -> None:
        await asyncio.Event().wait()

    @handles(Clutch)
    async def clutch(self, message: Clutch) -> None:
        assert self._diary
        await self._diary.stubborn()

    @handles(Note)
    async def note(self, message: Note) -> None:
        self._said.append(message.text)


def worker(
    said: list[str], name: str = "worker", diary: Diary | None = None, **rest: Any
) -> ActorChild[Worker]:
    """The child that runs it."""
    return ActorChild(name=name, group="work", make=lambda: Worker(said, diary), **rest)


def seen(keeper: Supervisor, name: str) -> ChildView:
    """A child as the tree shows it."""
    return next(child for child in keeper.tree().children if child.name == name)


QUICK = Rules(most=2)
"""Rules under which a child is given up soon."""
