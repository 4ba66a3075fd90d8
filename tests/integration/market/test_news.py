"""News as an agent reads it: as of an instant, of its symbols or of none, and nothing that was derived later."""

from collections.abc import Sequence

import pytest

from db.news import NewsRow, copy_in_news
from db.pool import Database
from domain.time import DAY_MS, HOUR_MS
from market.history import History, Past
from market.news import NEWS_BACK_MS, RunNews, StoredNews, shown
from tests.integration.db.samples import T0

FROM, TO = T0 + 40 * DAY_MS, T0 + 50 * DAY_MS


def story(number: int, known_at: int, title: str, *symbols: str) -> NewsRow:
    """A story, with what somebody derived from it at a time that nobody knows."""
    return NewsRow(
        "wire", str(number), known_at, known_at, known_at, title, "A body.", None, list(symbols), "bull", {"score": 1}
    )  # fmt: skip


STORIES = [
    story(0, FROM - NEWS_BACK_MS - 1, "Bitcoin too long ago", "BTC"),
    story(1, FROM - NEWS_BACK_MS, "Bitcoin begins", "BTC"),
    story(2, FROM - HOUR_MS, "Ether rises", "ETH"),
    story(3, FROM, "Dogs rise", "DOGE"),
    story(4, FROM, "Rates rise"),
    *(story(5 + n, FROM + (n // 3) * HOUR_MS, f"Bitcoin rises {n} times", "BTC", "SOL") for n in range(30)),
    story(90, FROM + DAY_MS, "Bitcoin and Ether rise", "BTC", "ETH"),
    story(91, TO, "Bitcoin ends", "BTC"),
]
SYMBOLS = ("BTC", "ETH")


@pytest.fixture
async def stored(database: Database) -> StoredNews:
    """All stories, in the database."""
    async with database.as_worker() as connection:
        await copy_in_news(connection, STORIES)
    return StoredNews(database.as_worker)


def past(news: StoredNews | RunNews, ts: int) -> Past:
    return History({}, {}, news=news).as_of(ts)


def ids(rows: Sequence[NewsRow]) -> list[str]:
    return [row.id for row in rows]


def known(ts: int) -> list[NewsRow]:
    """The naive way: what was known at an instant, of the Skill's symbols or of none, newest first."""
    fitting = [
        row
        for row in STORIES
        if ts - NEWS_BACK_MS <= row.available_at <= ts
        and (not row.symbols or set(row.symbols) & set(SYMBOLS))
    ]
    return sorted(fitting, key=lambda row: (-row.available_at, row.source, row.id))


@pytest.mark.parametrize("ts", [FROM, FROM + 1, FROM + HOUR_MS, FROM + 5 * DAY_MS, TO - 1])
async def test_a_run_reads_at_hand_what_the_database_would_tell(stored: StoredNews, ts: int) -> None:
    """The newest and the best matches, at any instant of the run, are those of a naive filter of all stories."""
    in_run = [row for row in STORIES if FROM - NEWS_BACK_MS <= row.available_at < TO]
    run = RunNews([row for row in in_run if "DOGE" not in row.symbols], stored)
    for limit in (1, 3, 100):
        newest = await past(run, ts).latest_news(SYMBOLS, limit)
        assert ids(newest) == ids(known(ts))[:limit]
        assert newest == await past(stored, ts).latest_news(SYMBOLS, limit)
        found = await past(run, ts).search_news("rise", SYMBOLS, limit)
        assert found == await past(stored, ts).search_news("rise", SYMBOLS, limit)
        assert set(ids(found)) <= {row.id for row in known(ts) if "rise" in row.title}


async def test_what_was_derived_from_a_story_is_hidden(stored: StoredNews) -> None:
    """Its sentiment and its category: nobody knows when they came to be."""
    rows = await past(stored, TO).latest_news(SYMBOLS, 5)
    assert {(row.category, row.sentiment) for row in rows} == {(None, None)}
    assert shown(STORIES[1]).title == STORIES[1].title


async def test_news_goes_back_thirty_days_and_no_further(stored: StoredNews) -> None:
    """So that what is seen does not depend on where an archive begins; a search may ask for less."""
    at = past(stored, FROM)
    assert ids(await at.search_news("bitcoin", SYMBOLS, 20))[-1:] == ["1"]
    assert "0" not in ids(await at.search_news("ago or bitcoin", SYMBOLS, 20, 10**15))
    recent = await past(stored, FROM + 3 * HOUR_MS).search_news("bitcoin", SYMBOLS, 20, 2 * HOUR_MS)
    assert {row.available_at for row in recent} == {FROM + n * HOUR_MS for n in (1, 2, 3)}


async def test_what_is_imported_while_a_run_goes_on_changes_nothing(
    stored: StoredNews, database: Database
) -> None:
    """Stories that fit better, however many, take no place of those that the run has."""
    run = RunNews([row for row in STORIES if FROM <= row.available_at < TO], stored)
    before = (
        await past(run, TO).search_news("bitcoin", SYMBOLS, 5),
        await past(run, TO).latest_news(SYMBOLS, 5),
    )
    later = [story(1000 + n, FROM + n, "Bitcoin bitcoin bitcoin", "BTC") for n in range(40)]
    async with database.as_worker() as connection:
        await copy_in_news(connection, later)
    after = (
        await past(run, TO).search_news("bitcoin", SYMBOLS, 5),
        await past(run, TO).latest_news(SYMBOLS, 5),
    )
    assert len(before[0]) == len(before[1]) == 5
    assert after == before


async def test_general_news_is_everybodys(stored: StoredNews) -> None:
    """A story that names no symbol is among those of any symbols."""
    assert "4" in ids(await past(stored, FROM).latest_news(["SOL"], 50))
    assert "2" not in ids(await past(stored, FROM).latest_news(["SOL"], 50))
