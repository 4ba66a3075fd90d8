"""Being told to stop: in order where that can be done in time, and in time where it can't."""

import asyncio

import pytest

from actors.kernel import (
    Actor,
    ActorFailed,
    Ending,
    ManualTime,
    Message,
    Ref,
    Request,
    Spec,
    State,
    Stopped,
    System,
    handles,
    settle,
)
from tests.unit.actors.kernel.clerk import Book, Clerk, Count, Fail, Hold, Note, Office, Pauses


async def test_a_stop_comes_after_the_message_in_hand_and_before_what_waits() -> None:
    """What is in hand is answered, `stopping` is called, and the policy is not asked."""
    office = Office(0.0)
    asked = asyncio.create_task(office.clerk.ask(Hold(), timeout_s=60))
    await settle()
    office.clerk.tell(Note("a"))
    stopped = asyncio.create_task(office.system.stop(office.clerk))
    await settle()
    assert office.system.stats()[0].state is State.STOPPING
    office.book.gate.set()

    exit = await stopped
    assert (exit.ending, exit.error) == (Ending.ASKED, None)
    assert await asked == "held"
    assert office.written == ["started", "holding held", "stopping"]
    assert office.policy.exits == []
    assert office.system.dead_letters.count == 1


async def test_a_message_in_hand_that_takes_too_long_is_cancelled() -> None:
    """After the time that the actor has for stopping; whoever asked is told."""
    office = Office()
    asked = asyncio.create_task(office.clerk.ask(Hold(), timeout_s=60))
    await settle()
    stopped = asyncio.create_task(office.system.stop(office.clerk))
    await office.time.advance(4_999)
    assert not stopped.done()
    await office.time.advance(1)

    assert str(await stopped) == "asked: TimeoutError: clerk did not stop within 5 s"
    with pytest.raises(Stopped, match="clerk was stopped with Hold in hand"):
        await asked


class Endure(Request["Stubborn", str], frozen=True):
    """Asked: answered when it is released, and not before."""


class HaveChild(Message["Stubborn"], frozen=True):
    """Told: starts a child that ends when it is released, and not before."""


class Say(Request["Stubborn", str], frozen=True):
    """Asked: answered at once, with which life of the actor this is."""


class Crash(Message["Stubborn"], frozen=True):
    """Told: the actor crashes."""


class WaitForCancelled(Message["Stubborn"], frozen=True):
    """Told: waits for something that is cancelled."""


class Stubborn(Actor):
    """Does not end when it is cancelled, and nor does its child."""

    def __init__(self, life: int, release: asyncio.Event) -> None:
        self.life, self.release = life, release

    @handles(Endure)
    async def endure(self, message: Endure) -> str:
        await self._endure()
        return f"endured by life {self.life}"

    @handles(HaveChild)
    async def have_child(self, message: HaveChild) -> None:
        self.child(self._endure())

    @handles(Say)
    async def say(self, message: Say) -> str:
        return f"life {self.life}"

    @handles(Crash)
    async def crash(self, message: Crash) -> None:
        raise ValueError("crashed")

    @handles(WaitForCancelled)
    async def wait_for_cancelled(self, message: WaitForCancelled) -> None:
        cancelled = asyncio.get_running_loop().create_future()
        cancelled.cancel()
        await cancelled

    async def _endure(self) -> None:
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue


class Ward:
    """A system with a stubborn actor, which is to be released before the test ends."""

    def __init__(self, *pauses: float) -> None:
        self.time, self.release, self.lives = ManualTime(), asyncio.Event(), 0
        self.system = System(self.time)
        self.ref: Ref[Stubborn] = self.system.spawn(
            Spec("stubborn", self._make, policy=Pauses(pauses), stop_s=5, hard_s=2)
        )

    def _make(self) -> Stubborn:
        self.lives += 1
        return Stubborn(self.lives, self.release)


async def test_a_handler_that_never_returns_is_left_behind() -> None:
    """The system goes on and counts it; should it return after all, it does no harm."""
    ward = Ward()
    asked = asyncio.create_task(ward.ref.ask(Endure(), timeout_s=60))
    await settle()
    stopped = asyncio.create_task(ward.system.stop(ward.ref))
    await ward.time.advance(6_999)
    assert not stopped.done()
    await ward.time.advance(1)

    assert (await stopped).ending is Ending.ASKED
    with pytest.raises(Stopped):
        await asked
    assert len(ward.system.left) == 1
    ward.release.set()
    await settle()
    assert ward.system.left == set()


