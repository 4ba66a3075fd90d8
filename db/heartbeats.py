"""The program's processes, as they show themselves to each other: a row each, written anew every few seconds."""

from typing import Any

import msgspec

from db.connection import Connection

STALE_AFTER_S = 20.0
"""A process that has been silent for so long is taken for gone."""

FORGOTTEN_AFTER_DAYS = 1


class Heartbeat(msgspec.Struct, frozen=True):
    """A process. `owner` is new with every start; `tree` is what runs in it. Instants are UTC ms.

    `beat_ts` is the database's time when it is read, and of no matter when it is written.
    """

    owner: str
    host: str
    pid: int
    groups: list[str]
    started_ts: int
    beat_ts: int
    tree: dict[str, Any]


_BEAT_SQL = """
with gone as (delete from heartbeats where beat_at < clock_timestamp() - make_interval(days => $7) and owner <> $1)
insert into heartbeats (owner, host, pid, groups, started_at, tree, beat_at)
values ($1, $2, $3, $4, $5, $6, clock_timestamp())
on conflict (owner) do update set groups = excluded.groups, tree = excluded.tree, beat_at = excluded.beat_at
"""


async def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """Say that a process lives, as the worker, by the database's clock. Rows of those long gone are removed."""
    await connection.execute(
        _BEAT_SQL,
        heartbeat.owner,
        heartbeat.host,
        heartbeat.pid,
        heartbeat.groups,
        heartbeat.started_ts,
        heartbeat.tree,
        FORGOTTEN_AFTER_DAYS,
    )


async def live_heartbeats(connection: Connection, stale_after_s: float = STALE_AFTER_S) -> list[Heartbeat]:
    """Give the processes that were heard of lately, as the worker, the oldest first."""
    rows = await connection.fetch(
        "select owner, host, pid, groups, started_at, beat_at, tree from heartbeats"
        " where beat_at > clock_timestamp() - make_interval(secs => $1) order by started_at, owner",
        stale_after_s,
    )
    return [Heartbeat(*row) for row in rows]


async def forget(connection: Connection, owner: str) -> None:
    """Remove a process that ends in order, as the worker."""
    await connection.execute("delete from heartbeats where owner = $1", owner)
