"""What is old is forgotten, everybody's at once."""

from decimal import Decimal
from uuid import UUID

from db.connection import Connection
from db.equity import PointRow, load_points, write_points
from db.pool import Database
from db.retention import Forgotten, forget_old
from domain.time import DAY_MS, MINUTE_MS
from tests.integration.db.accounts import new_account
from tests.integration.db.deployed import new_deployment


async def test_old_lines_and_points_of_everybody_go(
    database: Database, admin: Connection, owner: UUID, other_user: UUID
) -> None:
    """However many there are; what is young is left, and a second time there is nothing to do."""
    await admin.execute(
        "insert into agent_logs (at, level, event)"
        " select now() - interval '20 days', 'info', 'e' from generate_series(1, 10003)"
    )
    await admin.execute("insert into agent_logs (at, level, event) values (now(), 'info', 'young')")
    hour = await admin.fetchval("select date_trunc('hour', now())")
    for user_id in (owner, other_user):
        account = await new_account(database, user_id)
        await new_deployment(database, user_id, account_id=account)
        points = [
            PointRow(account, user_id, hour - days * DAY_MS + n * MINUTE_MS, Decimal(n))
            for days in (31, 1)
            for n in range(4)
        ]
        async with database.as_worker() as connection:
            await write_points(connection, points)
    assert await forget_old(database) == Forgotten(10_003, 6)
    assert await forget_old(database) == Forgotten(0, 0)
    assert await admin.fetchval("select array_agg(event) from agent_logs") == ["young"]
    async with database.as_worker() as connection:
        assert [point.equity for point in await load_points(connection, account)] == [3, 0, 1, 2, 3]
