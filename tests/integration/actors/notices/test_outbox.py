"""From what actors tell to what arrives: kept once, sent at least once, not twice to who has it, rationed, given up."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.kernel import ManualTime
from actors.notices.kept import Letter, keep
from actors.notices.outbox import CLAIM_MS, FIRST_PAUSE_MS, LOST, NOBODY, NOT_THE_OWNER, Outbox, pause_ms
from actors.notices.outside import Messenger, receivers_of
from actors.notices.plan import MOST_TRIES
from actors.notices.postbox import Postbox
from actors.notices.ration import BURST
from db.connection import Connection
from db.notifications import NotificationRow, list_notifications
from db.pool import Database
from domain.notices import Filled, Severity
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.standins.inbox import Inbox, inbox
from tests.unit.actors.notices.samples import T0, fill, one_of_each

PER_HOUR = 30
DEPLOYMENT = UUID(int=3)


class Desk:
    """An outbox on a clock that the test moves, and notices to put into it."""

    def __init__(self, database: Database, owner: UUID, urls: Sequence[str]) -> None:
        self.database, self.owner, self.clock = database, owner, ManualTime(T0)
        self.postbox = Postbox(database, self.clock)
        self.urls = urls
        self.outbox = self.again()

    def again(self) -> Outbox:
        """The outbox of another process."""
        messenger = Messenger(receivers_of(self.urls))
        self.outbox = Outbox(self.database, self.clock.now_ms, messenger, self.owner, PER_HOUR)
        return self.outbox

    async def fills(self, *names: str, user: UUID | None = None) -> None:
        """Tell of a fill of each deployment."""
        for name in names:
            filled = Filled(ts=T0, deployment=name, fills=(fill(),))
            self.postbox.tell(
                user or self.owner, DEPLOYMENT, filled, key=f"fill:{name}:{self.clock.now_ms()}"
            )
        await self.postbox.empty()

    async def later(self, ms: int) -> None:
        """Let time pass, and the outbox be emptied."""
        await self.clock.advance(ms)
        await self.outbox.empty()

    async def rows(self, user: UUID | None = None) -> list[NotificationRow]:
        """What the person sees, the oldest first."""
        async with self.database.as_user(user or self.owner) as connection:
            return (await list_notifications(connection, most=999))[::-1]


async def test_every_kind_of_notice_arrives(database: Database, owner: UUID) -> None:
    """Fills, halts, failures, restarts, budgets and the rest, the gravest first, each with its severity."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        notices = one_of_each()
        for n, notice in enumerate(notices):
            desk.postbox.tell(owner, DEPLOYMENT, notice, key=f"{n}")
        await desk.postbox.empty()
        await desk.outbox.empty()

    assert len(service.mails) == len(notices)
    grave = [{"info": 0, "warning": 1, "failure": 2}[mail.type] for mail in service.mails]
    assert grave == sorted(grave, reverse=True)
    urgent = sorted(notice.kind for notice in notices if notice.severity is Severity.URGENT)
    assert grave.count(2) == len(urgent) > 2
    rows = await desk.rows()
    assert {row.state for row in rows} == {"sent"}
    assert {row.deployment_id for row in rows} == {DEPLOYMENT}


async def test_what_is_told_again_is_not_sent_again(database: Database, owner: UUID) -> None:
    """A restart that tells the same once more changes nothing, before and after it was sent."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        for _ in range(2):
            await desk.fills("trend", "trend")
            await desk.outbox.empty()
            await desk.again().recall()

    assert service.titles == ["trend: bought 0.25 BTC at 60,300.5"]


async def test_a_notice_is_kept_with_what_it_tells_of_or_not_at_all(database: Database, owner: UUID) -> None:
    """In the transaction of the halt, the fill, or whatever it is."""
    desk = Desk(database, owner, [])
    letter = Letter(ts=T0, user_id=owner, deployment_id=DEPLOYMENT, notice=one_of_each()[0], key="k")
    async with database.as_worker() as connection:
        assert await keep(connection, letter)
        await connection.execute("rollback; begin")
    assert await desk.rows() == []

    async with database.as_worker() as connection:
        assert await keep(connection, letter)
        assert not await keep(connection, letter)
    assert len(await desk.rows()) == 1


async def test_what_is_only_to_be_read_is_not_sent(database: Database, owner: UUID) -> None:
    """It is listed with the reason."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        desk.postbox.tell(owner, DEPLOYMENT, one_of_each()[-1], key="grave", unsent="a rehearsal")
        await desk.postbox.empty()
        await desk.outbox.empty()

    assert service.asked == 0
    assert [(row.state, row.error) for row in await desk.rows()] == [("suppressed", "a rehearsal")]


