"""The two ways to the database: as a person, and as the worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest

from db.connection import Connection
from db.errors import (
    Conflict,
    DatabaseError,
    LostConnection,
    NotPermitted,
    Refused,
    TooSlow,
    Unavailable,
)
from db.login import APP_ROLE
from db.pool import Database


async def test_a_person_is_who_the_transaction_says(database: Database, owner: UUID) -> None:
    """Inside `as_user` the signed-in person is known to policies, and the role is a plain one."""
    async with database.as_user(owner) as connection:
        row = await connection.fetchrow("select auth.uid(), current_user, session_user")
    assert tuple(row) == (owner, "authenticated", "agentic_app")


async def test_the_role_ends_with_its_transaction(database: Database, owner: UUID) -> None:
    """A connection given back to the pool is nobody again."""
    async with database.as_user(owner):
        pass
    async with database._pool.acquire() as connection:
        row = await connection.fetchrow(
            "select current_user, nullif(current_setting('request.jwt.claims', true), '')"
        )
    assert tuple(row) == ("agentic_app", None)


@pytest.mark.parametrize("fails", [False, True])
async def test_what_is_set_for_longer_than_a_transaction_ends_with_it_too(
    database: Database, fails: bool
) -> None:
    """Whether it is committed or undone, the connection is as new for the next one."""
    with suppress(KeyError):
        async with database.as_worker() as connection:
            usual = await connection.fetchval("show statement_timeout")
            await connection.execute("set session statement_timeout = '5s'")
            if fails:
                raise KeyError
    async with database.as_worker() as connection:
        assert await connection.fetchval("show statement_timeout") == usual


@pytest.fixture
async def durable(database_url: str, admin: Connection) -> AsyncIterator[Database]:
    """The database as it is outside of tests: a commit waits for the disk."""
    name = await admin.fetchval("select current_database()")
    await admin.execute(f'alter database "{name}" set synchronous_commit = on')
    database = await Database.open(database_url, user=APP_ROLE)
    yield database
    await database.close()


async def test_the_disk_is_waited_for_unless_it_is_said_otherwise(durable: Database) -> None:
    """And what is said holds for one transaction."""
    found = []
    for waits in (True, False, True):
        async with durable.as_worker(waits=waits) as connection:
            found.append(await connection.fetchval("show synchronous_commit"))
    assert found == ["on", "off", "on"]


async def test_the_disk_can_be_waited_for_when_the_locks_are_gone(
    durable: Database, admin: Connection
) -> None:
    """What was written is on the disk at the end, though the commit by itself did not wait for it."""
    async with durable.as_worker_flushed() as connection:
        assert await connection.fetchval("show synchronous_commit") == "off"
        await connection.execute(
            "insert into news (source, id, published_at, available_at, title) values ('t', '1', 0, 0, 'x')"
        )
        written = await connection.fetchval("select pg_current_wal_insert_lsn()::text")
    assert await admin.fetchval("select pg_current_wal_flush_lsn() >= $1::text::pg_lsn", written)


async def test_what_ended_a_connection_is_told_and_not_what_followed(
    database: Database, admin: Connection
) -> None:
    """A server that ends the session in the middle of a transaction is what the error speaks of."""
    await admin.execute(
        "create function end_me() returns bool security definer language sql"
        " return pg_terminate_backend(pg_backend_pid())"
    )

    with pytest.raises(
        LostConnection, match=r"was lost; what was not committed was undone .*administrator command"
    ):
        async with database.as_worker() as connection:
            await connection.execute("select end_me()")

    async with database.as_worker() as connection:
        assert await connection.fetchval("select 1") == 1


async def test_an_error_of_the_programs_own_undoes_the_transaction(database: Database) -> None:
    """It passes unchanged, and nothing is kept."""

    async def write_and_fail() -> None:
        async with database.as_worker() as connection:
            await connection.execute(
                "insert into news (source, id, published_at, available_at, title) values ('t', '1', 0, 0, 'x')"
            )
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await write_and_fail()

    async with database.as_worker() as connection:
        assert await connection.fetchval("select count(*) from news") == 0


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        (
            "insert into bars values ('B', 1, 1, 1, 1, 1, 1, 1, 1, 't'), ('B', 1, 1, 1, 1, 1, 1, 1, 1, 't')",
            Conflict,
        ),
        ("insert into bars values ('B', 1, 1, 1, null, 1, 1, 1, 1, 't')", Refused),
        ('select \'{"a": "\\u0000"}\'::jsonb', Refused),
        ("select 1 / 0", Refused),
        ("delete from skills", NotPermitted),
        ("select * from auth.users", NotPermitted),
        ("set local statement_timeout = 1; select count(*) from generate_series(1, 100000000)", TooSlow),
        ("select no_such_column from bars", DatabaseError),
        ("do $$ begin raise exception 'no\nway' using hint = 'try'; end $$", Refused),
    ],
)
async def test_what_the_database_refuses_is_told_in_one_line(
    database: Database, sql: str, error: type[DatabaseError]
) -> None:
    """By the kind of its cause; the connection is fit for the next transaction."""
    with pytest.raises(error) as refused:
        async with database.as_worker() as connection:
            await connection.execute(sql)
    assert type(refused.value) is error
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300
    async with database.as_worker() as connection:
        assert await connection.fetchval("select current_user") == "agentic_worker"


async def test_a_refused_statement_undoes_its_whole_transaction(database: Database) -> None:
    """Even when the program goes on as if nothing had happened: the next statement says so."""

    async def go_on() -> None:
        async with database.as_worker() as connection:
            await connection.execute("insert into bars values ('B', 1, 1, 1, 1, 1, 1, 1, 1, 't')")
            with suppress(asyncpg.PostgresError):
                await connection.execute("select 1 / 0")
            await connection.execute("select 1")

    with pytest.raises(DatabaseError):
        await go_on()
    async with database.as_worker() as connection:
        assert await connection.fetchval("select count(*) from bars") == 0


async def test_more_work_than_connections_waits_its_turn(database: Database, owner: UUID) -> None:
    """Thirty transactions at once share eight connections, each as its own person."""

    async def who(n: int) -> str:
        async with database.as_user(owner) if n % 2 else database.as_worker() as connection:
            claims = await connection.fetchval("select current_setting('request.jwt.claims', true)")
            return f"{await connection.fetchval('select current_user')} {str(owner) in (claims or '')}"

    found = await asyncio.gather(*(who(n) for n in range(30)))
    assert found == ["authenticated True" if n % 2 else "agentic_worker False" for n in range(30)]


async def test_a_connection_that_is_kept_in_hand_holds_nobody_up(database_url: str) -> None:
    """Whoever waits for one gets the next that is given back, also where there is but one."""
    database = await Database.open(database_url, user=APP_ROLE, max_size=1)
    order = []

    async def work(number: int) -> None:
        async with database.as_worker() as connection:
            order.append(number)
            await connection.fetchval("select 1")

    async with asyncio.timeout(20):
        for _ in range(3):
            await asyncio.gather(*(work(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4] * 3
    await database.close()


async def test_a_connection_that_was_lost_in_hand_is_replaced(database: Database, admin: Connection) -> None:
    """The next transaction knows nothing of it."""
    async with database.as_worker() as connection:
        first = await connection.fetchval("select pg_backend_pid()")
    assert await admin.fetchval("select pg_terminate_backend($1)", first)
    while await admin.fetchval("select true from pg_stat_activity where pid = $1", first):
        pass
    async with database.as_worker() as connection:
        assert await connection.fetchval("select pg_backend_pid()") != first


async def test_a_single_statement_is_the_workers_and_a_transaction_by_itself(
    database: Database, owner: UUID
) -> None:
    """It is kept when it returns, on a connection that stays the worker's; a person's is another."""
    found = []
    for _ in range(3):
        async with database.as_worker_once() as connection:
            found.append(
                await connection.fetchrow("select current_user, pg_backend_pid(), pg_current_xact_id()::text")
            )
            found.append(
                await connection.fetchrow("select current_user, pg_backend_pid(), pg_current_xact_id()::text")
            )
    assert {(row[0], row[1]) for row in found} == {("agentic_worker", found[0][1])}
    assert len({row[2] for row in found}) == 6
    async with database.as_user(owner) as connection:
        who = await connection.fetchrow("select current_user, pg_backend_pid()")
    assert who[0] == "authenticated"
    assert who[1] != found[0][1]


async def test_single_statements_at_once_are_all_the_workers(database: Database) -> None:
    """One has the worker's connection, the others do as if there were none."""

    async def who(number: int) -> str:
        async with database.as_worker_once() as connection:
            return str(await connection.fetchval("select current_user where $1 >= 0", number))

    assert await asyncio.gather(*(who(number) for number in range(20))) == ["agentic_worker"] * 20
    async with database._pool.acquire() as connection:
        assert await connection.fetchval("select current_user") == "agentic_app"


