"""What people tell their deployments: one row a command, carried out once.

The row is the truth and outlives everything; notifications only wake, the deployment when there is a command and its
person when there is a result. A command that nobody took before its deadline is never carried out.
"""

from typing import Any
from uuid import UUID

import msgspec

from db.connection import Connection, to_json
from db.errors import Conflict, Refused
from db.storable import storable_json, storable_text
from domain.deployments import COMMAND_NEXT, CommandKind, CommandState
from domain.ids import uuid7

CHANNEL = "agentic_commands"
"""Notified, with the deployment's id, when a command was sent to it."""

RESULTS = "agentic_results"
"""Notified, with the command's id, when a command is over."""

DEADLINE_S = 60.0
MOST_DEADLINE_S = 30 * 86_400.0
MOST_ARGS_BYTES = 4_000
MOST_OPEN = 100
"""Commands of one deployment that may be open at a time."""
MOST_ERROR = 1_000
MOST_RESULT_BYTES = 64_000


class CommandRow(msgspec.Struct, frozen=True):
    """A command and what became of it. Instants are UTC ms; it must have been taken by `deadline_ts`."""

    id: UUID
    user_id: UUID
    deployment_id: UUID
    kind: CommandKind
    args: dict[str, Any]
    state: CommandState
    created_ts: int
    acknowledged_ts: int | None
    finished_ts: int | None
    deadline_ts: int
    result: dict[str, Any] | None
    error: str | None

    @property
    def is_over(self) -> bool:
        return not COMMAND_NEXT[self.state]


_COLUMNS = (
    "id, user_id, deployment_id, kind, args, state, created_at, acknowledged_at, finished_at, deadline_at,"
    " result, error"
)
_SEND_SQL = f"""
with sent as (
  insert into agent_commands (id, user_id, deployment_id, kind, args, deadline_at)
  select $1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6)
  where (select count(*) from agent_commands
         where deployment_id = $3 and state in ('queued', 'acknowledged')) < {MOST_OPEN}
  on conflict (id) do nothing returning {_COLUMNS})
select {_COLUMNS}, pg_notify('{CHANNEL}', deployment_id::text) from sent
"""


async def send_command(
    connection: Connection,
    user_id: UUID,
    deployment_id: UUID,
    kind: CommandKind,
    args: dict[str, Any],
    *,
    command_id: UUID | None = None,
    deadline_s: float = DEADLINE_S,
) -> CommandRow:
    """Tell a deployment something, as its person, and wake it once the connection's transaction is committed.

    Sent again under the same id it is the same command. Raises Conflict where that id is another command's, and Refused
    where the deployment is not this person's, its open commands are too many, or what is sent is too large.
    """
    if len(to_json(args)) > MOST_ARGS_BYTES:
        raise Refused(f"the arguments of a command are at most {MOST_ARGS_BYTES:,} bytes of JSON; send less")
    if not 0 < deadline_s <= MOST_DEADLINE_S:
        raise Refused(
            f"the deadline of a command is above 0 and at most {MOST_DEADLINE_S:.0f} s, not {deadline_s}"
        )
    wanted = command_id or uuid7()
    row = await connection.fetchrow(_SEND_SQL, wanted, user_id, deployment_id, kind.value, args, deadline_s)
    return _command(row[:-1]) if row else await _sent_before(connection, wanted, deployment_id, kind, args)


async def _sent_before(
    connection: Connection, command_id: UUID, deployment_id: UUID, kind: CommandKind, args: dict[str, Any]
) -> CommandRow:
    """Give the command that has this id, if it is the same one."""
    there = await load_command(connection, command_id)
    if there is None:
        if await connection.fetchval(_COUNT_SQL, deployment_id) < MOST_OPEN:
            raise Conflict(f"the id {command_id} is taken; send the command under a new one")
        raise Refused(
            f"{MOST_OPEN} commands to deployment {deployment_id} wait to be carried out; wait for some of them"
        )
    if (there.deployment_id, there.kind, there.args) != (
        deployment_id,
        kind,
        msgspec.json.decode(to_json(args)),
    ):
        raise Conflict(f"the id {command_id} is that of another command; send this one under a new id")
    return there


