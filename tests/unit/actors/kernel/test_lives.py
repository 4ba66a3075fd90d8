"""One life after the other: crashes at every stage, what the policy says, and what a restart keeps."""

import asyncio
import logging
from contextvars import ContextVar

import pytest

from actors.kernel import (
    Actor,
    ActorFailed,
    Change,
    Ending,
    Exit,
    ManualTime,
    Message,
    Spec,
    State,
    Stopped,
    System,
    handles,
    settle,
)
from actors.kernel.stats import NEXT
from tests.unit.actors.kernel.clerk import Book, Clerk, Count, Fail, Hold, Leave, Note, Office, Pauses


async def test_the_mailbox_outlives_a_crash() -> None:
    """What waited is taken by the next life, in its order, and the Ref is the same."""
    office = Office(0.0)
    for message in (Note("a"), Fail(), Note("b"), Note("c")):
        office.clerk.tell(message)
    await office.system.quiet()

    assert office.written == ["started", "a", "started", "b", "c"]
    assert [str(exit) for exit in office.policy.exits] == ["crashed: ValueError: it slipped"]


async def test_nothing_is_taken_during_the_pause_before_a_restart() -> None:
    """What comes in the meantime waits for the next life, which begins when the pause is over."""
    office = Office(2.5)
    office.clerk.tell(Fail())
    await settle()
    office.clerk.tell(Note("a"))
    await office.time.advance(2_499)
    assert office.system.stats()[0].state is State.WAITING
    assert office.written == ["started"]

    await office.time.advance(1)

    assert office.written == ["started", "started", "a"]
    assert office.system.stats()[0].counts.starts == 2


async def test_the_actor_has_ended_when_the_policy_gives_it_no_other_life() -> None:
    """The policy is asked at each end, with the error; what waits then fails with Stopped."""
    office = Office(0.0, 1.0)
    ended = asyncio.create_task(office.clerk.ended())
    for _ in range(3):
        office.clerk.tell(Fail())
    asked = asyncio.create_task(office.clerk.ask(Count(), timeout_s=60))
    await office.time.advance(1_000)

    assert (await ended).ending is Ending.CRASHED
    with pytest.raises(Stopped):
        await asked
    assert len(office.policy.exits) == 3
    assert office.system.stats() == []
    assert office.system.find("clerk") is None


async def test_without_a_policy_an_actor_lives_once() -> None:
    """A restart has to be asked for."""
    system, book = System(ManualTime()), Book()
    ref = system.spawn(Spec("clerk", lambda: Clerk(book)))
    ref.tell(Fail())

    assert str(await ref.ended()) == "crashed: ValueError: it slipped"


async def test_an_actor_may_finish_by_itself() -> None:
    """In order, after the message in hand; the policy decides whether it comes back."""
    office = Office(0.0)
    office.clerk.tell(Leave())
    office.clerk.tell(Note("a"))
    await office.system.quiet()

    assert office.written == ["started", "stopping", "started", "a"]
    assert office.policy.exits == [Exit(Ending.FINISHED)]


class Work(Message["Troubled"], frozen=True):
    """Told: done, or failed over."""

    number: int


class Troubled(Actor):
    """Each life fails at one stage: the first of what is left of the script."""

    def __init__(self, script: list[str], done: list[int]) -> None:
        self.trouble = script.pop(0) if script else ""
        self.done = done
        self._fail_at("make")

    async def started(self) -> None:
        self._fail_at("start")

    async def stopping(self) -> None:
        self._fail_at("stop")

    @handles(Work)
    async def work(self, message: Work) -> None:
        self._fail_at("handle")
        self.done.append(message.number)
        if self.trouble == "stop":
            self.stop()

    def _fail_at(self, stage: str) -> None:
        if self.trouble == stage:
            raise OSError(stage)


@pytest.mark.parametrize(
    ("stage", "done"), [("make", [0, 1, 2]), ("start", [0, 1, 2]), ("handle", [2]), ("stop", [0, 1, 2])]
)
async def test_a_crash_at_any_stage_is_followed_by_another_life(stage: str, done: list[int]) -> None:
    """Nothing that waited is lost but what was in hand, and each crash is the policy's to judge."""
    script, did = [stage, stage], list[int]()
    system, policy = System(ManualTime()), Pauses([0.0] * 5)
    ref = system.spawn(Spec("troubled", lambda: Troubled(script, did), policy=policy))
    for number in range(3):
        ref.tell(Work(number))
    await system.quiet()

    assert did == done
    assert [str(exit) for exit in policy.exits] == [f"crashed: OSError: {stage}"] * 2
    assert system.stats()[0].counts.crashes == 2


async def test_a_start_that_hangs_is_a_crash() -> None:
    """It may take its time and no longer."""

    class Slow(Actor):
        async def started(self) -> None:
            await asyncio.Event().wait()

    time, policy = ManualTime(), Pauses([])
    system = System(time)
    ref = system.spawn(Spec("slow", Slow, policy=policy, start_s=3))
    await time.advance(2_999)
    assert system.stats()[0].state is State.STARTING
    await time.advance(1)

    assert str(await ref.ended()) == "crashed: TimeoutError: slow did not start within 3 s"


