"""How a process shows itself to others, over a real database."""

import logging
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from actors.kernel import ManualTime, settle
from db.connection import Connection
from db.heartbeats import Heartbeat, live_heartbeats
from db.login import APP_ROLE
from db.pool import Database
from db.program_logs import tail_program_logs
from supervisor.children import ChildView, State, Tree
from supervisor.logbook import Logbook, logging_to
from supervisor.redaction import Redactor
from supervisor.showing import BEAT_EVERY_S, event_of, shortened, showing
from tests.unit.supervisor.parts import NOW, Diary, seen, supervisor

log = logging.getLogger("some.module")


@pytest.fixture
def logbook() -> Iterator[Logbook]:
    """What is logged, and written nowhere."""
    logbook = Logbook(Redactor(), "text", lambda _: None)
    with logging_to(logbook, "info"):
        yield logbook


async def rows(database: Database) -> list[Heartbeat]:
    """The processes that show themselves."""
    async with database.as_worker() as connection:
        return await live_heartbeats(connection)


async def lines(database: Database, owner: str) -> list[str]:
    """What a process has written of its log."""
    async with database.as_worker() as connection:
        return [one.row.event for one in await tail_program_logs(connection, owner)]


async def until(time: ManualTime, database: Database, count: int) -> list[Heartbeat]:
    """Let beats pass until so many processes are shown."""
    while len(found := await rows(database)) != count:
        await time.advance(round(BEAT_EVERY_S * 1000))
    return found


async def test_a_process_shows_its_tree_and_takes_it_away(database: Database, logbook: Logbook) -> None:
    """Its row is there while it is up; what it logged stays, to the last line."""
    time, diary = ManualTime(NOW), Diary()
    keeper = supervisor(time)
    await keeper.start([showing(keeper, database, logbook), diary.service("page")])
    with bound_contextvars(child="page"):
        log.info("first")
    (row,) = await until(time, database, 1)
    while [child["name"] for child in row.tree["children"]] != ["heartbeat", "page"]:
        await time.advance(round(BEAT_EVERY_S * 1000))
        (row,) = await rows(database)
    log.info("last")
    await keeper.shutdown()

    assert (row.owner, row.host, row.pid, row.groups) == ("host:1:a", "host", 1, ["web"])
    assert msgspec.convert(row.tree, Tree).children[1].state is State.RUNNING
    assert await rows(database) == []
    assert await lines(database, "host:1:a") == ["first", "last"]
    async with database.as_worker() as connection:
        kept = await tail_program_logs(connection, "host:1:a")
    assert event_of(1, kept[0].row) == msgspec.structs.replace(logbook.since(0)[0][0], number=1)


async def test_a_database_out_of_reach_is_told_once_and_borne(
    database_url: str, database: Database, logbook: Logbook
) -> None:
    """It is no fault of the process: nothing is restarted, and the lines come when they can."""
    time = ManualTime(NOW)
    keeper, gone = supervisor(time), await Database.open(database_url, user=APP_ROLE)
    await gone.close()
    away = Away(gone, database)
    await keeper.start([showing(keeper, away, logbook)])  # type: ignore[arg-type]
    for _ in range(3):
        await settle(200)
        await time.advance(round(BEAT_EVERY_S * 1000))
    told = [event.event for event in logbook.since(0)[0]]
    away.is_back = True
    await until(time, database, 1)
    while not await lines(database, keeper.owner):
        await time.advance(round(BEAT_EVERY_S * 1000))
    view = seen(keeper, "heartbeat")
    await keeper.shutdown()

    assert len(told) == 1
    assert told[0].startswith("this process can't be shown to others for now: ")
    assert (view.state, view.restarts) == (State.RUNNING, 0)
    assert (await lines(database, keeper.owner))[:1] == told


class Away:
    """A database that can't be reached until it is back."""

    def __init__(self, gone: Database, database: Database) -> None:
        self._gone, self._database = gone, database
        self.is_back = False

    def as_worker(self, *, waits: bool = True) -> object:
        """A transaction of whichever it is."""
        return (self._database if self.is_back else self._gone).as_worker(waits=waits)


async def test_nobody_sees_the_programs_lines_as_a_person(
    database: Database, admin: Connection, logbook: Logbook
) -> None:
    """They may tell of others."""
    time = ManualTime(NOW)
    keeper = supervisor(time)
    await keeper.start([showing(keeper, database, logbook)])
    log.info("here")
    await keeper.shutdown()
    owner = await admin.fetchval("select user_id from profiles limit 1")
    async with database.as_user(owner) as connection:
        assert await tail_program_logs(connection, keeper.owner) == []


VIEWS = st.builds(
    ChildView,
    name=st.uuids().map(str),
    group=st.just("web"),
    kind=st.just("actor"),
    state=st.sampled_from(State),
    since_ts=st.just(NOW),
)


@given(st.lists(VIEWS, max_size=30), st.integers(1, 30))
def test_a_tree_is_kept_short_and_shows_trouble_first(children: list[ChildView], most: int) -> None:
    """Nothing that is in trouble is left out for something that is not; what is left out is counted."""
    tree = msgspec.structs.replace(supervisor_tree(), children=children)
    short = shortened(tree, most)
    trouble = (State.FAILED, State.LEFT_BEHIND, State.WAITING)
    left = [child for child in children if child not in short.children]

    assert len(short.children) == min(most, len(children))
    assert len(short.children) + short.left_out == len(children)
    if any(child.state in trouble for child in left):
        assert all(child.state in trouble for child in short.children)


def supervisor_tree() -> Tree:
    """A tree without children."""
    return Tree(
        owner="a",
        host="host",
        pid=1,
        groups=[],
        started_ts=0,
        now_ts=0,
        is_draining=False,
        children=[],
        problems=[],
    )