async def test_a_single_statement_that_is_refused_says_so_and_the_next_one_is_none_the_worse(
    database: Database,
) -> None:
    """In our words; what row security and grants keep from the worker is kept from it here too."""
    for sql, error in (
        ("select 1 / 0", Refused),
        ("select * from auth.users", NotPermitted),
        ("begin; select no_such_column from bars", DatabaseError),
    ):
        with pytest.raises(error):
            async with database.as_worker_once() as connection:
                await connection.execute(sql)
        async with database.as_worker_once() as connection:
            assert await connection.fetchval("select current_user") == "agentic_worker"


async def test_a_workers_connection_that_was_lost_is_replaced(database: Database, admin: Connection) -> None:
    """The next statement knows nothing of it."""
    async with database.as_worker_once() as connection:
        first = await connection.fetchval("select pg_backend_pid()")
    assert await admin.fetchval("select pg_terminate_backend($1)", first)
    while await admin.fetchval("select true from pg_stat_activity where pid = $1", first):
        pass
    async with database.as_worker_once() as connection:
        second = await connection.fetchrow("select pg_backend_pid(), current_user")
    assert second[0] != first
    assert second[1] == "agentic_worker"


async def test_the_only_connection_of_a_pool_is_not_kept_for_the_worker(database_url: str) -> None:
    """Everybody else would wait for it for ever."""
    database = await Database.open(database_url, user=APP_ROLE, max_size=1)
    async with asyncio.timeout(20):
        for _ in range(2):
            async with database.as_worker_once() as connection:
                assert await connection.fetchval("select current_user") == "agentic_worker"
            async with database.as_worker() as connection:
                assert await connection.fetchval("select current_user") == "agentic_worker"
    await database.close()


