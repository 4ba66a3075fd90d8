"""A deployment on a market that goes with the clock: it ticks on time, and comes back to what it left."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from actors.kernel import ManualTime
from actors.messages import Standing, Where
from control.parity import parity
from db.agent_state import StateRow, load_states
from db.commands import CommandRow, load_command, send_command
from db.connection import Connection
from db.journal import load_entries
from db.pool import Database
from db.seen_bars import load_seen
from domain.caps import LOOSEST, tightest
from domain.deployments import CommandKind, CommandState, Status
from domain.events import FundingPaid
from domain.money import ZERO
from domain.orders import Fill
from domain.time import HOUR_MS, MINUTE_MS, SECOND_MS
from skills import skill_md
from tests.audit.account import audit_account
from tests.integration.actors.fleet import Process, deploy, row_of, until
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.simulator.samples import T0, skill_text
from tests.standins.provider import NO_MODELS

FEED = "synthetic@7"
SKILL = skill_text(
    schedule="1m",
    market="{symbols: [BTC], interval: 1m, bars: 20}",
    model_params="{fast: 1, slow: 3, size: 0.1}",
)


class Stage:
    """One deployment on a synthetic market, in a process whose time the test moves."""

    def __init__(self, database: Database, owner: UUID, deployment: UUID, **more: Any) -> None:
        self.database, self.owner, self.deployment = database, owner, deployment
        self.time = ManualTime(T0 + 20 * SECOND_MS)
        self._more = more
        self.process = Process(database, live_by=self.time, **more)

    async def begun(self) -> None:
        self.process.look()
        await until(lambda: self.is_(Status.RUNNING))
        await until(self.is_watched)
        await self.seconds(2)

    async def is_watched(self) -> bool:
        """Whether there is an engine."""
        return any(one.name.startswith("engine:") for one in self.process.system.stats())

    async def is_(self, *statuses: Status) -> bool:
        return (await row_of(self.database, self.deployment)).status in statuses

    async def seconds(self, count: int) -> None:
        """Let time pass, second by second, each worked through by the engine before the next."""
        for _ in range(count):
            await self.time.advance(SECOND_MS)
            await self.standing()

    async def minutes(self, count: int) -> None:
        """Let minutes pass, each with its tick, until just before the next."""
        for _ in range(count):
            now = self.time.now_ms()
            due = now + -now % MINUTE_MS
            await self.seconds((due - now) // SECOND_MS)

            async def has_ticked(due: int = due) -> bool:
                return (await self.state()).last_tick_ts == due

            await until(has_ticked)
            await self.seconds(59)

    async def standing(self) -> Standing:
        names = [one.name for one in self.process.system.stats() if one.name.startswith("engine:")]
        ref = self.process.system.find(names[0])
        assert ref is not None
        found: Standing = await ref.ask(Where(), timeout_s=5)
        return found

    async def until_it_holds(self) -> None:
        while not (await self.standing()).positions:
            await self.minutes(1)

    async def told(self, kind: CommandKind, **args: Any) -> CommandRow:
        """Send a command, and wait for what becomes of it."""
        async with self.database.as_user(self.owner) as connection:
            command = await send_command(connection, self.owner, self.deployment, kind, args)
        self.process.look()
        found = command

        async def is_over() -> bool:
            nonlocal found
            await self.time.advance(SECOND_MS)
            async with self.database.as_worker() as connection:
                loaded = await load_command(connection, command.id)
            assert loaded is not None
            found = loaded
            return found.is_over

        await until(is_over)
        return found

    async def end(self) -> None:
        """End this process, in order."""
        await self.process.stop()

    async def again(self, *, after_ms: int) -> None:
        """Start another process, after a while."""
        self.time = ManualTime(self.time.now_ms() + after_ms)
        self.process = Process(self.database, live_by=self.time, **self._more)

    async def state(self) -> StateRow:
        """What it shows of itself, as soon as it shows anything."""
        found: dict[UUID, StateRow] = {}

        async def is_shown() -> bool:
            await self.process.office.records.flush()
            async with self.database.as_worker() as connection:
                found.update(await load_states(connection, [self.deployment]))
            return bool(found)

        await until(is_shown)
        return found[self.deployment]

    async def account_id(self) -> UUID:
        return (await row_of(self.database, self.deployment)).account_id

    async def journal(self) -> list[object]:
        async with self.database.as_worker() as connection:
            return list(await load_entries(connection, await self.account_id()))


@pytest.fixture
async def stage(database: Database, owner: UUID) -> AsyncIterator[Stage]:
    version = await version_of(database, owner, SKILL)
    made = Stage(database, owner, await deploy(database, owner, version, FEED))
    yield made
    await made.end()


async def faults(stage: Stage, admin: Connection) -> list[str]:
    """What is wrong with the account, by an auditor that shares no code with the engine."""
    caps = tightest(skill_md.read(SKILL, where="here").caps, LOOSEST)
    return await audit_account(admin, await stage.account_id(), caps, ("BTC",), at_rest=False)


async def test_it_ticks_on_time_and_fills_at_what_is_quoted(stage: Stage, admin: Connection) -> None:
    """Ten minutes are ten ticks, none late; what it did is what the simulator does, but for spread and time."""
    await stage.begun()
    await stage.minutes(10)
    state = await stage.state()
    assert sum(state.counts.values()) == 10
    assert state.lateness_ms == 0
    assert state.stale == []
    assert [entry for entry in await stage.journal() if isinstance(entry, Fill)]
    assert await faults(stage, admin) == []
    began = "update deployments set started_at = $2 where id = $1"  # by the test's time, not the database's
    await admin.execute(began, stage.deployment, T0 + 20 * SECOND_MS)
    found = (await parity(stage.database, stage.owner, stage.deployment, NO_MODELS, stage.time)).found
    assert found.ticks.due == found.ticks.same == 9
    assert sum((part.usd for part in found.parts), ZERO) == found.divergence_usd
    assert abs(found.divergence_bps) < 10


async def test_what_was_seen_is_kept_for_the_simulator(stage: Stage) -> None:
    """Every bar that closed while it ran, with the instant from which it was known."""
    await stage.begun()
    await stage.minutes(3)
    await stage.process.office.records.flush()
    async with stage.database.as_worker() as connection:
        seen = await load_seen(connection, stage.deployment, "BTC", MINUTE_MS)
    assert seen["ts"].tolist() == [T0, T0 + MINUTE_MS, T0 + 2 * MINUTE_MS]
    assert (seen["available_at"] - seen["ts"]).tolist() == [MINUTE_MS] * 3


async def test_a_night_without_the_program_costs_its_funding_and_nothing_else(
    stage: Stage, admin: Connection
) -> None:
    """The position is there, the funding of the hours is paid once, and ticks are not made up for."""
    await stage.begun()
    await stage.until_it_holds()
    held = (await stage.standing()).positions
    ticks = sum((await stage.state()).counts.values())
    await stage.end()
    await stage.again(after_ms=5 * HOUR_MS)
    await stage.begun()
    assert (await stage.standing()).positions == held
    paid = await stage_until_paid(stage)
    assert len(paid) == len({entry.rate for entry in paid}) == 5
    await stage.minutes(2)
    assert [entry for entry in await stage.journal() if isinstance(entry, FundingPaid)] == paid
    assert sum((await stage.state()).counts.values()) <= 3 < ticks + 5
    assert await faults(stage, admin) == []


async def stage_until_paid(stage: Stage) -> list[FundingPaid]:
    """Let time pass until the hours that were missed are paid for."""
    paid: list[FundingPaid] = []
    while len(paid) < 5:
        await stage.seconds(1)
        paid = [entry for entry in await stage.journal() if isinstance(entry, FundingPaid)]
    return paid


async def test_what_a_stopped_deployment_holds_is_still_watched(stage: Stage) -> None:
    """Its engine goes on, in this process and in the next: funding is paid on what is held."""
    await stage.begun()
    await stage.until_it_holds()
    command = await stage.told(CommandKind.STOP)
    assert command.state is CommandState.DONE
    assert await stage.is_(Status.STOPPED)
    await stage.end()
    await stage.again(after_ms=HOUR_MS)
    stage.process.look()
    await until(stage.is_watched)
    while not [entry for entry in await stage.journal() if isinstance(entry, FundingPaid)]:
        await stage.seconds(1)
    assert (await stage.standing()).positions


async def test_prices_that_stop_coming_are_shown(stage: Stage) -> None:
    """After 15 s the symbol is stale, until prices come again."""
    await stage.begun()
    await stage.minutes(1)
    (name,) = stage.process.feeds.names
    feed = stage.process.runner.feed(name)
    await stage.process.runner.stop(name)
    await stage.seconds(20)
    await until(lambda: is_stale(stage, "BTC"))
    stage.process.runner.start(name, feed)
    await stage.seconds(3)
    await until(lambda: is_stale(stage))


async def is_stale(stage: Stage, *symbols: str) -> bool:
    return (await stage.state()).stale == list(symbols)


async def test_those_that_watch_the_same_market_share_one_feed(stage: Stage) -> None:
    """And the last to leave ends it."""
    version = await version_of(stage.database, stage.owner, SKILL.replace("name: sample", "name: other"))
    await deploy(stage.database, stage.owner, version, FEED)
    await stage.begun()

    async def are_four() -> bool:
        return len(stage.process.system.stats()) == 5

    await until(are_four)
    assert len(stage.process.feeds.names) == 1
    await stage.process.stop()
    assert stage.process.feeds.names == ()
