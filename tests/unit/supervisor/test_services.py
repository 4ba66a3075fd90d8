"""Services: started again by their rules, stopped in their time, or left behind."""

import asyncio
from itertools import count

import pytest

from actors.kernel import ManualTime, settle
from supervisor.children import State, looped
from supervisor.policy import Restart, Rules
from supervisor.services import NEXT, IllegalStep, RunningService
from tests.unit.supervisor.parts import NOW, QUICK, Diary, seen, supervisor


async def fail() -> None:
    """Work that fails at once."""
    raise ValueError("boom")


async def test_a_service_that_crashes_starts_again_after_its_pause() -> None:
    """Not before, and it is shown what it crashed of."""
    diary, time = Diary(), ManualTime(NOW)
    keeper = supervisor(time)
    crashes = iter([True, False])
    await keeper.start(
        [diary.service("page", work=lambda: fail() if next(crashes) else asyncio.Event().wait())]
    )
    await settle()
    waiting = seen(keeper, "page")
    await time.advance(499)
    still = seen(keeper, "page")
    await time.advance(1)
    again = seen(keeper, "page")
    await keeper.shutdown()

    assert (waiting.state, waiting.last_error, waiting.restarts) == (State.WAITING, "ValueError: boom", 0)
    assert still.state is State.WAITING
    assert (again.state, again.restarts, again.since_ts) == (State.RUNNING, 1, NOW + 500)
    assert diary.said == ["start page", "stop page"] * 2


async def test_one_that_can_not_start_is_given_up_and_the_others_run() -> None:
    """Its owner is told, once, with the error; nobody waited for it."""
    diary, time = Diary(), ManualTime(NOW)
    keeper = supervisor(time)
    await keeper.start([diary.service("bad", fails=lambda: True, rules=QUICK), diary.service("good")])
    before = [child.state for child in keeper.tree().children]
    await time.advance(60_000)
    after = [child.state for child in keeper.tree().children]
    await time.advance(3_600_000)

    assert before == [State.WAITING, State.RUNNING]
    assert after == [State.FAILED, State.RUNNING]
    assert diary.failures == [("bad", "OSError: bad can't start")]
    assert diary.crashes == diary.failures * QUICK.most
    assert diary.said.count("start bad") == 1 + QUICK.most
    assert keeper.troubles() == ["bad is failed."]
    await keeper.shutdown()


async def test_one_that_hangs_at_its_start_is_cut_off() -> None:
    """A start has a deadline, and missing it is a crash like another."""
    diary, time = Diary(), ManualTime(NOW)
    keeper = supervisor(time)
    slow = diary.service("slow", at_start=asyncio.Event().wait, start_s=0.01, rules=Rules(Restart.TEMPORARY))
    await keeper.start([slow, diary.service("good")])

    assert seen(keeper, "slow").last_error == "TimeoutError: it did not start in 0.01 s"
    assert seen(keeper, "good").state is State.RUNNING
    await keeper.shutdown()


@pytest.mark.parametrize(
    ("restart", "state", "starts"),
    [
        (Restart.PERMANENT, State.RUNNING, 2),
        (Restart.TRANSIENT, State.FINISHED, 1),
        (Restart.TEMPORARY, State.FINISHED, 1),
    ],
)
async def test_what_follows_the_end_of_its_work_is_in_its_rules(
    restart: Restart, state: State, starts: int
) -> None:
    """A service that should always be there comes back though it ended in order."""
    diary, time, numbers = Diary(), ManualTime(NOW), count()
    keeper = supervisor(time)
    work = lambda: asyncio.sleep(0) if next(numbers) == 0 else asyncio.Event().wait()  # noqa: E731
    await keeper.start([diary.service("job", work=work, rules=Rules(restart))])
    await settle()
    await time.advance(1_000)

    assert seen(keeper, "job").state is state
    assert diary.said.count("start job") == starts
    assert diary.failures == []
    await keeper.shutdown()


async def test_stopping_is_no_crash() -> None:
    """Whatever it does: in its work, in its pause or at its start, it ends and stays away."""
    diary, time = Diary(), ManualTime(NOW)
    keeper = supervisor(time)
    keeper.spawn(diary.service("works", work=asyncio.Event().wait))
    keeper.spawn(diary.service("pauses", fails=lambda: True))
    keeper.spawn(diary.service("starts", at_start=asyncio.Event().wait))
    await settle()
    states = {child.name: child.state for child in keeper.tree().children}
    ended = [await keeper.stop(name) for name in states]
    await time.advance(3_600_000)

    assert states == {"works": State.RUNNING, "pauses": State.WAITING, "starts": State.STARTING}
    assert ended == [True, True, True]
    assert keeper.tree().children == []
    assert diary.failures == []
    assert [said for said in diary.said if said.startswith("start")] == [f"start {name}" for name in states]


async def test_one_that_does_not_stop_is_cancelled() -> None:
    """After its time."""
    diary = Diary()
    keeper = supervisor()
    await keeper.start([diary.service("slow", at_end=asyncio.Event().wait, stop_s=0.01)])

    assert await keeper.stop("slow")
    assert seen(keeper, "slow").state is State.STOPPED


async def test_one_that_is_not_cancelled_either_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are stopped all the same, and it is counted."""
    monkeypatch.setattr("supervisor.services.CANCEL_S", 0)
    diary = Diary()
    keeper = supervisor()
    await keeper.start([diary.service("first"), diary.service("stuck", at_end=diary.stubborn, stop_s=0)])
    await keeper.shutdown()
    tree = keeper.tree()
    diary.release.set()
    await settle()

    assert [child.state for child in tree.children] == [State.STOPPED, State.LEFT_BEHIND]
    assert tree.left_behind == 1
    assert "stop first" in diary.said


async def test_stopping_twice_is_stopping_once() -> None:
    """Whoever asks second waits for the same end."""
    diary = Diary()
    keeper = supervisor()
    await keeper.start([diary.service("page", at_end=lambda: asyncio.sleep(0))])

    assert await asyncio.gather(keeper.stop("page"), keeper.stop("page")) == [True, True]
    assert await keeper.stop("page")
    assert diary.said == ["start page", "stop page"]


async def test_work_that_cancels_itself_has_crashed() -> None:
    """Nobody had told it to stop."""
    diary, time = Diary(), ManualTime(NOW)
    keeper = supervisor(time)

    async def cancelled() -> None:
        raise asyncio.CancelledError

    await keeper.start([diary.service("odd", work=cancelled)])
    await settle()

    assert seen(keeper, "odd").last_error == "RuntimeError: its work was cancelled from inside"
    await keeper.shutdown()


async def test_a_coroutine_can_be_a_service() -> None:
    """It is stopped by being cancelled."""
    diary = Diary()
    keeper = supervisor()
    said = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            said.append("cancelled")

    service = diary.service("loop")
    await keeper.start([type(service)(name="loop", group="web", make=looped(work))])
    await settle()
    await keeper.shutdown()

    assert said == ["cancelled"]


@pytest.mark.parametrize("state", State)
async def test_an_illegal_step_raises_and_changes_nothing(state: State) -> None:
    """What is over stays over."""
    diary, keeper = Diary(), supervisor()
    keeper.spawn(diary.service("page"))
    running = keeper._running["page"]
    assert isinstance(running, RunningService)
    running.state = state
    for other in set(State) - NEXT[state]:
        with pytest.raises(IllegalStep, match=f"page is {state} and can't become {other}"):
            running.become(other)

        assert running.state is state
    running.state = State.STARTING
    await keeper.stop("page")