async def test_a_handler_that_never_returns_can_be_replaced() -> None:
    """A restart gives the actor another life, and what waited is for that one alone."""
    ward = Ward()
    ward.ref.tell(Endure())
    await settle()
    asked = asyncio.create_task(ward.ref.ask(Say(), timeout_s=60))
    ward.system.restart(ward.ref)
    await ward.time.advance(7_000)

    assert await asked == "life 2"
    ward.release.set()
    await settle()
    assert await ward.ref.ask(Say(), timeout_s=5) == "life 2"
    assert ward.system.stats()[0].counts.abandoned == 1


async def test_a_child_that_never_ends_is_left_behind() -> None:
    """At a stop and at a crash alike; the next life waits no longer than the hard limit."""
    ward = Ward(0.0)
    ward.ref.tell(HaveChild())
    ward.ref.tell(Crash())
    await ward.time.advance(1_999)
    assert ward.system.stats()[0].state is State.STOPPING
    await ward.time.advance(1)

    assert await ward.ref.ask(Say(), timeout_s=5) == "life 2"
    assert len(ward.system.left) == 1
    ward.release.set()
    await settle()
    assert ward.system.left == set()


class SlowStart(Stubborn):
    """The first two lives don't start before they are released, whatever happens."""

    def __init__(self, life: int, releases: list[asyncio.Event]) -> None:
        super().__init__(life, releases[life - 1] if life <= len(releases) else asyncio.Event())
        self.is_slow = life <= len(releases)

    async def started(self) -> None:
        if self.is_slow:
            await self._endure()


async def test_a_start_that_never_returns_is_left_behind() -> None:
    """The policy then decides on another life; if the old one comes up after all, it takes no messages."""
    releases, lives = [asyncio.Event(), asyncio.Event()], iter(range(1, 9))
    time, policy = ManualTime(), Pauses([0.0, 0.0])
    system = System(time)
    ref = system.spawn(
        Spec(
            "slow", lambda: SlowStart(next(lives), releases), policy=policy, start_s=3, hard_s=2, capacity=50
        )
    )
    await time.advance(5_000)
    releases[0].set()
    await settle()
    assert system.stats()[0].state is State.STARTING

    await time.advance(5_000)
    [stats] = system.stats()
    assert (stats.state, stats.counts.starts, stats.counts.abandoned) == (State.RUNNING, 3, 2)
    asks = [asyncio.create_task(ref.ask(Say(), timeout_s=5)) for _ in range(5)]
    releases[1].set()
    assert set(await asyncio.gather(*asks)) == {"life 3"}
    assert [str(exit) for exit in policy.exits] == [
        "crashed: TimeoutError: slow did not start within 3 s"
    ] * 2


async def test_a_start_that_is_late_but_comes_is_a_start() -> None:
    """It was cancelled, and went on all the same; what comes later has nothing to do with that."""
    release, lives = asyncio.Event(), iter(range(1, 9))
    time, policy = ManualTime(), Pauses([0.0])
    system = System(time)
    ref = system.spawn(
        Spec("slow", lambda: SlowStart(next(lives), [release]), policy=policy, start_s=3, hard_s=2)
    )
    await time.advance(4_000)
    release.set()
    await time.advance(10_000)
    assert await ref.ask(Say(), timeout_s=5) == "life 1"

    ref.tell(WaitForCancelled())
    await system.quiet()
    assert [str(exit) for exit in policy.exits] == [
        "crashed: CancelledError: what a handler waited for was cancelled"
    ]
    assert await ref.ask(Say(), timeout_s=5) == "life 2"


async def test_a_stop_during_the_pause_before_a_restart_is_at_once() -> None:
    """There is no further life."""
    office = Office(60.0)
    office.clerk.tell(Fail())
    await settle()

    assert (await office.system.stop(office.clerk)).ending is Ending.ASKED
    await office.time.advance(60_000)
    assert office.written == ["started"]


async def test_a_restart_during_the_pause_cuts_it_short() -> None:
    """Whoever asks for it does not have to wait."""
    office = Office(60.0)
    office.clerk.tell(Fail())
    await settle()
    office.clerk.tell(Note("a"))
    office.system.restart(office.clerk)
    await office.system.quiet()

    assert office.written == ["started", "started", "a"]


