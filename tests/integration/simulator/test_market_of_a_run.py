"""Which data a run is made on: chosen, described, and refused in one line where it does not do."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from control.errors import Invalid
from control.skills import find as find_skill
from db.connection import Connection
from db.pool import Database
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, iso
from simulator.data import MarketData
from simulator.spec import RunSpec, SimulationError
from skills import skill_md
from tests.integration.simulator.samples import (
    SKILL,
    T0,
    ask,
    carry_out,
    keep_market,
    load_market,
    revise,
    row_of,
    simulate,
    skill_text,
)

QUARTER_MS, FIVE_MS = 15 * MINUTE_MS, 5 * MINUTE_MS
TWO = skill_text(market="{symbols: [BTC, ETH], interval: 1h, bars: 20}")


async def loaded(database: Database, text: str = SKILL, **spec: Any) -> MarketData:
    """The data of a run over ten hours, a day in."""
    given = {"from_ts": T0 + DAY_MS, "to_ts": T0 + DAY_MS + 10 * HOUR_MS, **spec}
    async with database.as_worker() as connection:
        return await load_market(connection, skill_md.read(text), RunSpec(**given))


async def refused(database: Database, owner: UUID, text: str = SKILL, **request: Any) -> str:
    """The one line with which a run is refused, before anything of it is kept."""
    with pytest.raises(Invalid) as refusal:
        await ask(database, owner, text, **request)
    async with database.as_worker() as connection:
        assert not await connection.fetchval("select count(*) from sim_runs")
    line = str(refusal.value)
    assert "\n" not in line
    return line


# Execution bars.


async def keep_intervals(
    database: Database, *intervals_ms: int, symbol: str = "BTC", hours: int = 100
) -> None:
    for interval_ms in intervals_ms:
        await keep_market(database, symbol, interval_ms=interval_ms, funding=False, hours=hours)


async def test_fills_are_made_on_the_finest_bars_there_are(database: Database) -> None:
    """The manifest names them, and describes them beside those that the Skill sees."""
    await keep_intervals(database, HOUR_MS, QUARTER_MS, FIVE_MS)
    data = await loaded(database)

    assert data.tape.interval_ms == FIVE_MS
    assert data.description["execution_interval"] == "5m"
    kinds = [(one["kind"], one["interval"]) for one in data.description["series"]]
    assert kinds == [("bars", "1h"), ("execution bars", "5m")]
    assert len(data.prices["BTC"]) == 10


async def test_fills_are_made_on_one_interval_for_all(database: Database) -> None:
    """What only one of two symbols has serves for neither."""
    await keep_intervals(database, HOUR_MS, QUARTER_MS, FIVE_MS)
    await keep_intervals(database, HOUR_MS, QUARTER_MS, symbol="ETH")
    assert (await loaded(database, TWO)).tape.interval_ms == QUARTER_MS


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        (range(28 * 4), HOUR_MS),
        (range(30 * 4, 400), HOUR_MS),
        (range(97, 100), QUARTER_MS),
        (range(28 * 4, 30 * 4), HOUR_MS),
        (range(96, 97), HOUR_MS),
    ],
    ids=[
        "begins later",
        "ends earlier",
        "lacks a part of an hour",
        "lacks whole hours",
        "lacks the first bar",
    ],
)
async def test_finer_bars_must_cover_the_run(
    database: Database, lacking: Sequence[int], expected: int
) -> None:
    """Two islands of them do not; a hole of some minutes is a hole and no reason to take coarser ones."""
    await keep_intervals(database, HOUR_MS)
    await keep_market(database, interval_ms=QUARTER_MS, hours=100, without=lacking, funding=False)
    assert (await loaded(database)).tape.interval_ms == expected


async def test_execution_bars_can_be_chosen(database: Database, owner: UUID) -> None:
    """Any that cover the run and divide the Skill's interval; others are refused."""
    await keep_intervals(database, HOUR_MS, QUARTER_MS, FIVE_MS)
    assert (await loaded(database, execution_interval="15m")).tape.interval_ms == QUARTER_MS
    for name in ("4h", "30m"):
        line = await refused(database, owner, execution_interval=name)
        assert line.startswith(f"--execution-interval {name} does not divide 1h, or its bars do not cover")
    line = await refused(database, owner, execution_interval="7m")
    assert line.startswith("'7m' is not a bar interval; use one of 1m, 3m")


