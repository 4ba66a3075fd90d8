"""A deployment beside its simulation: nothing differs on a replay but what was done to it, and that is what is told."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from actors.kernel import ManualTime
from actors.messages import Standing, Where
from agent.provider import Provider
from control import parity
from control.commands import answer, send
from control.deployments import DeployRequest, deploy, successor
from control.errors import Invalid, NotFound
from control.parity import DeploymentParity
from db.connection import Connection
from db.pool import Database
from domain.caps import LOOSEST
from domain.deployments import CommandKind, CommandState
from domain.feeds import parse_feed
from domain.money import ZERO
from domain.time import HOUR_MS, ManualClock
from simulator.parity.causes import Cause
from tests.integration.actors.fleet import Process, process, row_of, until
from tests.integration.control.deployed import FEED, deployed, version_of
from tests.integration.simulator.samples import T0, keep_market, skill_text
from tests.integration.simulator.thinking import Biller, thinker
from tests.standins.messages_api import stand_in
from tests.standins.provider import NO_MODELS, NOW, provider

RICH = thinker(risk="{max_leverage: 2, allow_short: true, max_inference_usd_per_day: 1000}")
BAR_MS = 1_000
PACED = "replay:2025-01-02..2025-01-08@3600x"
"""An hour's bar takes a second."""


@pytest.fixture(autouse=True)
async def market(database: Database) -> None:
    """Two hundred hours of BTC."""
    await keep_market(database)


async def lived(database: Database, deployment_id: UUID, models: Provider = NO_MODELS) -> None:
    """Have a process carry a deployment to its end."""

    async def is_over() -> bool:
        return (await row_of(database, deployment_id)).status.is_over

    async with process(database, provider=models):
        await until(is_over)


async def compared(database: Database, owner: UUID, deployment_id: UUID) -> DeploymentParity:
    """The comparison; its causes add up to the whole."""
    done = await parity.parity(database, owner, deployment_id, NO_MODELS, ManualClock(NOW))
    assert sum((part.usd for part in done.found.parts), ZERO) == done.found.divergence_usd
    return done


def causes(compared: DeploymentParity) -> set[Cause]:
    return {part.cause for part in compared.found.parts}


# A rehearsal that is left alone.


@pytest.mark.parametrize(
    "lines",
    [
        {},
        {"model": "baseline:random", "model_params": "{size: 0.03}"},
        {"model": "baseline:buy-and-hold", "model_params": "{}"},
        {"risk": "{max_leverage: 20, allow_short: true, daily_loss_pct: 1, max_drawdown_pct: 95}"},
    ],
    ids=["sma-cross", "random", "buy-and-hold", "halts"],
)
async def test_a_rehearsal_of_a_baseline_differs_in_nothing(
    database: Database, owner: UUID, lines: dict[str, str]
) -> None:
    """Not a tick, not a fill, not a cent."""
    deployment_id = await deployed(database, owner, skill_text(**lines))
    await lived(database, deployment_id)

    found = (await compared(database, owner, deployment_id)).found

    assert found.is_exact
    assert found.fills.both >= 1
    assert found.ticks.due == found.ticks.same == 144
    assert len(found.equity) == 145


async def test_a_rehearsal_without_costs_differs_in_nothing(database: Database, owner: UUID) -> None:
    """The deployment's own settings are the simulation's."""
    deployment_id = await deployed(database, owner, costs="none", cash=Decimal(3_000))
    await lived(database, deployment_id)

    found = (await compared(database, owner, deployment_id)).found
    assert found.is_exact
    assert found.start_usd == 3_000


async def test_a_models_rehearsal_is_answered_from_its_record(database: Database, owner: UUID) -> None:
    """It is shown the very same, so it is asked nothing new, and nothing differs."""
    version = await version_of(database, owner, RICH)
    request = DeployRequest(parse_feed(FEED))
    biller = Biller()
    async with stand_in(biller) as api:
        models = provider(api.url)
        deployment_id = await deploy(database, owner, version, request, LOOSEST, models)
        await lived(database, deployment_id, models)
    asked = len(biller.keys)

    done = await compared(database, owner, deployment_id)

    assert done.found.is_exact
    assert done.off_record == ()
    assert done.found.fills.both > 3
    assert done.found.ticks.same == 36
    assert len(biller.keys) == asked > 36


