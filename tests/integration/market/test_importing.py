"""From tidy files to the database: all rows of a command, or none, whatever happens on the way."""

import asyncio
from pathlib import Path

import pytest

from config.instruments import UnknownInstrument, find
from db.connection import Connection
from db.errors import DatabaseError, DiskFull, LostConnection
from db.market import InstrumentRow, load_bars, load_funding, load_instruments, load_marks, save_instruments
from db.news import load_news
from db.pool import Database
from db.tape import Counts
from domain.time import HOUR_MS, ManualClock, parse_ts
from market.importing import Imported, Kind, Wanted, import_news, import_series, keep_made_up
from market.instruments import keep_instrument, kept_instruments
from market.synth import make_up
from market.tidy.problems import TidyError
from market.tidy.series import Gap, Gaps
from tests.unit.market.samples import FUNDING_HEAD, MARK_HEAD, NOW, T0, bar, bars, jsonl, story, write

CLOCK = ManualClock(NOW)
PATIENCE_S = 30.0
EVERYTHING = "select (select count(*) from bars) + (select count(*) from mark_prices)"
EVERYTHING += " + (select count(*) from funding_rates) + (select count(*) from news)"
EVERYTHING += " + (select count(*) from instruments)"

FAILURES = {
    "disk full": (
        "raise exception 'could not extend file: No space left on device' using errcode = '53100'",
        DiskFull,
        "the database's disk is full and nothing was written; free some space and try again",
    ),
    "server told to stop": (
        "perform pg_terminate_backend(pg_backend_pid())",
        LostConnection,
        "the connection to the database was lost; what was not committed was undone",
    ),
}
"""What may happen when half of the rows are in: how Postgres says it, and how we do."""


def quiet(text: str) -> None:
    """Nobody is told what is being done."""


async def take(
    database: Database,
    path: Path,
    *,
    kind: Kind = Kind.BARS,
    symbol: str = "BTC",
    now_ms: int = NOW,
    source: str = "venue",
    sz_decimals: int | None = None,
    max_leverage: int | None = None,
) -> Imported:
    """Import one file, of hours where it has an interval."""
    interval_ms = None if kind is Kind.FUNDING else HOUR_MS
    wanted = Wanted(kind, (path,), symbol, interval_ms, source, sz_decimals, max_leverage)
    return await import_series(database, ManualClock(now_ms), wanted, quiet)


async def break_in_the_middle(admin: Connection, table: str, what: str) -> None:
    """Let this happen to whoever has written half of its rows into a table."""
    await admin.execute(
        f"create function break_in_the_middle() returns trigger language plpgsql security definer as"
        f" $$ begin {what}; return null; end $$;"
        f"create trigger break_in_the_middle after insert on {table} for each row"
        f" when (new.available_at = {T0 + 3 * HOUR_MS} or new.available_at = {T0 + 3 * HOUR_MS + 60_000})"
        f" execute function break_in_the_middle()"
    )


async def test_bars_are_kept_and_known_from_their_close(database: Database, tmp_path: Path) -> None:
    """Each row as it was written, with its source; what was missing is told and not filled."""
    done = await take(database, write(tmp_path, bars(bar(0), bar(1, close="11.5"), bar(4))))

    async with database.as_worker() as connection:
        rows = await load_bars(connection, "BTC", HOUR_MS)
    assert rows["ts"].tolist() == [T0, T0 + HOUR_MS, T0 + 4 * HOUR_MS]
    assert (rows["available_at"] == rows["ts"] + HOUR_MS).all()
    assert rows["close"].tolist() == [11.0, 11.5, 11.0]
    gap = Gap(T0 + 2 * HOUR_MS, 2)
    assert done == Imported(
        kind=Kind.BARS,
        instrument=find("BTC"),
        interval_ms=HOUR_MS,
        source="venue",
        rows=3,
        counts=Counts(new=3, unchanged=0, revised=0),
        first_ts=T0,
        last_ts=T0 + 4 * HOUR_MS,
        gaps=Gaps(count=1, missing=2, first=gap, longest=gap),
        replaced=0,
    )


