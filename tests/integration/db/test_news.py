"""News in the database: as it was known, found by words, and never an error whatever is asked for."""

from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from db.errors import NotPermitted
from db.news import NewsRow, copy_in_news, latest_news, load_news, search_news
from db.pool import Database
from db.tape import Counts
from domain.time import HOUR_MS
from tests.integration.db.samples import T0

FOREVER = T0 + 10_000 * HOUR_MS


def story(number: int, title: str = "Bitcoin rises", body: str | None = None, *symbols: str) -> NewsRow:
    """A story that is known `number` hours after the start."""
    known_at = T0 + number * HOUR_MS
    return NewsRow(
        source="wire",
        id=str(number),
        published_at=known_at - 60_000,
        first_seen_at=known_at,
        available_at=known_at,
        title=title,
        body=body,
        url=f"https://example.org/{number}",
        symbols=list(symbols or ("BTC",)),
        category="market",
        sentiment={"score": 0.5},
    )


async def keep(database: Database, *rows: NewsRow) -> Counts:
    async with database.as_worker() as connection:
        return await copy_in_news(connection, rows)


async def found(database: Database, words: str, as_of: int = FOREVER, **options: object) -> list[str]:
    """The ids of what a search finds, in its order."""
    async with database.as_worker() as connection:
        return [row.id for row in await search_news(connection, words, as_of, **options)]  # type: ignore[arg-type]


async def test_a_story_comes_back_as_it_went_in(database: Database, owner: UUID) -> None:
    """With all that it may have, or only what it must have."""
    bare = NewsRow("wire", "bare", T0, None, T0 + 60_000, "Quiet", None, None, [], None, None)
    await keep(database, story(1, "Bitcoin", "A body.", "BTC", "ETH"), bare)
    async with database.as_user(owner) as connection:
        assert await latest_news(connection, FOREVER) == [story(1, "Bitcoin", "A body.", "BTC", "ETH"), bare]


async def test_only_what_was_known_is_shown_newest_first(database: Database) -> None:
    """At the very instant a story is known; it is cut by age, number and symbol."""
    await keep(database, *(story(n, "Bitcoin rises", None, "BTC" if n % 2 else "ETH") for n in range(1, 7)))
    async with database.as_worker() as connection:

        async def ids(as_of: int, **options: object) -> list[str]:
            return [row.id for row in await latest_news(connection, as_of, **options)]  # type: ignore[arg-type]

        assert await ids(T0 + 3 * HOUR_MS) == ["3", "2", "1"]
        assert await ids(T0 + 3 * HOUR_MS - 1) == ["2", "1"]
        assert await ids(FOREVER, limit=2) == ["6", "5"]
        assert await ids(FOREVER, since=T0 + 5 * HOUR_MS) == ["6", "5"]
        assert await ids(FOREVER, symbols=["ETH", "SOL"]) == ["6", "4", "2"]
        assert await ids(FOREVER, symbols=[]) == []
        loaded = await load_news(connection, T0 + 2 * HOUR_MS, T0 + 4 * HOUR_MS)
        assert [row.id for row in loaded] == ["2", "3"]
        loaded = await load_news(connection, T0, FOREVER, symbols=["BTC"])
        assert [row.id for row in loaded] == ["1", "3", "5"]


async def test_words_are_found_by_their_stem_and_a_title_counts_most(database: Database) -> None:
    """Written as for a search engine: words, phrases, or, minus."""
    await keep(
        database,
        story(1, "Miners sell", "The halving is near."),
        story(2, "Halving is near", "Miners wait."),
        story(3, "Fed raises rates", None, "ETH"),
    )
    assert await found(database, "halvings") == ["2", "1"]
    assert await found(database, "miner -wait") == ["1"]
    assert await found(database, '"raises rates" or selling') == ["3", "1"]
    assert await found(database, "halving", T0 + HOUR_MS) == ["1"]
    assert await found(database, "near", symbols=["ETH"]) == []
    assert await found(database, "near", since=T0 + 2 * HOUR_MS) == ["2"]
    assert await found(database, "near", limit=1) == ["2"]


ODD = st.text(max_size=60) | st.text("\"-()|&!:*<> \\'%_aor", max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ODD)
@example("")
@example("a" * 5_000)
@example("the " * 20_000)
@example('"' + "the " * 20_000 + 'x"')
@example("nul \0 byte")
@example("half a pair \ud800")
@example("-" * 100 + "x")
@example("- " * 100 + "x")
@example("-(" * 100)
@example('-""' * 100)
@example('-" " ' * 100)
@example('-"the" ' * 100)
@example(" ".join(f"word{n}" for n in range(20_000)))
@example(" or ".join(f'"a{n} b"' for n in range(3_000)))
async def test_nothing_that_one_may_ask_for_is_an_error(database: Database, words: str) -> None:
    """A model writes the query; whatever it writes, the answer is a list."""
    assert isinstance(await found(database, words), list)


async def test_a_story_that_comes_again_is_kept_as_it_first_came(database: Database) -> None:
    """The same is unchanged, another title or body is counted; what an agent was shown stays what it was."""
    first = [story(1), story(2), story(3)]
    assert await keep(database, *first) == Counts(3, 0, 0)
    again = [story(1), story(2, "Bitcoin falls"), story(3, "Bitcoin rises", "With a body."), story(4)]
    assert await keep(database, *again) == Counts(1, 1, 2)
    async with database.as_worker() as connection:
        assert await load_news(connection, T0, FOREVER) == [*first, story(4)]


async def test_a_story_twice_in_one_import_is_kept_once(database: Database) -> None:
    """The one that was known first."""
    assert (await keep(database, story(2)._replace(id="x"), story(1)._replace(id="x"))).new == 1
    async with database.as_worker() as connection:
        (kept,) = await load_news(connection, T0, FOREVER)
    assert kept.available_at == story(1).available_at


async def test_a_very_long_story_is_kept_and_found(database: Database) -> None:
    """A book of a megabyte and more words than an index entry takes."""
    body = " ".join(f"word{n}" for n in range(200_000))
    assert (await keep(database, story(1, "Long read", body), story(2))).new == 2
    assert await found(database, "long read") == ["1"]
    async with database.as_worker() as connection:
        (row,) = await latest_news(connection, T0 + HOUR_MS)
    assert row.body == body


async def test_a_person_cant_write_news(database: Database, owner: UUID) -> None:
    """Only the worker may, for everybody."""
    with pytest.raises(NotPermitted):
        async with database.as_user(owner) as connection:
            await copy_in_news(connection, [story(1)])
