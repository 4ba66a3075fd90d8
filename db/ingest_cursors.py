"""Where the ingest of each source stands: how far it was read, by whom at this moment, and how it fares.

All of it is the worker's. `owner` names a process, new with every start. Leases run by the database's clock.
"""

from typing import Any

import msgspec

from db.connection import Connection

LONGEST_ERROR = 500


class SourceRow(msgspec.Struct, frozen=True):
    """How a source fares. `pulled_ts` (UTC ms) is when it last answered, `rows` what has come in from it,
    `failures` how often in a row it could not be read since.
    """

    source: str
    pulled_ts: int | None
    rows: int
    failures: int
    error: str | None


class Taken(msgspec.Struct, frozen=True):
    """A source that may be read now, from `cursor` on: any JSON value, None at the beginning."""

    cursor: Any


_TAKE_SQL = """
insert into ingest_cursors as c (source, owner, taken_until)
values ($1, $2, clock_timestamp() + make_interval(secs => $3))
on conflict (source) do update set owner = excluded.owner, taken_until = excluded.taken_until
  where c.owner = excluded.owner or c.taken_until is null or c.taken_until < clock_timestamp()
returning cursor
"""


async def take_source(connection: Connection, source: str, owner: str, lease_s: float) -> Taken | None:
    """Take a source for so long, and give where it stands; None where another process has it."""
    row = await connection.fetchrow(_TAKE_SQL, source, owner, lease_s)
    return None if row is None else Taken(row["cursor"])


async def save_cursor(connection: Connection, source: str, owner: str, cursor: Any, rows: int) -> bool:
    """Say how far a source was read, in the transaction in which `rows` rows of it were written.

    False where another process has the source by now; the transaction is then to be undone.
    """
    saved = await connection.fetchval(
        "update ingest_cursors set cursor = $3, rows = rows + $4, pulled_at = clock_timestamp(), failures = 0,"
        " error = null where source = $1 and owner = $2 returning true",
        source,
        owner,
        cursor,
        rows,
    )
    return saved is not None


async def note_failure(connection: Connection, source: str, owner: str, error: str) -> None:
    """Say that a source could not be read, in one line; unless another process has it by now."""
    await connection.execute(
        "update ingest_cursors set failures = failures + 1, error = $3 where source = $1 and owner = $2",
        source,
        owner,
        error[:LONGEST_ERROR],
    )


async def let_go(connection: Connection, owner: str) -> None:
    """Leave all sources of a process to whoever comes next."""
    await connection.execute(
        "update ingest_cursors set owner = null, taken_until = null where owner = $1", owner
    )


async def load_sources(connection: Connection) -> list[SourceRow]:
    """Give how all sources fare, by name."""
    rows = await connection.fetch(
        "select source, pulled_at, rows, failures, error from ingest_cursors order by source"
    )
    return [SourceRow(*row) for row in rows]
