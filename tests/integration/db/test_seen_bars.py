"""Bars as deployments saw them: late ones and revisions too, each with the instant from which it was known."""

from uuid import UUID

import numpy as np

from db.market import BAR
from db.pool import Database
from db.seen_bars import SeenBar, load_seen, seen_series, write_seen
from domain.time import HOUR_MS, MINUTE_MS
from tests.integration.db.deployed import new_deployment
from tests.integration.db.samples import T0


async def write(database: Database, *bars: SeenBar) -> None:
    async with database.as_worker() as connection:
        await write_seen(connection, bars)


async def test_what_was_seen_is_read_as_market_data(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """To the last bit, every version in order; what is written twice is there once."""
    mine, theirs = await new_deployment(database, owner), await new_deployment(database, other_user)

    def bar(n: int, late_ms: int = 0, close: float = 0.1 + 0.2) -> SeenBar:
        ts = T0 + n * MINUTE_MS
        known = ts + MINUTE_MS + late_ms
        return SeenBar(mine, owner, "BTC", MINUTE_MS, ts, known, 1.0, 2.5, 0.3, close, 1e-9)

    bars = [bar(0), bar(1), bar(1, late_ms=90_000, close=7.0), bar(2, late_ms=5)]
    others = [
        SeenBar(theirs, other_user, *bar(0)[2:]),
        bar(3)._replace(symbol="ETH"),
        bar(4)._replace(interval_ms=HOUR_MS),
    ]
    await write(database)
    await write(database, *bars[::-1], *others)
    await write(database, bars[0], bars[2])
    async with database.as_user(owner) as connection:
        found = await load_seen(connection, mine, "BTC", MINUTE_MS)
        part = await load_seen(connection, mine, "BTC", MINUTE_MS, T0 + MINUTE_MS, T0 + 2 * MINUTE_MS)
        assert len(await load_seen(connection, theirs, "BTC", MINUTE_MS)) == 0
        assert await seen_series(connection, mine) == [
            ("BTC", MINUTE_MS),
            ("BTC", HOUR_MS),
            ("ETH", MINUTE_MS),
        ]
        assert await seen_series(connection, theirs) == []
    expected = np.array([bar[4:] for bar in bars], BAR)
    assert found.dtype == BAR
    assert found.tobytes() == expected.tobytes()
    assert part.tobytes() == expected[1:3].tobytes()