async def test_a_record_that_is_gone_leaves_what_was_done(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """The recorded actions are taken as they are, and the ticks are told."""
    version = await version_of(database, owner, RICH)
    async with stand_in(Biller()) as api:
        models = provider(api.url)
        deployment_id = await deploy(
            database, owner, version, DeployRequest(parse_feed(FEED)), LOOSEST, models
        )
        await lived(database, deployment_id, models)
    await admin.execute("delete from model_calls")

    done = await compared(database, owner, deployment_id)

    assert done.found.is_exact
    assert len(done.off_record) == 36


async def test_a_tick_that_a_budget_cut_short_is_told(database: Database, owner: UUID) -> None:
    """What it had done already, and the simulator's trader did not, is put down to that."""
    poor = thinker(risk="{max_leverage: 2, allow_short: true, max_inference_usd_per_day: 4}")
    version = await version_of(database, owner, poor)
    async with stand_in(Biller()) as api:
        models = provider(api.url)
        deployment_id = await deploy(
            database, owner, version, DeployRequest(parse_feed(FEED)), LOOSEST, models
        )
        await lived(database, deployment_id, models)

    done = await compared(database, owner, deployment_id)

    assert causes(done) <= {Cause.INTERRUPTED}
    assert done.found.ticks.missing > 3
    assert {one.why for one in done.found.ticks.listed} == {"budget"}


# One that something is done to.


class Rehearsal:
    """A rehearsal whose time the test moves."""

    def __init__(self, database: Database, owner: UUID, deployment_id: UUID) -> None:
        self.database, self.owner, self.id = database, owner, deployment_id
        self.time = ManualTime(T0)
        self.process = Process(database, live_by=self.time)
        self.process.look()

    async def standing(self) -> Standing | None:
        """Where its account stands, once it runs."""
        for stats in self.process.system.stats():
            ref = self.process.system.find(stats.name) if stats.name.startswith("engine:") else None
            if ref is not None:
                found: Standing = await ref.ask(Where(), timeout_s=5)
                return found
        return None

    async def bars(self, index: int) -> None:
        """Let the market go on until so many bars have opened."""

        async def is_there() -> bool:
            now = await self.standing()
            if now is not None and now.is_open and now.index >= index:
                return True
            await self.time.advance(BAR_MS // 4)
            return False

        await until(is_there)

    async def told(self, kind: CommandKind, **args: Any) -> None:
        """Tell it something, and let time pass until it is done."""
        sent = await send(self.database, self.owner, self.id, kind, args)
        self.process.look()
        found = sent

        async def is_done() -> bool:
            nonlocal found
            await self.time.advance(BAR_MS // 4)
            found = await answer(self.database, self.owner, sent, timeout_s=0)
            return found.is_over

        await until(is_done)
        assert found.state is CommandState.DONE, found.error


@pytest.fixture
async def rehearsal(database: Database, owner: UUID) -> AsyncIterator[Rehearsal]:
    """The sample Skill's, a second an hour."""
    one = Rehearsal(database, owner, await deployed(database, owner, feed=PACED))
    yield one
    await one.process.stop()


async def test_one_that_still_runs_is_compared_as_far_as_it_is(
    database: Database, owner: UUID, rehearsal: Rehearsal
) -> None:
    """Up to the last bar that has closed."""
    with pytest.raises(Invalid, match="has not seen enough of its market"):
        await compared(database, owner, rehearsal.id)
    await rehearsal.bars(40)

    found = (await compared(database, owner, rehearsal.id)).found

    assert found.is_exact
    assert T0 + (24 + 38) * HOUR_MS <= found.to_ts <= T0 + (24 + 41) * HOUR_MS
    assert found.fills.both > 3


async def test_a_pause_explains_what_was_not_traded(
    database: Database, owner: UUID, rehearsal: Rehearsal
) -> None:
    """All that differs is put down to ticks that were not taken; which, is told."""
    await rehearsal.bars(20)
    await rehearsal.told(CommandKind.PAUSE)
    await rehearsal.bars(44)
    await rehearsal.told(CommandKind.RESUME)
    await rehearsal.bars(60)

    done = await compared(database, owner, rehearsal.id)

    assert causes(done) == {Cause.MISSED_TICK}
    assert 20 < done.found.ticks.missing < 30
    assert {one.why for one in done.found.ticks.listed if one.why} == {"paused"}


async def test_a_hand_explains_what_it_did(database: Database, owner: UUID, rehearsal: Rehearsal) -> None:
    """Closing a position, flattening, and a kill at the end."""
    await rehearsal.bars(30)
    await rehearsal.told(CommandKind.CLOSE, symbol="BTC")
    await rehearsal.bars(50)
    by_hand = await compared(database, owner, rehearsal.id)
    await rehearsal.told(CommandKind.KILL)
    killed = await compared(database, owner, rehearsal.id)

    assert causes(by_hand) == causes(killed) == {Cause.BY_HAND}
    assert (await row_of(database, rehearsal.id)).status == "stopped"
    assert killed.found.to_ts > by_hand.found.to_ts


async def test_another_version_is_simulated_from_where_it_began(
    database: Database, owner: UUID, rehearsal: Rehearsal
) -> None:
    """So that nothing differs but, at most, the tick at which it changed."""
    slower = await version_of(database, owner, skill_text(model_params="{fast: 5, slow: 12, size: 0.1}"))
    row = await row_of(database, rehearsal.id)
    found = await successor(database, owner, row, str(slower.number), NO_MODELS)
    await rehearsal.bars(25)
    await rehearsal.told(CommandKind.UPGRADE, version_id=str(found.id))
    await rehearsal.bars(60)

    done = await compared(database, owner, rehearsal.id)

    assert done.found.ticks.different <= 1
    assert causes(done) <= {Cause.DECISION}
    assert done.found.fills.both > 5


async def test_a_market_that_is_gone_is_told(
    database: Database, owner: UUID, other_user: UUID, admin: Connection
) -> None:
    """In one line; and nobody compares what is another's."""
    deployment_id = await deployed(database, owner)
    await lived(database, deployment_id)
    with pytest.raises(NotFound):
        await compared(database, other_user, deployment_id)
    await admin.execute("delete from bars")

    with pytest.raises(Invalid, match="there are no 1h bars of BTC") as refused:
        await compared(database, owner, deployment_id)
    assert "\n" not in str(refused.value)
