"""Child tasks: what takes long runs beside the actor, comes back as a message, and ends with it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.kernel import (
    Actor,
    Done,
    Failed,
    ManualTime,
    Message,
    Outcome,
    Ref,
    Request,
    Spec,
    Stopped,
    System,
    handles,
    settle,
)
from tests.unit.actors.kernel.clerk import Pauses


class Ended(Message["Parent"], frozen=True):
    """What became of a child."""

    outcome: Outcome[str]


class Start(Message["Parent"], frozen=True):
    """Told: starts a child, and wants to hear of it or not."""

    work: Callable[[], Coroutine[Any, Any, str]]
    hear: bool = True


class Heard(Request["Parent", int], frozen=True):
    """Asked: how much was heard."""


class Crash(Message["Parent"], frozen=True):
    """Told: the actor crashes, once the gate is open."""

    gate: asyncio.Event | None = None


class Abort(Message["Parent"], frozen=True):
    """Told: the child that was started last is cancelled."""


class Parent(Actor):
    """Starts children as it is told, and keeps what it hears of them."""

    def __init__(self, heard: list[Outcome[str]]) -> None:
        self.heard = heard
        self.task: asyncio.Task[str] | None = None

    @handles(Start)
    async def start(self, message: Start) -> None:
        self.task = self.child(message.work(), then=Ended if message.hear else None)

    @handles(Ended)
    async def ended(self, message: Ended) -> None:
        self.heard.append(message.outcome)

    @handles(Heard)
    async def count(self, message: Heard) -> int:
        return len(self.heard)

    @handles(Crash)
    async def crash(self, message: Crash) -> None:
        if message.gate is not None:
            await message.gate.wait()
        raise ValueError("crash")

    @handles(Abort)
    async def abort(self, message: Abort) -> None:
        assert self.task is not None
        self.task.cancel()


class Home:
    """A system with a parent, and what the children of the test do."""

    def __init__(self, *pauses: float, capacity: int = 10) -> None:
        self.heard: list[Outcome[str]] = []
        self.gate = asyncio.Event()
        self.cleaned_up = 0
        self.time, self.policy = ManualTime(), Pauses(pauses)
        self.system = System(self.time)
        self.ref: Ref[Parent] = self.system.spawn(
            Spec("parent", lambda: Parent(self.heard), policy=self.policy, capacity=capacity)
        )

    async def waits(self) -> str:
        """Work that takes until the gate is open."""
        try:
            await self.gate.wait()
        finally:
            self.cleaned_up += 1
        return "done"

    async def fails(self) -> str:
        """Work that fails."""
        raise OSError("no route")


async def test_a_child_does_not_keep_its_actor_from_other_messages() -> None:
    """Its result comes back as a message when it is there."""
    home = Home()
    home.ref.tell(Start(home.waits))
    assert await home.ref.ask(Heard(), timeout_s=5) == 0
    assert home.system.stats()[0].children == 1

    home.gate.set()
    await settle()

    assert home.heard == [Done("done")]
    assert home.system.stats()[0].children == 0


async def test_the_failure_of_a_child_comes_back_as_a_message() -> None:
    """The actor that asked to be told of it goes on."""
    home = Home()
    home.ref.tell(Start(home.fails))
    await settle()

    [outcome] = home.heard
    assert isinstance(outcome, Failed)
    assert str(outcome.error) == "no route"
    assert home.policy.exits == []


async def test_a_child_that_is_cancelled_comes_back_too() -> None:
    """As a failure, of CancelledError."""
    home = Home()
    home.ref.tell(Start(home.waits))
    await settle()
    home.ref.tell(Abort())
    await settle()

    [outcome] = home.heard
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, asyncio.CancelledError)


async def test_the_failure_of_a_child_that_nobody_asked_about_is_the_actor_s() -> None:
    """It can't pass unnoticed; a result can, and so can a child that was cancelled."""
    home = Home(0.0)
    home.gate.set()
    home.ref.tell(Start(home.waits, hear=False))
    await settle()
    home.gate.clear()
    home.ref.tell(Start(home.waits, hear=False))
    await settle()
    home.ref.tell(Abort())
    await settle()
    assert (home.policy.exits, home.heard) == ([], [])

    home.ref.tell(Start(home.fails, hear=False))
    await settle()
    assert [str(exit) for exit in home.policy.exits] == ["crashed: OSError: no route"]


@pytest.mark.parametrize("ending", ["crash", "stop", "restart"])
async def test_children_end_with_their_life(ending: str) -> None:
    """They are cancelled and waited for before the next life begins, and it hears nothing of them."""
    home = Home(0.0)
    for _ in range(2):
        home.ref.tell(Start(home.waits))
    await settle()
    if ending == "crash":
        home.ref.tell(Crash())
    elif ending == "stop":
        await home.system.stop(home.ref)
    else:
        home.system.restart(home.ref)
    await settle()

    assert home.cleaned_up == 2
    assert home.heard == []


async def test_what_a_child_has_sent_ends_with_its_life() -> None:
    """Although it had come to its end before."""
    home, crash = Home(0.0), asyncio.Event()
    home.gate.set()
    home.ref.tell(Start(home.waits))
    home.ref.tell(Crash(crash))
    await settle()
    assert (home.cleaned_up, home.system.stats()[0].depth) == (1, 1)
    crash.set()
    await settle()

    assert home.heard == []
    assert len(home.policy.exits) == 1


async def test_the_next_life_waits_for_the_children_of_the_last() -> None:
    """What they still have to put in order they do before it begins."""
    home = Home(0.0)
    closing, order = asyncio.Event(), list[str]()

    async def slow_to_end() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await closing.wait()
            order.append("child has ended")
        return ""

    home.ref.tell(Start(slow_to_end))
    home.ref.tell(Crash())
    await settle()
    asked = asyncio.create_task(home.ref.ask(Heard(), timeout_s=5))
    asked.add_done_callback(lambda _: order.append("next life answers"))
    await settle()
    assert order == []

    closing.set()
    await asked
    assert order == ["child has ended", "next life answers"]
    home.ref.tell(Start(home.waits))
    await home.time.advance(60_000)
    [stats] = home.system.stats()
    assert (stats.children, stats.counts.abandoned) == (1, 0)


async def test_a_full_mailbox_refuses_no_result() -> None:
    """The actor has asked for each, so there are never more than it has children."""
    home = Home(capacity=1)
    for _ in range(3):
        home.ref.tell(Start(home.waits))
        await settle()
    home.gate.set()
    await settle()

    assert home.heard == [Done("done")] * 3


async def test_a_failure_while_being_cancelled_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The life that could have been told is over."""

    async def untidy() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("could not tidy up")

    home = Home()
    home.ref.tell(Start(untidy))
    await settle()
    with caplog.at_level(logging.WARNING):
        await home.system.stop(home.ref)

    assert "a child of parent failed as it was cancelled: OSError: could not tidy up" in caplog.text


async def test_a_life_that_is_over_starts_no_child_and_no_timer() -> None:
    """As one might that was left behind, and went on."""

    class Late(Actor):
        pass

    kept: list[Late] = []
    system = System(ManualTime())
    ref = system.spawn(Spec("late", lambda: kept.append(Late()) or kept[-1]))
    await settle()
    await system.stop(ref)

    with pytest.raises(Stopped):
        kept[0].child(asyncio.sleep(0))
    with pytest.raises(Stopped):
        kept[0].after(5, Ended(Done("")))
