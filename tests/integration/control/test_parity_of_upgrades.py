"""Which version takes a tick is never in doubt: whenever an upgrade comes, the simulator finds the same."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest

from control import parity
from control.commands import answer, send
from control.deployments import DeployRequest, deploy
from control.errors import Invalid
from control.parity import DeploymentParity
from db.pool import Database
from domain.caps import LOOSEST
from domain.deployments import CommandKind, CommandState
from domain.feeds import parse_feed
from domain.time import ManualClock
from tests.integration.actors.fleet import Process, process, row_of, until
from tests.integration.control.deployed import FEED, deployed, version_of
from tests.integration.simulator.samples import keep_market, skill_text
from tests.integration.simulator.thinking import thinker
from tests.standins.brains import system_text
from tests.standins.messages_api import stand_in
from tests.standins.provider import NO_MODELS, NOW, provider
from tests.standins.steps import Step, say


@pytest.fixture(autouse=True)
async def market(database: Database) -> None:
    """Two hundred hours of BTC."""
    await keep_market(database)


class Upgrading:
    """A deployment in a process, and what it is told."""

    def __init__(self, database: Database, owner: UUID, deployment_id: UUID, running: Process) -> None:
        self.database, self.owner, self.id, self.running = database, owner, deployment_id, running

    async def is_over(self) -> bool:
        return (await row_of(self.database, self.id)).status.is_over

    async def tell(self, version_id: UUID) -> CommandState:
        """Upgrade it, and give what became of that: done, unless it was over before."""
        args = {"version_id": str(version_id)}
        found = sent = await send(self.database, self.owner, self.id, CommandKind.UPGRADE, args)
        self.running.look()

        async def is_done() -> bool:
            nonlocal found
            found = await answer(self.database, self.owner, sent, timeout_s=0)
            return found.is_over or await self.is_over()

        await until(is_done)
        return found.state

    async def compared(self) -> DeploymentParity:
        return await parity.parity(self.database, self.owner, self.id, NO_MODELS, ManualClock(NOW))


async def test_upgrades_at_any_moment_leave_nothing_to_explain(database: Database, owner: UUID) -> None:
    """As fast as it goes, to another version and back: each tick is one version's, here as there."""
    first = await version_of(database, owner, skill_text())
    slower = await version_of(database, owner, skill_text(model_params="{fast: 5, slow: 12, size: 0.1}"))
    deployment_id = await deployed(database, owner, feed=FEED.replace("@max", "@999999x"))
    done = 0
    async with process(database) as running:
        one = Upgrading(database, owner, deployment_id, running)
        with suppress(Invalid):  # once it is over
            for version in cycle((slower, first)):
                done += await one.tell(version.id) is CommandState.DONE
    found = (await one.compared()).found

    assert done >= 2
    assert found.is_exact
    assert found.ticks.due == found.ticks.same == 144


def slow_once(body: Mapping[str, Any], number: int) -> Step:
    """Hold, and take a second for it the third time."""
    return say("I hold.", latency_ms=1000 if number == 2 else 0)


async def test_a_tick_that_has_begun_is_the_old_versions(database: Database, owner: UUID) -> None:
    """An upgrade that comes in the middle of it waits, and begins with the next one."""
    text = thinker(risk="{max_leverage: 2, allow_short: true, max_inference_usd_per_day: 1000}")
    old = await version_of(database, owner, text)
    new = await version_of(database, owner, text.replace("You trade BTC.", "You trade BTC well."))
    async with stand_in(slow_once) as api:
        models = provider(api.url)
        request = DeployRequest(parse_feed(FEED))
        deployment_id = await deploy(database, owner, old, request, LOOSEST, models)
        async with process(database, provider=models) as running:
            one = Upgrading(database, owner, deployment_id, running)

            async def thinks() -> bool:
                return api.calls == 3

            await until(thinks)
            assert await one.tell(new.id) is CommandState.DONE
            await until(one.is_over)
        asked = ["well" in system_text(body) for body in api.bodies]
    done = await one.compared()

    assert asked == [False] * 3 + [True] * 33
    assert done.off_record == ()
    assert done.found.is_exact
