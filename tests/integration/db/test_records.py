"""What happened in an account: kept as it was, replaced only where it may be, deleted only with a simulation."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.errors import Conflict, NotPermitted, Refused
from db.pool import Database
from db.records import DecisionRow, FillRow, JournalRow, OrderRow, delete_rows, load_rows, write_rows
from db.series import Series, load_series, write_series
from tests.integration.db.samples import T0, ask_for_run, chunk

WITH_A_DATABASE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MONEY = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("-1e30"), max_value=Decimal("1e30")
)
INSTANTS = st.integers(-2_000_000_000_000, 32_503_680_000_000)  # 1906 to 3000
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BARS = st.tuples(INSTANTS, st.floats(-1e15, 1e15), st.integers(-9, 99))
ORDERS = st.builds(
    OrderRow,
    number=st.just(1),
    client_id=TEXTS,
    symbol=TEXTS,
    side=TEXTS,
    kind=TEXTS,
    size=MONEY,
    limit_px=st.none() | MONEY,
    state=TEXTS,
    reduce_only=st.booleans(),
    filled=MONEY,
    created_ts=INSTANTS,
    closed_ts=st.none() | INSTANTS,
    reason=st.none() | TEXTS,
    decision_id=st.none() | TEXTS,
    body=JSON,
)


async def write(database: Database, user_id: UUID, account_id: UUID, *rows: Any) -> None:
    async with database.as_worker() as connection:
        await write_rows(connection, user_id, account_id, rows)


async def read(database: Database, kind: Any, account_id: UUID, after: int | None = None) -> list[Any]:
    async with database.as_worker() as connection:
        return await load_rows(connection, kind, account_id, after=after)


@WITH_A_DATABASE
@given(ORDERS)
async def test_a_row_comes_back_exactly(database: Database, owner: UUID, order: OrderRow) -> None:
    """Money to the last digit, instants to the millisecond, any text and any JSON."""
    account = uuid4()
    await write(database, owner, account, order)
    assert await read(database, OrderRow, account) == [order]


async def test_money_inside_json_is_text(database: Database, owner: UUID) -> None:
    """A Decimal goes in as the string that it prints as; bytes are JSON already."""
    account = uuid4()
    rows = (
        JournalRow(1, T0, "a", {"px": Decimal("60000.40")}),
        JournalRow(2, T0, "b", b'{"px": "1.0", "list": [1, 2.5]}'),
    )
    await write(database, owner, account, *rows)
    assert [row.body for row in await read(database, JournalRow, account)] == [
        {"px": "60000.40"},
        {"px": "1.0", "list": [1, 2.5]},
    ]


async def test_rows_come_in_order_and_after_a_place(database: Database, owner: UUID) -> None:
    """Whatever order they were written in; nothing of other accounts."""
    account = uuid4()
    rows = [chunk(number) for number in (2, 0, 1)]
    await write(database, owner, uuid4(), *chunk(7).journal)
    for name in ("journal", "orders", "fills", "decisions"):
        await write(database, owner, account, *(row for part in rows for row in getattr(part, name)))
    assert [row.seq for row in await read(database, JournalRow, account)] == [0, 1, 2]
    assert [row.seq for row in await read(database, FillRow, account, after=0)] == [1, 2]
    assert [row.number for row in await read(database, OrderRow, account, after=1)] == [2]
    assert [
        row.tick_ts for row in await read(database, DecisionRow, account, after=chunk(1).decisions[0].tick_ts)
    ] == [chunk(2).decisions[0].tick_ts]


async def test_an_order_is_replaced_and_all_else_is_not(database: Database, owner: UUID) -> None:
    """An order is written again as it changes; an entry, fill or decision of the same number is a Conflict."""
    account = uuid4()
    (order,) = chunk(0).orders
    await write(database, owner, account, order)
    filled = order._replace(state="filled", filled=Decimal(1), closed_ts=T0 + 5)
    await write(database, owner, account, filled)
    assert await read(database, OrderRow, account) == [filled]
    for rows in (chunk(0).journal, chunk(0).fills, chunk(0).decisions):
        await write(database, owner, account, *rows)
        with pytest.raises(Conflict):
            await write(database, owner, account, *rows)


async def test_a_client_order_id_is_used_once_in_an_account(database: Database, owner: UUID) -> None:
    """Another order of the same id is refused; another account may have it."""
    account = uuid4()
    (order,) = chunk(0).orders
    await write(database, owner, account, order)
    await write(database, owner, uuid4(), order)
    with pytest.raises(Conflict):
        await write(database, owner, account, order._replace(number=9))


async def test_the_worker_deletes_a_simulations_rows_and_no_other_accounts(
    database: Database, owner: UUID
) -> None:
    """Whatever it is told: an account that is no run keeps its rows."""
    run_id, account = await ask_for_run(database, owner), uuid4()
    for name in (run_id, account):
        for rows in (chunk(0).journal, chunk(0).orders, chunk(0).fills, chunk(0).decisions):
            await write(database, owner, name, *rows)
    async with database.as_worker() as connection:
        await delete_rows(connection, run_id)
        await delete_rows(connection, account)
    for kind in (JournalRow, OrderRow, FillRow, DecisionRow):
        assert await read(database, kind, run_id) == []
        assert len(await read(database, kind, account)) == 1


async def test_people_read_what_happened_and_dont_write_it(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Their own accounts only."""
    account = uuid4()
    await write(database, owner, account, *chunk(0).fills)
    async with database.as_user(owner) as connection:
        assert await load_rows(connection, FillRow, account) == chunk(0).fills
    async with database.as_user(other_user) as connection:
        assert await load_rows(connection, FillRow, account) == []
    with pytest.raises(NotPermitted):
        async with database.as_user(owner) as connection:
            await write_rows(connection, owner, account, chunk(1).fills)


