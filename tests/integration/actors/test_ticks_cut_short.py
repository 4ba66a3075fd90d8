"""A tick that can't be decided to its end is kept as far as it came: what was said, done, answered and paid."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import pytest

from agent.provider import Provider
from control import decisions, parity
from db.decisions import thoughts
from db.pool import Database
from domain.deployments import CommandKind, CommandState
from domain.journal import IntentRecorded
from domain.money import ZERO
from domain.snapshots import DecisionSnapshot, TickOutcome
from domain.time import HOUR_MS, ManualClock
from tests.integration.actors.fleet import deploy, process, row_of, until
from tests.integration.actors.test_commands import Stage
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.simulator.samples import keep_market
from tests.integration.simulator.thinking import Biller, thinker
from tests.standins.brains import turns
from tests.standins.messages_api import StandIn, stand_in
from tests.standins.provider import NO_MODELS, NOW, provider
from tests.standins.steps import Step, call, refuse, say

FEED = "replay:2025-01-02..2025-01-03@max"
LONG = "replay:2025-01-02..2025-01-08@max"
TEXT = thinker(risk="{max_leverage: 2, allow_short: true, max_inference_usd_per_day: 1000}")
BUY = call("propose_order", {"symbol": "BTC", "side": "buy", "size": "0.01"}, text="I buy a little.")


@pytest.fixture(autouse=True)
async def market(database: Database) -> None:
    """Two hundred hours of BTC."""
    await keep_market(database)


async def kept(database: Database, deployment_id: UUID) -> list[DecisionSnapshot]:
    """What is kept of its ticks, oldest first."""
    row = await row_of(database, deployment_id)
    async with database.as_worker() as connection:
        rows = await thoughts(connection, row.account_id)
    return [msgspec.convert(one.body, DecisionSnapshot) for one in rows]


async def lived(database: Database, deployment_id: UUID, models: Provider) -> None:
    """Have a process carry a deployment to its end."""

    async def is_over() -> bool:
        return (await row_of(database, deployment_id)).status.is_over

    async with process(database, provider=models) as running:
        running.look()
        await until(is_over)


def buys_and_is_refused(body: Mapping[str, Any], number: int) -> Step:
    """The third tick's second question is turned away: the key is not taken any more, for that once."""
    if turns(body) == 0:
        return BUY
    return refuse(401, "authentication_error") if number == 5 else say("That is enough for now.")


async def test_what_a_tick_had_done_is_kept_with_what_ended_it(database: Database, owner: UUID) -> None:
    """The call, its words and cost, the order and its verdict; the next ticks remember it."""
    deployment = await deploy(database, owner, await version_of(database, owner, TEXT), FEED)
    async with stand_in(buys_and_is_refused) as api:
        await lived(database, deployment, provider(api.url))
        shown = [body["messages"][0]["content"] for body in api.bodies if turns(body) == 0]
    ticks = await kept(database, deployment)

    assert [one.ended for one in ticks] == ["", "", "model", "", "", ""]
    cut = ticks[2]
    assert (cut.outcome, len(cut.calls), len(cut.actions)) == (TickOutcome.ACTED, 1, 1)
    assert (cut.calls[0].text, cut.verdicts[0].approved) == ("I buy a little.", True)
    assert cut.calls[0].cost_usd is not None
    assert cut.calls[0].cost_usd > ZERO
    assert cut.calls[0].tools[0].name == "propose_order"
    assert "key for models was refused" in cut.note
    assert decisions.sentence(cut).startswith("cut short (model): buy 0.01 BTC")
    assert cut.note in str(shown[3])


async def test_parity_does_again_what_was_done_until_then(database: Database, owner: UUID) -> None:
    """So nothing is off the record and no cent differs, though the tick is told."""
    deployment = await deploy(database, owner, await version_of(database, owner, TEXT), FEED)
    async with stand_in(buys_and_is_refused) as api:
        await lived(database, deployment, provider(api.url))

    done = await parity.parity(database, owner, deployment, NO_MODELS, ManualClock(NOW))

    assert (done.found.parts, done.off_record) == ((), ())
    assert (done.found.ticks.missing, done.found.ticks.same) == (1, 5)
    assert [one.why for one in done.found.ticks.listed] == ["model"]


