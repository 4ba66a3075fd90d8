"""A run in one file: it replays elsewhere to the same bytes, and a file that is not as it was written does nothing."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from control import run_bundle, run_check, runs, skills
from control.errors import Invalid
from db.boot import prepare
from db.connection import Connection
from db.market import load_bars
from db.news import NewsRow, copy_in_news
from db.pool import Database
from db.runs import RunRow
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.integration.simulator.bundles import lines_of, write
from tests.integration.simulator.samples import (
    LATER,
    T0,
    keep_market,
    revise,
    row_of,
    simulate,
    skill_text,
)
from tests.standins.provider import NO_MODELS

NOW = LATER + DAY_MS
TEXT = skill_text(
    market="{symbols: [BTC, ETH], interval: 1h, bars: 20, news: 3}",
    tools="[get_bars, get_portfolio, search_news, propose_order]",
)
SETTINGS: dict[str, Any] = {"from_ts": T0 + 30 * HOUR_MS, "to_ts": T0 + 90 * HOUR_MS}
TABLES = ("bars", "mark_prices", "funding_rates", "instruments", "news", "skills", "sim_runs", "model_calls")


@pytest.fixture
async def done(database: Database, admin: Connection, owner: UUID) -> RunRow:
    """A finished run on two symbols: hours to see, quarters to fill on, marks, funding, news, and a revision."""
    for symbol in ("BTC", "ETH"):
        await keep_market(database, symbol, hours=100)
        quarters = {"hours": 100, "interval_ms": 15 * MINUTE_MS, "marks": True, "funding": False}
        await keep_market(database, symbol, **quarters)
    await revise(admin, "bars", "ts", T0 + 50 * HOUR_MS, T0 + 60 * HOUR_MS, volume=777.0)
    told = T0 + 40 * HOUR_MS
    story = NewsRow("wire", "1", told, None, told, "BTC moves", "or not", None, ["BTC"], None, {"score": 0.5})
    async with database.as_worker() as connection:
        await copy_in_news(connection, [story])
    finished = await simulate(database, owner, TEXT, **SETTINGS)
    assert len(finished.record.fills) > 10
    return await row_of(database, owner, UUID(finished.record.run_id))


@pytest.fixture
async def file(database: Database, done: RunRow, tmp_path: Path) -> Path:
    """The run's bundle."""
    await run_bundle.bundle(database, done, tmp_path / "run.agentic")
    return tmp_path / "run.agentic"


@pytest.fixture
async def fresh(empty_database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Database, UUID]]:
    """Another machine: an empty database that the program has set up, and the person there."""
    prepared = await prepare(tmp_path / "elsewhere", empty_database_url)
    yield prepared.database, prepared.owner_id
    await prepared.close()


@pytest.fixture
def elsewhere(another_database: Database, owner: UUID) -> tuple[Database, UUID]:
    """Another machine that is set up already."""
    return another_database, owner


async def replayed(database: Database, user_id: UUID, file: Path) -> run_check.Check:
    """Take a bundle in and hold its replay to what it says."""
    run_id, held = await run_bundle.take_in(database, user_id, file, NOW)
    return await run_check.replay_and_compare(database, run_id, NO_MODELS, held.digests, held.run.manifest)


