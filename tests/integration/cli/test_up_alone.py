"""`agentic up --group deployment:ID`: one deployment in a process of its own, which others leave alone."""

import signal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import typer

from cli.up import chosen
from db.connection import Connection
from db.pool import Database
from tests.integration.actors.fleet import until
from tests.integration.cli.conftest import Agentic
from tests.integration.cli.many import BY_THE_MINUTE, asked_for, carried_out
from tests.integration.cli.test_up import started

OWNER_SQL = """
select l.owner from account_leases l join deployments d on d.account_id = l.account_id
where d.id = $1 and l.expires_at > clock_timestamp()
"""


async def until_owned(admin: Connection, deployment: UUID, pid: int) -> None:
    """Wait until a process carries a deployment out."""

    async def is_owned() -> bool:
        owner = await admin.fetchval(OWNER_SQL, deployment)
        return owner is not None and f":{pid}:" in owner

    await until(is_owned)


async def test_one_alone_is_left_alone_by_all_others_while_it_lives(
    database: Database, admin: Connection, owner: UUID, database_url: str, tmp_path: Path
) -> None:
    """The process that carries out all takes the rest, and this one, too, once its own has ended."""
    here, there = await asked_for(
        database, owner, ["synthetic@1", "synthetic@2"], text=BY_THE_MINUTE, market=False
    )
    group = f"deployment:{here}"
    with started(tmp_path / "first", "--group", group, DATABASE_URL=database_url) as (alone, said):
        assert said["groups"] == [group]
        await until_owned(admin, here, alone.pid)
        with carried_out(tmp_path / "second", DATABASE_URL=database_url) as rest:
            await until_owned(admin, there, rest.pid)
            await until_owned(admin, here, alone.pid)
            alone.send_signal(signal.SIGTERM)
            assert alone.wait() == 0
            await until_owned(admin, here, rest.pid)
            rest.send_signal(signal.SIGTERM)
            assert rest.wait() == 0


def test_one_that_is_not_there_is_refused(agentic: Agentic) -> None:
    """In one line, before anything is started."""
    done = agentic("up", "--group", f"deployment:{uuid4()}")
    assert done.exit_code == 1
    assert "there is no deployment" in done.stderr
    assert done.stdout == ""


def test_groups_of_one_deployment_each_are_named_by_whole_ids() -> None:
    """Together with others, but for the one that carries out all."""
    one = f"deployment:{uuid4()}"
    assert chosen([one.upper().replace("DEPLOYMENT", "deployment")]) == [one]
    assert chosen([f"{one},web"]) == ["web", one]
    for wrong in ("deployment:last", "deployment:", f"deployments,{one}"):
        with pytest.raises(typer.BadParameter):
            chosen([wrong])
