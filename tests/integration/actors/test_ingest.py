"""The actor of the ingest: each source on its own timer, what it gives kept with its cursor, none in another's way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from actors.ingest import LEASE_S, LONGEST_PAUSE_MS, PULL_MS, IngestActor
from actors.kernel import ManualTime, Ref, Spec, System
from config.instruments import find
from db.connection import Connection
from db.ingest_cursors import load_sources, take_source
from db.market import load_bars
from db.news import NewsRow
from db.pool import Database
from domain.time import HOUR_MS, MINUTE_MS
from market.importing import Kind
from market.ingesting import NewRows, Pulled
from market.synth import make_up
from tests.integration.simulator.samples import T0, keep_market

PATIENCE_S = 60.0
ALL_HOURS = make_up(find("BTC"), HOUR_MS, T0, T0 + 100 * HOUR_MS, 1).bars


class Venue:
    """A source of hourly bars, one more at each pull, that does what the test has it do."""

    def __init__(self, name: str = "venue", every_ms: int = MINUTE_MS, symbol: str = "BTC") -> None:
        self.name, self.every_ms, self.symbol = name, every_ms, symbol
        self.asked: list[Any] = []
        self.at_once = 1
        self.more_times = 0
        self.fails: Exception | None = None
        self.hangs = False
        self.news: list[NewsRow] = []

    async def pull(self, cursor: Any) -> Pulled:
        self.asked.append(cursor)
        if self.fails:
            raise self.fails
        if self.hangs:
            await asyncio.Event().wait()
        begin = cursor or 0
        end = begin + self.at_once
        self.more_times -= 1
        rows = NewRows(Kind.BARS, find(self.symbol), HOUR_MS, ALL_HOURS[begin:end])
        return Pulled(end, [rows], self.news, is_more=self.more_times >= 0)


class Ingest:
    """An actor with its sources, in a time that the test moves."""

    def __init__(self, database: Database, sources: tuple[Venue, ...], owner: str, chance: float) -> None:
        self.database, self.sources = database, sources
        self.time = ManualTime(T0)
        self.system = System(self.time)
        self.ref: Ref[IngestActor] = self.system.spawn(
            Spec("ingest", lambda: IngestActor(database, sources, owner, lambda: chance))
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, and the actor is at rest."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await asyncio.sleep(0)
            await self.at_rest()

    async def at_rest(self) -> None:
        """Wait until the actor has kept what there was to keep; a source that hangs is left hanging."""
        async with asyncio.timeout(PATIENCE_S):
            await self.system.quiet()
            while self.system.stats()[0].children > sum(source.hangs for source in self.sources):
                await asyncio.sleep(0)
            await self.system.quiet()

    async def pass_by(self, duration_ms: int) -> None:
        """Let time pass."""
        await self.time.advance(duration_ms)
        await self.at_rest()


@asynccontextmanager
async def ingest(
    database: Database, *sources: Venue, owner: str = "here", chance: float = 0.0
) -> AsyncIterator[Ingest]:
    """An actor that is stopped at the end."""
    started = Ingest(database, sources, owner, chance)
    try:
        yield started
    finally:
        await started.system.stop_all()


async def bars_of(database: Database, symbol: str = "BTC") -> list[float]:
    """The closes that are kept of a symbol."""
    async with database.as_worker() as connection:
        kept = await load_bars(connection, symbol, HOUR_MS)
    return [float(close) for close in kept["close"]]


async def until_there_are(database: Database, symbol: str, count: int) -> None:
    """Wait until so many bars of a symbol are kept."""
    async with asyncio.timeout(PATIENCE_S):
        while len(await bars_of(database, symbol)) < count:
            await asyncio.sleep(0)


async def fares(database: Database) -> dict[str, tuple[int, int, str | None]]:
    """Each source with its rows, its failures and its error."""
    async with database.as_worker() as connection:
        rows = await load_sources(connection)
    return {row.source: (row.rows, row.failures, row.error) for row in rows}


async def test_a_source_is_asked_at_once_and_then_on_its_timer(database: Database) -> None:
    """From the beginning, then from where it was; what it gives is kept."""
    venue = Venue()
    async with ingest(database, venue) as actor:
        await actor.until(lambda: venue.asked == [None])
        await actor.pass_by(venue.every_ms - 1)
        assert venue.asked == [None]
        for asked in ([None, 1], [None, 1, 2]):
            await actor.pass_by(venue.every_ms)
            assert venue.asked == asked
    assert await bars_of(database) == [float(close) for close in ALL_HOURS["close"][:3]]
    assert await fares(database) == {"venue": (3, 0, None)}


async def test_a_source_that_has_more_is_asked_again_at_once(database: Database) -> None:
    """So that years come in without a minute's pause between the days."""
    venue = Venue()
    venue.at_once, venue.more_times = 30, 2
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) >= 3)
        await actor.pass_by(0)
        assert venue.asked == [None, 30, 60]
    assert len(await bars_of(database)) == 90


