"""Feeds are made as they are named, of the instruments that are kept and those that everybody knows."""

import pytest

from actors.kernel import ManualTime
from config.instruments import UnknownInstrument, find
from db.pool import Database
from domain.feeds import parse_feed
from domain.time import HOUR_MS, MINUTE_MS, parse_ts
from market.feeds.registry import NoFeed, maker
from market.feeds.synthetic import SyntheticFeed
from market.instruments import keep_instrument

NOW = parse_ts("2026-07-01")


async def test_a_synthetic_feed_has_the_facts_of_its_symbols(database: Database) -> None:
    """Of one that a person described, too; and feeds of one seed share what they make up."""
    own = find("MINE", sz_decimals=2, max_leverage=3)
    async with database.as_worker() as connection:
        await keep_instrument(connection, own, NOW)
    make = maker(database.as_worker, ManualTime(NOW))
    feed, other = [
        await make(parse_feed("synthetic@7"), symbols, interval_ms)
        for symbols, interval_ms in ((("BTC", "MINE"), HOUR_MS), (("BTC",), MINUTE_MS))
    ]

    assert (str(feed.spec), feed.interval_ms) == ("synthetic@7", HOUR_MS)
    assert feed.instruments == {"BTC": find("BTC"), "MINE": own}
    assert isinstance(feed, SyntheticFeed)
    assert isinstance(other, SyntheticFeed)
    assert feed._paths["BTC"] is other._paths["BTC"]


@pytest.mark.parametrize(
    ("name", "symbol", "error", "problem"),
    [
        (
            "live",
            "BTC",
            NoFeed,
            "there is no feed live that goes with the clock; use synthetic, or synthetic@SEED",
        ),
        ("replay:2025-05-01..2025-06-01@60x", "BTC", NoFeed, "there is no feed replay:2025-05-01"),
        ("synthetic", "NOPE", UnknownInstrument, "NOPE"),
    ],
)
async def test_what_cannot_be_made_is_told_in_one_line(
    database: Database, name: str, symbol: str, error: type[Exception], problem: str
) -> None:
    """A feed of another kind, and a symbol that nobody knows."""
    with pytest.raises(error, match=problem):
        await maker(database.as_worker, ManualTime(NOW))(parse_feed(name), (symbol,), HOUR_MS)
