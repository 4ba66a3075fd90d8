"""Telling a deployment what to do, and hearing what came of it.

A command is a row; whoever runs the deployment takes it, once, however often it was sent. What makes an account safer
(stop, pause, flatten, kill) is kept for days where nobody runs the deployment now, so that it is never lost; anything
else is for now, and expires.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from control.errors import Invalid, NotFound
from db import commands as store
from db import deployments
from db.commands import CommandRow
from db.connection import Connection
from db.deployments import DeploymentRow
from db.pool import Database
from domain.deployments import CommandKind, CommandState
from domain.ids import uuid7

KEPT = frozenset({CommandKind.STOP, CommandKind.PAUSE, CommandKind.FLATTEN, CommandKind.KILL})
"""What is kept until somebody takes it."""

KEPT_S = 7 * 24 * 3600.0
WAIT_S = 30.0
"""How long an answer is waited for, and how long what is not kept may wait to be taken."""

FIRST_LOOK_S, LONGEST_LOOK_S = 0.02, 0.5
MOST_AT_ONCE = 1_000

_IS_OVER: Mapping[CommandKind, str] = {
    CommandKind.STOP: "there is nothing to stop",
    CommandKind.KILL: "there is nothing to kill",
}


async def command(
    database: Database,
    user_id: UUID,
    deployment_id: UUID,
    kind: CommandKind,
    args: Mapping[str, Any] | None = None,
    *,
    command_id: UUID | None = None,
    timeout_s: float = WAIT_S,
    wait: bool = True,
) -> CommandRow:
    """Send a command and wait for what comes of it; gives it as it stands then.

    The same `command_id` sent again is the same command. One that nobody took in time is given as `expired`, or, where
    it is kept, as `queued`. Raises NotFound, or Invalid where the deployment is over.
    """
    sent = await send(
        database, user_id, deployment_id, kind, args, command_id=command_id, timeout_s=timeout_s
    )
    return await answer(database, user_id, sent, timeout_s=timeout_s) if wait else sent


async def command_all(
    database: Database,
    user_id: UUID,
    kind: CommandKind,
    *,
    timeout_s: float = WAIT_S,
    wait: bool = True,
) -> list[CommandRow]:
    """Send the same to every open deployment of a person's, then wait for all."""
    if kind not in KEPT:
        raise Invalid(f"{kind} is told to one deployment at a time")
    async with database.as_user(user_id) as connection:
        rows = await deployments.list_deployments(connection, limit=MOST_AT_ONCE, only_open=True)
        sent = [await _send(connection, user_id, row, kind, {}, uuid7(), timeout_s) for row in rows]
    if not wait:
        return sent
    return list(await asyncio.gather(*(answer(database, user_id, one, timeout_s=timeout_s) for one in sent)))


async def send(
    database: Database,
    user_id: UUID,
    deployment_id: UUID,
    kind: CommandKind,
    args: Mapping[str, Any] | None = None,
    *,
    command_id: UUID | None = None,
    timeout_s: float = WAIT_S,
) -> CommandRow:
    """Write a command down. Raises as `command` does."""
    async with database.as_user(user_id) as connection:
        row = await deployments.load_deployment(connection, deployment_id)
        if row is None:
            raise NotFound(f"there is no deployment {deployment_id}; see `agentic deployments --all`")
        return await _send(connection, user_id, row, kind, args or {}, command_id or uuid7(), timeout_s)


async def answer(
    database: Database, user_id: UUID, sent: CommandRow, *, timeout_s: float = WAIT_S
) -> CommandRow:
    """Wait until a command is over, or for `timeout_s`; gives it as it stands then."""
    ends = asyncio.get_running_loop().time() + timeout_s
    pause_s = FIRST_LOOK_S
    while True:
        row = await _load(database, user_id, sent)
        left_s = ends - asyncio.get_running_loop().time()
        if row.is_over:
            return row
        if left_s <= 0:
            break
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, LONGEST_LOOK_S)
    if row.state == CommandState.QUEUED and row.kind not in KEPT:
        async with database.as_worker() as connection:
            await store.expire_overdue(connection)  # so that it is not carried out after it was given up
        row = await _load(database, user_id, sent)
    return row


async def latest(
    database: Database, user_id: UUID, deployment_id: UUID, *, limit: int = 10
) -> Sequence[CommandRow]:
    """The newest commands to a deployment, newest first."""
    async with database.as_user(user_id) as connection:
        return await store.latest_commands(connection, deployment_id, limit=limit)


async def _send(
    connection: Connection,
    user_id: UUID,
    row: DeploymentRow,
    kind: CommandKind,
    args: Mapping[str, Any],
    command_id: UUID,
    timeout_s: float,
) -> CommandRow:
    if row.status.is_over:
        if (known := await store.load_command(connection, command_id)) is not None:
            return known
        what = _IS_OVER.get(kind, f"{kind} is for one that runs")
        raise Invalid(f"deployment {row.id} is {row.status}; {what}")
    deadline_s = KEPT_S if kind in KEPT else timeout_s
    return await store.send_command(
        connection, user_id, row.id, kind, dict(args), command_id=command_id, deadline_s=deadline_s
    )


async def _load(database: Database, user_id: UUID, sent: CommandRow) -> CommandRow:
    async with database.as_user(user_id) as connection:
        row = await store.load_command(connection, sent.id)
    if row is None:
        raise NotFound(f"command {sent.id} is gone, with its deployment")
    return row