async def test_the_next_process_goes_on_where_the_last_one_was(database: Database) -> None:
    """The cursor is kept with the rows; one that ends in order is followed at once."""
    first, second = Venue(), Venue()
    async with ingest(database, first) as actor:
        await actor.until(lambda: len(first.asked) == 1)
    async with ingest(database, second, owner="the next one") as actor:
        await actor.until(lambda: second.asked == [1])
    assert len(await bars_of(database)) == 2


async def test_one_process_reads_a_source_at_a_time(database: Database, admin: Connection) -> None:
    """The other one leaves it alone until the first was silent for too long."""
    first, second = Venue(), Venue()
    async with ingest(database, first) as actor:
        await actor.until(lambda: len(first.asked) == 1)
        async with ingest(database, second, owner="there") as other:
            await other.at_rest()
            await other.pass_by(second.every_ms)
            assert second.asked == []
            await admin.execute(
                "update ingest_cursors set taken_until = clock_timestamp() - interval '1 second'"
            )
            await other.pass_by(second.every_ms)
            await actor.pass_by(first.every_ms)
            assert (first.asked, second.asked) == ([None], [1])


async def test_a_process_that_was_taken_over_keeps_nothing(database: Database, admin: Connection) -> None:
    """It was paused in the middle: what it brings then is too late, and its rows go with its cursor."""
    venue = Venue()
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
        go_on = asyncio.Event()
        pull = venue.pull

        async def slowly(cursor: Any) -> Pulled:
            found = await pull(cursor)
            await go_on.wait()
            return found

        venue.pull = slowly  # type: ignore[method-assign]
        await actor.time.advance(venue.every_ms)
        async with asyncio.timeout(PATIENCE_S):
            while len(venue.asked) < 2:
                await asyncio.sleep(0)
        await admin.execute("update ingest_cursors set taken_until = clock_timestamp() - interval '1 second'")
        async with database.as_worker() as connection:
            assert await take_source(connection, "venue", "the next one", LEASE_S)
        go_on.set()
        await actor.at_rest()
    assert len(await bars_of(database)) == 1
    assert await fares(database) == {"venue": (1, 0, None)}


async def test_a_source_that_fails_is_asked_less_and_less(database: Database) -> None:
    """Twice as long after each failure, a quarter of an hour at most; and as usual once it answers."""
    venue = Venue()
    venue.fails = ConnectionError("no route to venue")
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
        for number, minutes in enumerate((1, 2, 4, 8, 15, 15), 1):
            await actor.pass_by(minutes * MINUTE_MS - 1)
            assert len(venue.asked) == number
            await actor.pass_by(1)
            assert len(venue.asked) == number + 1
        assert await fares(database) == {"venue": (0, 7, "ConnectionError: no route to venue")}
        venue.fails = None
        await actor.pass_by(LONGEST_PAUSE_MS)
        assert await fares(database) == {"venue": (1, 0, None)}
        await actor.pass_by(MINUTE_MS)
        assert await fares(database) == {"venue": (2, 0, None)}


