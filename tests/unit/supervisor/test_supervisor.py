"""The supervisor: order, names, ranks, what is shown, and actors under its rules."""

import asyncio

import pytest

from actors.kernel import ManualTime, Ref, settle
from supervisor.children import State
from supervisor.errors import Draining, NameTaken, NoSuchChild
from supervisor.policy import Rules
from supervisor.redaction import Redactor
from supervisor.supervisor import Supervisor
from tests.unit.supervisor.parts import (
    NOW,
    QUICK,
    Clutch,
    Crash,
    Diary,
    Hang,
    Note,
    Worker,
    seen,
    supervisor,
    worker,
)


async def test_children_stop_in_the_reverse_order() -> None:
    """What was started last may still need what was started first."""
    diary, keeper, stop = Diary(), supervisor(), asyncio.Event()
    async with keeper.keeping([diary.service("database"), diary.service("page")], stop):
        diary.said.append("up")

    assert diary.said == ["start database", "start page", "up", "stop page", "stop database"]


async def test_an_error_while_up_stops_all() -> None:
    """And passes on."""
    diary, keeper = Diary(), supervisor()

    with pytest.raises(ValueError, match="boom"):
        async with keeper.keeping([diary.service("page")], asyncio.Event()):
            raise ValueError("boom")

    assert diary.said == ["start page", "stop page"]


async def test_who_is_cancelled_waits_for_nobody() -> None:
    """As by a second Ctrl-C, when a child holds up the end."""
    diary, keeper, up = Diary(), supervisor(), asyncio.Event()

    async def main() -> None:
        async with keeper.keeping([diary.service("page", at_end=diary.stubborn)], asyncio.Event()):
            up.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(main())
    await up.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    diary.release.set()

    assert diary.said == ["start page"]


async def test_being_told_to_stop_drains_at_once() -> None:
    """Before anything is stopped: nothing new is started, and those who watch see it end."""
    diary, keeper, stop = Diary(), supervisor(), asyncio.Event()
    async with keeper.keeping([diary.service("page")], stop):
        stop.set()
        await settle()

        assert keeper.troubles() == ["It is ending."]
        assert seen(keeper, "page").state is State.RUNNING
        with pytest.raises(Draining):
            keeper.spawn(diary.service("late"))
        with pytest.raises(Draining):
            await keeper.restart("page")


async def test_a_start_that_is_told_to_stop_goes_no_further() -> None:
    """However long the child would take that is being waited for."""
    diary, keeper, stop = Diary(), supervisor(), asyncio.Event()
    children = [diary.service("slow", at_start=asyncio.Event().wait), diary.service("page")]
    stop.set()
    async with keeper.keeping(children, stop):
        pass

    assert diary.said == ["start slow"]


async def test_passing_children_stop_before_standing_ones_by_rank() -> None:
    """Whatever the order in which they came: a deployment needs its engine, and both need the database."""
    diary, keeper = Diary(), supervisor()
    await keeper.start([diary.service("database"), diary.service("page")])
    for name, rank in (("deployment", 1), ("engine", 0), ("other deployment", 1)):
        keeper.spawn(diary.service(name, rank=rank))
    await settle()
    diary.said.clear()
    await keeper.shutdown()

    assert set(diary.said[:2]) == {"stop deployment", "stop other deployment"}
    assert diary.said[2:] == ["stop engine", "stop page", "stop database"]


async def test_a_name_is_used_once_at_a_time() -> None:
    """And is free again when its child is over."""
    diary, keeper = Diary(), supervisor()
    keeper.spawn(diary.service("one"))
    with pytest.raises(NameTaken, match="one runs already"):
        keeper.spawn(diary.service("one"))
    await keeper.stop("one")
    keeper.spawn(diary.service("one"))
    await settle()

    assert keeper.names("web") == ["one"]
    await keeper.shutdown()


async def test_a_name_that_is_not_there_is_guessed() -> None:
    """As far as it can be."""
    diary, keeper = Diary(), supervisor()
    await keeper.start([diary.service("heartbeat")])

    with pytest.raises(NoSuchChild, match="nothing here is called hartbeat; did you mean heartbeat"):
        await keeper.stop("hartbeat")
    with pytest.raises(NoSuchChild, match="`agentic ps` shows those there are"):
        await keeper.restart("x")
    await keeper.shutdown()


async def test_restarting_forgets_the_failures() -> None:
    """A child that was given up gets all its attempts again; a standing one that was stopped comes back."""
    diary, time = Diary(), ManualTime(NOW)
    keeper, broken = supervisor(time), [True]
    bad = diary.service("bad", fails=lambda: broken[0], rules=QUICK)
    await keeper.start([bad, diary.service("page")])
    await time.advance(60_000)
    await keeper.stop("page")
    broken[0] = False
    for name in ("bad", "page"):
        await keeper.restart(name)
    await settle()

    assert [child.state for child in keeper.tree().children] == [State.RUNNING, State.RUNNING]
    assert keeper.troubles() == []
    await keeper.shutdown()


async def test_an_actor_is_restarted_by_its_rules_and_given_up() -> None:
    """The reference stays the same meanwhile; its owner is told at the end, and the others go on."""
    said, diary, time = list[str](), Diary(), ManualTime(NOW)
    keeper = supervisor(time)
    ref = keeper.spawn(worker(said, rules=QUICK, on_failed=diary.failed, on_restart=diary.restarted))
    other = keeper.spawn(worker(said, "other"))
    for pause_ms in (500, 1_000):
        ref.tell(Crash())
        await settle()
        assert seen(keeper, "worker").state is State.WAITING
        await time.advance(pause_ms)
        assert seen(keeper, "worker").state is State.RUNNING
    ref.tell(Crash())
    await settle()
    other.tell(Note("here"))
    await settle()
    view = seen(keeper, "worker")

    assert (view.state, view.restarts, view.last_error) == (State.FAILED, 2, "ValueError: told to crash")
    assert diary.failures == [("worker", "ValueError: told to crash")]
    assert diary.crashes == diary.failures * 2
    assert said[-1] == "here"
    assert keeper.troubles() == []  # it was a passing one: its owner's business
    await keeper.shutdown()