async def test_what_json_can_hold_and_the_database_cant_is_refused_in_one_line(
    database: Database, owner: UUID
) -> None:
    """A NUL inside a text; nothing is written."""
    account = uuid4()
    with pytest.raises(Refused) as refused:
        await write(database, owner, account, JournalRow(1, T0, "a", {"text": "\0"}))
    assert "\n" not in str(refused.value)
    assert await read(database, JournalRow, account) == []


@WITH_A_DATABASE
@given(st.lists(st.lists(BARS, min_size=1, max_size=5), max_size=4))
async def test_a_series_comes_back_joined_from_its_chunks(
    database: Database, admin: Connection, owner: UUID, parts: list[list[tuple[int, float, int]]]
) -> None:
    """Every float to the last bit, in the order of the chunks; a run without any has empty columns."""
    run_id = await ask_for_run(database, owner)
    async with database.as_worker() as connection:
        for part in parts:
            ts, equity, ticks = zip(*part, strict=True)
            await write_series(
                connection, owner, run_id, Series(np.array(ts), np.array(equity), np.array(ticks, np.int16))
            )
        found = await load_series(connection, run_id)
    flat = [row for part in parts for row in part]
    assert isinstance(found.equity, np.ndarray)
    assert list(zip(found.ts.tolist(), found.equity.tolist(), found.ticks.tolist(), strict=True)) == flat


async def test_equity_may_be_exact(database: Database, admin: Connection, owner: UUID) -> None:
    """Given as Decimal it is stored as that, digit by digit."""
    run_id = await ask_for_run(database, owner)
    exact = [Decimal("996.339550"), Decimal("0.1")]
    async with database.as_worker() as connection:
        await write_series(
            connection, owner, run_id, Series(np.array([T0, T0 + 1]), exact, np.zeros(2, np.int16))
        )
    assert await admin.fetchval("select equity from sim_series where run_id = $1", run_id) == exact


async def test_a_series_needs_its_run(database: Database, owner: UUID, other_user: UUID) -> None:
    """And the run's own person."""
    run_id = await ask_for_run(database, owner)
    one = chunk(0).series
    assert one
    for person, run in ((owner, uuid4()), (other_user, run_id)):
        with pytest.raises(Refused):
            async with database.as_worker() as connection:
                await write_series(connection, person, run, one)
