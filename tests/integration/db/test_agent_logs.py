"""The log as it is kept: in order, whole, of nobody else, and not for ever."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.agent_logs import KeptLog, LogRow, forget_logs, tail_logs, write_logs
from db.connection import Connection
from db.pool import Database
from tests.integration.db.samples import T0

ONE, OTHER = uuid4(), uuid4()


def line(event: str, deployment: UUID | None = ONE, user: UUID | None = None, **body: Any) -> LogRow:
    return LogRow(T0, deployment, user, "info", event, body)


async def write(database: Database, *rows: LogRow) -> None:
    async with database.as_worker() as connection:
        await write_logs(connection, rows)


async def tail(database: Database, deployment: UUID | None, **how: Any) -> list[KeptLog]:
    async with database.as_worker() as connection:
        return await tail_logs(connection, deployment, **how)


def events(found: list[KeptLog]) -> list[str]:
    return [kept.row.event for kept in found]


async def test_lines_are_read_as_they_were_written(database: Database, owner: UUID, other_user: UUID) -> None:
    """A deployment's, or all that one can see; a person sees theirs."""
    rows = [
        line("a", user=owner, n=1, price="1.10"),
        line("b", OTHER, other_user),
        LogRow(T0 + 1, None, None, "error", "the program's own", {}),
    ]
    await write(database)
    await write(database, *rows)
    assert [kept.row for kept in await tail(database, ONE)] == rows[:1]
    assert [kept.row for kept in await tail(database, None)] == rows
    async with database.as_user(owner) as connection:
        assert events(await tail_logs(connection, None)) == ["a"]
        assert await tail_logs(connection, OTHER) == []


async def test_what_comes_is_followed_from_an_id_on(database: Database) -> None:
    """First the newest, oldest of them first; then what came since, in pages."""
    await write(database, *(line(str(n)) for n in range(5)))
    newest = await tail(database, ONE, limit=2)
    assert events(newest) == ["3", "4"]
    assert await tail(database, ONE, after_id=newest[-1].id) == []
    await write(database, *(line(str(n)) for n in range(5, 9)), line("another's", OTHER))
    page = await tail(database, ONE, after_id=newest[-1].id, limit=3)
    assert events(page) == ["5", "6", "7"]
    assert events(await tail(database, ONE, after_id=page[-1].id)) == ["8"]


WAITING_SQL = """
select exists (select from pg_locks where locktype = 'advisory' and not granted
  and database = (select oid from pg_database where datname = current_database()))
"""


async def test_no_line_is_passed_over_by_who_goes_on_from_the_last_id(
    database: Database, admin: Connection
) -> None:
    """What is written while another's lines are not committed yet comes after them, for every reader."""
    async with database.as_worker() as connection:
        await write_logs(connection, [line("first")])
        other = asyncio.create_task(write(database, line("second")))
        while not other.done() and not await admin.fetchval(WAITING_SQL):
            pass
        assert await tail(database, ONE) == []
    await other
    assert events(await tail(database, ONE)) == ["first", "second"]


@pytest.mark.parametrize(
    ("event", "body", "said", "kept"),
    [
        ("NUL \0 here", {"a": "b\0c", "d": "\\u0000"}, "NUL \ufffd here", {"a": "b\ufffdc", "d": "\\ufffd"}),
        ("half \ud800", {"a": "\ud800"}, "half ?", {"unreadable": "{'a': '\\ud800'}"}),
        ("what is no JSON", {"a": {1}}, "what is no JSON", {"unreadable": "{'a': {1}}"}),
        ("long" * 1000, {"a": 1}, "long" * 500, {"a": 1}),
        ("much", {"a": "x" * 40_000}, "much", {"cut": '{"a":"' + "x" * 7994}),
    ],
)
async def test_a_line_is_kept_whatever_is_in_it(
    database: Database, event: str, body: dict[str, Any], said: str, kept: dict[str, Any]
) -> None:
    """Cut where it is too long, marked where it is no text; the lines beside it are not lost over it."""
    await write(database, line("before"), LogRow(T0, ONE, None, "info", event, body), line("after"))
    before, found, after = await tail(database, ONE)
    assert (before.row.event, found.row.event, after.row.event) == ("before", said, "after")
    assert found.row.body == kept


async def test_lines_of_two_weeks_are_kept(database: Database, admin: Connection) -> None:
    """Older ones are forgotten when asked to; younger ones are not, whatever is asked."""
    await admin.execute(
        "insert into agent_logs (at, level, event)"
        " select now() - make_interval(days => n), 'info', n::text from unnest(array[25, 20, 15, 13, 0]) n"
    )
    async with database.as_worker() as connection:
        assert await forget_logs(connection, 22) == 1
        assert await forget_logs(connection, 22) == 0
        assert await forget_logs(connection, most=1) == 1
        assert await forget_logs(connection) == 1
        assert await forget_logs(connection, 1) == 0
    assert events(await tail(database, None)) == ["13", "0"]
