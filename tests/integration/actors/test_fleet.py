"""The fleet crashes, or a deployment ends at a bad moment: its people's commands are answered all the same."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

import actors.fleet
from db.pool import Database
from domain.deployments import CommandKind, CommandState
from tests.integration.actors.test_commands import Stage, staged
from tests.integration.simulator.samples import skill_text


@pytest.fixture
async def stage(database: Database, owner: UUID) -> AsyncIterator[Stage]:
    """A deployment that runs."""
    one = await staged(database, owner, skill_text())
    await one.begun()
    yield one
    await one.process.stop()


async def test_commands_still_arrive_after_a_crash_of_the_fleet(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran goes on running, and the fleet's next life knows whom to pass commands on to."""
    look, crashes = actors.fleet.wanted, ["one"]

    async def crash_once(*args: Any) -> Any:
        if crashes:
            crashes.pop()
            raise RuntimeError("a fault of the program's own")
        return await look(*args)

    monkeypatch.setattr(actors.fleet, "wanted", crash_once)
    before = [one.name for one in stage.process.system.stats()]
    stage.process.look()
    await stage.bars(3)
    assert (await stage.told(CommandKind.PAUSE)).state is CommandState.DONE
    (fleet, *_) = stage.process.system.stats()
    assert (crashes, fleet.counts.crashes) == ([], 1)
    assert [one.name for one in stage.process.system.stats()] == before
