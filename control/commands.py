"""Telling a deployment what to do, and hearing what came of it.

A command is a row; whoever runs the deployment takes it, once, however often it was sent. What makes an account safer
(stop, pause, flatten, kill) is kept for days where nobody runs the deployment now, so that it is never lost; anything
else is for now, and expires.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from control.errors import Invalid, NotFound
from db import commands as store
from db import deployments
from db.commands import CommandRow
from db.connection import Connection
from db.deployments import DeploymentRow
from db.listen import Listener
from db.pool import Database
from domain.deployments import CommandKind, CommandState
from domain.feeds import parse_feed
from domain.ids import uuid7

KEPT = frozenset({CommandKind.STOP, CommandKind.PAUSE, CommandKind.FLATTEN, CommandKind.KILL})
"""What is kept until somebody takes it."""

KEPT_S = 7 * 24 * 3600.0
WAIT_S = 30.0
"""How long an answer is waited for, and how long what is not kept may wait to be taken."""

LOOK_EVERY_S = 0.5
"""How often an answer is looked for that nothing told of."""
MOST_AT_ONCE = 1_000

OF_THE_ACCOUNT = frozenset({CommandKind.FLATTEN, CommandKind.KILL, CommandKind.CLOSE, CommandKind.CANCEL})
"""What can be told also where a deployment is over, as long as its account holds something."""


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
    listener: Listener | None = None,
) -> CommandRow:
    """Send a command and wait for what comes of it; gives it as it stands then.

    By a `listener` that runs the answer is heard of at once; else it is looked for now and then. The same `command_id`
    sent again is the same command. One that nobody took in time is given as `expired`, or, where it is kept, as
    `queued`. Raises NotFound, or Invalid where the deployment is over and nothing is left to be done.
    """
    sent = await send(
        database, user_id, deployment_id, kind, args, command_id=command_id, timeout_s=timeout_s
    )
    return await answer(database, user_id, sent, timeout_s=timeout_s, listener=listener) if wait else sent


async def command_all(
    database: Database,
    user_id: UUID,
    kind: CommandKind,
    *,
    timeout_s: float = WAIT_S,
    wait: bool = True,
    listener: Listener | None = None,
) -> list[CommandRow]:
    """Send the same to all of a person's deployments that are open, then wait for all, as `command` does.

    What is told of the account is told those as well that are over and still hold.
    """
    if kind not in KEPT:
        raise Invalid(f"{kind} is told to one deployment at a time")
    async with database.as_user(user_id) as connection:
        rows = await deployments.list_deployments(
            connection, limit=MOST_AT_ONCE, only_open=True, or_holding=kind in OF_THE_ACCOUNT
        )
        sent = [await _send(connection, user_id, row, kind, {}, uuid7(), timeout_s) for row in rows]
    if not wait:
        return sent
    answers = (answer(database, user_id, one, timeout_s=timeout_s, listener=listener) for one in sent)
    return list(await asyncio.gather(*answers))


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
    database: Database,
    user_id: UUID,
    sent: CommandRow,
    *,
    timeout_s: float = WAIT_S,
    listener: Listener | None = None,
) -> CommandRow:
    """Wait until a command is over, or for `timeout_s`; gives it as it stands then."""
    news = asyncio.Event()

    def told(payload: str | None) -> None:
        if payload is None or payload == str(sent.id):
            news.set()

    hear_no_more = listener.on(store.RESULTS, told) if listener else None
    try:
        row = await _until_over(database, user_id, sent, timeout_s, news)
    finally:
        if hear_no_more:
            hear_no_more()
    if row.state == CommandState.QUEUED and row.kind not in KEPT:
        async with database.as_worker() as connection:
            await store.expire_overdue(connection)  # so that it is not carried out after it was given up
        row = await _load(database, user_id, sent)
    return row


async def _until_over(
    database: Database, user_id: UUID, sent: CommandRow, timeout_s: float, news: asyncio.Event
) -> CommandRow:
    """Look at each news, and now and then, until a command is over or the time is."""
    now = asyncio.get_running_loop().time
    ends = now() + timeout_s
    while True:
        news.clear()
        row = await _load(database, user_id, sent)
        left_s = ends - now()
        if row.is_over or left_s <= 0:
            return row
        with suppress(TimeoutError):
            async with asyncio.timeout(min(LOOK_EVERY_S, left_s)):
                await news.wait()


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
        await _check_it_holds(connection, row, kind)
    deadline_s = KEPT_S if kind in KEPT else timeout_s
    return await store.send_command(
        connection, user_id, row.id, kind, dict(args), command_id=command_id, deadline_s=deadline_s
    )


async def _check_it_holds(connection: Connection, row: DeploymentRow, kind: CommandKind) -> None:
    """See that there is something to be done for a deployment that is over."""
    if kind not in OF_THE_ACCOUNT:
        what = "there is nothing to stop" if kind is CommandKind.STOP else f"{kind} is for one that runs"
        raise Invalid(f"deployment {row.id} is {row.status}; {what}")
    if parse_feed(row.feed).is_replay:
        raise Invalid(
            f"deployment {row.id} is {row.status}, and so is its replay: nothing can be traded there any more"
        )
    if not await deployments.holds_on(connection, row.id):
        raise Invalid(f"deployment {row.id} is {row.status} and holds nothing; there is nothing to {kind}")


async def _load(database: Database, user_id: UUID, sent: CommandRow) -> CommandRow:
    async with database.as_user(user_id) as connection:
        row = await store.load_command(connection, sent.id)
    if row is None:
        raise NotFound(f"command {sent.id} is gone, with its deployment")
    return row