async def test_ticks_must_lie_on_the_grid(database: Database, owner: UUID) -> None:
    """The finest bars on whose grid they do; without any, one line."""
    await keep_intervals(database, HOUR_MS)
    line = await refused(database, owner, skill_text(schedule="15m"))
    assert line.startswith("the schedule 15m does not lie on the grid of 1h bars, the finest that cover BTC;")

    await keep_intervals(database, QUARTER_MS)
    assert (await loaded(database, skill_text(schedule="30m"))).tape.interval_ms == QUARTER_MS


# Marks.


@pytest.mark.parametrize(
    ("lacking", "serves"), [((), True), ((30,), False), ((5,), True), ((24,), False), ((33,), False)]
)
async def test_marks_serve_only_when_they_are_whole(
    database: Database, admin: Connection, lacking: Sequence[int], serves: bool
) -> None:
    """One that is missing within the run, and trades stand in for all, which the manifest says."""
    await keep_market(database, hours=100, marks=True)
    missing = [T0 + hour * HOUR_MS for hour in lacking]
    await admin.execute("delete from mark_prices where ts = any($1)", missing)
    data = await loaded(database)

    (track,) = data.tape.tracks
    assert (track.marks is not track.trades) is serves
    assert ("BTC mark" in data.stood_in) is not serves
    assert ("marks" in [one["kind"] for one in data.description["series"]]) is serves
    assert (
        data.stood_in["BTC oracle"] == f"the last closed {'mark' if serves else 'trade'} price, for funding"
    )


# Ranges and holes.


async def test_a_range_must_lie_within_the_bars(database: Database, owner: UUID) -> None:
    """Before, behind, the wrong way round, off the grid: each is one line that says what there is."""
    await keep_market(database, hours=48)
    reach = "the 1h bars of BTC reach from 2025-01-01T00:00:00Z to 2025-01-03T00:00:00Z, not from "
    day = {"from_ts": T0, "to_ts": T0 + DAY_MS}
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"from_ts": T0 - HOUR_MS, "to_ts": T0 + DAY_MS},
            reach + "2024-12-31T23:00:00Z to 2025-01-02T00:00:00Z",
        ),
        ({"from_ts": T0, "to_ts": T0 + 49 * HOUR_MS}, reach + "2025-01-01T00:00:00Z to 2025-01-03T01:00:00Z"),
        (
            {"from_ts": T0 + DAY_MS, "to_ts": T0},
            "--to 2025-01-01T00:00:00Z must be later than --from 2025-01-02",
        ),
        ({**day, "to_ts": T0}, "--to 2025-01-01T00:00:00Z must be later than --from 2025-01-01"),
        (
            {**day, "from_ts": T0 + 1},
            "--from 2025-01-01T00:00:00.001Z is not the open of a 1h bar; use a multiple",
        ),
        ({**day, "to_ts": T0 + 90 * MINUTE_MS}, "--to 2025-01-01T01:30:00Z is not the open of a 1h bar"),
    ]
    for request, line in cases:
        assert (await refused(database, owner, **request)).startswith(line)


async def test_a_symbol_must_have_bars(database: Database, owner: UUID) -> None:
    """And several must have some in common."""
    line = await refused(database, owner)
    assert line.startswith(
        "there are no 1h bars of BTC; import them with `agentic data import bars FILE --symbol BTC"
    )
    await keep_market(database, hours=10)
    await keep_market(database, "ETH", hours=10, from_ts=T0 + 10 * HOUR_MS)
    assert await refused(database, owner, TWO) == "the bars of BTC, ETH have no time in common"


async def test_without_a_range_a_run_takes_what_all_have(database: Database, owner: UUID) -> None:
    """From the latest beginning to the earliest end."""
    await keep_market(database, hours=30)
    await keep_market(database, "ETH", hours=30, from_ts=T0 + 10 * HOUR_MS)
    record = (await simulate(database, owner, TWO)).record
    assert (record.from_ts, record.to_ts) == (T0 + 10 * HOUR_MS, T0 + 30 * HOUR_MS)


