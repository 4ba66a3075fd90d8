"""What a process that carries out deployments should be running: those that are not over, and accounts that hold."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from db.connection import Connection
from db.deployments import HOLDS_ON, IS_OPEN
from domain.deployments import CommandKind, CommandState, Status


class Wanted(msgspec.Struct, frozen=True):
    """One deployment that somebody has to look after. `holds` says that its account has a position or an order,
    or is getting flat.

    One on a replay is over with its market, whatever it holds.
    """

    id: UUID
    user_id: UUID
    account_id: UUID
    skill_name: str
    feed: str
    status: Status
    holds: bool


class Waiting(msgspec.Struct, frozen=True):
    """A command that is to be carried out: one that was just sent, or was begun before a crash."""

    id: UUID
    deployment_id: UUID
    kind: CommandKind


class LeftOver(msgspec.Struct, frozen=True):
    """A command to a deployment that is over, of which nobody looks after anything any more."""

    id: UUID
    kind: CommandKind
    state: CommandState
    status: Status  # of the deployment
    holds: bool


_WANTED_SQL = f"""
select d.id, d.user_id, d.account_id, s.name, d.feed, d.status, a.holds
from deployments d
join trading_accounts a on a.id = d.account_id
join skill_versions v on v.id = d.skill_version_id
join skills s on s.id = v.skill_id
left join account_leases l on l.account_id = d.account_id and l.expires_at > clock_timestamp()
where ({IS_OPEN} or {HOLDS_ON}) and (l.owner is null or l.owner = $1) and ($2::uuid[] is null or d.id = any($2))
order by d.id
"""


async def wanted(connection: Connection, owner: str, only: Sequence[UUID] | None = None) -> list[Wanted]:
    """Give what this process may look after: nobody else does. `only` names certain deployments."""
    rows = await connection.fetch(_WANTED_SQL, owner, only)
    return [
        Wanted(
            row["id"],
            row["user_id"],
            row["account_id"],
            row["name"],
            row["feed"],
            Status(row["status"]),
            row["holds"],
        )
        for row in rows
    ]


async def waiting_commands(connection: Connection, deployments: Sequence[UUID]) -> list[Waiting]:
    """Give what these deployments have to carry out, oldest first."""
    rows = await connection.fetch(
        "select id, deployment_id, kind from agent_commands where deployment_id = any($1)"
        " and (state = 'acknowledged' or state = 'queued' and deadline_at > clock_timestamp())"
        " order by created_at, id",
        deployments,
    )
    return [Waiting(row["id"], row["deployment_id"], CommandKind(row["kind"])) for row in rows]


_LEFT_OVER_SQL = f"""
select c.id, c.kind, c.state, d.status, a.holds
from agent_commands c
join deployments d on d.id = c.deployment_id
join trading_accounts a on a.id = d.account_id
left join account_leases l on l.account_id = d.account_id and l.expires_at > clock_timestamp()
where c.state in ('queued', 'acknowledged') and not ({IS_OPEN}) and not ({HOLDS_ON}) and l.owner is null
order by c.created_at, c.id
"""


async def left_over_commands(connection: Connection) -> list[LeftOver]:
    """Give the commands that came too late, or whose process was killed at the very end of their deployment."""
    rows = await connection.fetch(_LEFT_OVER_SQL)
    return [
        LeftOver(
            row["id"],
            CommandKind(row["kind"]),
            CommandState(row["state"]),
            Status(row["status"]),
            row["holds"],
        )
        for row in rows
    ]
