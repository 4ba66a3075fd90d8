"""The program's own log lines, as processes on other machines wrote them. No person sees them but through its owner."""

from db.agent_logs import KeptLog, LogRow
from db.connection import Connection

_NEWEST_SQL = """
select * from (
  select id, at, deployment_id, user_id, level, event, body from agent_logs
  where user_id is null and body ->> 'owner' = $1 and id > $2 order by id desc limit $3) newest
order by id
"""


async def tail_program_logs(
    connection: Connection, owner: str, *, after_id: int = 0, limit: int = 200
) -> list[KeptLog]:
    """Give the newest lines after an id of one start of a process, oldest first, as the worker."""
    rows = await connection.fetch(_NEWEST_SQL, owner, after_id, limit)
    return [KeptLog(row["id"], LogRow(*row[1:])) for row in rows]
