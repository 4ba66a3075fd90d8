"""What holds whatever happens: messages, crashes, restarts, stops and passing time in any order."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel import (
    Actor,
    ActorFailed,
    AskTimeout,
    MailboxFull,
    ManualTime,
    Ref,
    Request,
    Spec,
    Stopped,
    System,
    handles,
)
from tests.unit.actors.kernel.clerk import Pauses


class Job(Request["Worker", int], frozen=True):
    """Told or asked: takes a while, and may be a crash."""

    number: int
    takes_ms: int
    fails: bool


class Worker(Actor):
    """Does one job after the other."""

    def __init__(self, begun: list[int], done: list[int]) -> None:
        self.begun, self.done = begun, done

    @handles(Job)
    async def job(self, message: Job) -> int:
        self.begun.append(message.number)
        if message.takes_ms:
            await self.time.sleep(message.takes_ms / 1000)
        if message.fails:
            raise ValueError(f"job {message.number}")
        self.done.append(message.number)
        return message.number


class Step(msgspec.Struct, frozen=True):
    """One thing that happens."""

    what: Literal["tell", "ask", "advance", "restart"]
    takes_ms: int = 0
    fails: bool = False


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["tell", "tell", "ask", "ask", "advance", "restart"]),
        st.sampled_from([0, 0, 0, 30, 700, 5_000]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=40,
)
TOLD, REFUSED = "told", "refused"


class Run:
    """One worker, what was sent to it, and what became of that."""

    def __init__(self, capacity: int, pauses: Sequence[float]) -> None:
        self.time = ManualTime()
        self.system = System(self.time)
        self.begun: list[int] = []
        self.done: list[int] = []
        self.fate: dict[int, str] = {}
        self._asks: list[asyncio.Task[None]] = []
        self._ref: Ref[Worker] = self.system.spawn(
            Spec(
                "worker",
                lambda: Worker(self.begun, self.done),
                capacity=capacity,
                policy=Pauses(pauses),
                stop_s=1,
            )
        )

    async def take(self, number: int, step: Step) -> None:
        """Let one thing happen."""
        job = Job(number, step.takes_ms, step.fails)
        if step.what == "tell":
            try:
                self._ref.tell(job)
                self.fate[number] = TOLD
            except MailboxFull:
                self.fate[number] = REFUSED
        elif step.what == "ask":
            self._asks.append(asyncio.create_task(self._ask(job)))
            await asyncio.sleep(0)
        elif step.what == "advance":
            await self.time.advance(step.takes_ms)
        else:
            self.system.restart(self._ref)

    async def end(self) -> None:
        """Stop the worker, and wait for every ask."""
        stopped = asyncio.create_task(self.system.stop(self._ref))
        await self.time.advance(10_000)
        await stopped
        await asyncio.gather(*self._asks)

    async def _ask(self, job: Job) -> None:
        try:
            assert await self._ref.ask(job, timeout_s=2) == job.number
            self.fate[job.number] = "answered"
        except MailboxFull:
            self.fate[job.number] = REFUSED
        except (ActorFailed, AskTimeout, Stopped) as error:
            self.fate[job.number] = type(error).__name__


@given(STEPS, st.integers(1, 4), st.lists(st.sampled_from([0.0, 0.5]), max_size=6))
def test_every_message_has_one_fate(steps: list[Step], capacity: int, pauses: list[float]) -> None:
    """It is begun once, in its order, or refused, or run out, or lost with the actor's end; and counted as that."""
    run = asyncio.run(_run(steps, capacity, pauses))
    fates = {
        fate: {number for number, each in run.fate.items() if each == fate} for fate in run.fate.values()
    }
    begun, told = set(run.begun), fates.get(TOLD, set())

    assert run.begun == sorted(begun)
    assert len(run.fate) == sum(step.what in ("tell", "ask") for step in steps)
    assert fates.get("answered", set()) <= set(run.done)
    assert fates.get("ActorFailed", set()) <= begun - set(run.done)
    assert not fates.get(REFUSED, set()) & begun
    assert len(told - begun) == run.system.dead_letters.count
    assert run.system.left == set()


async def _run(steps: list[Step], capacity: int, pauses: list[float]) -> Run:
    run = Run(capacity, pauses)
    for number, step in enumerate(steps):
        await run.take(number, step)
    await run.end()
    return run