async def test_a_hole_is_told_and_nothing_fills_in_it(database: Database, owner: UUID) -> None:
    """In the manifest, bar by bar, and as a warning; orders are refused where there is no price."""
    await keep_market(database, hours=100, without=[50, 51, 52, 70], seed=3)
    text = skill_text(model="baseline:random", model_params="{size: 0.01}")
    done = await simulate(database, owner, text)

    holes = [[T0 + 50 * HOUR_MS, 3], [T0 + 70 * HOUR_MS, 1]]
    assert [one["gaps"] for one in done.record.manifest["data"] if one["kind"] == "bars"] == [holes]
    assert done.record.warnings[0].startswith(
        f"4 bars are missing from BTC. The first is that of {iso(T0 + 50 * HOUR_MS)}; nothing fills there"
    )
    opened_in_a_hole = {ts + part for ts, count in holes for part in range(0, count * HOUR_MS, HOUR_MS)}
    assert not opened_in_a_hole & {fill.ts for fill in done.record.fills}
    assert done.record.refusals["fresh_price"] > 0
    assert len(done.record.equity) == 101


async def test_a_hole_that_goes_on_behind_the_end_is_told(database: Database) -> None:
    """The last bars of the run are missing, though there are later ones."""
    await keep_market(database, hours=100, without=range(30, 40))
    data = await loaded(database)
    assert data.description["series"][0]["gaps"] == [[T0 + 30 * HOUR_MS, 4]]
    assert data.warnings[0].startswith("4 bars are missing from BTC.")


async def test_a_run_must_begin_with_a_bar(database: Database, owner: UUID) -> None:
    """A hole at the very start has no price to begin with."""
    await keep_market(database, hours=100, without=range(20, 30))
    line = await refused(database, owner, from_ts=T0 + DAY_MS, to_ts=T0 + 2 * DAY_MS)
    assert line.startswith(
        "there is no 1h bar of BTC at 2025-01-02T00:00:00Z, where the run would begin; choose"
    )


async def test_one_bar_is_a_run(database: Database, owner: UUID) -> None:
    """Two equity points; what can't be worked out of one return is undefined."""
    await keep_market(database)
    done = await simulate(database, owner, from_ts=T0 + DAY_MS, to_ts=T0 + DAY_MS + HOUR_MS)
    assert done.record.ts.tolist() == [T0 + DAY_MS, T0 + DAY_MS + HOUR_MS]
    assert done.metrics.sharpe is None
    assert sum(done.record.ticks.values()) == 1


async def test_bars_before_the_run_warm_a_skill_up(database: Database, owner: UUID) -> None:
    """It acts at its first tick where there are earlier bars, and only after eight closes where there are none."""
    await keep_market(database)
    for start, first in ((T0, T0 + 8 * HOUR_MS), (T0 + DAY_MS, T0 + DAY_MS)):
        record = (await simulate(database, owner, from_ts=start, to_ts=start + DAY_MS)).record
        assert record.fills[0].ts == first


async def test_what_is_seen_does_not_depend_on_where_the_run_begins(database: Database) -> None:
    """At one instant, runs that begin at others show the same bars and rates, holes and all."""
    await keep_market(database, hours=100, without=[15, 16, 17, 40])
    text = skill_text(market="{symbols: [BTC], interval: 1h, bars: 12, funding: true}")
    at, seen = T0 + 45 * HOUR_MS, set()
    for hour in (18, 24, 44, 45):
        data = await loaded(database, text, from_ts=T0 + hour * HOUR_MS, to_ts=T0 + 60 * HOUR_MS)
        past = data.history.as_of(at)
        seen.add((repr(past.bars("BTC").last(1000)), repr(past.funding("BTC", 1000))))
        assert len(past.bars("BTC")) == 12
    assert len(seen) == 1


# Warnings, labels, and who decides.