async def test_a_cancelled_wait_of_a_handler_is_a_crash_like_any_other() -> None:
    """A handler that awaits what somebody else cancels does not take the actor down for good."""
    gate = asyncio.get_running_loop().create_future()

    class Waiting(Message["Waiter"], frozen=True):
        pass

    class Waiter(Actor):
        @handles(Waiting)
        async def wait(self, message: Waiting) -> None:
            await gate

    system, policy = System(ManualTime()), Pauses([0.0])
    ref = system.spawn(Spec("waiter", Waiter, policy=policy))
    ref.tell(Waiting())
    await settle()
    gate.cancel()
    await system.quiet()

    assert [exit.ending for exit in policy.exits] == [Ending.CRASHED]
    assert system.stats()[0].state is State.RUNNING


async def test_one_actor_s_trouble_is_not_another_s() -> None:
    """A handler that waits for ever and a crash that repeats leave the others as they were."""
    office, book = Office(0.0, 0.0, 0.0), Book()
    other = office.system.spawn(Spec("other", lambda: Clerk(book)))
    office.clerk.tell(Fail())
    office.clerk.tell(Hold())
    await settle()

    assert await other.ask(Count(), timeout_s=5) == 1


async def test_a_policy_that_fails_gives_no_other_life(caplog: pytest.LogCaptureFixture) -> None:
    """Its own mistake must not leave an actor neither living nor dead."""

    class Broken:
        def after(self, exit: Exit, now_s: float) -> float | None:
            raise KeyError("policy")

    system, book = System(ManualTime()), Book()
    ref = system.spawn(Spec("clerk", lambda: Clerk(book), policy=Broken()))
    with pytest.raises(ActorFailed):
        await ref.ask(Fail(), timeout_s=5)

    assert (await ref.ended()).ending is Ending.CRASHED
    assert "the policy of clerk failed" in caplog.text


async def test_each_step_of_a_life_can_be_watched() -> None:
    """With what ended it, and how long the pause is; a crash is logged with where it happened."""
    seen: list[Change] = []
    time = ManualTime()
    system, book = System(time, on_change=seen.append), Book()
    ref = system.spawn(Spec("clerk", lambda: Clerk(book), policy=Pauses([1.5])))
    ref.tell(Fail())
    await time.advance(1_500)
    await system.stop(ref)

    assert [(change.state.value, change.delay_s) for change in seen] == [
        ("starting", None),
        ("running", None),
        ("stopping", None),
        ("waiting", 1.5),
        ("starting", None),
        ("running", None),
        ("stopping", None),
        ("ended", None),
    ]
    assert [str(change.exit) for change in seen if change.exit] == [
        "crashed: ValueError: it slipped",
        "asked",
    ]


async def test_a_crash_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever reads the log sees where it happened."""
    office = Office(0.0)
    with caplog.at_level(logging.WARNING):
        office.clerk.tell(Fail())
        await office.system.quiet()

    [record] = caplog.records
    assert record.getMessage() == "clerk failed: ValueError: it slipped"
    assert record.exc_info is not None


class Break(Message["Named"], frozen=True):
    """Told: crash."""


whose: ContextVar[str] = ContextVar("whose", default="nobody's")


class Named(Actor):
    """Writes down in whose name it begins, and ends over the first message."""

    def __init__(self, begun: list[str]) -> None:
        self._begun = begun

    async def started(self) -> None:
        self._begun.append(whose.get())

    @handles(Break)
    async def breaks(self, message: Break) -> None:
        raise ValueError("it slipped")


async def test_every_life_has_the_context_in_which_its_actor_was_spawned() -> None:
    """So what is logged of it bears its name, whoever's timer happens to begin it, and whoever restarts it."""
    begun: list[str] = []
    system, refs = System(time := ManualTime()), []
    for name in ("a", "b"):
        whose.set(name)
        refs.append(system.spawn(Spec(name, lambda: Named(begun), policy=Pauses([1.0]))))
    whose.set("nobody's")
    for ref in refs:
        ref.tell(Break())
    await settle()
    await time.advance(1_000)
    system.restart(refs[0])
    await system.quiet()

    assert begun == ["a", "b", "a", "b", "a"]


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
async def test_a_step_that_is_not_in_the_table_is_refused(before: State, after: State) -> None:
    """It raises, and changes nothing."""
    office = Office()
    await office.system.quiet()
    cell = office.system._cells["clerk"]
    cell.state = before
    if after in NEXT[before]:
        cell._become(after)
        assert cell.state is after
        return
    with pytest.raises(RuntimeError, match=f"clerk is {before} and can't become {after}"):
        cell._become(after)
    assert cell.state is before