async def test_a_restart_that_is_asked_for_keeps_the_mailbox() -> None:
    """It ends in order, and the policy is not asked."""
    office = Office()
    office.clerk.tell(Note("a"))
    await settle()
    office.system.restart(office.clerk)
    office.clerk.tell(Note("b"))
    await office.system.quiet()

    assert office.written == ["started", "a", "stopping", "started", "b"]
    assert office.policy.exits == []


async def test_a_stop_has_the_last_word() -> None:
    """Over a restart that was asked for before or after."""
    for before in (True, False):
        office = Office()
        await settle()
        if before:
            office.system.restart(office.clerk)
        stopped = asyncio.create_task(office.system.stop(office.clerk))
        await asyncio.sleep(0)
        office.system.restart(office.clerk)
        await stopped

        assert office.written == ["started", "stopping"]


async def test_stopping_twice_is_stopping() -> None:
    """Also after it has ended, and whoever has taken its name since is left alone."""
    office = Office()
    first, second = await asyncio.gather(*(office.system.stop(office.clerk) for _ in range(2)))
    successor = office.system.spawn(Spec("clerk", lambda: Clerk(office.book)))

    assert await office.system.stop(office.clerk) == first == second
    assert await successor.ask(Count(), timeout_s=5) == 3


async def test_all_are_stopped_in_reverse_order() -> None:
    """Each has ended before the one that was started before it is told to; nothing is started any more."""
    order: list[str] = []

    class Named(Actor):
        def __init__(self, name: str) -> None:
            self.name = name

        async def stopping(self) -> None:
            order.append(f"{self.name} stops")
            await asyncio.sleep(0)
            order.append(f"{self.name} has stopped")

    system = System(ManualTime())
    for name in ("a", "b"):
        system.spawn(Spec(name, lambda name=name: Named(name)))
    await system.stop_all()

    assert order == ["b stops", "b has stopped", "a stops", "a has stopped"]
    with pytest.raises(Stopped, match="c is not started"):
        system.spawn(Spec("c", lambda: Named("c")))


async def test_an_error_while_stopping_is_told_and_ends_it_all_the_same() -> None:
    """The exit names it."""

    class Failing(Actor):
        async def stopping(self) -> None:
            raise OSError("no disk")

    system = System(ManualTime())
    ref = system.spawn(Spec("failing", Failing))

    assert str(await system.stop(ref)) == "asked: OSError: no disk"


async def test_an_actor_that_finishes_is_limited_too() -> None:
    """A `stopping` that hangs is a crash for the policy to judge."""

    class Hanging(Actor):
        async def started(self) -> None:
            self.stop()

        async def stopping(self) -> None:
            await asyncio.Event().wait()

    time = ManualTime()
    ref = System(time).spawn(Spec("hanging", Hanging, stop_s=5))
    await time.advance(5_000)

    assert str(await ref.ended()) == "crashed: TimeoutError: hanging did not stop within 5 s"


def test_closing_the_event_loop_ends_actors_without_another_life() -> None:
    """As when the program is interrupted."""
    book, policy = Book(), Pauses([0.0, 0.0])

    async def start() -> None:
        System(ManualTime()).spawn(Spec("clerk", lambda: Clerk(book), policy=policy)).tell(Hold())
        await settle()

    asyncio.run(start())

    assert book.written == ["started", "holding held"]
    assert policy.exits == []


async def test_giving_up_waiting_for_an_end_leaves_the_actor_as_it_is() -> None:
    """Several may wait for it, each for as long as it likes."""
    office = Office()
    impatient, patient = (asyncio.create_task(office.clerk.ended()) for _ in range(2))
    await settle()
    impatient.cancel()
    await settle()
    await office.system.stop(office.clerk)

    assert (await patient).ending is Ending.ASKED
    assert impatient.cancelled()


async def test_a_crash_with_a_stop_on_its_way_ends_it() -> None:
    """Whoever asked for the message in hand hears that the actor was stopped, and no other life begins."""
    office = Office(0.0)
    asked = asyncio.create_task(office.clerk.ask(Fail(), timeout_s=5))
    stopped = asyncio.create_task(office.system.stop(office.clerk))

    exit = await stopped
    with pytest.raises((Stopped, ActorFailed)):
        await asked
    assert exit.ending is Ending.ASKED
    assert office.system.stats() == []