async def test_a_day_without_budget_is_remembered_like_any_other(database: Database, owner: UUID) -> None:
    """What a process remembers of ticks without a word is what the next one reads of them."""
    poor = thinker(risk="{max_leverage: 2, allow_short: true, max_inference_usd_per_day: 3}")
    deployment = await deploy(database, owner, await version_of(database, owner, poor), LONG)
    async with stand_in(Biller()) as api:
        await lived(database, deployment, provider(api.url))
    ticks = await kept(database, deployment)

    of_budget = [one for one in ticks if one.ended == "budget"]
    assert {bool(one.calls) for one in of_budget} == {True, False}
    assert all("the budget of" in one.note for one in of_budget)
    done = await parity.parity(database, owner, deployment, NO_MODELS, ManualClock(NOW))
    assert done.off_record == ()
    assert not done.found.divergence_usd


def buys_and_thinks(body: Mapping[str, Any], number: int) -> Step:
    """Buy at once, and then think without end."""
    return BUY if turns(body) == 0 else say("Well,", fault="hang")


async def thinking(database: Database, owner: UUID, models: Provider, api: StandIn) -> Stage:
    """A deployment that has bought, and thinks on."""
    deployment = await deploy(database, owner, await version_of(database, owner, TEXT), FEED)
    stage = Stage(database, owner, deployment, provider=models)
    stage.process.look()

    async def has_asked_twice() -> bool:
        return api.calls == 2

    await until(has_asked_twice)
    return stage


async def test_a_kill_keeps_what_the_abandoned_tick_had_done(database: Database, owner: UUID) -> None:
    """It ends at once, flat, and the order it had placed has its decision."""
    async with stand_in(buys_and_thinks) as api:
        stage = await thinking(database, owner, provider(api.url), api)
        done = await stage.told(CommandKind.KILL)
        await stage.process.stop()
    (tick,) = await kept(database, stage.deployment)

    assert done.state is CommandState.DONE
    assert (tick.ended, tick.outcome, len(tick.calls)) == ("abandoned", TickOutcome.ACTED, 1)
    assert len(tick.actions) == len(tick.verdicts) == 1


async def test_a_flatten_ends_the_tick_in_hand(database: Database, owner: UUID) -> None:
    """Else it would trade on in an account whose person was told that it is flat. Its order has its decision."""
    async with stand_in(buys_and_thinks) as api:
        stage = await thinking(database, owner, provider(api.url), api)
        done = await stage.told(CommandKind.FLATTEN)
        (tick, *_) = await kept(database, stage.deployment)
        await stage.process.stop()

    assert (done.state, done.result and done.result["status"]) == (CommandState.DONE, "paused")
    assert (tick.ended, tick.outcome, len(tick.calls)) == ("abandoned", TickOutcome.ACTED, 1)
    assert api.calls == 2


async def test_the_end_of_a_process_keeps_nothing_of_a_tick_that_goes_on(
    database: Database, owner: UUID
) -> None:
    """The next process finds that it had acted, and keeps it as interrupted."""
    async with stand_in(buys_and_thinks) as api:
        stage = await thinking(database, owner, provider(api.url), api)
        await stage.again()
        assert await kept(database, stage.deployment) == []
        stage.process.look()

        async def is_kept() -> bool:
            return bool(await kept(database, stage.deployment))

        await until(is_kept)
        await stage.process.stop()
    tick = (await kept(database, stage.deployment))[0]
    assert (tick.ended, tick.outcome) == ("interrupted", TickOutcome.INTERRUPTED)


async def test_what_a_person_did_meanwhile_hides_no_interrupted_tick(database: Database, owner: UUID) -> None:
    """It had ordered, its person cancelled that by hand, and then the process ended: it is not decided again."""
    async with stand_in(buys_and_thinks) as api:
        stage = await thinking(database, owner, provider(api.url), api)
        (number,) = [e.orders[0].number for e in await stage.journal() if isinstance(e, IntentRecorded)]
        assert (await stage.told(CommandKind.CANCEL, order=number)).state is CommandState.DONE
        await stage.again()
        stage.process.look()

        async def has_thought_on() -> bool:
            return len(await kept(database, stage.deployment)) >= 1 and api.calls >= 4

        await until(has_thought_on)
        await stage.process.stop()
    (tick, *_) = await kept(database, stage.deployment)
    bought = [e.ts for e in await stage.journal() if isinstance(e, IntentRecorded) and e.orders]
    assert tick.ended == "interrupted"
    assert bought == [tick.tick_ts, tick.tick_ts + 4 * HOUR_MS]
