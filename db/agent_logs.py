"""What the program logs, where other processes and people can read it: a deployment's lines, and the program's own.

Lines get their ids under a lock that lasts until they are committed. So whoever has read up to an id has missed none
below it, and may go on from there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from db.connection import Connection
from db.storable import storable_json, storable_text

MOST_EVENT = 2_000
MOST_BODY_BYTES = 16_000
MOST_FORGOTTEN = 10_000
KEPT_DAYS = 14
"""How long a line is kept at least; row security holds it too."""


class LogRow(NamedTuple):
    """A line: `ts` in UTC ms, what happened, and its values. Without a user it is the program's, and no person's."""

    ts: int
    deployment_id: UUID | None
    user_id: UUID | None
    level: str
    event: str
    body: dict[str, Any]


class KeptLog(NamedTuple):
    """A line with the id that it was kept under."""

    id: int
    row: LogRow


_WRITE_SQL = """
insert into agent_logs (at, deployment_id, user_id, level, event, body)
select * from unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[])
"""


async def write_logs(connection: Connection, rows: Sequence[LogRow]) -> None:
    """Write lines in their order, as the worker. A transaction of its own is best: others wait until it ends.

    What is too long is cut, and what can't be stored as text is marked: a line is written, whatever is in it.
    """
    if not rows:
        return
    await connection.execute("select pg_advisory_xact_lock(hashtextextended('agentic:logs', 0))")
    await connection.execute(_WRITE_SQL, *zip(*map(_storable, rows), strict=True))


async def tail_logs(
    connection: Connection, deployment_id: UUID | None, *, after_id: int | None = None, limit: int = 200
) -> list[KeptLog]:
    """Give the newest lines of a deployment, oldest first; or those next after an id, to follow what comes.

    Without a deployment: of all that one can see.
    """
    of_one = () if deployment_id is None else (deployment_id,)
    rows = await connection.fetch(
        "select id, at, deployment_id, user_id, level, event, body from agent_logs where id > $2"
        f"{' and deployment_id = $3' if of_one else ''} order by id {'desc' if after_id is None else ''} limit $1",
        limit,
        after_id or 0,
        *of_one,
    )
    found = [KeptLog(row["id"], LogRow(*row[1:])) for row in rows]
    return found[::-1] if after_id is None else found


async def forget_logs(
    connection: Connection, older_than_days: int = KEPT_DAYS, most: int = MOST_FORGOTTEN
) -> int:
    """Delete what is older among the first lines, so many at most, as the worker; say how many went.

    Row security leaves what is younger than two weeks.
    """
    done = await connection.execute(
        "delete from agent_logs where id in (select id from agent_logs order by id limit $2)"
        " and at < now() - make_interval(days => $1)",
        older_than_days,
        most,
    )
    return int(done.split()[-1])


def _storable(row: LogRow) -> tuple[Any, ...]:
    event, body = storable_text(row.event, MOST_EVENT), storable_json(row.body, MOST_BODY_BYTES)
    return (*row[:3], row.level, event, body)