@pytest.mark.parametrize(
    ("kept", "warning"),
    [
        (range(200), None),
        (range(0), "There is no funding for BTC. None was paid or received."),
        (range(10), "There is no funding for BTC."),
        (
            range(24, 80),
            "The funding of BTC, from 2025-01-02T01:00:00Z to 2025-01-04T07:00:00Z, does not cover",
        ),
        (range(60, 200), "The funding of BTC, from 2025-01-03T12:00:00Z to"),
        ([*range(24, 50), *range(60, 200)], "The funding of BTC, from 2025-01-02T01:00:00Z to"),
        (range(0, 200, 8), None),
    ],
)
async def test_funding_that_is_missing_is_told(
    database: Database, admin: Connection, kept: Sequence[int], warning: str | None
) -> None:
    """All of it, its beginning, its end or a part; rates every eight hours are whole."""
    await keep_market(database)
    hours = [T0 + hour * HOUR_MS for hour in kept]
    await admin.execute("delete from funding_rates where not settled_at = any($1)", hours)
    data = await loaded(database, to_ts=T0 + 199 * HOUR_MS)
    assert len(data.warnings) == (warning is not None)
    assert data.warnings == () if warning is None else data.warnings[0].startswith(warning)
    assert not (await loaded(database, funding=False)).warnings


async def test_late_rows_and_later_versions_are_counted(database: Database, admin: Connection) -> None:
    """Series by series; where there are none, there is nothing to read."""
    await keep_market(database)
    late = [T0 + hour * HOUR_MS for hour in (25, 26, 27)]
    await admin.execute("update bars set available_at = available_at + 1 where ts = any($1)", late)
    await admin.execute(
        "update funding_rates set available_at = available_at + 1 where settled_at = $1", late[0]
    )
    await revise(admin, "bars", "ts", T0 + 25 * HOUR_MS, T0 + DAY_MS * 2, volume=2)
    await revise(admin, "bars", "ts", T0 + 30 * HOUR_MS, T0 + DAY_MS * 2, volume=2)
    data = await loaded(database)

    counts = [(one["kind"], one.get("late"), one.get("revisions")) for one in data.description["series"]]
    assert counts == [("bars", 3, 2), ("funding", 1, None)]
    assert data.warnings[0].startswith("2 rows of BTC came again with another value.")


async def test_made_up_data_is_labelled(database: Database, owner: UUID) -> None:
    """Each series of it in the manifest."""
    await keep_market(database, source="synthetic")
    record = (await simulate(database, owner)).record
    assert [one["synthetic"] for one in record.manifest["data"]] == [True, True]


async def test_a_price_that_cannot_be_kept_is_one_line(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Prices of 12 decimals beside ones of 15 digits, by whatever way they came in."""
    await keep_market(database)
    await revise(admin, "bars", "ts", T0 + HOUR_MS, T0 + DAY_MS, high=1e14)
    await revise(admin, "bars", "ts", T0 + 2 * HOUR_MS, T0 + DAY_MS, low=1e-12)
    run_id = await ask(database, owner)
    with pytest.raises(SimulationError, match="BTC has prices with more than 12 decimals or 15 digits"):
        await carry_out(database, run_id)
    row = await row_of(database, owner, run_id)
    assert (row.status, row.metrics) == ("failed", None)


async def test_a_language_model_without_a_key_is_one_line(database: Database, owner: UUID) -> None:
    """It can be written and saved; to run it there must be a key, and the line says so."""
    await keep_market(database)
    text = skill_text(model="anthropic:claude-sonnet-4-6").replace(
        "model_params: {fast: 3, slow: 8, size: 0.1}\n", ""
    )
    line = await refused(database, owner, text)
    assert line == "there is no key for language models"
    assert (await find_skill(database, owner, "sample")).number == 1


@pytest.mark.parametrize("cash", ["9.99", "1000000001", "nan", "-inf", "inf", "sNaN", "-5", "100.0000001"])
async def test_cash_must_be_an_amount(database: Database, owner: UUID, cash: str) -> None:
    """Neither too little nor too much, a number, and in millionths at most."""
    await keep_market(database)
    assert (await refused(database, owner, cash=Decimal(cash))).startswith("--cash must be")
