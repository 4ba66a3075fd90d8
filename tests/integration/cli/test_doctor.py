"""The doctor on a machine that works. It runs a loop of its own, so it is called from a thread."""

import asyncio
from pathlib import Path

import pytest

from cli.doctor import State, check_database, run_checks


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
