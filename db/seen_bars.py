"""Bars as a deployment saw them, with the instants from which it knew them: what the simulator is later shown again.

For markets that can't be looked up afterwards: made-up ones, and live ones, whose bars may come late or be revised.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from db.connection import Connection
from db.market import BAR
from db.tape import Rows, Tape, load

_SEEN = Tape(
    "seen_bars",
    ("deployment_id", "symbol", "interval_ms"),
    "ts",
    ("open", "high", "low", "close", "volume"),
    BAR,
)


class SeenBar(NamedTuple):
    """A bar that opened at `ts` and was known to a deployment from `available_at` on (UTC ms)."""

    deployment_id: UUID
    user_id: UUID
    symbol: str
    interval_ms: int
    ts: int
    available_at: int
    open: float
    high: float
    low: float
    close: float
    volume: float


_COLUMNS = ", ".join(SeenBar._fields)


async def write_seen(connection: Connection, bars: Sequence[SeenBar]) -> None:
    """Write what deployments saw, as the worker, in one statement for any number of them. Twice is once."""
    if bars:
        await connection.execute(
            f"insert into seen_bars ({_COLUMNS}) select * from unnest($1::uuid[], $2::uuid[], $3::text[],"
            " $4::bigint[], $5::bigint[], $6::bigint[], $7::float8[], $8::float8[], $9::float8[], $10::float8[],"
            f" $11::float8[]) given ({_COLUMNS}) order by deployment_id, symbol, ts on conflict do nothing",
            *zip(*bars, strict=True),
        )


async def load_seen(
    connection: Connection,
    deployment_id: UUID,
    symbol: str,
    interval_ms: int,
    from_ts: int | None = None,
    to_ts: int | None = None,
) -> Rows:
    """Give the bars (`BAR`) of a series that open in [from, to), all versions, by `ts` and then `available_at`."""
    return await load(connection, _SEEN, (deployment_id, symbol, interval_ms), from_ts, to_ts)


async def seen_series(connection: Connection, deployment_id: UUID) -> list[tuple[str, int]]:
    """Say of which series a deployment saw bars: symbol and interval in ms."""
    rows = await connection.fetch(
        "select distinct symbol, interval_ms from seen_bars where deployment_id = $1 order by 1, 2",
        deployment_id,
    )
    return [(row["symbol"], row["interval_ms"]) for row in rows]
