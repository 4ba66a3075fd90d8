"""Equity over time: a point for each bar of a deployment's account."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.connection import Connection

WHOLE_DAYS = 30
"""For how long every point is kept; row security holds it too. Later the last of each hour is."""


class PointRow(NamedTuple):
    """What an account was worth at an instant (UTC ms), in USD."""

    account_id: UUID
    user_id: UUID
    ts: int
    equity: Decimal


async def write_points(connection: Connection, points: Sequence[PointRow]) -> None:
    """Write points of any accounts, as the worker. One that is there stays as it is."""
    if points:
        await connection.execute(
            "insert into equity_points (account_id, user_id, ts, equity)"
            " select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::numeric[]) given (a, u, ts, e)"
            " order by a, ts on conflict do nothing",
            *zip(*points, strict=True),
        )


async def load_points(
    connection: Connection, account_id: UUID, from_ts: int | None = None, to_ts: int | None = None
) -> list[PointRow]:
    """Give an account's points in [from, to), in order."""
    rows = await connection.fetch(
        "select account_id, user_id, ts, equity from equity_points where account_id = $1"
        " and ts >= coalesce($2, '-infinity'::timestamptz) and ts < coalesce($3, 'infinity'::timestamptz)"
        " order by ts",
        account_id,
        from_ts,
        to_ts,
    )
    return [PointRow(*row) for row in rows]


_THIN_SQL = """
delete from equity_points p using (
  select ts as at, lead(ts) over (order by ts) as next from equity_points
  where account_id = $1 and ts < now() - make_interval(days => $2)) old
where p.account_id = $1 and p.ts = old.at and date_trunc('hour', old.next) = date_trunc('hour', old.at)
  and not exists (select from deployments where account_id = $1 and feed like 'replay:%')
"""


async def thin_points(connection: Connection, account_id: UUID, older_than_days: int = WHOLE_DAYS) -> int:
    """Leave the last point of each hour of what is older, as the worker, and say how many went.

    A replay's points are left alone: its time is not ours.
    """
    done = await connection.execute(_THIN_SQL, account_id, older_than_days)
    return int(done.split()[-1])
