"""A deployment beside its simulation: nothing differs on a replay but what was done to it."""

from uuid import UUID

from control import parity, skills
from control.deployments import DeployRequest, deploy
from db.pool import Database
from domain.caps import LOOSEST
from domain.feeds import parse_feed
from domain.time import ManualClock
from tests.integration.actors.fleet import process, row_of, until
from tests.integration.simulator.samples import keep_market, skill_text
from tests.standins.provider import NO_MODELS, NOW

FEED = "replay:2025-01-02..2025-01-08@max"


async def deployed(database: Database, owner: UUID, text: str, feed: str = FEED) -> UUID:
    """Ask for a deployment of a Skill."""
    saved = await skills.save(database, owner, text)
    version = await skills.find(database, owner, f"{saved.name}@{saved.version}")
    return await deploy(database, owner, version, DeployRequest(parse_feed(feed)), LOOSEST, NO_MODELS)


async def lived(database: Database, deployment_id: UUID) -> None:
    """Have a process carry a deployment to its end."""

    async def is_over() -> bool:
        return (await row_of(database, deployment_id)).status.is_over

    async with process(database):
        await until(is_over)


async def compared(database: Database, owner: UUID, deployment_id: UUID) -> parity.DeploymentParity:
    return await parity.parity(database, owner, deployment_id, NO_MODELS, ManualClock(NOW))


async def test_a_rehearsal_of_a_baseline_differs_in_nothing(database: Database, owner: UUID) -> None:
    """Not a tick, not a fill, not a cent."""
    await keep_market(database)
    deployment_id = await deployed(database, owner, skill_text())
    await lived(database, deployment_id)

    found = (await compared(database, owner, deployment_id)).found

    assert found.is_exact
    assert found.fills.both > 10
    assert found.ticks.due == found.ticks.same == 144
    assert len(found.equity) == 145
