"""The tape in the database: append-only, each version with the instant from which it was known."""

import asyncio
from itertools import count, pairwise
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.coverage import GAPS_SHOWN, load_coverage
from db.errors import Conflict, NotPermitted
from db.market import (
    BAR,
    BARS,
    FUNDING,
    FUNDING_RATES,
    MARK,
    InstrumentRow,
    copy_in_bars,
    copy_in_funding,
    copy_in_marks,
    load_bars,
    load_funding,
    load_instruments,
    load_marks,
    save_instruments,
)
from db.pool import Database
from db.tape import Counts, Rows
from domain.time import HOUR_MS
from tests.integration.db.samples import T0

LATER = T0 + 1_000 * HOUR_MS
WITH_A_DATABASE = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_numbers = count()


def bars(closes: dict[int, float], dtype: "np.dtype[np.void]" = BAR) -> Rows:
    """Hourly bars by slot, flat at their close."""
    rows = np.zeros(len(closes), dtype)
    rows["ts"] = [T0 + slot * HOUR_MS for slot in closes]
    for name in ("open", "high", "low", "close"):
        rows[name] = list(closes.values())
    return rows


async def write(
    database: Database,
    rows: Rows,
    symbol: str = "BTC",
    *,
    revised_at: int = LATER,
    first_seen_at: int | None = None,
    source: str = "test",
) -> Counts:
    """Append hourly bars, as the worker does."""
    async with database.as_worker() as connection:
        return await copy_in_bars(
            connection,
            symbol,
            HOUR_MS,
            rows,
            source=source,
            revised_at=revised_at,
            first_seen_at=first_seen_at,
        )


async def read(database: Database, symbol: str = "BTC") -> list[tuple[int, int, float]]:
    """All versions of a symbol's hourly bars: slot, hours until known, close."""
    async with database.as_worker() as connection:
        rows = await load_bars(connection, symbol, HOUR_MS)
    return [((r["ts"] - T0) // HOUR_MS, int(r["available_at"]) - T0, float(r["close"])) for r in rows]


CLOSES = st.sampled_from([1.5, 2.25, 0.1, 60000.4, 5e-324, 1.7e308])
IMPORTS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 6), CLOSES, max_size=5),
        st.integers(T0, T0 + 12 * HOUR_MS),
        st.none() | st.integers(T0, T0 + 12 * HOUR_MS),
    ),
    min_size=1,
    max_size=5,
)


@WITH_A_DATABASE
@given(IMPORTS)
async def test_what_is_appended_is_what_the_rules_say(
    database: Database, imports: list[tuple[dict[int, float], int, int | None]]
) -> None:
    """A new row is known from its close or from when it was seen, the same again is skipped, another value is a
    revision known from when it came and after the version before; and nothing that was known ever changes.
    """
    symbol = f"S{next(_numbers)}"
    versions: dict[int, list[tuple[int, float]]] = {}
    for closes, revised_at, first_seen_at in imports:
        expected = [0, 0, 0]
        for slot, close in closes.items():
            known = versions.setdefault(slot, [])
            if not known:
                seen = max(T0 + (slot + 1) * HOUR_MS, first_seen_at or 0)
                known.append((seen - T0, close))
                expected[0] += 1
            elif known[-1][1] == close:
                expected[1] += 1
            else:
                known.append((max(revised_at - T0, known[-1][0] + 1), close))
                expected[2] += 1
        found = await write(
            database, bars(closes), symbol, revised_at=revised_at, first_seen_at=first_seen_at
        )
        assert found == Counts(*expected)
    assert await read(database, symbol) == [
        (slot, known_at, close) for slot in sorted(versions) for known_at, close in versions[slot]
    ]


async def test_a_value_that_comes_back_is_a_revision_again(database: Database) -> None:
    """It is compared with the newest version, not with any."""
    for close in (1.0, 2.0, 1.0):
        await write(database, bars({0: close}))
    assert [close for _, _, close in await read(database)] == [1.0, 2.0, 1.0]


