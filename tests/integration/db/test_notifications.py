"""What people are to be told, kept once, claimed by one, and settled once."""

import asyncio
from uuid import UUID, uuid4

import msgspec
import pytest

from db.connection import Connection
from db.errors import NotPermitted, Refused
from db.notifications import (
    CHANNEL,
    NewNotification,
    claim,
    keep_notification,
    list_notifications,
    messages_since,
    put_off,
    settle,
    suppress,
    waiting,
)
from db.pool import Database
from domain.ids import uuid7
from domain.time import HOUR_MS, MINUTE_MS
from tests.integration.db.samples import T0

MESSAGE = UUID(int=7)


def new(user_id: UUID, key: str = "k", **fields: object) -> NewNotification:
    """Something to tell."""
    made = NewNotification(
        user_id=user_id,
        deployment_id=None,
        key=key,
        kind="fill",
        severity="info",
        deployment="trend",
        title="bought",
        body="0.25 BTC",
    )
    return msgspec.structs.replace(made, **fields)


async def keep(database: Database, user_id: UUID, *keys: str, now_ms: int = T0) -> list[UUID]:
    """Keep some, and give the ids of all that are due then."""
    async with database.as_worker() as c:
        for key in keys:
            assert await keep_notification(c, new(user_id, key), now_ms)
        return [row.id for row in await waiting(c, now_ms)]


async def test_what_is_told_twice_is_kept_once(database: Database, owner: UUID, other_user: UUID) -> None:
    """By its key, for each person; the second telling changes nothing and wakes nobody."""
    async with database.as_worker() as c:
        assert await keep_notification(c, new(owner), T0)
        assert not await keep_notification(c, new(owner, title="again"), T0 + 1)
        assert await keep_notification(c, new(other_user), T0)
        assert [row.title for row in await waiting(c, T0 + 1)] == ["bought", "bought"]


async def test_what_is_grave_wakes_the_notifier(database: Database, admin: Connection, owner: UUID) -> None:
    """On its channel, at the commit; what is only good to know makes no noise."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    await admin.add_listener(CHANNEL, lambda *said: heard.put_nowait(said[-1]))

    async with database.as_worker() as c:
        await keep_notification(c, new(owner, "a"), T0)
    async with database.as_worker() as c:
        await keep_notification(c, new(owner, "b"), T0, wake=True)

    await asyncio.wait_for(heard.get(), 10)
    await admin.execute("select 1")
    assert heard.empty()


async def test_it_is_claimed_by_one_at_a_time(database: Database, owner: UUID) -> None:
    """Two notifiers that both saw it: one has it, and again somebody when the claim has ended."""
    ids = await keep(database, owner, "a", "b")

    async with database.as_worker() as first, database.as_worker() as second:
        until = {"now_ms": T0, "until_ms": T0 + MINUTE_MS}
        assert await claim(first, ids[:1], MESSAGE, attempt=1, **until) == {ids[0]}
        assert await claim(second, ids, uuid4(), attempt=1, **until) == {ids[1]}
    async with database.as_worker() as c:
        assert await claim(c, ids, uuid4(), attempt=1, **until) == set()
        assert await waiting(c, T0 + MINUTE_MS - 1) == []
        again = await waiting(c, T0 + MINUTE_MS)
        assert [(row.id, row.attempts) for row in again] == [(ids[0], 1), (ids[1], 1)]
        assert again[0].message == MESSAGE


async def test_what_came_of_it_is_said_once(database: Database, owner: UUID) -> None:
    """By the last who tried: one whose claim had ended has nothing to say any more, nor has anybody after the end."""
    ids = await keep(database, owner, "a")
    async with database.as_worker() as c:
        await claim(c, ids, MESSAGE, attempt=1, now_ms=T0, until_ms=T0 + 1)
        await claim(c, ids, MESSAGE, attempt=2, now_ms=T0 + 1, until_ms=T0 + 9)

        assert not await settle(c, MESSAGE, 1, "failed", [], T0 + 2, error="late")
        assert await settle(c, MESSAGE, 2, "queued", ["json"], T0 + 3, error="tgram: no", again_ms=T0 + 99)
        assert (await waiting(c, T0 + 99))[0].delivered == ["json"]
        await claim(c, ids, MESSAGE, attempt=3, now_ms=T0 + 99, until_ms=T0 + 199)
        assert await settle(c, MESSAGE, 3, "sent", ["json", "tgram"], T0 + 100)
        assert not await settle(c, MESSAGE, 3, "queued", [], T0 + 101, again_ms=T0)
        await put_off(c, ids, T0)
        await suppress(c, ids, "no")
        assert await waiting(c, T0 + HOUR_MS) == []

    async with database.as_user(owner) as c:
        row = (await list_notifications(c, most=9))[0]
    assert (row.state, row.delivered, row.attempts, row.sent_ts, row.error) == (
        "sent",
        ["json", "tgram"],
        3,
        T0 + 100,
        None,
    )


async def test_people_see_their_own_the_newest_first(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """As many as they ask for, of a state if they like; and can't make any up."""
    for n in range(3):
        await keep(database, owner, f"mine {n}", now_ms=T0 + n)
    first, *_ = await keep(database, other_user, "yours", now_ms=T0 + 3)
    async with database.as_worker() as c:
        await suppress(c, [first], "why")

    async with database.as_user(owner) as c:
        assert [row.created_ts - T0 for row in await list_notifications(c, most=2)] == [2, 1]
        assert [row.created_ts - T0 for row in await list_notifications(c, most=9)] == [2, 1, 0]
        assert [row.error for row in await list_notifications(c, most=9, state="suppressed")] == ["why"]
    with pytest.raises(NotPermitted):
        async with database.as_user(owner) as c:
            await keep_notification(c, new(owner, "made up"), T0)


async def test_what_was_sent_lately_is_remembered(database: Database, owner: UUID, other_user: UUID) -> None:
    """Each message once, however many it carried, with the instant at which it was made."""
    ids = await keep(database, owner, "a", "b", "c")
    theirs = [one for one in await keep(database, other_user, "d") if one not in ids]
    made = [uuid7(T0), uuid7(T0 + 5), uuid7(T0 - HOUR_MS)]
    async with database.as_worker() as c:
        until = {"attempt": 1, "now_ms": T0, "until_ms": T0 + 1}
        await claim(c, ids[:2], made[0], **until)
        await claim(c, theirs, made[1], **until)
        await claim(c, ids[2:], made[2], **until)

        assert [(one.user_id, one.kind, one.ts) for one in await messages_since(c, T0 - MINUTE_MS)] == [
            (owner, "fill", T0),
            (other_user, "fill", T0 + 5),
        ]


async def test_what_is_too_long_or_no_state_is_refused(database: Database, owner: UUID) -> None:
    """The table holds its bounds, whatever the program does."""
    for fields in (
        {"key": ""},
        {"key": "k" * 201},
        {"body": "b" * 4001},
        {"severity": "loud"},
        {"title": ""},
    ):
        with pytest.raises(Refused):
            async with database.as_worker() as c:
                await keep_notification(c, new(owner, **fields), T0)
    ids = await keep(database, owner, "a")
    async with database.as_worker() as c:
        await claim(c, ids, MESSAGE, attempt=1, now_ms=T0, until_ms=T0 + 1)
    with pytest.raises(Refused):
        async with database.as_worker() as c:
            await settle(c, MESSAGE, 1, "read", [], T0)
