"""Market data in bulk: numpy structured arrays in and out of the tables by binary COPY.

A tape is append-only. What is written is compared with the newest version known of each row: the same again
is skipped, a different value is appended as a revision, a row that was not there is inserted.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import numpy as np

from db.connection import Connection

Rows = np.ndarray[Any, np.dtype[np.void]]

IMPORT_TIMEOUT_S = 600.0
_CHUNK_ROWS = 50_000
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # no flags, no header extension
_TRAILER = b"\xff\xff"
_WIRE = {"i8": ">i8", "f8": ">f8"}


class Counts(msgspec.Struct, frozen=True):
    """What an import did: rows that were new, that were there already, and appended as revisions."""

    new: int
    unchanged: int
    revised: int


class Tape(msgspec.Struct, frozen=True):
    """A table of market data and what its columns mean.

    `scope` names a series, `at` is a row's instant in it, `values` are compared to find revisions.
    `dtype` is what is loaded: one field a column, 8 bytes each.
    """

    table: str
    scope: tuple[str, ...]
    at: str
    values: tuple[str, ...]
    dtype: np.dtype[np.void]

    @property
    def given(self) -> list[str]:
        """The columns that a writer gives; `available_at` follows from them."""
        return [name for name in self.dtype.names or () if name != "available_at"]


async def encode(rows: Rows, names: Sequence[str]) -> AsyncIterator[bytes]:
    """Write the named fields of a structured array as a binary COPY stream, chunk by chunk."""
    wire = _wire_dtype([(name, rows.dtype[name]) for name in names])
    yield _SIGNATURE
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        packed = np.empty(len(part), wire)
        packed["fields"] = len(names)
        for name in names:
            packed[f"{name}_length"] = 8
            packed[name] = part[name]
        yield packed.tobytes()
    yield _TRAILER


def decode(raw: bytes | bytearray, dtype: np.dtype[np.void]) -> Rows:
    """Read a binary COPY stream of 8-byte columns without NULLs into a structured array of `dtype`."""
    names = dtype.names or ()
    wire = _wire_dtype([(name, dtype[name]) for name in names])
    count, rest = divmod(len(raw) - len(_SIGNATURE) - len(_TRAILER), wire.itemsize)
    if rest:
        raise ValueError(f"a COPY stream of {len(raw)} bytes is not made of rows of {wire.itemsize}")
    packed = np.frombuffer(raw, wire, count, len(_SIGNATURE))
    rows = np.empty(count, dtype)
    for name in names:
        rows[name] = packed[name]
    return rows


def _wire_dtype(fields: Sequence[tuple[str, np.dtype[Any]]]) -> np.dtype[np.void]:
    """A row of binary COPY: the number of fields, then for each its length and its big-endian value."""
    wire: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in fields:
        wire += [(f"{name}_length", ">i4"), (name, _WIRE[kind.str[1:]])]
    return np.dtype(wire)


async def append(
    connection: Connection,
    tape: Tape,
    scope: Sequence[object],
    rows: Rows,
    *,
    source: str,
    known_after_ms: int,
    revised_at: int,
    first_seen_at: int | None = None,
) -> Counts:
    """Write a series' rows as part of the connection's transaction, and count what became of them.

    A new row is known `known_after_ms` after its instant, or at `first_seen_at` where that is later; a
    revision is known at `revised_at` (both UTC ms). Concurrent writers of one series wait for each other.
    The rows' instants must differ: a duplicate raises Conflict.
    """
    await _lock(connection, tape, scope)
    await connection.execute(_staging_sql(tape, tape.given))
    await connection.copy_to_table(
        "incoming",
        source=encode(rows, tape.given),
        columns=tape.given,
        format="binary",
        timeout=IMPORT_TIMEOUT_S,
    )
    new, revised = await connection.fetchrow(
        _append_sql(tape), *scope, source, known_after_ms, first_seen_at, revised_at, timeout=IMPORT_TIMEOUT_S
    )
    await connection.execute("drop table incoming")
    return Counts(new=new, unchanged=len(rows) - new - revised, revised=revised)


class Ends(msgspec.Struct, frozen=True):
    """Where a series begins and ends (UTC ms, its first and its last row), and where those two are from."""

    first_ts: int
    last_ts: int
    sources: tuple[str, ...]


async def ends(
    connection: Connection,
    tape: Tape,
    symbol: str,
    intervals_ms: Sequence[int | None],
    between: tuple[int, int] | None = None,
) -> dict[int | None, Ends | None]:
    """Find the ends of a symbol's series by interval (None where the tape has none); None where there are no rows.

    `between` looks at the rows of these instants alone, both included. Looks at two rows a series, however long it is.
    """
    where = "symbol = $1 and interval_ms = i" if "interval_ms" in tape.scope else "symbol = $1"
    if between is not None:
        where += f" and {tape.at} between {between[0]:d} and {between[1]:d}"
    first, last = (
        f"(select array[{tape.at}::text, source] from {tape.table} where {where}"
        f" order by {tape.at} {direction}, available_at {direction} limit 1)"
        for direction in ("", "desc")
    )
    rows = await connection.fetch(
        f"select i, {first} as first, {last} as last from unnest($2::bigint[]) i", symbol, intervals_ms
    )
    return {row["i"]: _ends(row["first"], row["last"]) for row in rows}


def _ends(first: list[str] | None, last: list[str] | None) -> Ends | None:
    if first is None or last is None:
        return None
    return Ends(int(first[0]), int(last[0]), tuple(dict.fromkeys((first[1], last[1]))))


async def spread(
    connection: Connection, tape: Tape, symbol: str, interval_ms: int, step_ms: int, from_ts: int, to_ts: int
) -> tuple[int | None, int]:
    """Tell how a symbol's series is spread over [from, to): its first instant, and in how many steps it has rows.

    Steps are `step_ms` long and counted from the epoch.
    """
    row = await connection.fetchrow(
        f"select min(first), count(*) from (select min({tape.at}) as first from {tape.table}"
        f" where symbol = $1 and interval_ms = $2 and {tape.at} >= $3 and {tape.at} < $4"
        f" group by {tape.at} / $5::bigint) steps",
        symbol,
        interval_ms,
        from_ts,
        to_ts,
        step_ms,
        timeout=IMPORT_TIMEOUT_S,
    )
    assert row is not None
    return row[0], row[1]


async def back(connection: Connection, tape: Tape, symbol: str, interval_ms: int, ts: int, count: int) -> int:
    """Go back over the newest `count` rows of a symbol's series that were known at `ts`: where the first of them is.

    Holes are passed over. Gives `ts` itself where there is none.
    """
    first = await connection.fetchval(
        f"select min({tape.at}) from (select distinct {tape.at} from {tape.table} where symbol = $1"
        f" and interval_ms = $2 and {tape.at} < $3 and available_at <= $3 order by {tape.at} desc limit $4) newest",
        symbol,
        interval_ms,
        ts,
        count,
    )
    return ts if first is None else int(first)


async def another_source(
    connection: Connection, tape: Tape, scope: Sequence[object], source: str
) -> str | None:
    """Where rows of a series came from that are not from `source`; None when all are. Looks at the whole series."""
    where = " and ".join(f"{name} = ${n}" for n, name in enumerate(tape.scope, 2))
    found: str | None = await connection.fetchval(
        f"select source from {tape.table} where source <> $1 and {where} limit 1",
        source,
        *scope,
        timeout=IMPORT_TIMEOUT_S,
    )
    return found


async def sources(
    connection: Connection, tape: Tape, scope: Sequence[object], from_ts: int, to_ts: int
) -> list[tuple[str, int]]:
    """Say where the rows of a series in [from, to) are from, in their order: (source, how many follow each other)."""
    where = " and ".join(f"{name} = ${n}" for n, name in enumerate(tape.scope, 3))
    order = f"{tape.at}, available_at"
    rows = await connection.fetch(
        "select source, count(*) from (select source, row_number() over (order by"
        f" {order}) as place, row_number() over (partition by source order by {order}) as own from {tape.table}"
        f" where {tape.at} >= $1 and {tape.at} < $2 and {where}) numbered"
        " group by source, place - own order by min(place)",
        from_ts,
        to_ts,
        *scope,
        timeout=IMPORT_TIMEOUT_S,
    )
    return [(row["source"], row["count"]) for row in rows]


async def put(connection: Connection, tape: Tape, scope: Sequence[object], rows: Rows, source: str) -> None:
    """Write rows that are not there yet as they are, with the instants from which they were known.

    For rows that were kept like this elsewhere; what comes from a source goes through `append`.
    """
    await _lock(connection, tape, scope)
    names = list(tape.dtype.names or ())
    await connection.execute(_staging_sql(tape, names))
    await connection.copy_to_table(
        "incoming", source=encode(rows, names), columns=names, format="binary", timeout=IMPORT_TIMEOUT_S
    )
    columns, constants = ", ".join(names), ", ".join(f"${n}" for n in range(1, len(tape.scope) + 1))
    await connection.execute(
        f"insert into {tape.table} ({', '.join(tape.scope)}, {columns}, source)"
        f" select {constants}, {columns}, ${len(tape.scope) + 1} from incoming",
        *scope,
        source,
        timeout=IMPORT_TIMEOUT_S,
    )
    await connection.execute("drop table incoming")


async def load(
    connection: Connection, tape: Tape, scope: Sequence[object], from_ts: int | None, to_ts: int | None
) -> Rows:
    """Read a series from `from_ts` up to but not including `to_ts`, every version of each row, in order."""
    where = [f"{name} = ${n}" for n, name in enumerate(tape.scope, 1)]
    values = list(scope)
    for bound, how in ((from_ts, ">="), (to_ts, "<")):
        if bound is not None:
            values.append(bound)
            where.append(f"{tape.at} {how} ${len(values)}")
    sql = (
        f"select {', '.join(tape.dtype.names or ())} from {tape.table} where {' and '.join(where)} "
        f"order by {tape.at}, available_at"
    )
    raw = bytearray()

    async def keep(data: bytes) -> None:
        raw.extend(data)

    await connection.copy_from_query(sql, *values, output=keep, format="binary", timeout=IMPORT_TIMEOUT_S)
    return decode(raw, tape.dtype)


async def _lock(connection: Connection, tape: Tape, scope: Sequence[object]) -> None:
    """Make other writers of this series wait until the transaction ends."""
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended($1, 0))", f"agentic:{tape.table}:{tuple(scope)}"
    )


def _staging_sql(tape: Tape, names: Sequence[str]) -> str:
    return (
        f"set local statement_timeout = '{IMPORT_TIMEOUT_S:.0f}s'; "
        f"create temp table incoming on commit drop as select {', '.join(names)} from {tape.table} with no data"
    )


def _append_sql(tape: Tape) -> str:
    """One statement that finds the newest known versions, appends what differs, and counts."""
    scope = " and ".join(f"{name} = ${n}" for n, name in enumerate(tape.scope, 1))
    source, after, first_seen, revised = (f"${len(tape.scope) + n}" for n in (1, 2, 3, 4))
    differs = " or ".join(f"i.{name} is distinct from k.{name}" for name in tape.values)
    constants = ", ".join(f"${n}" for n in range(1, len(tape.scope) + 1))
    columns = ", ".join(tape.given)
    return f"""
with known as (
  select distinct on ({tape.at}) {tape.at} as instant, available_at as known_at, {", ".join(tape.values)}
  from {tape.table} where {scope}
    and {tape.at} between (select min({tape.at}) from incoming) and (select max({tape.at}) from incoming)
  order by {tape.at}, available_at desc
), judged as materialized (
  select i.*, k.known_at from incoming i left join known k on k.instant = i.{tape.at}
  where k.instant is null or {differs}
), written as (
  insert into {tape.table} ({", ".join(tape.scope)}, {columns}, available_at, source)
  select {constants}, {columns},
    case when known_at is null then greatest({tape.at} + {after}::bigint, {first_seen}::bigint)
         else greatest({revised}::bigint, known_at + 1) end,
    {source} from judged
)
select count(*) filter (where known_at is null), count(*) filter (where known_at is not null) from judged
"""
