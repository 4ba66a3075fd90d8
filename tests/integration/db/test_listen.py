"""One listener a process: woken at once, and never for good asleep, whatever becomes of its connection."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from db.boot import prepare
from db.commands import CHANNEL, open_commands, send_command
from db.connection import Connection
from db.listen import Listener
from db.login import APP_ROLE
from db.pool import Database
from domain.deployments import CommandKind
from tests.integration.db.client import end_server
from tests.integration.db.deployed import new_deployment

NEVER_S = 3600.0
"""Between two looks, in tests that are about notifications."""


class Ear:
    """Hears what a listener tells, and waits for it."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self._news = asyncio.Event()

    def __call__(self, payload: str | None) -> None:
        self.heard.append(payload)
        self._news.set()

    async def until(self, is_enough: Callable[[list[str | None]], bool]) -> None:
        """Wait until what was heard is enough."""
        async with asyncio.timeout(60):
            while not is_enough(self.heard):
                self._news.clear()
                await self._news.wait()

    async def count(self, payload: str | None, times: int = 1) -> None:
        """Wait until this was heard so often."""
        await self.until(lambda heard: heard.count(payload) >= times)


@asynccontextmanager
async def listening(database_url: str, poll_s: float = NEVER_S) -> AsyncIterator[Listener]:
    async with Listener(database_url, user=APP_ROLE, poll_s=poll_s, chance=Random(1).random) as listener:
        yield listener


async def notify(database: Database, channel: str, payload: str) -> None:
    async with database.as_worker() as connection:
        await connection.execute("select pg_notify($1, $2)", channel, payload)


KILL_SQL = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and usename = 'agentic_app' and query ~* '^(listen|select 1$)'
"""


async def kill_listener(admin: Connection) -> None:
    """End the listener's session, as an administrator or a network does."""
    assert await admin.fetchval(KILL_SQL) == 1


async def test_everybody_who_asked_is_told_what_was_notified(database: Database, database_url: str) -> None:
    """On their channel, in order, once it was committed; and told to look as soon as it is listened to."""
    first, second, other = Ear(), Ear(), Ear()
    async with listening(database_url) as listener:
        for channel, ear in (("a_channel", first), ("a_channel", second), ("another", other)):
            listener.on(channel, ear)
            await ear.count(None)
        for n in range(3):
            await notify(database, "a_channel", str(n))
        await notify(database, "another", "x")
        for ear in (first, second):
            await ear.count("2")
        await other.count("x")
    assert [ear.heard for ear in (first, second, other)] == [
        [None, "0", "1", "2"],
        [None, "0", "1", "2"],
        [None, "x"],
    ]


async def test_who_asks_before_and_while_it_listens_is_told_to_look(database_url: str) -> None:
    """So that nothing is missed between a first look and the first notification."""
    before, while_, late = Ear(), Ear(), Ear()
    listener = Listener(database_url, user=APP_ROLE, poll_s=NEVER_S)
    listener.on("a", before)
    async with listener:
        await before.count(None)
        listener.on("b", while_)
        listener.on("a", late)
        await while_.count(None)
        await late.count(None)
    assert before.heard == [None]


async def test_who_does_not_want_to_be_told_any_more_is_not(database: Database, database_url: str) -> None:
    """Twice said is once said."""
    gone, stays = Ear(), Ear()
    async with listening(database_url) as listener:
        end = listener.on("a", gone)
        listener.on("a", stays)
        await stays.count(None)
        end()
        end()
        await notify(database, "a", "x")
        await stays.count("x")
    assert "x" not in gone.heard


async def test_one_that_fails_stops_nobody_else(database: Database, database_url: str) -> None:
    """What it raised is reported by the loop."""
    reported: asyncio.Queue[object] = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.put_nowait(what["exception"]))

    def fails(payload: str | None) -> None:
        raise KeyError(payload)

    ear = Ear()
    async with listening(database_url) as listener:
        listener.on("a", fails)
        listener.on("a", ear)
        await ear.count(None)
        await notify(database, "a", "x")
        await ear.count("x")
    assert repr(await reported.get()) == "KeyError(None)"
    assert repr(await reported.get()) == "KeyError('x')"


async def test_a_killed_connection_is_made_anew_and_everybody_looks(
    database: Database, database_url: str, admin: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Several times over; it is said once in a row, in one line and without the address."""
    ear = Ear()
    with caplog.at_level(logging.INFO, "db.listen"):
        async with listening(database_url) as listener:
            listener.on("a", ear)
            for times in range(1, 4):
                await ear.count(None, times)
                await notify(database, "a", f"x{times}")
                await ear.count(f"x{times}")
                await kill_listener(admin)
            await ear.count(None, 4)
            await notify(database, "a", "last")
            await ear.count("last")
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if line.startswith("not listening")]) == 1
    assert not any("\n" in line or "postgresql://" in line for line in lines)


async def test_a_command_sent_while_nobody_listened_is_found(
    database: Database, database_url: str, admin: Connection, owner: UUID
) -> None:
    """The row is the truth: it is there when everybody looks after the new connection."""
    name = await admin.fetchval("select current_database()")
    deployment = await new_deployment(database, owner)
    ear = Ear()
    async with listening(database_url) as listener:
        listener.on(CHANNEL, ear)
        await ear.count(None)
        await admin.execute(f"revoke connect on database {name} from public")
        await kill_listener(admin)
        async with database.as_user(owner) as connection:
            sent = await send_command(connection, owner, deployment, CommandKind.KILL, {})
        assert ear.heard == [None]
        await admin.execute(f"grant connect on database {name} to public")
        await ear.count(None, 2)
        async with database.as_worker() as connection:
            assert [row.id for row in await open_commands(connection, deployment)] == [sent.id]
    assert ear.heard == [None, None]


async def test_a_row_without_a_notification_is_found(database_url: str) -> None:
    """Everybody looks every few moments, also while there is no connection to be told by."""
    ear = Ear()
    async with listening(database_url, poll_s=0.001) as listener:
        listener.on("a", ear)
        await ear.count(None, 20)
    deaf = Ear()
    nowhere = Listener("postgresql://nobody@127.0.0.1:1/nowhere", poll_s=0.001)
    nowhere.on("a", deaf)
    async with nowhere:
        await deaf.count(None, 20)


async def test_the_embedded_server_is_killed_and_started_again(home: Path) -> None:
    """By the listener itself, when nobody else does; what is notified afterwards is heard."""
    prepared = await prepare(home, durable=False)
    ear = Ear()
    async with prepared.listener(poll_s=NEVER_S) as listener:
        listener.on("a", ear)
        await ear.count(None)
        end_server(home)
        await ear.count(None, 2)
        await notify(prepared.database, "a", "x")
        await ear.count("x")
    await prepared.close()


async def test_it_ends_whenever_it_is_told_to(database_url: str, admin: Connection) -> None:
    """While it connects, listens, or waits to connect again; and leaves no session behind."""
    for turns in range(30):
        listener = Listener(database_url, user=APP_ROLE, poll_s=NEVER_S)
        listener.on("a", Ear())
        async with listener:
            for _ in range(turns):
                await asyncio.sleep(0)
    async with Listener("postgresql://nobody@127.0.0.1:1/nowhere"):
        for _ in range(30):
            await asyncio.sleep(0)
    sessions = (
        "select count(*) from pg_stat_activity where usename = 'agentic_app' and datname = current_database()"
    )
    async with asyncio.timeout(60):
        while await admin.fetchval(sessions):
            pass
