"""A run's columns by bar, kept in chunks: one row of the table is a few thousand bars."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import orjson

from db.connection import Connection


class Series(msgspec.Struct, frozen=True):
    """A run's columns by bar, of one length: instants (UTC ms), equity (USD), each tick's outcome code."""

    ts: "np.ndarray[Any, np.dtype[np.int64]]"
    equity: "np.ndarray[Any, np.dtype[np.float64]] | Sequence[Decimal]"
    ticks: "np.ndarray[Any, np.dtype[np.int16]]"


async def write_series(connection: Connection, user_id: UUID, run_id: UUID, series: Series) -> None:
    """Append a chunk of a run's columns, as the worker."""
    await connection.execute(
        "insert into sim_series (user_id, run_id, seq, first_ts, ts, equity, ticks)"
        " select $1, $2, coalesce(max(seq) + 1, 0), $3,"
        " $4::text::bigint[], $5::text::numeric[], $6::text::smallint[]"
        " from sim_series where run_id = $2",
        user_id,
        run_id,
        int(series.ts[0]),
        _array_text(series.ts),
        _array_text(series.equity),
        _array_text(series.ticks),
    )


async def load_series(connection: Connection, run_id: UUID) -> Series:
    """Give a run's columns from its start, joined from its chunks; equity as float64."""
    rows = await connection.fetch(
        "select array_to_json(ts)::text, array_to_json(equity)::text, array_to_json(ticks)::text"
        " from sim_series where run_id = $1 order by seq",
        run_id,
    )
    columns = [[value for row in rows for value in orjson.loads(row[n])] for n in range(3)]
    return Series(
        np.array(columns[0], np.int64), np.array(columns[1], np.float64), np.array(columns[2], np.int16)
    )


def _array_text(values: Any) -> str:
    """Write a column as Postgres reads an array: by far the fastest way in for a hundred thousand numbers."""
    if isinstance(values, np.ndarray):
        listed = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY).decode()
        return "{" + listed[1:-1] + "}"
    return "{" + ",".join(map(str, values)) + "}"