_COUNT_SQL = (
    "select count(*) from agent_commands where deployment_id = $1 and state in ('queued', 'acknowledged')"
)


async def load_command(connection: Connection, command_id: UUID) -> CommandRow | None:
    """Give a command, or None where there is none to be seen."""
    row = await connection.fetchrow(f"select {_COLUMNS} from agent_commands where id = $1", command_id)
    return row and _command(row)


async def latest_commands(
    connection: Connection, deployment_id: UUID, *, limit: int = 50
) -> list[CommandRow]:
    """Give the newest commands to a deployment, newest first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from agent_commands where deployment_id = $1 order by id desc limit $2",
        deployment_id,
        limit,
    )
    return [_command(row) for row in rows]


async def open_commands(connection: Connection, deployment_id: UUID) -> list[CommandRow]:
    """Give what a deployment has to carry out, oldest first: what waits, and what was begun before a crash."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from agent_commands where deployment_id = $1"
        " and state in ('queued', 'acknowledged')"
        " and (state = 'acknowledged' or deadline_at > clock_timestamp())"
        " order by created_at, id",
        deployment_id,
    )
    return [_command(row) for row in rows]


async def acknowledge(connection: Connection, command_id: UUID) -> bool:
    """Take a command, as the worker. False where it was taken before, or its deadline has passed."""
    taken = await connection.fetchval(
        "update agent_commands set state = 'acknowledged', acknowledged_at = clock_timestamp()"
        " where id = $1 and state = 'queued' and deadline_at > clock_timestamp() returning true",
        command_id,
    )
    return taken is not None


async def finish(connection: Connection, command_id: UUID, result: dict[str, Any]) -> None:
    """Say that a command was carried out, as the worker. Raises Refused where it was not acknowledged, or is over."""
    await _end(connection, command_id, CommandState.DONE, storable_json(result, MOST_RESULT_BYTES), None)


async def fail(connection: Connection, command_id: UUID, error: str) -> None:
    """Say in one line why a command could not be carried out; otherwise as `finish`."""
    await _end(connection, command_id, CommandState.FAILED, None, storable_text(error, MOST_ERROR))


_END_SQL = f"""
with ended as (
  update agent_commands set state = $2, finished_at = clock_timestamp(), result = $3, error = $4
  where id = $1 and state = any ($5) returning id)
select pg_notify('{RESULTS}', id::text) from ended
"""


async def _end(
    connection: Connection,
    command_id: UUID,
    state: CommandState,
    result: bytes | None,
    error: str | None,
) -> None:
    ended = await connection.fetchrow(_END_SQL, command_id, state.value, result, error, _before(state))
    if ended is None:
        there = await load_command(connection, command_id)
        stands = "there is none" if there is None else f"it is {there.state}"
        raise Refused(f"command {command_id} can't become {state}: {stands}")


_EXPIRE_SQL = f"""
with expired as (
  update agent_commands set state = 'expired', finished_at = clock_timestamp(),
    error = 'nobody took it before its deadline'
  where state = 'queued' and deadline_at <= clock_timestamp() returning id)
select id, pg_notify('{RESULTS}', id::text) from expired
"""


async def expire_overdue(connection: Connection) -> list[UUID]:
    """Let the commands expire that nobody took before their deadline, as the worker, and give them."""
    return [row["id"] for row in await connection.fetch(_EXPIRE_SQL)]


def _before(state: CommandState) -> list[str]:
    """The states from which a command may come to `state`."""
    return [each.value for each, following in COMMAND_NEXT.items() if state in following]


def _command(row: Any) -> CommandRow:
    found = CommandRow(*row)
    return msgspec.structs.replace(found, kind=CommandKind(found.kind), state=CommandState(found.state))
