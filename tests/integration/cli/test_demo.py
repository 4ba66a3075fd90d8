"""What the very first start makes to play with, and when it makes nothing."""

from uuid import UUID

import pytest

from cli.boot import House
from cli.demo import SKILL, ensure_demo
from cli.skill_starter import STARTER
from config.settings import Settings
from control import data, runs, skills
from control.data import MadeUpRequest
from control.runs import RunRequest
from db.boot import Prepared
from db.pool import Database
from domain.caps import LOOSEST
from domain.time import HOUR_MS, ManualClock, parse_ts
from tests.standins.provider import NO_MODELS

NOW = parse_ts("2026-01-01")


@pytest.fixture
def home(database: Database, database_url: str, owner: UUID) -> House:
    """An open house with nothing in it."""
    prepared = Prepared(database, owner, database_url, None)
    return House(Settings(), database, owner, ManualClock(NOW), prepared, NO_MODELS, prepared.listener())


async def test_the_demo_is_made_once(home: House) -> None:
    """A year of hours, labelled synthetic, and a Skill; the second start finds them."""
    assert await ensure_demo(home)
    assert not await ensure_demo(home)

    whole = await data.look_over(home.database, home.user_id)
    assert [(one.symbol, one.rows, one.sources) for one in whole.bars] == [("BTC", 366 * 24, ("synthetic",))]
    assert [row.name for row in await skills.list_skills(home.database, home.user_id)] == [SKILL]


async def test_the_skill_can_be_run_on_the_market(home: House) -> None:
    """The command that the first start suggests works."""
    await ensure_demo(home)
    version = await skills.find(home.database, home.user_id, SKILL)

    (run_id,) = await runs.ask(home.database, home.user_id, version, RunRequest(), LOOSEST, home.provider)
    finished = await runs.carry_out(home.database, run_id, home.provider)

    assert finished.metrics.trades > 0


async def test_where_there_is_data_nothing_is_made(home: House) -> None:
    """Somebody's history is not mixed with a game."""
    one_day = MadeUpRequest("ETH", HOUR_MS, parse_ts("2024-01-01"), parse_ts("2024-01-02"), 1)
    await data.make_up_data(home.database, home.clock, one_day, lambda _: None)

    assert not await ensure_demo(home)


async def test_where_there_is_a_skill_nothing_is_made(home: House) -> None:
    """Not even where it lies in the archive."""
    await skills.save(home.database, home.user_id, STARTER.format(name="mine"))
    await skills.archive(home.database, home.user_id, "mine")

    assert not await ensure_demo(home)
