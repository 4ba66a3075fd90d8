"""A deployment beside its simulation: nothing differs on a replay but what was done to it."""

from uuid import UUID

from control import parity
from db.pool import Database
from domain.time import ManualClock
from tests.integration.actors.fleet import process, row_of, until
from tests.integration.control.deployed import deployed
from tests.integration.simulator.samples import keep_market
from tests.standins.provider import NO_MODELS, NOW


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
    deployment_id = await deployed(database, owner)
    await lived(database, deployment_id)

    found = (await compared(database, owner, deployment_id)).found

    assert found.is_exact
    assert found.fills.both > 10
    assert found.ticks.due == found.ticks.same == 144
    assert len(found.equity) == 145
