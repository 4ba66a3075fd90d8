"""Deployments: what people asked to have run, and where each stands.

A person asks for one; from then on it is moved step by step, by the table of `domain.deployments`, by the worker that
carries it out. Its account has one deployment at a time that is not over.
"""

from typing import Any
from uuid import UUID

import msgspec

from db.connection import Connection
from db.errors import Refused
from db.storable import storable_text
from domain.deployments import IllegalMove, Status, Step, after
from domain.ids import uuid7

CHANNEL = "agentic_deployments"
"""Notified, with its id, when a deployment was asked for."""

MOST_REASON = 1000

IS_OPEN = "d.status not in ('stopped', 'failed')"
"""As the partial indexes have it, so that they are used."""

HOLDS_ON = "d.status in ('stopped', 'failed') and a.holds and d.feed not like 'replay:%'"
"""It is over and its account `a` still holds something, on a market that goes on: that of a replay is over with it."""


class DeploymentRow(msgspec.Struct, frozen=True):
    """A deployment. Instants are UTC ms; `feed` is as `domain.feeds.parse_feed` reads it.

    `config` is what it was asked for with: cash, platform caps, seed, costs. `reason` says why it stands where it does,
    where there is something to say.
    """

    id: UUID
    user_id: UUID
    skill_version_id: UUID
    skill_name: str
    skill_number: int
    account_id: UUID
    mode: str
    feed: str
    status: Status
    reason: str | None
    config: dict[str, Any]
    created_ts: int
    started_ts: int | None
    ended_ts: int | None


_DEPLOYMENT_SQL = """
select d.id, d.user_id, d.skill_version_id, s.name, v.number, d.account_id, d.mode, d.feed, d.status, d.reason,
  d.config, d.created_at, d.started_at, d.ended_at
from deployments d
join skill_versions v on v.id = d.skill_version_id
join skills s on s.id = v.skill_id
"""
_CREATE_SQL = """
with asked as (
  insert into deployments (id, user_id, skill_version_id, account_id, mode, feed, config)
  values ($1, $2, $3, $4, $5, $6, $7) returning id)
select pg_notify($8, id::text) from asked
"""


async def create_deployment(
    connection: Connection,
    user_id: UUID,
    *,
    skill_version_id: UUID,
    account_id: UUID,
    mode: str,
    feed: str,
    config: dict[str, Any],
) -> UUID:
    """Ask for a deployment, as its person, and wake whoever carries deployments out.

    Raises Conflict while the account has another that is not over, and Refused where the version or the account is not
    this person's, or the account is of another mode.
    """
    deployment_id = uuid7()
    await connection.execute(
        _CREATE_SQL,
        deployment_id,
        user_id,
        skill_version_id,
        account_id,
        mode,
        feed,
        config,
        CHANNEL,
    )
    return deployment_id


async def load_deployment(connection: Connection, deployment_id: UUID) -> DeploymentRow | None:
    """Give a deployment, or None where there is none to be seen."""
    row = await connection.fetchrow(_DEPLOYMENT_SQL + "where d.id = $1", deployment_id)
    return row and _deployment(row)


async def find_deployments(connection: Connection, ending: str, *, limit: int = 10) -> list[UUID]:
    """Give the ids of the deployments one can see whose id ends like this, newest first."""
    rows = await connection.fetch(
        "select id from deployments where right(id::text, length($1)) = lower($1) order by id desc limit $2",
        ending,
        limit,
    )
    return [row["id"] for row in rows]


async def list_deployments(
    connection: Connection,
    *,
    limit: int = 50,
    before: UUID | None = None,
    only_open: bool = False,
    or_holding: bool = False,
) -> list[DeploymentRow]:
    """Give the newest deployments one can see; `before` is the last id of the page before.

    `only_open` leaves out those that are over, but for those whose account still holds, where `or_holding` says so.
    """
    wanted = f"({IS_OPEN} or {HOLDS_ON})" if or_holding else IS_OPEN
    rows = await connection.fetch(
        _DEPLOYMENT_SQL + "join trading_accounts a on a.id = d.account_id"
        " where ($2::uuid is null or d.id < $2)"
        f" and {wanted if only_open else 'true'} order by d.id desc limit $1",
        limit,
        before,
    )
    return [_deployment(row) for row in rows]


async def holds_on(connection: Connection, deployment_id: UUID) -> bool:
    """Whether a deployment that is over still holds something that can be traded."""
    found: bool = await connection.fetchval(
        f"select exists (select from deployments d join trading_accounts a on a.id = d.account_id"
        f" where d.id = $1 and {HOLDS_ON})",
        deployment_id,
    )
    return found


async def open_deployments(connection: Connection) -> list[DeploymentRow]:
    """Give all deployments that are not over, oldest first: those that are to be running somewhere."""
    rows = await connection.fetch(_DEPLOYMENT_SQL + f"where {IS_OPEN} order by d.id")
    return [_deployment(row) for row in rows]


async def move_deployment(
    connection: Connection, deployment_id: UUID, step: Step, *, reason: str | None = None
) -> Status:
    """Take a deployment a step on, as the worker, and give the status that it came to.

    `reason` is kept for as long as it stands there. Raises Refused, and changes nothing, where the table of
    `domain.deployments` does not have the step.
    """
    status = await connection.fetchval(
        "select status from deployments where id = $1 for update", deployment_id
    )
    if status is None:
        raise Refused(f"there is no deployment {deployment_id}; it can't take the step {step}")
    try:
        moved = after(Status(status), step)
    except IllegalMove as error:
        raise Refused(str(error)) from None
    await connection.execute(
        "update deployments set status = $2, reason = $3,"
        " started_at = case when $4 then coalesce(started_at, clock_timestamp()) else started_at end,"
        " ended_at = case when $5 then clock_timestamp() end where id = $1",
        deployment_id,
        moved.value,
        reason and storable_text(reason, MOST_REASON),
        step is Step.STARTED,
        moved.is_over,
    )
    return moved


_UPGRADE_SQL = """
update deployments d set skill_version_id = new.id
from skill_versions old, skill_versions new
where d.id = $1 and old.id = d.skill_version_id and new.id = $2
  and new.user_id = d.user_id and new.skill_id = old.skill_id
returning d.id
"""


async def set_version(connection: Connection, deployment_id: UUID, skill_version_id: UUID) -> None:
    """Give a deployment another version of the Skill that it has, as the worker. Raises Refused for any other."""
    if await connection.fetchval(_UPGRADE_SQL, deployment_id, skill_version_id) is None:
        raise Refused(
            f"{skill_version_id} is no version of the Skill that deployment {deployment_id} has; "
            "an upgrade is to another version of the same Skill"
        )


def _deployment(row: Any) -> DeploymentRow:
    found = DeploymentRow(*row)
    return msgspec.structs.replace(found, status=Status(found.status))