@pytest.mark.parametrize("once", [False, True])
async def test_what_is_under_way_when_the_pool_closes_is_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch, once: bool
) -> None:
    """And for nothing else: its connection is closed with the others."""
    monkeypatch.setattr("db.pool.CLOSE_TIMEOUT_S", 3600.0)
    database = await Database.open(database_url, user=APP_ROLE)
    async with database.as_worker_once() if once else database.as_worker() as connection:
        closing = asyncio.create_task(database.close())
        while not database._pool._closing:
            await asyncio.sleep(0)
        assert await connection.fetchval("select 1") == 1
        assert not closing.done()
    async with asyncio.timeout(60):
        await closing


async def test_a_cancelled_transaction_keeps_nothing_and_gives_its_connection_back(
    database: Database,
) -> None:
    """However it was stopped, the pool is whole again."""
    started = asyncio.Event()

    async def never_ends() -> None:
        async with database.as_worker() as connection:
            await connection.execute("insert into bars values ('B', 1, 1, 1, 1, 1, 1, 1, 1, 't')")
            started.set()
            await asyncio.Event().wait()

    for _ in range(10):
        started.clear()
        task = asyncio.create_task(never_ends())
        await started.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    async with database.as_worker() as connection:
        assert await connection.fetchval("select count(*) from bars") == 0


@pytest.mark.parametrize("how", ["user", "once", "flushed"])
async def test_wherever_a_transaction_is_cancelled_it_is_undone_without_a_word(
    database: Database, owner: UUID, how: str
) -> None:
    """Somebody who stops a run sees the program's line and none of the driver's, whatever was under way."""
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))

    transaction = {
        "user": lambda: database.as_user(owner),
        "once": database.as_worker_once,
        "flushed": database.as_worker_flushed,
    }[how]

    async def work() -> None:
        async with transaction() as connection:
            await connection.fetch("select 1")

    for turns in range(40):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert told == []
    await work()


async def test_a_transaction_that_is_cancelled_twice_is_no_part_of_the_next(database: Database) -> None:
    """Also where the second time comes as it is being undone: nothing of it is kept, and nobody is told."""
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))
    written = asyncio.Event()

    async def work() -> None:
        async with database.as_worker() as connection:
            await connection.execute("insert into bars values ('B', 1, 1, 1, 1, 1, 1, 1, 1, 't')")
            written.set()
            await connection.execute("select pg_sleep(0.3)")

    for turns in range(20):
        written.clear()
        task = asyncio.create_task(work())
        await written.wait()
        task.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with database.as_worker() as connection:
            assert await connection.fetchval("select count(*) from bars") == 0

    assert told == []


async def test_the_pool_may_be_closed_and_the_login_must_be_right(database_url: str) -> None:
    """A closed pool says so in our words; a login that there is not is refused in one line."""
    opened = await Database.open(database_url, user="agentic_app")
    await opened.close()
    with pytest.raises(DatabaseError):
        async with opened.as_worker():
            pass
    with pytest.raises(Unavailable, match="refused the login"):
        await Database.open(database_url, user="nobody_at_all")
