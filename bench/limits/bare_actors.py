"""The limit of an actor: a mailbox, a task, and nothing else. No time-outs, no restarts, no counts, no limits.

Over an `asyncio.Queue`, or over a deque whose reader is woken by an event.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

Letter = tuple[Any, asyncio.Future[Any] | None]


class QueueBox:
    """A mailbox that is a queue."""

    def __init__(self, capacity: int) -> None:
        self.queue: asyncio.Queue[Letter] = asyncio.Queue(capacity)
        self.put, self.get = self.queue.put, self.queue.get


class DequeBox:
    """A mailbox that is a deque: whoever fills it gives others a turn."""

    def __init__(self, capacity: int) -> None:
        self.letters: deque[Letter] = deque()
        self.arrived = asyncio.Event()
        self.capacity = capacity

    async def put(self, letter: Letter) -> None:
        """Add a letter."""
        if not self.letters:
            self.arrived.set()
        self.letters.append(letter)
        if len(self.letters) >= self.capacity:
            await asyncio.sleep(0)

    async def get(self) -> Letter:
        """Wait for a letter."""
        while not self.letters:
            self.arrived.clear()
            await self.arrived.wait()
        return self.letters.popleft()


BOXES: dict[str, Callable[[int], QueueBox | DequeBox]] = {"queue": QueueBox, "deque": DequeBox}


class Crash(Exception):
    """What a handler raises when it is told to."""


class BareActor:
    """Counts what it is sent. A crash is a fresh count."""

    def __init__(self, box: str, capacity: int) -> None:
        self.box = BOXES[box](capacity)
        self.count = 0
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def tell(self, message: Any) -> None:
        """Send a message; wait for room."""
        await self.box.put((message, None))

    async def ask(self, message: Any) -> int:
        """Send a message, and wait for the count."""
        answer = asyncio.get_running_loop().create_future()
        await self.box.put((message, answer))
        count: int = await answer
        return count

    async def stop(self) -> None:
        """End, after what waits."""
        await self.box.put((None, None))
        await self.task

    async def _run(self) -> None:
        while True:
            try:
                return await self._handle_letters()
            except Crash:
                self.count = 0

    async def _handle_letters(self) -> None:
        while True:
            message, answer = await self.box.get()
            if message is None:
                return
            self.handle(message)
            if answer is not None and not answer.done():
                answer.set_result(self.count)

    def handle(self, message: Any) -> None:
        """Count a message."""
        if message.crash:
            raise Crash
        self.count += 1


class Message:
    """Something to be counted, or a crash."""

    def __init__(self, crash: bool) -> None:
        self.crash = crash


class Ticker(BareActor):
    """Asks another at an offset in each second, from a task that sleeps."""

    def __init__(self, box: str, ticks: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(box, 64)
        self.clock = asyncio.get_running_loop().create_task(ticks())

    async def stop(self) -> None:
        self.clock.cancel()
        await super().stop()


class Bare:
    """The least there can be, as the jobs see it."""

    message, crash = Message(crash=False), Message(crash=True)

    def __init__(self, box: str) -> None:
        self.box = box
        self.actors: list[BareActor] = []

    def actor(self, capacity: int) -> BareActor:
        """Start an actor."""
        self.actors.append(BareActor(self.box, capacity))
        return self.actors[-1]

    def ticker(self, center: Any, offset_ms: int, took_s: list[float], late_s: list[float]) -> None:
        """Start an actor that ticks."""

        async def ticks() -> None:
            due_s = math.ceil(time.time()) + offset_ms / 1000
            while True:
                await asyncio.sleep(max(0.0, due_s - time.time()))
                begun = time.perf_counter()
                late_s.append(time.time() - due_s)
                await center.ask(self.message)
                took_s.append(time.perf_counter() - begun)
                due_s += 1

        self.actors.append(Ticker(self.box, ticks))

    async def close(self) -> None:
        """Stop all actors."""
        for actor in self.actors:
            await actor.stop()
        self.actors.clear()
