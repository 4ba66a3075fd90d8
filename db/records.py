"""What happened in a trading account: its journal, orders, fills and decisions.

The rows below are in the order of the tables' columns, without user and account. Instants are UTC ms, money
is Decimal; a `body` is any JSON value, or bytes that are JSON already. Written by the worker, read by their
person.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from db.connection import Connection, to_json
from domain.orders import Fill, Order
from domain.snapshots import DecisionSnapshot

_encode = msgspec.json.Encoder(order="deterministic").encode


class JournalRow(NamedTuple):
    """One entry of an account's journal."""

    seq: int
    ts: int
    kind: str
    body: Any


class OrderRow(NamedTuple):
    """An order as it is now; written again whenever it changes."""

    number: int
    client_id: str
    symbol: str
    side: str
    kind: str
    size: Decimal
    limit_px: Decimal | None
    state: str
    reduce_only: bool
    filled: Decimal
    created_ts: int
    closed_ts: int | None
    reason: str | None
    decision_id: str | None
    body: Any


class FillRow(NamedTuple):
    """One fill. `order_number` is None for what no order asked for, such as a liquidation."""

    seq: int
    ts: int
    order_number: int | None
    symbol: str
    side: str
    size: Decimal
    px: Decimal
    fee: Decimal
    realized: Decimal
    reference_px: Decimal | None
    kind: str
    liquidity: str | None


class DecisionRow(NamedTuple):
    """One decision snapshot: what a tick knew, said and led to."""

    id: str
    tick_ts: int
    outcome: str
    body: Any


def order_row(order: Order) -> OrderRow:
    """An order as its row."""
    return OrderRow(
        number=order.number,
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        size=order.size,
        limit_px=order.limit_px,
        state=order.state,
        reduce_only=order.reduce_only,
        filled=order.filled,
        created_ts=order.created_ts,
        closed_ts=order.closed_ts,
        reason=order.reason or None,
        decision_id=order.decision_id or None,
        body=_encode(order),
    )


def fill_row(seq: int, fill: Fill) -> FillRow:
    """A fill as its row; `seq` is its entry's number in the journal."""
    return FillRow(
        seq=seq,
        ts=fill.ts,
        order_number=fill.order or None,
        symbol=fill.symbol,
        side=fill.side,
        size=fill.size,
        px=fill.px,
        fee=fill.fee,
        realized=fill.realized,
        reference_px=fill.reference_px,
        kind=fill.cause,
        liquidity=fill.liquidity,
    )


def decision_row(decision: DecisionSnapshot) -> DecisionRow:
    """A decision as its row."""
    return DecisionRow(decision.id, decision.tick_ts, decision.outcome.name.lower(), _encode(decision))


Row = TypeVar("Row", JournalRow, OrderRow, FillRow, DecisionRow)


class _Table(NamedTuple):
    """Where rows of one kind are: the table, its columns' types, and the column that counts them up."""

    name: str
    types: str
    order: str
    order_type: str


_TABLES: dict[type[Any], _Table] = {
    JournalRow: _Table("journal_entries", "bigint timestamptz text jsonb", "seq", "bigint"),
    OrderRow: _Table(
        "orders",
        "bigint text text text text numeric numeric text boolean numeric"
        " timestamptz timestamptz text text jsonb",
        "number",
        "bigint",
    ),
    FillRow: _Table(
        "fills",
        "bigint timestamptz bigint text text numeric numeric numeric numeric numeric text text",
        "seq",
        "bigint",
    ),
    DecisionRow: _Table("decision_snapshots", "text timestamptz text jsonb", "tick_ts", "timestamptz"),
}


async def write_rows(connection: Connection, user_id: UUID, account_id: UUID, rows: Sequence[Row]) -> None:
    """Write rows of one kind. An order that is there is replaced; any other that is there is a Conflict.

    A single row goes without arrays, which saves a sixth of the time of the transaction that a live decision takes.
    """
    if len(rows) == 1:
        kind, values = type(rows[0]), list[Any](rows[0])
        if kind._fields[-1] == "body":
            values[-1] = to_json(values[-1])
        await connection.execute(_INSERTS[kind].one, user_id, account_id, *values)
    elif rows:
        kind = type(rows[0])
        columns = dict(zip(kind._fields, map(list, zip(*rows, strict=True)), strict=True))
        if "body" in columns:
            columns["body"] = [to_json(body) for body in columns["body"]]
        await connection.execute(_INSERTS[kind].many, user_id, account_id, *columns.values())


async def load_rows(
    connection: Connection, kind: type[Row], account_id: UUID, *, after: int | None = None
) -> list[Row]:
    """Read an account's rows of one kind in order, those after a seq, order number or tick's instant."""
    table = _TABLES[kind]
    rows = await connection.fetch(
        f"select {', '.join(kind._fields)} from {table.name}"
        f" where account_id = $1 and ($2::{table.order_type} is null or {table.order} > $2)"
        f" order by {table.order}, {kind._fields[0]}",
        account_id,
        after,
    )
    return [kind(*row) for row in rows]


async def delete_rows(connection: Connection, account_id: UUID) -> None:
    """Delete all that a simulation's account has. Row security keeps the rows of every other account."""
    for table in _TABLES.values():
        await connection.execute(f"delete from {table.name} where account_id = $1", account_id)


class _Insert(NamedTuple):
    """The statements for one row, and for any number of them: COPY can't write into a table with row security."""

    one: str
    many: str


def _insert(kind: type[Any]) -> _Insert:
    table = _TABLES[kind]
    numbers = list(enumerate(table.types.split(), 3))
    one = f"values ($1, $2, {', '.join(f'${n}' for n, _ in numbers)})"
    many = f"select $1, $2, * from unnest({', '.join(f'${n}::{type_}[]' for n, type_ in numbers)})"
    into = f"insert into {table.name} (user_id, account_id, {', '.join(kind._fields)}) "
    changed = ""
    if kind is OrderRow:
        names = [name for name in OrderRow._fields if name != "number"]
        changed = " on conflict (account_id, number) do update set "
        changed += ", ".join(f"{name} = excluded.{name}" for name in names)
    return _Insert(into + one + changed, into + many + changed)


_INSERTS = {kind: _insert(kind) for kind in _TABLES}