async def test_a_flood_is_a_few_messages_and_loses_nothing(database: Database, owner: UUID) -> None:
    """Those over the ration come in one message, and after it one in two minutes."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        await desk.fills(*(f"d{n:02}" for n in range(BURST)))
        await desk.outbox.empty()
        await desk.fills("late", "later", "latest")
        await desk.outbox.empty()
        assert len(service.mails) == BURST

        await desk.later(2 * MINUTE_MS - 1)
        assert len(service.mails) == BURST
        await desk.later(1)

    assert service.titles[BURST:] == ["3 more fills: late (1), later (1), latest (1)"]
    assert {row.state for row in await desk.rows()} == {"sent"}


async def test_no_restart_makes_the_ration_whole(database: Database, owner: UUID) -> None:
    """What was sent before counts, so a process that ends again and again does not write again and again."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        for n in range(4):
            await desk.again().recall()
            await desk.fills(*(f"{n}-{m}" for m in range(3)))
            await desk.outbox.empty()

    assert len(service.mails) == BURST


async def test_who_has_it_is_not_sent_it_again(database: Database, owner: UUID) -> None:
    """While the other receiver is tried until it takes it."""
    async with inbox() as healthy, inbox(["refuse", "cut"]) as poorly:
        desk = Desk(database, owner, [healthy.url, poorly.url])
        await desk.fills("trend")
        await desk.outbox.empty()
        [row] = await desk.rows()
        assert (row.state, row.delivered, row.error) == ("queued", ["json"], "json-2: it answered 500")

        await desk.later(FIRST_PAUSE_MS - 1)
        assert poorly.asked == 1
        await desk.later(1)
        await desk.later(pause_ms(2))

    [row] = await desk.rows()
    assert (row.state, row.delivered, row.attempts, row.error) == ("sent", ["json", "json-2"], 3, None)
    assert row.sent_ts == T0 + FIRST_PAUSE_MS + pause_ms(2)
    assert (len(healthy.mails), len(poorly.mails)) == (1, 1)


async def test_after_many_tries_it_is_given_up_with_the_reason(
    database: Database, owner: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    """Over about an hour, with longer and longer pauses; the log says so, and nothing of the URL."""
    async with inbox(["refuse"] * 99, token="planted-0123") as service:
        desk = Desk(database, owner, [service.url])
        await desk.fills("trend")
        await desk.outbox.empty()
        for attempt in range(1, MOST_TRIES):
            await desk.later(pause_ms(attempt))
        await desk.later(HOUR_MS)

    [row] = await desk.rows()
    assert (row.state, row.error, row.attempts) == ("failed", "json: it answered 500", MOST_TRIES)
    assert service.asked == MOST_TRIES
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("actors"))
    assert "a message (fill) was not sent to all: json: it answered 500; it is not tried again" in ours
    assert "planted" not in ours


async def test_a_crash_between_sending_and_settling_sends_it_again(database: Database, owner: UUID) -> None:
    """At least once: the next process can't know whether it arrived. Until the claim ends it leaves it alone."""
    async with inbox(["hang"]) as service:
        desk = Desk(database, owner, [service.url + "&rto=60"])
        await desk.fills("trend")
        sending = asyncio.create_task(desk.outbox.empty())
        await service.came.wait()
        sending.cancel()
        await asyncio.wait({sending})
        service.release()

        await desk.again().recall()
        await desk.later(CLAIM_MS - 1)
        assert len(service.mails) == 1
        await desk.later(1)
        await desk.later(DAY_MS)

    assert service.titles == ["trend: bought 0.25 BTC at 60,300.5"] * 2
    assert [(row.state, row.attempts) for row in await desk.rows()] == [("sent", 2)]