async def counts(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    async with database.as_worker() as connection:
        return {name: await connection.fetchval(f"select count(*) from {name}") for name in TABLES}


async def test_a_run_replays_elsewhere_to_the_same_bytes(
    done: RunRow, file: Path, fresh: tuple[Database, UUID]
) -> None:
    """A fresh database has what the run had, and its replay all three digests."""
    database, user_id = fresh
    found = await replayed(database, user_id, file)

    assert found.differs == []
    assert found.why == ()
    assert found.found == done.digests
    there = await runs.load(database, user_id, found.run_id)
    assert there.manifest is not None
    assert {**there.manifest, "skill": None} == {**(done.manifest or {}), "skill": None}


async def test_rows_keep_when_they_were_known_and_from_where(
    file: Path, database: Database, elsewhere: tuple[Database, UUID]
) -> None:
    """Every version of every bar that the run read, to the byte, with its source."""
    await run_bundle.take_in(*elsewhere, file, NOW)
    sql = (
        "select *, row_number() over (order by symbol, interval_ms, ts, available_at) from bars"
        f" where ts >= {T0 + 30 * HOUR_MS} and ts < {T0 + 90 * HOUR_MS} order by 1, 2, 3, 4"
    )
    async with database.as_worker() as one, elsewhere[0].as_worker() as other:
        here, there = await one.fetch(sql), await other.fetch(sql)
        seen = await load_bars(other, "BTC", HOUR_MS)
    assert len(here) == 2 * 60 * 5 + 4
    assert [tuple(row) for row in here] == [tuple(row) for row in there]
    assert seen["ts"][0] == T0 + 10 * HOUR_MS  # the bars before the run, as many as the Skill sees


async def test_the_same_run_gives_the_same_file_without_a_person_in_it(
    database: Database, done: RunRow, file: Path, owner: UUID, tmp_path: Path
) -> None:
    """Byte by byte; no id of a person or a run, no path."""
    await run_bundle.bundle(database, done, tmp_path / "again")
    text = gzip.decompress(file.read_bytes()).decode()

    assert (tmp_path / "again").read_bytes() == file.read_bytes()
    for secret in (str(owner), str(done.id), str(tmp_path), "localhost"):
        assert secret not in text


async def test_taking_it_in_twice_changes_nothing_but_the_runs(
    file: Path, elsewhere: tuple[Database, UUID]
) -> None:
    """The second time all is there already; the replay is another run."""
    await run_bundle.take_in(*elsewhere, file, NOW)
    before = await counts(elsewhere[0])
    found = await replayed(*elsewhere, file)

    assert found.differs == []
    assert await counts(elsewhere[0]) == {**before, "sim_runs": 2}


async def test_a_bundle_comes_back_to_where_it_was_made(
    file: Path, done: RunRow, database: Database, owner: UUID
) -> None:
    """All rows are there already; one's own Skill stays the newest of its name."""
    before = await counts(database)
    assert (await replayed(database, owner, file)).differs == []

    assert await counts(database) == {**before, "skills": 2, "sim_runs": 2}
    assert (await skills.find(database, owner, "sample")).id == done.skill_version_id


async def test_a_later_version_of_a_skill_replays_as_a_first_one(
    database: Database, owner: UUID, done: RunRow, tmp_path: Path, elsewhere: tuple[Database, UUID]
) -> None:
    """How many versions somebody has of a Skill is no part of a result."""
    finished = await simulate(database, owner, TEXT.replace("You trade.", "You trade well."), **SETTINGS)
    row = await row_of(database, owner, UUID(finished.record.run_id))
    assert row.skill_number == 2
    await run_bundle.bundle(database, row, tmp_path / "second")
    assert (await replayed(*elsewhere, tmp_path / "second")).differs == []


async def test_other_rows_are_neither_overwritten_nor_joined(
    file: Path, elsewhere: tuple[Database, UUID]
) -> None:
    """A series that is there with another value, or with a row more, refuses the bundle; nothing is kept."""
    database, user_id = elsewhere
    await keep_market(database, "BTC", hours=100, seed=2)
    before = await counts(database)
    with pytest.raises(Invalid, match=r"1h bars of BTC that are here have another row at 2025.*AGENTIC_HOME"):
        await run_bundle.take_in(database, user_id, file, NOW)
    assert await counts(database) == before


async def test_made_up_data_gives_way_to_real_data_and_never_joins_it(
    file: Path, elsewhere: tuple[Database, UUID], tmp_path: Path
) -> None:
    """As with an import."""
    database, user_id = elsewhere
    await keep_market(database, "BTC", hours=100, seed=2, source="synthetic")
    assert (await replayed(database, user_id, file)).differs == []

    lines = lines_of(file)
    for line in lines:
        if line["type"] == "series":
            line["sources"] = [["synthetic", line["rows"]]]
    write(tmp_path / "made-up", lines)
    with pytest.raises(Invalid, match="made-up data can't join"):
        await run_bundle.take_in(database, user_id, tmp_path / "made-up", NOW)


async def test_a_replay_that_differs_says_in_what(
    file: Path, elsewhere: tuple[Database, UUID], tmp_path: Path
) -> None:
    """A bundle that claims another seed or ledger is held to what comes out."""
    lines = lines_of(file)
    lines[0]["digests"]["ledger"] = "0" * 64
    lines[2]["manifest"]["run"]["seed"] = 5
    write(tmp_path / "claims", lines)
    found = await replayed(*elsewhere, tmp_path / "claims")

    assert found.differs == ["ledger"]
    assert found.why == ("run.seed was 5 and is 0",)


async def test_a_run_whose_data_has_changed_makes_no_bundle(
    database: Database, admin: Connection, done: RunRow, tmp_path: Path
) -> None:
    """It would not replay; no file is written."""
    await admin.execute(f"update bars set volume = volume + 1 where ts = {T0 + 40 * HOUR_MS}")
    with pytest.raises(Invalid, match=r"market data of run .* has changed"):
        await run_bundle.bundle(database, done, tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


async def test_ones_own_run_replays_in_place(database: Database, owner: UUID, done: RunRow) -> None:
    """`sim replay`: another run in mode replay, the same digests."""
    again = await run_check.ask_again(database, owner, done)
    found = await run_check.replay_and_compare(
        database, again, NO_MODELS, done.digests or {}, done.manifest or {}
    )
    assert found.differs == []
    assert (await runs.load(database, owner, again)).config["mode"] == "replay"
