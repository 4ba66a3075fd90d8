"""What can be asked for through the control socket, from another thread, while children do as they like."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from structlog.contextvars import bound_contextvars

from actors.kernel import ManualTime, settle
from control.errors import Refused
from supervisor import loop_watch
from supervisor.children import Service, State, Tree
from supervisor.client import Connection
from supervisor.control_socket import serving
from supervisor.logbook import Logbook, logging_to
from supervisor.operations import OPERATIONS, Done, Operations, Stats, Tail
from supervisor.redaction import Redactor
from supervisor.supervisor import Supervisor
from tests.unit.supervisor.parts import NOW, QUICK, Diary, Hang, Note, supervisor, worker

T = TypeVar("T")


class Site(msgspec.Struct):
    """A supervisor that is reached through its socket."""

    keeper: Supervisor
    path: Path
    stop: asyncio.Event
    time: ManualTime

    async def ask(self, op: str, kind: type[T], **args: object) -> T:
        """Ask from another thread, as another process would."""
        return await asyncio.to_thread(self.ask_here, op, kind, **args)

    def ask_here(self, op: str, kind: type[T], **args: object) -> T:
        """Ask from the main thread, whose loop does not turn meanwhile."""
        with Connection(self.path) as connection:
            return connection.ask(op, kind, within_s=60, **args)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """One of this test's own."""
    async with opened(tmp_path / "web.sock") as site:
        yield site


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Site]:
    """A supervisor, its log and its socket."""
    manual = ManualTime(NOW)
    keeper, stop = supervisor(manual), asyncio.Event()
    logbook = Logbook(Redactor(), "text", lambda _: None)
    operations = Operations(keeper, logbook, stop.set)
    with logging_to(logbook, "info"), serving(path, operations.answer, operations.watch.watch):
        yield Site(keeper, path, stop, manual)


async def test_the_tree_shows_every_child(site: Site) -> None:
    """Actors with what waits for them, services, and what is wrong."""
    diary, said = Diary(), list[str]()
    await site.keeper.start([diary.service("page"), diary.service("bad", fails=lambda: True)])
    ref = site.keeper.spawn(worker(said))
    ref.tell(Hang())
    ref.tell(Note("waits"))
    await settle()
    tree = await site.ask("tree", Tree)
    stats = await site.ask("stats", Stats)

    assert tree == site.keeper.tree()
    assert [(child.name, child.kind, child.state) for child in tree.children] == [
        ("page", "service", State.RUNNING),
        ("bad", "service", State.WAITING),
        ("worker", "actor", State.RUNNING),
    ]
    assert (tree.children[2].in_hand, tree.children[2].depth) == ("Hang", 1)
    assert tree.problems == ["bad is waiting: OSError: bad can't start"]
    assert stats.states == {"running": 2, "waiting": 1}
    assert (stats.depth, stats.handled, stats.dead_letters) == (1, 0, 0)
    await end(site)


async def end(site: Site) -> None:
    """Stop what runs, whose time stands still."""
    ending = asyncio.create_task(site.keeper.shutdown())
    await settle()
    await site.time.advance(60_000)
    await ending


async def test_children_are_stopped_started_and_restarted_by_name(site: Site) -> None:
    """A name that is not there is refused with a guess."""
    diary = Diary()
    await site.keeper.start([diary.service("page", rules=QUICK)])
    with pytest.raises(Refused, match="page runs already"):
        await site.ask("spawn", Done, name="page")
    assert await site.ask("stop", Done, name="page") == Done(is_clean=True)
    await site.ask("spawn", Done, name="page")
    await site.ask("restart", Done, name="page")
    with pytest.raises(Refused, match="nothing here is called pgae; did you mean page"):
        await site.ask("stop", Done, name="pgae")
    await settle()

    assert diary.said == ["start page", "stop page"] * 2 + ["start page"]
    await end(site)


async def test_draining_and_ending_are_told_to_the_main_loop(site: Site) -> None:
    """What comes of it is its business."""
    await site.ask("drain", Done)
    assert site.keeper.is_draining
    assert not site.stop.is_set()

    await site.ask("shutdown", Done)
    assert site.stop.is_set()