async def test_marks_and_funding_are_kept_too(database: Database, tmp_path: Path) -> None:
    """A mark is known from its close, a rate from the hour it is settled in."""
    await take(database, write(tmp_path, f"{MARK_HEAD}\n{T0},10,12,9,11\n"), kind=Kind.MARK)
    await take(database, write(tmp_path, f"{FUNDING_HEAD}\n{T0 + 9},0.0001\n"), kind=Kind.FUNDING)

    async with database.as_worker() as connection:
        marks = await load_marks(connection, "BTC", HOUR_MS)
        rates = await load_funding(connection, "BTC")
    assert marks.tolist() == [(T0, T0 + HOUR_MS, 10.0, 12.0, 9.0, 11.0)]
    assert rates.tolist() == [(T0, T0 + 9, T0, 0.0001)]


async def test_the_same_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    """An import may be repeated, and a longer file adds what is new."""
    await take(database, write(tmp_path, bars(bar(0), bar(1))))

    again = await take(database, write(tmp_path, bars(bar(0), bar(1))), now_ms=NOW + 1)
    longer = await take(database, write(tmp_path, bars(bar(0), bar(1), bar(2))), now_ms=NOW + 2)

    assert again.counts == Counts(new=0, unchanged=2, revised=0)
    assert longer.counts == Counts(new=1, unchanged=2, revised=0)


async def test_a_changed_row_is_a_revision_known_from_now(database: Database, tmp_path: Path) -> None:
    """The old value stays, for whoever asks what was known before."""
    await take(database, write(tmp_path, bars(bar(0), bar(1))))

    done = await take(database, write(tmp_path, bars(bar(0), bar(1, close=12))), now_ms=NOW + 5)

    assert done.counts == Counts(new=0, unchanged=1, revised=1)
    async with database.as_worker() as connection:
        rows = await load_bars(connection, "BTC", HOUR_MS, T0 + HOUR_MS)
    assert rows[["available_at", "close"]].tolist() == [(T0 + 2 * HOUR_MS, 11.0), (NOW + 5, 12.0)]


async def test_another_sources_prices_do_not_revise_a_series(database: Database, tmp_path: Path) -> None:
    """What a Skill saw and what it traded at stay of one venue; more rows of another are no harm."""
    await take(database, write(tmp_path, bars(bar(0), bar(1))), source="one")
    other = write(tmp_path, bars(bar(0), bar(1, close="11.5")), "other.csv")

    with pytest.raises(TidyError, match=r"1 rows differ from those of BTC .* from one, .* --source one"):
        await take(database, other, source="two")

    async with database.as_worker() as connection:
        assert len(await load_bars(connection, "BTC", HOUR_MS)) == 2
    assert (await take(database, other, source="one")).counts.revised == 1
    later = write(tmp_path, bars(bar(2)), "later.csv")
    assert (await take(database, later, source="two")).counts.new == 1


async def test_two_imports_at_once_keep_every_row_once(database: Database, tmp_path: Path) -> None:
    """They wait for each other: what the first kept, the second finds."""
    paths = [
        write(tmp_path, bars(*map(bar, hours)), f"{hours[0]}.csv") for hours in (range(50), range(20, 70))
    ]

    done = await asyncio.gather(*(take(database, path) for path in paths))

    assert sum(one.counts.new for one in done) == 70
    assert sum(one.counts.unchanged for one in done) == 30
    assert sum(one.counts.revised for one in done) == 0


