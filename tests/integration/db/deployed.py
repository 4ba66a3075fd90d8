"""A deployment of a test's own: a Skill's version on a paper account."""

from typing import Any
from uuid import UUID

from db.deployments import DeploymentRow, create_deployment, load_deployment, move_deployment
from db.pool import Database
from domain.deployments import NEXT, Status, Step
from tests.integration.db.accounts import new_account
from tests.integration.db.samples import make_version


async def new_deployment(
    database: Database,
    user_id: UUID,
    *,
    account_id: UUID | None = None,
    feed: str = "synthetic@7",
    config: dict[str, Any] | None = None,
) -> UUID:
    """Ask for a deployment, as its person, on a new account unless one is given."""
    account_id = account_id or await new_account(database, user_id)
    async with database.as_user(user_id) as connection:
        version = await make_version(connection, user_id)
        return await create_deployment(
            connection,
            user_id,
            skill_version_id=version.id,
            account_id=account_id,
            mode="paper",
            feed=feed,
            config={} if config is None else config,
        )


async def deployment_of(database: Database, deployment_id: UUID) -> DeploymentRow:
    """Read a deployment, as the worker."""
    async with database.as_worker() as connection:
        row = await load_deployment(connection, deployment_id)
    assert row is not None
    return row


async def move(
    database: Database, deployment_id: UUID, *steps: Step, reason: str | None = None
) -> DeploymentRow:
    """Take a deployment some steps on, as the worker."""
    for step in steps:
        async with database.as_worker() as connection:
            await move_deployment(connection, deployment_id, step, reason=reason)
    return await deployment_of(database, deployment_id)


def way_to(status: Status) -> list[Step]:
    """The shortest way from a new deployment to a status."""
    ways: dict[Status, list[Step]] = {Status.PROVISIONING: []}
    for at in (queue := [Status.PROVISIONING]):
        for step, following in NEXT[at].items():
            if following not in ways:
                ways[following] = [*ways[at], step]
                queue.append(following)
    return ways[status]