async def test_an_actor_that_is_restarted_by_hand_keeps_its_mailbox() -> None:
    """Who knows it still reaches it."""
    said, keeper = list[str](), supervisor()
    ref: Ref[Worker] = keeper.spawn(worker(said))
    await settle()
    await keeper.restart("worker")
    ref.tell(Note("after"))
    await settle()

    assert said == ["started", "stopping", "started", "after"]
    assert seen(keeper, "worker").restarts == 1
    await keeper.shutdown()


async def test_a_handler_that_never_returns_is_seen_and_holds_up_nobody() -> None:
    """It is shown what is in hand and since when; the end comes in its time all the same."""
    said, time = list[str](), ManualTime(NOW)
    keeper = supervisor(time)
    hung = keeper.spawn(worker(said, stop_s=5))
    other = keeper.spawn(worker(said, "other"))
    hung.tell(Hang())
    hung.tell(Note("never"))
    await settle()
    await time.advance(3_000)
    other.tell(Note("here"))
    await settle()
    view = seen(keeper, "worker")
    ending = asyncio.create_task(keeper.shutdown())
    await time.advance(5_000)
    await ending

    assert (view.in_hand, view.in_hand_ms, view.depth, view.oldest_ms) == ("Hang", 3_000, 1, 3_000)
    assert "here" in said
    assert "never" not in said
    assert keeper.tree().children == []


async def test_an_actor_that_can_not_be_ended_is_left_behind() -> None:
    """The supervisor says so, and what it has left behind is counted for as long as it runs."""
    diary, said, time = Diary(), list[str](), ManualTime(NOW)
    keeper = supervisor(time)
    await keeper.start([worker(said, diary=diary)])
    ref = keeper.find("worker")
    assert ref
    ref.tell(Clutch())
    await settle()
    stopping = asyncio.create_task(keeper.stop("worker"))
    await time.advance(10_000)
    is_clean, before = await stopping, keeper.tree()
    diary.release.set()
    await settle()

    assert not is_clean
    assert (before.children[0].state, before.left_behind) == (State.LEFT_BEHIND, 1)
    assert keeper.tree().left_behind == 0


async def test_an_owner_that_can_not_be_told_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """As one whose mailbox is full: the child is given up all the same, and it is logged."""

    def full(name: str, error: BaseException | None, line: str) -> None:
        raise ValueError("full")

    said, time = list[str](), ManualTime(NOW)
    keeper = supervisor(time)
    ref = keeper.spawn(worker(said, rules=Rules(most=0), on_failed=full))
    ref.tell(Crash())
    await settle()

    assert seen(keeper, "worker").state is State.FAILED
    assert "the owner of worker could not be told that it was given up" in caplog.text
    await keeper.shutdown()


async def test_a_start_by_hand_is_no_crash() -> None:
    """Its owner is told of crashes only, also of one from before that was told already."""
    said, diary, time = list[str](), Diary(), ManualTime(NOW)
    keeper = supervisor(time)
    ref = keeper.spawn(worker(said, on_restart=diary.restarted))
    ref.tell(Crash())
    await settle()
    await time.advance(500)
    await keeper.restart("worker")
    await settle()

    assert seen(keeper, "worker").restarts == 2
    assert diary.crashes == [("worker", "ValueError: told to crash")]
    await keeper.shutdown()


async def test_an_error_is_shown_without_the_keys_in_it() -> None:
    """Errors of others repeat what they were given; they go to terminals, people, and into the database."""
    said, diary, time = list[str](), Diary(), ManualTime(NOW)
    keeper = Supervisor(supervisor().identity, time, lambda: 0.0, Redactor(["told to"]))
    ref = keeper.spawn(worker(said, on_restart=diary.restarted))
    ref.tell(Crash())
    await settle()
    tree = keeper.tree()
    await time.advance(500)

    assert diary.crashes == [("worker", "ValueError: [hidden] crash")]

    assert tree.children[0].last_error == "ValueError: [hidden] crash"
    assert tree.problems == ["worker is waiting: ValueError: [hidden] crash"]
    await keeper.shutdown()


async def test_passing_children_that_end_are_forgotten() -> None:
    """One that was given up is shown until it is stopped."""
    diary, time = Diary(), ManualTime(NOW)
    keeper = supervisor(time)
    said = list[str]()
    keeper.spawn(worker(said))
    keeper.spawn(diary.service("bad", fails=lambda: True, rules=QUICK))
    await settle()
    await time.advance(60_000)
    await keeper.stop("worker")

    assert [(child.name, child.state) for child in keeper.tree().children] == [("bad", State.FAILED)]
    assert keeper.tree().problems == ["bad is failed: OSError: bad can't start"]
    await keeper.stop("bad")
    assert keeper.tree().children == []
    await keeper.shutdown()


async def test_what_is_logged_belongs_to_its_child(caplog: pytest.LogCaptureFixture) -> None:
    """By a name that tasks inherit."""
    from structlog.contextvars import get_contextvars

    diary, keeper = Diary(), supervisor()
    found = []

    async def look() -> None:
        found.append(get_contextvars())

    await keeper.start([diary.service("page", at_start=look)])
    await keeper.shutdown()

    assert found == [{"child": "page"}]
    assert get_contextvars() == {}