async def test_late_rows_are_known_when_they_were_seen(database: Database) -> None:
    """A bar's close is too early for one that came hours later; a bar in time keeps its close."""
    seen = T0 + 5 * HOUR_MS
    await write(database, bars({1: 1.0, 7: 1.0}), first_seen_at=seen)
    assert [known for _, known, _ in await read(database)] == [5 * HOUR_MS, 8 * HOUR_MS]


async def test_marks_and_funding_keep_the_same_rules(database: Database) -> None:
    """A mark bar is known at its close; a funding rate at its settlement hour, whatever its own instant."""
    rates = np.array([(T0, T0 + 17, 0, 0.0001), (T0 + HOUR_MS, T0 + HOUR_MS, 0, -0.0002)], FUNDING)
    async with database.as_worker() as connection:
        assert (
            await copy_in_marks(
                connection, "BTC", HOUR_MS, bars({0: 7.5}, MARK), source="t", revised_at=LATER
            )
        ).new == 1
        assert (await copy_in_funding(connection, "BTC", rates, source="t", revised_at=LATER)).new == 2
        marks = await load_marks(connection, "BTC", HOUR_MS)
        funding = await load_funding(connection, "BTC")
    assert marks.tolist() == [(T0, T0 + HOUR_MS, 7.5, 7.5, 7.5, 7.5)]
    assert funding.tolist() == [
        (T0, T0 + 17, T0, 0.0001),
        (T0 + HOUR_MS, T0 + HOUR_MS, T0 + HOUR_MS, -0.0002),
    ]


