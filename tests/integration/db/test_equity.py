"""Equity points: each written once, read in order, thinned when they are old."""

from decimal import Decimal
from uuid import UUID

from db.connection import Connection
from db.equity import PointRow, load_points, thin_points, write_points
from db.pool import Database
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.integration.db.accounts import new_account
from tests.integration.db.deployed import new_deployment
from tests.integration.db.samples import T0


async def write(database: Database, *points: PointRow) -> None:
    async with database.as_worker() as connection:
        await write_points(connection, points)


async def load(database: Database, account: UUID, *between: int) -> list[PointRow]:
    async with database.as_worker() as connection:
        return await load_points(connection, account, *between)


async def test_points_are_read_as_they_were_written(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Of many accounts at once, to the cent; one that is there stays; a range ends before its end."""
    mine, theirs = await new_account(database, owner), await new_account(database, other_user)
    points = [PointRow(mine, owner, T0 + n * HOUR_MS, Decimal("10000.10") + n) for n in range(4)]
    other = PointRow(theirs, other_user, T0, Decimal("1"))
    await write(database)
    await write(database, *points[2:], other, *points[:2])
    await write(database, PointRow(mine, owner, T0, Decimal("5")), points[1])
    assert await load(database, mine) == points
    assert await load(database, theirs) == [other]
    assert await load(database, mine, T0 + HOUR_MS, T0 + 3 * HOUR_MS) == points[1:3]
    async with database.as_user(owner) as connection:
        assert await load_points(connection, mine) == points
        assert await load_points(connection, theirs) == []


async def test_of_old_points_the_last_of_each_hour_is_left(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """What is younger, and what a replay left, is left alone, whatever is asked."""
    live, replay = await new_account(database, owner), await new_account(database, owner)
    await new_deployment(database, owner, account_id=live)
    await new_deployment(database, owner, account_id=replay, feed="replay:2025-01-01..2025-02-01@max")
    hour = await admin.fetchval("select date_trunc('hour', now())")
    old, young = hour - 31 * DAY_MS, hour - 29 * DAY_MS
    minutes = [0, 30, 59, 60, 119, 121]

    def points(account: UUID, since: int) -> list[PointRow]:
        return [PointRow(account, owner, since + n * MINUTE_MS, Decimal(n)) for n in minutes]

    await write(database, *points(live, old), *points(live, young), *points(replay, old))
    async with database.as_worker() as connection:
        assert await thin_points(connection, live, 1) == 3
        assert await thin_points(connection, live) == 0
        assert await thin_points(connection, replay) == 0
    kept = [point for point in points(live, old) if point.equity in (59, 119, 121)]
    assert await load(database, live) == [*kept, *points(live, young)]
    assert await load(database, replay) == points(replay, old)
