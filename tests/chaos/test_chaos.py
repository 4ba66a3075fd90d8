"""Lives with seeded faults end well: nothing doubled, nothing lost, no cap passed, no halt forgotten."""

from uuid import UUID

import pytest

from db.connection import Connection
from db.pool import Database
from tests.chaos.lives import lived
from tests.chaos.plans import Kind, plan_of
from tests.integration.simulator.samples import keep_market


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
async def test_a_life_ends_well(database: Database, admin: Connection, owner: UUID, kind: Kind) -> None:
    """Each kind of fault, a few times over in one life."""
    await keep_market(database, hours=200)
    plan = plan_of(list(Kind).index(kind), kind)
    life = await lived(database, admin, owner, plan)
    assert not life.faults, "\n".join([*life.faults, life.plan, *life.struck])
