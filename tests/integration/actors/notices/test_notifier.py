"""The notifier among the actors: it looks by itself, is woken, always answers, and ends without sending twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from actors.kernel import Ending, ManualTime, Ref, Spec, System
from actors.notices.outbox import Outbox
from actors.notices.outside import Receiver, ReceiverError, receivers_of
from actors.notices.postbox import Postbox
from actors.notifier import POLL_MS, Look, NotifierActor
from db.connection import Connection
from db.notifications import list_notifications
from db.pool import Database
from domain.notices import Filled
from tests.standins.inbox import Inbox, inbox
from tests.unit.actors.notices.samples import T0, fill

PATIENCE_S = 20.0


class Stage:
    """A notifier that is running, in a time that the test moves."""

    def __init__(self, database: Database, owner: UUID, receivers: Callable[[], Sequence[Receiver]]) -> None:
        self.database, self.owner, self.time = database, owner, ManualTime(T0)
        self.system = System(self.time)
        self.postbox = Postbox(database, self.time)
        self.ref: Ref[NotifierActor] = self.system.spawn(
            Spec("notifier", lambda: NotifierActor(database, receivers, owner, 30))
        )

    async def tell(self, name: str) -> None:
        """Tell of a fill."""
        notice = Filled(ts=T0, deployment=name, fills=(fill(),))
        self.postbox.tell(self.owner, None, notice, key=name)
        await self.postbox.empty()

    async def states(self) -> list[str]:
        """The states of what was told."""
        async with self.database.as_user(self.owner) as connection:
            return [row.state for row in await list_notifications(connection, most=99)][::-1]

    async def until(self, *states: str) -> None:
        """Wait until what was told is in these states."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.states() != list(states):
                await asyncio.sleep(0)

    async def up(self) -> None:
        """Wait until it takes messages."""
        async with asyncio.timeout(PATIENCE_S):
            while self.system.stats()[0].state != "running":
                await asyncio.sleep(0)


@asynccontextmanager
async def stage(database: Database, owner: UUID, service: Inbox) -> AsyncIterator[Stage]:
    """A notifier that writes to a service; ended at the end."""
    made = Stage(database, owner, lambda: receivers_of([service.url + "&rto=60"]))
    try:
        yield made
    finally:
        service.release()
        await made.system.stop_all()


async def test_it_looks_at_its_start_by_itself_and_when_it_is_woken(database: Database, owner: UUID) -> None:
    """So what was told while nobody sent is sent, and nothing depends on being woken."""
    async with inbox() as service, stage(database, owner, service) as one:
        await one.tell("before")
        await one.until("sent")
        await one.tell("by itself")
        await one.time.advance(POLL_MS)
        await one.until("sent", "sent")
        await one.tell("woken")
        one.ref.tell(Look())
        await one.until("sent", "sent", "sent")
    assert [title.split(":")[0] for title in service.titles] == ["before", "by itself", "woken"]


async def test_however_often_it_is_woken_during_a_round_there_is_one_more(
    database: Database, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told when the round had looked for the last time must not wait for the next look."""
    rounds, go_on = list[int](), asyncio.Semaphore(0)

    async def empty(outbox: Outbox) -> None:
        rounds.append(len(rounds))
        await go_on.acquire()

    monkeypatch.setattr(Outbox, "empty", empty)
    async with inbox() as service, stage(database, owner, service) as one:
        await one.up()
        for _ in range(5):
            one.ref.tell(Look())
        await one.system.quiet()
        assert rounds == [0]
        for _ in range(3):
            go_on.release()
            await one.system.quiet()
        assert rounds == [0, 1]


async def test_it_answers_while_a_service_does_not(database: Database, owner: UUID) -> None:
    """It takes messages all the while, and sends what was told meanwhile when the service has answered."""
    async with inbox(["hang"]) as service, stage(database, owner, service) as one:
        await one.tell("slow")
        one.ref.tell(Look())
        await service.came.wait()
        await one.tell("next")
        handled = one.system.stats()[0].counts.handled
        for _ in range(5):
            one.ref.tell(Look())
        await one.system.quiet()
        assert one.system.stats()[0].counts.handled == handled + 5
        service.release()
        await one.until("sent", "sent")
    assert len(service.mails) == 2


async def test_it_ends_when_the_message_under_way_is_settled(database: Database, owner: UUID) -> None:
    """So an orderly end sends nothing twice; what comes after it is left to the next start."""
    async with inbox(["hang"]) as service, stage(database, owner, service) as one:
        await one.tell("first")
        one.ref.tell(Look())
        await service.came.wait()
        await one.tell("second")
        ending = asyncio.create_task(one.system.stop(one.ref))
        await asyncio.sleep(0)
        service.release()
        assert (await ending).ending is Ending.ASKED
        assert await one.states() == ["sent", "queued"]


async def test_a_database_that_is_away_is_waited_for(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Looking fails, which is no crash; it looks again."""
    async with inbox() as service, stage(database, owner, service) as one:
        await one.up()
        await admin.execute("alter table notifications rename to away")
        one.ref.tell(Look())
        await one.system.quiet()
        await one.time.advance(POLL_MS)
        await admin.execute("alter table away rename to notifications")
        await one.tell("late")
        await one.time.advance(POLL_MS)
        one.ref.tell(Look())
        await one.until("sent")
        assert one.system.stats()[0].counts.starts == 1


async def test_a_url_that_can_not_be_used_is_its_end_and_not_anybody_elses(
    database: Database, owner: UUID
) -> None:
    """The error says which; what is told meanwhile waits."""

    def wrong() -> Sequence[Receiver]:
        return receivers_of(["nope://planted"])

    one = Stage(database, owner, wrong)
    end = await one.ref.ended()
    await one.tell("meanwhile")

    assert isinstance(end.error, ReceiverError)
    assert "URL 1 of 1" in str(end)
    assert "planted" not in str(end)
    assert await one.states() == ["queued"]