async def test_what_ended_every_process_that_sent_it_is_given_up(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Else it would do so for ever."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        await desk.fills("trend")
        await admin.execute("update notifications set message = gen_random_uuid(), attempts = $1", MOST_TRIES)
        await desk.outbox.empty()

    assert service.asked == 0
    assert [(row.state, row.error) for row in await desk.rows()] == [("failed", LOST)]


async def test_two_notifiers_share_the_work(database: Database, owner: UUID) -> None:
    """Each message is sent by one of them."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        for n, notice in enumerate(one_of_each()):
            desk.postbox.tell(owner, DEPLOYMENT, notice, key=f"{n}")
        await desk.postbox.empty()
        one, other = desk.outbox, desk.again()
        await asyncio.gather(one.empty(), other.empty())
        await asyncio.gather(one.empty(), other.empty())

    assert len(service.titles) == len(set(service.titles)) == len(one_of_each())


async def test_a_person_without_a_receiver_is_sent_nothing(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """The receivers are the owner's: what is another's stays theirs to read, and it is said why it was not sent."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        await desk.fills("mine")
        await desk.fills("yours", user=other_user)
        await desk.outbox.empty()

    assert service.titles == ["mine: bought 0.25 BTC at 60,300.5"]
    [row] = await desk.rows(other_user)
    assert (row.state, row.error, row.deployment) == ("suppressed", NOT_THE_OWNER, "yours")


async def test_without_any_receiver_nothing_piles_up(database: Database, owner: UUID) -> None:
    """So whoever names one later is not sent what is long past."""
    desk = Desk(database, owner, [])
    await desk.fills("old")
    await desk.outbox.empty()
    assert [(row.state, row.error) for row in await desk.rows()] == [("suppressed", NOBODY)]

    async with inbox() as service:
        desk.urls = [service.url]
        desk.again()
        await desk.fills("new")
        await desk.outbox.empty()
    assert service.titles == ["new: bought 0.25 BTC at 60,300.5"]


async def test_what_nothing_could_send_for_a_day_is_news_no_more(database: Database, owner: UUID) -> None:
    """It stays to be read."""
    async with inbox() as service:
        desk = Desk(database, owner, [service.url])
        await desk.fills("trend")
        await desk.later(DAY_MS + 1)

    assert service.asked == 0
    assert [row.state for row in await desk.rows()] == ["suppressed"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.integers(1, 9)),
        st.tuples(st.just("wait"), st.integers(0, HOUR_MS)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("moods"), st.lists(st.sampled_from(["take", "refuse", "cut"]), max_size=4)),
    ),
    max_size=12,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_whatever_happens_each_arrives_once_and_within_the_ration(
    database: Database, admin: Connection, owner: UUID, steps: list[tuple[str, Any]]
) -> None:
    """A service that fails now and then, restarts, floods: in the end every notice is in exactly one message."""
    await admin.execute("delete from notifications")
    async with inbox() as service:
        desk, told, made = Desk(database, owner, [service.url]), list[str](), set[UUID]()
        for what, how in [*steps, ("moods", []), ("wait", HOUR_MS), ("wait", HOUR_MS), ("wait", HOUR_MS)]:
            match what:
                case "tell":
                    names = [f"t{len(told) + n}" for n in range(how)]
                    told += names
                    await desk.fills(*names)
                case "wait":
                    await desk.later(how)
                case "restart":
                    await desk.again().recall()
                case "moods":
                    service.be(*how)
            await desk.outbox.empty()
        made = {row["message"] for row in await admin.fetch("select distinct message from notifications")}

    assert {row.state for row in await desk.rows()} <= {"sent"}
    assert len(service.mails) == len(made)
    hours = (desk.clock.now_ms() - T0) // HOUR_MS + 1
    assert len(service.mails) <= hours * PER_HOUR + BURST
    assert _carried(service) == len(told)


def _carried(service: Inbox) -> int:
    """How many notices the messages say that they carry."""
    counts = [title.split(" ")[0] for title in service.titles]
    return sum(
        int(count) if " more fills" in title else 1
        for count, title in zip(counts, service.titles, strict=True)
    )
