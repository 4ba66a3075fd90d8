"""`agentic up` is killed while it carries deployments out, again and again: nothing is doubled, nothing is lost."""

import signal
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from db.connection import Connection
from db.pool import Database
from tests.integration.actors.fleet import until
from tests.integration.cli.many import (
    DAYS,
    asked_for,
    carried_out,
    entries_in_all,
    faults_of,
    statuses,
)

KILLS = 3
PACES = ("120000", "180000", "240000")
HOURS = 7 * 24


@pytest.mark.parametrize("seed", [1])
async def test_what_is_killed_in_the_middle_goes_on_to_the_same_end(
    database: Database, admin: Connection, owner: UUID, database_url: str, tmp_path: Path, seed: int
) -> None:
    """Each next process takes all of them over at once, although its predecessor gave nothing back."""
    dice = Random(seed)
    deployments = await asked_for(database, owner, [DAYS.format(pace) for pace in PACES])
    at = 0
    for _ in range(KILLS):
        at += dice.randrange(10, 60)

        async def is_there(at: int = at) -> bool:
            return await entries_in_all(admin) >= at

        with carried_out(tmp_path / "home", DATABASE_URL=database_url) as process:
            await until(is_there)
            process.send_signal(signal.SIGKILL)
            process.wait()
    killed = await statuses(admin)
    with carried_out(tmp_path / "home", DATABASE_URL=database_url) as process:

        async def are_over() -> bool:
            return (await statuses(admin))["stopped"] == len(PACES)

        await until(are_over)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0

    assert killed["stopped"] < len(PACES)
    assert await faults_of(admin, deployments) == []
    points = "select count(*) from equity_points group by account_id"
    assert [row["count"] for row in await admin.fetch(points)] == [HOURS + 1] * len(PACES)
