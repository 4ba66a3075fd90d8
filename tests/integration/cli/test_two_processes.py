"""Two processes over one database: an account has one owner, whatever becomes of the first."""

import signal
from pathlib import Path
from uuid import UUID

from db.connection import Connection
from db.pool import Database
from tests.integration.actors.fleet import until
from tests.integration.cli.many import DAYS, asked_for, carried_out, faults_of, statuses, until_written

PACES = ("90000", "120000")
OWNERS = "select distinct owner from account_leases where expires_at > clock_timestamp()"


async def owner_of_all(admin: Connection) -> str:
    """The one process that owns whatever is owned."""
    (row,) = await admin.fetch(OWNERS)
    found: str = row["owner"]
    return found


async def test_one_that_stood_still_for_longer_than_its_leases_sends_nothing_and_lets_go(
    database: Database, admin: Connection, owner: UUID, database_url: str, tmp_path: Path
) -> None:
    """Even where it is still sure of them, as its own clock says so: whoever took over goes on undisturbed."""
    deployments = await asked_for(database, owner, [DAYS.format(pace) for pace in PACES])
    with carried_out(tmp_path / "first", DATABASE_URL=database_url) as first:
        await until_written(admin, 20)
        with carried_out(tmp_path / "second", DATABASE_URL=database_url) as second:
            former = await owner_of_all(admin)
            first.send_signal(signal.SIGSTOP)
            await admin.execute("update account_leases set expires_at = clock_timestamp() - interval '1 s'")
            await until_written(admin, 20)
            newer = await owner_of_all(admin)
            first.send_signal(signal.SIGCONT)
            await until_written(admin, 20)
            newest = await owner_of_all(admin)

            async def are_over() -> bool:
                return (await statuses(admin))["stopped"] == len(PACES)

            await until(are_over)
            for process in (first, second):
                process.send_signal(signal.SIGTERM)
                assert process.wait() == 0
            _, log = first.communicate()

    assert f":{first.pid}:" in former
    assert f":{second.pid}:" in newer
    assert newest == newer
    assert "belongs to another process now" in log
    assert await faults_of(admin, deployments) == []
