"""The postbox: whoever tells something goes on at once, and what is told is kept as soon as that can be."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from actors.kernel import ManualTime
from actors.notices import postbox as module
from actors.notices.postbox import Postbox
from db.connection import Connection
from db.notifications import list_notifications
from db.pool import Database
from domain.notices import Filled, GaveUp, Severity
from tests.unit.actors.notices.samples import T0, fill

PATIENCE_S = 60.0
NOBODY = UUID(int=99)


@pytest.fixture
def postbox(database: Database, time: ManualTime) -> Postbox:
    return Postbox(database, time)


@pytest.fixture
def time() -> ManualTime:
    return ManualTime(T0)


def tell(postbox: Postbox, owner: UUID, *names: str, severity: Severity = Severity.INFO) -> None:
    """Tell of a fill, or of a failure, of each deployment."""
    for name in names:
        is_grave = severity is Severity.URGENT
        notice = (
            GaveUp(ts=T0, deployment=name, reason="")
            if is_grave
            else Filled(ts=T0, deployment=name, fills=(fill(),))
        )
        postbox.tell(owner, None, notice, key=name)


async def kept(database: Database, owner: UUID) -> list[str]:
    """The deployments that notices are of, in the order in which they were kept."""
    async with database.as_user(owner) as connection:
        return [row.deployment for row in await list_notifications(connection, most=999)][::-1]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_what_is_told_is_kept_in_order(database: Database, owner: UUID, postbox: Postbox) -> None:
    """At once, however much it is, and to the last one at the end."""
    names = [f"d{n:03}" for n in range(2 * module.MOST_AT_ONCE + 1)]
    async with postbox.opened():
        tell(postbox, owner, *names)
        async with asyncio.timeout(PATIENCE_S):
            while await kept(database, owner) != names:
                await asyncio.sleep(0.01)
        tell(postbox, owner, "last")
    assert await kept(database, owner) == [*names, "last"]


async def test_what_the_database_can_not_take_waits_for_it(
    database: Database,
    admin: Connection,
    owner: UUID,
    postbox: Postbox,
    time: ManualTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And is kept, each once, when it is back. It is logged once."""
    await admin.execute("alter table notifications rename to away")
    async with postbox.opened():
        tell(postbox, owner, "first")
        await until(lambda: "can't be kept yet" in caplog.text)
        tell(postbox, owner, "second")
        await time.advance(1_000)
        await admin.execute("alter table away rename to notifications")
        async with asyncio.timeout(PATIENCE_S):
            while await kept(database, owner) != ["first", "second"]:
                await time.advance(1_000)
                await asyncio.sleep(0.01)
    assert caplog.text.count("can't be kept yet") == 1


async def test_a_database_that_hangs_holds_up_no_end(
    database: Database,
    admin: Connection,
    owner: UUID,
    postbox: Postbox,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What can't be kept by then is counted and lost."""
    monkeypatch.setattr(module, "LAST_S", 0.05)
    async with admin.transaction():
        await admin.execute("lock table notifications")
        async with postbox.opened():
            tell(postbox, owner, "one", "two")
    assert "2 notices can't be kept any more: no answer in time" in caplog.text
    assert await kept(database, owner) == []


async def test_what_can_never_be_kept_holds_up_nothing(
    database: Database, owner: UUID, postbox: Postbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a word to a person who is gone."""
    tell(postbox, owner, "before")
    tell(postbox, NOBODY, "to nobody")
    tell(postbox, owner, "after")
    await postbox.empty()
    assert await kept(database, owner) == ["before", "after"]
    assert "a notice of fill (to nobody) is lost" in caplog.text


async def test_when_there_is_no_room_what_is_grave_stays(
    database: Database,
    owner: UUID,
    postbox: Postbox,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest of what is only good to know goes first, then the oldest."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    tell(postbox, owner, "grave 1", severity=Severity.URGENT)
    tell(postbox, owner, "fill 1", "fill 2", "fill 3")
    tell(postbox, owner, "grave 2", "grave 3", "grave 4", severity=Severity.URGENT)
    await postbox.empty()
    assert await kept(database, owner) == ["grave 2", "grave 3", "grave 4"]
    assert caplog.text.count("too many wait to be kept") == 4