async def test_chance_shortens_the_pauses(database: Database) -> None:
    """By up to half."""
    venue = Venue()
    venue.fails = ConnectionError("no route to venue")
    async with ingest(database, venue, chance=1.0) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
        await actor.pass_by(MINUTE_MS // 2)
        assert len(venue.asked) == 2


@pytest.mark.parametrize("how", ["fails", "hangs", "gives what can't be kept"])
async def test_one_source_never_stops_another(database: Database, how: str) -> None:
    """Whatever it does."""
    well, ill = Venue("well", symbol="ETH"), Venue("ill")
    if how == "fails":
        ill.fails = ValueError("a fault of its own")
    elif how == "hangs":
        ill.hangs = True
    else:
        await keep_market(database, "BTC", seed=9, source="another")
    async with ingest(database, ill, well) as actor:
        await actor.until(lambda: len(ill.asked) == len(well.asked) == 1)
        for count in (1, 2, 3, 4):
            await until_there_are(database, "ETH", count)
            await actor.pass_by(MINUTE_MS)
        (stats,) = actor.system.stats()
        assert (stats.counts.starts, stats.counts.crashes) == (1, 0)


async def test_a_source_that_does_not_answer_is_given_up_on_for_this_time(database: Database) -> None:
    """And asked again later."""
    venue = Venue()
    venue.hangs = True
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
        await actor.time.advance(PULL_MS)
        venue.hangs = False
        await actor.at_rest()
        assert await fares(database) == {"venue": (0, 1, "it did not answer in 120 s")}
        await actor.pass_by(MINUTE_MS)
        assert await fares(database) == {"venue": (1, 0, None)}


async def test_another_sources_series_is_not_revised(database: Database) -> None:
    """Two venues' prices in one series would be neither's; nothing of the pull is kept, and the reason is."""
    await keep_market(database, "BTC", seed=9, source="another")
    before = await bars_of(database)
    venue = Venue()
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
    assert await bars_of(database) == before
    ((rows, failures, error),) = (await fares(database)).values()
    assert (rows, failures) == (0, 1)
    assert "a series has one source" in (error or "")


async def test_what_came_late_is_known_from_when_it_came(database: Database) -> None:
    """A bar that was waited for, and came half an hour after its close."""
    venue, seen = Venue(), T0 + HOUR_MS + 30 * MINUTE_MS
    pull = venue.pull

    async def late(cursor: Any) -> Pulled:
        found = await pull(cursor)
        (rows,) = found.series
        return Pulled(found.cursor, [NewRows(rows.kind, rows.instrument, HOUR_MS, rows.rows, seen)])

    venue.pull = late  # type: ignore[method-assign]
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
    async with database.as_worker() as connection:
        kept = await load_bars(connection, "BTC", HOUR_MS)
    assert np.array_equal(kept["available_at"], [seen])


async def test_news_comes_in_too(database: Database, admin: Connection) -> None:
    """A story that comes again is there once."""
    venue = Venue()
    venue.news = [NewsRow("wire", "1", T0, None, T0 + 60_000, "A story", None, None, ["BTC"], None, None)]
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
        await actor.pass_by(MINUTE_MS)
    assert await admin.fetchval("select count(*) from news") == 1
    assert await fares(database) == {"venue": (3, 0, None)}


async def test_it_outlives_its_database(database: Database, admin: Connection, owner: UUID) -> None:
    """What can't be kept now is asked for again."""
    venue = Venue()
    async with ingest(database, venue) as actor:
        await actor.until(lambda: len(venue.asked) == 1)
        await admin.execute("alter table ingest_cursors rename to gone")
        await actor.pass_by(MINUTE_MS)
        await admin.execute("alter table gone rename to ingest_cursors")
        await actor.pass_by(MINUTE_MS)
        assert await fares(database) == {"venue": (2, 0, None)}