async def test_real_and_made_up_data_never_meet_even_at_once(
    database: Database, admin: Connection, tmp_path: Path
) -> None:
    """Made-up data that comes while real data is being written waits, and then finds it there."""
    made = make_up(find("BTC"), HOUR_MS, T0, T0 + 100 * HOUR_MS, 1)
    async with database.as_worker() as connection:
        await keep_instrument(connection, find("BTC"), NOW)
    # Somebody else is just writing one of the same rows, so the import stops half-way until that is undone.
    await admin.execute(
        f"begin; insert into bars values ('BTC', {HOUR_MS}, {T0}, {T0 + HOUR_MS}, 1, 1, 1, 1, 1, 'other')"
    )

    real = asyncio.create_task(take(database, write(tmp_path, bars(*map(bar, range(100))))))
    await until_waiting(admin, 1)
    made_up = asyncio.create_task(keep_made_up(database, CLOCK, find("BTC"), HOUR_MS, made))
    await until_waiting(admin, 2)
    await admin.execute("rollback")

    assert (await real).counts.new == 100
    with pytest.raises(TidyError, match="BTC has real data"):
        await made_up
    assert {tuple(row) for row in await admin.fetch("select distinct source from bars")} == {("venue",)}


async def until_waiting(admin: Connection, sessions: int) -> None:
    """Wait until so many sessions of this database wait for a lock."""
    waiting = (
        "select count(*), pg_sleep(0.01) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(PATIENCE_S):
        while await admin.fetchval(waiting) < sessions:
            await admin.fetchval("select pg_stat_clear_snapshot()")


async def test_a_bad_row_keeps_everything_out(database: Database, admin: Connection, tmp_path: Path) -> None:
    """Neither the good rows before it nor the instrument are kept."""
    with pytest.raises(TidyError, match=":4: high 1 is below low 9"):
        await take(database, write(tmp_path, bars(bar(0), bar(1), bar(2, high=1))))

    assert await admin.fetchval(EVERYTHING) == 0


async def test_one_bad_file_keeps_the_other_out(
    database: Database, admin: Connection, tmp_path: Path
) -> None:
    """The files of a command stand or fall together."""
    paths = (write(tmp_path, bars(bar(0)), "a.csv"), write(tmp_path, bars(bar(1, low=0)), "b.csv"))

    with pytest.raises(TidyError, match=r"b\.csv:2: low 0 must be above 0"):
        await import_series(database, CLOCK, Wanted(Kind.BARS, paths, "BTC", HOUR_MS, "venue"), quiet)

    assert await admin.fetchval(EVERYTHING) == 0


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("table", ["bars", "news"])
async def test_what_breaks_in_the_middle_leaves_nothing(
    database: Database, admin: Connection, tmp_path: Path, table: str, failure: str
) -> None:
    """One clear line, nothing kept, and the next import works."""
    what, error, says = FAILURES[failure]
    await break_in_the_middle(admin, table, what)
    series = write(tmp_path, bars(*map(bar, range(5))))
    stories = write(
        tmp_path, jsonl(*(story(id=str(n), published_at=T0 + n * HOUR_MS) for n in range(5))), "n.jsonl"
    )

    async def bring_in() -> int:
        if table == "bars":
            return (await take(database, series)).counts.new
        return (await import_news(database, CLOCK, [stories], quiet)).counts.new

    with pytest.raises(DatabaseError) as broken:
        await bring_in()
    assert (type(broken.value), str(broken.value).partition(" (")[0]) == (error, says)
    assert await admin.fetchval(EVERYTHING) == 0

    await admin.execute(f"drop trigger break_in_the_middle on {table}")
    assert await bring_in() == 5


async def test_an_unknown_symbol_is_refused_with_what_was_probably_meant(
    database: Database, admin: Connection, tmp_path: Path
) -> None:
    """A file called BTCUSDT is BTC here."""
    with pytest.raises(UnknownInstrument, match="did you mean BTC"):
        await take(database, write(tmp_path, bars(bar(0))), symbol="BTCUSDT")

    assert await admin.fetchval(EVERYTHING) == 0


async def test_a_symbol_is_described_once(database: Database, tmp_path: Path) -> None:
    """Its facts are kept as assumed, serve the next import, and can be put right by saying them again."""
    path = write(tmp_path, bars(bar(0)))

    first = await take(database, path, symbol="ZZTEST", sz_decimals=2, max_leverage=5)
    again = await take(database, path, symbol="ZZTEST", now_ms=NOW + 1)
    async with database.as_worker() as connection:
        assert (await load_instruments(connection))["ZZTEST"].as_of == NOW
    mended = await take(database, path, symbol="ZZTEST", sz_decimals=3, max_leverage=5)

    assert first.instrument == again.instrument
    assert (first.instrument.assumed, first.instrument.sz_decimals) == (True, 2)
    async with database.as_worker() as connection:
        assert (await kept_instruments(connection))["ZZTEST"] == mended.instrument
    assert mended.instrument.sz_decimals == 3


async def test_a_venues_facts_are_not_replaced_by_assumed_or_older_ones(
    database: Database, tmp_path: Path
) -> None:
    """What the venue said of a symbol stands against what a person types, and against the snapshot."""
    path = write(tmp_path, bars(bar(0)))
    news = parse_ts("2030-01-01")
    said = {
        symbol: InstrumentRow(symbol, 1, 7, [["0", 7]], False, "venue, 2030-01-01", news)
        for symbol in ("ZZTEST", "BTC")
    }
    async with database.as_worker() as connection:
        await save_instruments(connection, list(said.values()))

    described = await take(database, path, symbol="ZZTEST", sz_decimals=2, max_leverage=5)
    known = await take(database, path, symbol="BTC")

    assert (described.instrument.sz_decimals, known.instrument.sz_decimals) == (1, 1)
    async with database.as_worker() as connection:
        assert await load_instruments(connection) == said


async def test_facts_that_contradict_the_snapshot_are_refused(database: Database, tmp_path: Path) -> None:
    """A person can't make another BTC."""
    with pytest.raises(UnknownInstrument, match="leave out --sz-decimals"):
        await take(database, write(tmp_path, bars(bar(0))), sz_decimals=2, max_leverage=5)


async def test_the_snapshots_margin_tiers_survive_being_kept(database: Database, tmp_path: Path) -> None:
    """What is read back is the instrument that was found, tiers and source included."""
    await take(database, write(tmp_path, bars(bar(0))))

    async with database.as_worker() as connection:
        assert await kept_instruments(connection) == {"BTC": find("BTC")}


async def test_real_data_takes_the_place_of_what_was_made_up(
    database: Database, admin: Connection, tmp_path: Path
) -> None:
    """Of all that was made up of the symbol nothing stays; other symbols keep theirs."""
    for symbol in ("BTC", "ETH"):
        made = make_up(find(symbol), HOUR_MS, T0, T0 + 240 * HOUR_MS, 1)
        await keep_made_up(database, CLOCK, find(symbol), HOUR_MS, made)
    kept = await admin.fetchval(EVERYTHING)

    done = await take(database, write(tmp_path, bars(bar(0))))

    assert done.counts == Counts(new=1, unchanged=0, revised=0)
    assert done.replaced == kept / 2 - 1  # all but the instrument
    sources = await admin.fetch(
        "select symbol, source from bars union select symbol, source from mark_prices"
        " union select symbol, source from funding_rates union select unnest(symbols), source from news"
    )
    assert {tuple(row) for row in sources} == {("BTC", "venue"), ("ETH", "synthetic")}


@pytest.mark.parametrize("kind", Kind)
async def test_made_up_data_never_joins_real_data(
    database: Database, admin: Connection, tmp_path: Path, kind: Kind
) -> None:
    """Whatever real data the symbol has, and however the made-up data comes."""
    texts = {
        Kind.BARS: bars(bar(0)),
        Kind.MARK: f"{MARK_HEAD}\n{T0},10,12,9,11\n",
        Kind.FUNDING: f"{FUNDING_HEAD}\n{T0},0.0001\n",
    }
    await take(database, write(tmp_path, texts[kind]), kind=kind)
    before = await admin.fetchval(EVERYTHING)
    says = r"BTC has real data \(from venue\) and made-up data can't join it"

    with pytest.raises(TidyError, match=says):
        await keep_made_up(
            database, CLOCK, find("BTC"), HOUR_MS, make_up(find("BTC"), HOUR_MS, T0, T0 + HOUR_MS, 1)
        )
    with pytest.raises(TidyError, match=says):
        await take(database, write(tmp_path, bars(bar(5))), source="synthetic")

    assert await admin.fetchval(EVERYTHING) == before


async def test_making_up_again_leaves_nothing_of_before(database: Database) -> None:
    """Another seed is another market, not a revision of the first."""
    for seed in (1, 2):
        made = make_up(find("BTC"), HOUR_MS, T0, T0 + 48 * HOUR_MS, seed)
        kept = await keep_made_up(database, CLOCK, find("BTC"), HOUR_MS, made)

    assert kept.replaced == 48 + 48 + 48 + kept.news
    async with database.as_worker() as connection:
        rows = await load_bars(connection, "BTC", HOUR_MS)
    assert rows["close"].tolist() == made.bars["close"].tolist()


async def test_only_made_up_rows_can_be_deleted(
    database: Database, admin: Connection, tmp_path: Path
) -> None:
    """The tape can only grow: not even the worker may delete from it, except by the one way."""
    await take(database, write(tmp_path, bars(bar(0))))

    with pytest.raises(DatabaseError, match="not permitted"):
        async with database.as_worker() as connection:
            await connection.execute("delete from bars where source = 'synthetic'")
    async with database.as_worker() as connection:
        assert await connection.fetchval("select forget_made_up('BTC')") == 0

    assert await admin.fetchval("select count(*) from bars") == 1


async def test_news_is_known_a_minute_after_it_was_published(database: Database, tmp_path: Path) -> None:
    """Nobody saw it come, so nobody may have acted on it at once. Its JSON comes out as it went in."""
    sentiment = {"label": "neutral", "score": 0, "big": 10**30}
    path = write(
        tmp_path,
        jsonl(story(category="prices", sentiment=sentiment), story(id="b", sentiment=None)),
        "n.jsonl",
    )

    done = await import_news(database, CLOCK, [path], quiet)

    async with database.as_worker() as connection:
        first, second = await load_news(connection, 0, NOW)
    assert (first.published_at, first.first_seen_at, first.available_at) == (T0, None, T0 + 60_000)
    assert (first.category, second.category) == ("prices", None)
    assert first.sentiment["label"] == "neutral"
    assert second.sentiment is None
    assert (done.rows, done.sources, done.symbols, done.first_ts, done.last_ts) == (2, 1, 1, T0, T0)


async def test_a_story_that_comes_again_changed_is_left_as_it_was(database: Database, tmp_path: Path) -> None:
    """What an agent was shown stays what it was; the change is counted."""
    await import_news(database, CLOCK, [write(tmp_path, jsonl(story()), "n.jsonl")], quiet)
    changed = jsonl(story(title="Bitcoin falls"), story(id="b"))

    done = await import_news(database, CLOCK, [write(tmp_path, changed, "n.jsonl")], quiet)

    assert done.counts == Counts(new=1, unchanged=0, revised=1)
    async with database.as_worker() as connection:
        assert (await load_news(connection, 0, NOW))[0].title == "Bitcoin rises"


async def test_news_can_not_pass_for_made_up(database: Database, admin: Connection, tmp_path: Path) -> None:
    """A story that calls its source synthetic would be deleted with what was made up."""
    path = write(tmp_path, jsonl(story(source="synthetic")), "n.jsonl")

    with pytest.raises(TidyError, match="is made up"):
        await import_news(database, CLOCK, [path], quiet)

    assert await admin.fetchval(EVERYTHING) == 0
