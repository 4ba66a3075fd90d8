"""Commands to a running `agentic up` that get lost on the way, come twice, or come while nobody is there."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from db.commands import latest_commands, load_command
from db.connection import Connection
from db.journal import load_entries
from db.pool import Database
from domain.deployments import CommandState
from domain.journal import IntentRecorded
from tests.audit.account import audit_account
from tests.integration.actors.fleet import row_of, until
from tests.integration.cli.conftest import Agentic
from tests.integration.cli.many import CAPS, asked_for, carried_out

FEED = "replay:2025-01-02..2025-01-09@7200x"

_HANG_UP = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and query ilike 'listen %'
"""
_HELD = "select coalesce(sum(case side when 'buy' then size else -size end), 0) from fills"
_WITHOUT_A_WORD = """
insert into agent_commands (id, user_id, deployment_id, kind, args, deadline_at)
values ($1, $2, $3, 'pause', '{}', now() + interval '1 minute')
"""


@pytest.fixture
async def deployment(database: Database, owner: UUID) -> UUID:
    """One that trades every half second, for longer than any of these tests."""
    (deployment_id,) = await asked_for(database, owner, [FEED])
    return deployment_id


async def until_it_holds(admin: Connection) -> None:
    """Wait until it holds something."""

    async def does() -> bool:
        return bool(await admin.fetchval(_HELD))

    await until(does)


async def orders_of(admin: Connection, account_id: UUID) -> list[str]:
    """What was ever sent from an account, by its name at the venue."""
    entries = await load_entries(admin, account_id)
    return [order.client_id for one in entries if isinstance(one, IntentRecorded) for order in one.orders]


async def test_a_command_is_carried_out_though_nobody_was_woken(
    database: Database, admin: Connection, owner: UUID, database_url: str, tmp_path: Path, deployment: UUID
) -> None:
    """The connection that listens is cut, and the notification was never sent: who looks now and then finds it."""
    command_id = uuid4()

    async def is_over() -> bool:
        command = await load_command(admin, command_id)
        return command is not None and command.is_over

    with carried_out(tmp_path / "home", DATABASE_URL=database_url):
        await until_it_holds(admin)
        cut = await admin.fetchval(_HANG_UP)
        await admin.execute(_WITHOUT_A_WORD, command_id, owner, deployment)
        await until(is_over)
    command = await load_command(admin, command_id)

    assert cut > 0
    assert command is not None
    assert (command.state, command.error) == (CommandState.DONE, None)
    assert (await row_of(database, deployment)).status == "paused"


async def test_what_was_sent_while_nobody_was_there_is_done_first_and_once(
    database: Database,
    admin: Connection,
    database_url: str,
    tmp_path: Path,
    deployment: UUID,
    agentic: Agentic,
) -> None:
    """A flatten that was sent twice closes what is held with one order; then the stop has its turn."""
    home, account_id = tmp_path / "home", (await row_of(database, deployment)).account_id
    with carried_out(home, DATABASE_URL=database_url) as process:
        await until_it_holds(admin)
        process.kill()
        process.wait()
    before = await orders_of(admin, account_id)
    for command in (("flatten", "--yes"), ("flatten", "--yes"), ("stop",)):
        sent = await asyncio.to_thread(agentic, *command[:1], "last", *command[1:], "--no-wait")
        assert sent.exit_code == 0, sent.output

    async def has_stopped() -> bool:
        return (await row_of(database, deployment)).status.is_over

    async def are_over() -> bool:
        return all(one.is_over for one in await latest_commands(admin, deployment))

    for is_done in (has_stopped, are_over):  # killed again, maybe before it has answered
        with carried_out(home, DATABASE_URL=database_url):
            await until(is_done)
    done = await latest_commands(admin, deployment)
    after = await orders_of(admin, account_id)

    assert [(one.kind, one.state) for one in done] == [
        (kind, "done") for kind in ("stop", "flatten", "flatten")
    ]
    assert await admin.fetchval(_HELD) == 0
    assert after[: len(before)] == before
    assert len(after) <= len(before) + 1
    assert await audit_account(admin, account_id, CAPS, ("BTC",)) == []
