"""Engines that hold nothing: many of them cost little, and they know the market whenever they are asked."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from actors.kernel import Ref
from actors.messages import Look
from db.equity import load_points
from db.pool import Database
from domain.time import MINUTE_MS, SECOND_MS, floor_to
from tests.integration.actors.fleet import deploy, until
from tests.integration.actors.test_quotes import FEED, Stage
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.simulator.samples import skill_text

WAITS = skill_text(
    schedule="1h",
    market="{symbols: [BTC], interval: 1m, bars: 20}",
    model_params="{fast: 1, slow: 19, size: 0.1}",
)


@pytest.fixture
async def waiting(database: Database, owner: UUID) -> AsyncIterator[Stage]:
    """A deployment that has not had its first tick, half a minute after its start."""
    version = await version_of(database, owner, WAITS)
    made = Stage(database, owner, await deploy(database, owner, version, FEED))
    await made.begun()
    yield made
    await made.end()


def engine_of(stage: Stage) -> Ref[Any]:
    (name,) = [one.name for one in stage.process.system.stats() if one.name.startswith("engine:")]
    found = stage.process.system.find(name)
    assert found is not None
    return found


async def test_an_engine_that_holds_nothing_has_the_newest_price_when_it_is_asked(waiting: Stage) -> None:
    """What it was not told at once it looks at before it shows or does anything."""
    engine, told = engine_of(waiting), []
    feed = next(iter(waiting.process.runner._feeds.values()))
    feed.subscribe(["BTC"], told.append)
    for _ in range(5):
        await waiting.time.advance(SECOND_MS)
        seen = await engine.ask(Look(waiting.time.now_ms()), timeout_s=5)
        newest = [event.px for event in told if type(event).__name__ == "Mark"][-1]
        assert seen.desk.quotes.mark("BTC") == newest


async def test_an_engine_that_holds_nothing_gets_no_message_for_each_price(waiting: Stage) -> None:
    """Prices cost a thousand waiting accounts no thousand messages at the same moment: a second takes one beat."""

    def handled() -> int:
        (counts,) = [one.counts for one in waiting.process.system.stats() if one.name.startswith("engine:")]
        return counts.handled

    before = handled()
    for _ in range(10):
        await waiting.time.advance(SECOND_MS)
        await waiting.time.advance(0)
    assert 5 <= handled() - before <= 11


async def test_every_minute_has_its_equity_point_though_each_account_commits_in_its_own_turn(
    waiting: Stage,
) -> None:
    """A point waits for its account's turn of the minute, and none is left out."""
    begun = floor_to(waiting.time.now_ms(), MINUTE_MS)
    await waiting.seconds(4 * 60)
    account_id = await waiting.account_id()

    async def are_kept() -> bool:
        async with waiting.database.as_worker() as connection:
            kept = {point.ts for point in await load_points(connection, account_id)}
        return {begun + n * MINUTE_MS for n in (1, 2, 3)} <= kept

    await until(are_kept, most_s=10)
