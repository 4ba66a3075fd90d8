"""Decisions as they are looked at one by one, or a page at a time: a long run's need not fit into memory."""

from uuid import UUID

from db.connection import Connection
from db.records import DecisionRow


async def newest_decisions(
    connection: Connection, account_id: UUID, *, limit: int, before: int | None = None
) -> list[DecisionRow]:
    """Read an account's newest decisions, newest first: those of ticks before an instant (UTC ms), where one is given.

    Their bodies lack `context`, what the tick was shown, which is most of a body.
    """
    rows = await connection.fetch(
        "select id, tick_ts, outcome, body - 'context' from decision_snapshots"
        " where account_id = $1 and ($2::timestamptz is null or tick_ts < $2)"
        " order by tick_ts desc limit $3",
        account_id,
        before,
        limit,
    )
    return [DecisionRow(*row) for row in rows]


async def light_decisions(connection: Connection, account_id: UUID) -> list[DecisionRow]:
    """Read all of an account's decisions in the order of their ticks, without what was shown and said in them."""
    rows = await connection.fetch(
        'select id, tick_ts, outcome, body || \'{"context": "", "calls": []}\' from decision_snapshots'
        " where account_id = $1 order by tick_ts, id",
        account_id,
    )
    return [DecisionRow(*row) for row in rows]


async def thoughts(connection: Connection, account_id: UUID) -> list[DecisionRow]:
    """Read all of an account's decisions in the order of their ticks, without what was shown in them."""
    rows = await connection.fetch(
        "select id, tick_ts, outcome, body - 'context' from decision_snapshots"
        " where account_id = $1 order by tick_ts, id",
        account_id,
    )
    return [DecisionRow(*row) for row in rows]


async def decision_at(connection: Connection, account_id: UUID, tick_ts: int) -> DecisionRow | None:
    """Read the decision of one tick, whole."""
    row = await connection.fetchrow(
        "select id, tick_ts, outcome, body from decision_snapshots where account_id = $1 and tick_ts = $2",
        account_id,
        tick_ts,
    )
    return row and DecisionRow(*row)


async def newest_tick(connection: Connection, account_id: UUID) -> int | None:
    """The newest tick of which a decision is kept; None where there is none."""
    ts: int | None = await connection.fetchval(
        "select max(tick_ts) from decision_snapshots where account_id = $1", account_id
    )
    return ts


async def ticks_around(connection: Connection, account_id: UUID, tick_ts: int) -> list[int]:
    """Give the ticks of the last decision before an instant and of the first one after it, where there are such."""
    row = await connection.fetchrow(
        "select (select max(tick_ts) from decision_snapshots where account_id = $1 and tick_ts < $2),"
        " (select min(tick_ts) from decision_snapshots where account_id = $1 and tick_ts > $2)",
        account_id,
        tick_ts,
    )
    return [ts for ts in row or () if ts is not None]
