"""The doctor on a machine that works. It runs a loop of its own, so it is called from a thread."""

import asyncio
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from cli.checks import State
from cli.doctor import check_database, look_into_database, run_checks
from cli.skill_starter import LANGUAGE_MODEL_STARTER, STARTER
from control import skills
from db.boot import prepare
from db.inference import PostgresLedger
from domain.inference import Budget
from domain.time import DAY_MS, iso, parse_ts

NOW = parse_ts("2026-11-22T12:00:00Z")


async def test_a_healthy_database_is_told_with_its_migrations(database_url: str, tmp_path: Path) -> None:
    """A server of one's own answers and has the program's schema."""
    found = await asyncio.to_thread(check_database, tmp_path, database_url)

    assert found.state is State.OK
    assert "migrations" in found.found


async def test_a_machine_that_works_has_nothing_wrong(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every check is made, and none says that something will not work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database_url)

    found = await asyncio.to_thread(run_checks)

    assert [check for check in found if check.state is State.BAD] == []


async def test_the_models_of_saved_skills_are_looked_at(database_url: str, tmp_path: Path) -> None:
    """The owner's, by the newest version of each."""
    opened = await prepare(tmp_path, database_url)
    try:
        for model in ("claude-sonnet-5", "claude-sonnet-4-6"):
            text = LANGUAGE_MODEL_STARTER.format(name="mind", model=f"anthropic:{model}")
            await skills.save(opened.database, opened.owner_id, text)
        await skills.save(opened.database, opened.owner_id, STARTER.format(name="trend"))
    finally:
        await opened.close()

    _, inside = await asyncio.to_thread(look_into_database, tmp_path, database_url, NOW)

    assert inside.models == {"mind": "anthropic:claude-sonnet-4-6", "trend": "baseline:sma-cross"}


async def test_what_models_cost_today_is_told(
    database_url: str, tmp_path: Path, owner: UUID, other_user: UUID
) -> None:
    """The owner's own part and everybody's; another day's is no matter."""
    opened = await prepare(tmp_path, database_url)
    try:
        for user, day, usd in ((owner, NOW, 3), (other_user, NOW, 4), (owner, NOW - DAY_MS, 50)):
            budget = Budget(f"day:{iso(day)[:10]}", Decimal(100), "the day")
            await PostgresLedger(opened.database, user, route="test").reserve([budget], Decimal(usd))
    finally:
        await opened.close()

    _, inside = await asyncio.to_thread(look_into_database, tmp_path, database_url, NOW)

    assert (inside.spent_usd, inside.spent_by_all_usd) == (3, 7)