async def test_the_log_is_read_and_followed(site: Site) -> None:
    """By a child's name; who follows waits for what comes, and then has it at once."""
    log = logging.getLogger("some.module")
    for number in range(5):
        with bound_contextvars(child="engine:a" if number % 2 else "page"):
            log.info("event %d", number)
    tail = await site.ask("tail", Tail, name="engine", most=1)
    following = asyncio.create_task(site.ask("tail", Tail, after=tail.last, wait_s=30.0))
    await settle()
    log.info("news")
    followed = await following
    nothing = await site.ask("tail", Tail, after=followed.last)

    assert ([event.event for event in tail.events], tail.last) == (["event 3"], 5)
    assert [event.event for event in followed.events] == ["news"]
    assert nothing == Tail([], followed.last)


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("tree", {"more": 1}),
        ("stop", {}),
        ("stop", {"name": ""}),
        ("stop", {"name": "x" * 201}),
        ("stop", {"name": ["page"]}),
        ("tail", {"after": -1}),
        ("tail", {"most": 100_000}),
        ("tail", {"wait_s": 1e9}),
    ],
)
async def test_arguments_are_bounded(site: Site, op: str, args: dict[str, Any]) -> None:
    """And refused in a line that names the op."""
    with pytest.raises(Refused, match=f"the arguments of {op} can't be used"):
        await site.ask(op, object, **args)


async def test_an_op_that_is_not_there_is_answered_with_those_that_are(site: Site) -> None:
    """So that whoever looks at the socket by hand finds their way."""
    with pytest.raises(Refused, match=f"there is no op 'hlep'; there are {', '.join(OPERATIONS)}"):
        await site.ask("hlep", object)


async def test_misbehaving_children_are_seen_and_ended(site: Site) -> None:
    """One computes without end in a worker process, one never returns from its handler; all ops go on."""
    said, diary, workers = list[str](), Diary(), list[subprocess.Popen[bytes]]()

    @asynccontextmanager
    async def computing() -> AsyncIterator[None]:
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
            workers.append(process)
            yield
            process.kill()

    await site.keeper.start([Service(name="computing", group="sim", make=computing), diary.service("page")])
    hung = site.keeper.spawn(worker(said))
    hung.tell(Hang())
    await settle()
    tree = await site.ask("tree", Tree)
    log = await site.ask("tail", Tail)
    await site.ask("restart", Done, name="page")
    await site.ask("shutdown", Done)
    await end(site)

    assert {child.name: child.state for child in tree.children} == dict.fromkeys(
        ("computing", "page", "worker"), State.RUNNING
    )
    assert tree.children[2].in_hand == "Hang"
    assert log.events == []
    assert diary.said == ["start page", "stop page"] * 2
    assert site.stop.is_set()
    assert [process.returncode for process in workers] == [-signal.SIGKILL]


def wait_for(site: Site, is_so: Callable[[Tree], bool]) -> Tree:
    """Look again and again, from the main thread, whose loop stands still, until it is so."""
    while not is_so(tree := site.ask_here("tree", Tree)):
        pass
    return tree


async def test_a_loop_that_is_stuck_is_seen_from_outside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that looks goes on, and says where it is stuck; what acts is refused rather than waited for."""
    monkeypatch.setattr(loop_watch, "STUCK_S", 0.05)
    monkeypatch.setattr(loop_watch, "LOOK_EVERY_S", 0.01)
    diary = Diary()
    await site.keeper.start([diary.service("page")])
    tree = wait_for(site, lambda tree: bool(tree.problems))
    stats = site.ask_here("stats", Stats)
    tail = site.ask_here("tail", Tail, wait_s=30.0)
    with pytest.raises(Refused, match="what was asked for is done when that ends"):
        site.ask_here("stop", Done, name="page")
    await settle(200)

    assert [child.name for child in tree.children] == ["page"]
    assert tree.problems[0].startswith("nothing has gone on for ")
    assert "the process is busy in " in tree.problems[0]
    assert stats.silent_ms > 0
    assert "nothing has gone on for" in tail.events[0].event
    await end(site)
