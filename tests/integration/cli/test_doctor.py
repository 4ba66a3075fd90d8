"""The doctor on a machine that works. It runs a loop of its own, so it is called from a thread."""

import asyncio
from pathlib import Path

import pytest

from cli.checks import State
from cli.doctor import check_database, look_into_database, run_checks
from cli.skill_starter import LANGUAGE_MODEL_STARTER, STARTER
from control import skills
from db.boot import prepare


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

    _, models = await asyncio.to_thread(look_into_database, tmp_path, database_url)

    assert models == {"mind": "anthropic:claude-sonnet-4-6", "trend": "baseline:sma-cross"}