async def test_a_range_takes_its_start_and_leaves_its_end(database: Database) -> None:
    """[from, to), either of which may be left open; nothing of other symbols and intervals."""
    await write(database, bars(dict.fromkeys(range(5), 1.0)))
    await write(database, bars({9: 1.0}), "ETH")
    async with database.as_worker() as connection:
        for start, end, expected in [
            (1, 3, [1, 2]),
            (None, 2, [0, 1]),
            (3, None, [3, 4]),
            (3, 3, []),
            (8, 9, []),
        ]:
            found = await load_bars(
                connection,
                "BTC",
                HOUR_MS,
                None if start is None else T0 + start * HOUR_MS,
                None if end is None else T0 + end * HOUR_MS,
            )
            assert [(ts - T0) // HOUR_MS for ts in found["ts"]] == expected
        assert len(await load_bars(connection, "BTC", 2 * HOUR_MS)) == 0


async def test_nothing_to_write_writes_nothing(database: Database) -> None:
    """An empty import counts nothing, and a second in the same transaction works."""
    async with database.as_worker() as connection:
        for _ in range(2):
            found = await copy_in_bars(connection, "BTC", HOUR_MS, bars({}), source="t", revised_at=LATER)
            assert found == Counts(0, 0, 0)


async def test_an_instant_given_twice_is_refused_whole(database: Database) -> None:
    """Nothing of the transaction is kept, not even what came before."""
    twice = np.concatenate([bars({0: 1.0, 1: 1.0}), bars({1: 2.0})])

    async def import_both() -> None:
        async with database.as_worker() as connection:
            await copy_in_bars(connection, "ETH", HOUR_MS, bars({0: 1.0}), source="t", revised_at=LATER)
            await copy_in_bars(connection, "BTC", HOUR_MS, twice, source="t", revised_at=LATER)

    with pytest.raises(Conflict):
        await import_both()
    assert await read(database) == await read(database, "ETH") == []


async def test_writers_of_one_series_wait_for_each_other(database: Database) -> None:
    """Four at once: one writes each row, the others find it there."""
    rows = bars(dict.fromkeys(range(50), 1.0))
    found = await asyncio.gather(*(write(database, rows) for _ in range(4)))
    assert sorted(counts.new for counts in found) == [0, 0, 0, 50]
    assert sum(counts.unchanged for counts in found) == 150
    assert len(await read(database)) == 50


async def test_a_person_cant_write_the_tape(database: Database, owner: UUID) -> None:
    """Only the worker may, for everybody."""
    with pytest.raises(NotPermitted):
        async with database.as_user(owner) as connection:
            await copy_in_bars(connection, "BTC", HOUR_MS, bars({0: 1.0}), source="t", revised_at=LATER)


@WITH_A_DATABASE
@given(st.sets(st.integers(0, 300), min_size=1), st.sets(st.integers(0, 300)))
async def test_coverage_finds_every_gap_and_counts_every_revision(
    database: Database, slots: set[int], again: set[int]
) -> None:
    """As counting by hand does."""
    symbol = f"C{next(_numbers)}"
    await write(database, bars(dict.fromkeys(sorted(slots), 1.0)), symbol, source="one")
    await write(database, bars(dict.fromkeys(sorted(again & slots), 2.0)), symbol, source="two")
    async with database.as_worker() as connection:
        (found,) = await load_coverage(connection, BARS, symbol)
    ordered = sorted(slots)
    gaps = [(T0 + (a + 1) * HOUR_MS, T0 + b * HOUR_MS) for a, b in pairwise(ordered) if b - a > 1]
    assert (found.symbol, found.interval_ms, found.rows) == (symbol, HOUR_MS, len(slots))
    assert (found.first_ts, found.last_ts) == (T0 + ordered[0] * HOUR_MS, T0 + ordered[-1] * HOUR_MS)
    assert found.revisions == len(again & slots)
    assert found.missing == ordered[-1] - ordered[0] + 1 - len(slots)
    assert (found.gap_count, list(found.gaps)) == (len(gaps), gaps[:GAPS_SHOWN])
    assert found.sources == (("one", "two") if again & slots else ("one",))


async def test_coverage_shows_the_first_gaps_and_counts_all(database: Database) -> None:
    """A series with a hole after every bar does not fill the screen."""
    await write(database, bars({2 * slot: 1.0 for slot in range(GAPS_SHOWN + 20)}))
    async with database.as_worker() as connection:
        (found,) = await load_coverage(connection, BARS)
    assert (found.gap_count, len(found.gaps)) == (GAPS_SHOWN + 19, GAPS_SHOWN)


async def test_funding_has_coverage_without_gaps(database: Database) -> None:
    """Its steps are the venue's; series come by symbol, and none where there is nothing."""
    rates = np.array([(T0, T0, 0, 0.1), (T0 + 8 * HOUR_MS, T0, 0, 0.1)], FUNDING)
    async with database.as_worker() as connection:
        assert await load_coverage(connection, FUNDING_RATES) == []
        for symbol in ("ETH", "BTC"):
            await copy_in_funding(connection, symbol, rates, source="t", revised_at=LATER)
        found = await load_coverage(connection, FUNDING_RATES)
    assert [(c.symbol, c.interval_ms, c.rows, c.gap_count, c.gaps) for c in found] == [
        ("BTC", None, 2, 0, ()),
        ("ETH", None, 2, 0, ()),
    ]


async def test_an_instrument_is_replaced_by_its_newest_facts(database: Database) -> None:
    """They come back as they were given, by symbol; a guess gives way to the venue's word."""
    guess = InstrumentRow("DOGE", 0, 3, [], True, "assumed", T0)
    known = InstrumentRow("DOGE", 0, 10, [{"lower": "0", "leverage": 10}], False, "venue", T0 + HOUR_MS)
    bitcoin = InstrumentRow("BTC", 5, 40, [], False, "venue", T0)
    async with database.as_worker() as connection:
        await save_instruments(connection, [guess, bitcoin])
        await save_instruments(connection, [known])
        found = await load_instruments(connection)
    assert found == {"BTC": bitcoin, "DOGE": known}
    assert list(found) == ["BTC", "DOGE"]
