"""What is forgotten as it gets old, as the migrations say: to be done once a day, by any process."""

from typing import NamedTuple

from db.agent_logs import forget_logs
from db.equity import thin_points
from db.pool import Database


class Forgotten(NamedTuple):
    """How many rows went."""

    log_lines: int
    equity_points: int


async def forget_old(database: Database) -> Forgotten:
    """Forget old log lines, and leave a point an hour of old equity; in small transactions, so that nobody waits.

    Done twice, or by two at once, it is done once.
    """
    lines = points = 0
    gone = 1
    while gone:
        async with database.as_worker(waits=False) as connection:
            gone = await forget_logs(connection)
        lines += gone
    async with database.as_worker() as connection:
        accounts = await connection.fetch(
            "select distinct account_id from deployments where feed not like 'replay:%'"
        )
    for row in accounts:
        async with database.as_worker(waits=False) as connection:
            points += await thin_points(connection, row["account_id"])
    return Forgotten(lines, points)
