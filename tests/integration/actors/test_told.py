"""What the person of a deployment is told: each thing once, and some only to be read."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from actors.deployment_messages import Took
from actors.kernel import Actor, Done, Ref
from actors.messages import LookedUp
from actors.telling import UNPACED
from db.connection import Connection
from db.pool import Database
from domain.deployments import CommandKind, Status
from domain.notices import BudgetUsed, Filled, GaveUp, Notice, NoticeKind, Restarted, Started
from tests.integration.actors.fleet import Process, deploy, process, row_of, until
from tests.integration.actors.test_commands import staged
from tests.integration.actors.test_quotes import FEED as QUOTES
from tests.integration.actors.test_quotes import SKILL
from tests.integration.actors.test_quotes import Stage as QuoteStage
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.simulator.samples import keep_market, skill_text
from tests.integration.simulator.thinking import Biller, thinker
from tests.standins.messages_api import stand_in
from tests.standins.provider import provider

AT_MOST = "replay:2025-01-02..2025-01-08@max"


class Told:
    """Keeps what is told, each key once, as the database does."""

    def __init__(self) -> None:
        self.notices: dict[str, Notice] = {}
        self.unsent: dict[str, str] = {}

    def tell(
        self, user_id: UUID, deployment_id: UUID | None, notice: Notice, *, key: str, unsent: str = ""
    ) -> None:
        if key not in self.notices:
            self.notices[key], self.unsent[key] = notice, unsent

    def of(self, kind: NoticeKind) -> list[Any]:
        """The notices of a kind, in order."""
        return [notice for notice in self.notices.values() if notice.kind is kind]

    def reasons(self, kind: NoticeKind) -> set[str]:
        """Why those of a kind are not sent."""
        return {self.unsent[key] for key, notice in self.notices.items() if notice.kind is kind}


@pytest.fixture
def told() -> Told:
    return Told()


async def on_quotes(database: Database, owner: UUID, **more: Any) -> QuoteStage:
    """A deployment on a market that goes with the clock."""
    version = await version_of(database, owner, SKILL)
    return QuoteStage(database, owner, await deploy(database, owner, version, QUOTES), **more)


async def until_told(told: Told, kind: NoticeKind, count: int = 1) -> None:
    async def is_told() -> bool:
        return len(told.of(kind)) >= count

    await until(is_told)


def actor(running: Process, kind: str) -> Ref[Any]:
    """The one engine, or deployment, of a process."""
    (name,) = [one.name for one in running.system.stats() if one.name.startswith(f"{kind}:")]
    ref: Ref[Actor] | None = running.system.find(name)
    assert ref is not None
    return ref


def crash(running: Process) -> None:
    """Have the deployment's actor crash."""
    actor(running, "deployment").tell(Took("nonsense"))  # type: ignore[arg-type]


def crash_engine(running: Process) -> None:
    """Have the engine's actor crash."""
    actor(running, "engine").tell(LookedUp(Done(None)))  # type: ignore[arg-type]


async def test_a_rehearsal_at_full_speed_sends_nothing_of_its_market(
    database: Database, owner: UUID, told: Told
) -> None:
    """A month in two seconds is no flood on a phone: fills can be read, its start and end are sent."""
    await keep_market(database, hours=200)
    deployment = await deploy(database, owner, await version_of(database, owner, skill_text()), AT_MOST)
    async with process(database, notices=told) as running:
        running.look()
        await until_told(told, NoticeKind.STOPPED)
    assert len(told.of(NoticeKind.FILL)) > 5
    assert told.reasons(NoticeKind.FILL) == {UNPACED}
    assert told.reasons(NoticeKind.STARTED) == told.reasons(NoticeKind.STOPPED) == {""}
    assert {one.deployment for one in told.notices.values()} == {f"sample {str(deployment)[-8:]}"}


async def test_a_paced_replay_sends_all(database: Database, owner: UUID, told: Told) -> None:
    """Whoever lets it go by slowly wants to see it."""
    stage = await staged(database, owner, skill_text(), notices=told)
    await stage.begun()
    await stage.until_it_holds()
    await stage.told(CommandKind.FLATTEN)
    await stage.process.stop()
    for kind in (NoticeKind.STARTED, NoticeKind.FILL, NoticeKind.FLATTENED, NoticeKind.COMMAND):
        assert told.reasons(kind) == {""}
    filled: Filled = told.of(NoticeKind.FILL)[0]
    assert filled.fills[0].symbol == "BTC"


async def test_each_process_tells_once_that_it_runs(database: Database, owner: UUID, told: Told) -> None:
    """For the first time, and again after `agentic up`; not again after a crash, which is told as one."""
    stage = await staged(database, owner, skill_text(), notices=told)
    await stage.begun()
    crash(stage.process)
    await until_told(told, NoticeKind.RESTART)
    await stage.bars(1)
    await stage.again()
    await stage.begun()
    await until_told(told, NoticeKind.STARTED, 2)
    await stage.process.stop()
    starts: list[Started] = told.of(NoticeKind.STARTED)
    assert [(one.skill, one.version, one.mode) for one in starts] == [("sample", 1, "paper")] * 2


async def test_what_crashed_is_told_with_its_error_and_counted(
    database: Database, owner: UUID, told: Told
) -> None:
    """The deployment and its engine, each once an hour; all restarts are counted together, and shown."""
    stage = await on_quotes(database, owner, notices=told)
    await stage.begun()
    crash(stage.process)
    await until_told(told, NoticeKind.RESTART)
    crash_engine(stage.process)
    await until_told(told, NoticeKind.RESTART, 2)
    crash_engine(stage.process)
    await stage.minutes(1)
    state = await stage.state()
    await stage.end()
    restarts: list[Restarted] = told.of(NoticeKind.RESTART)
    assert [(one.part.split(":")[0], one.restarts) for one in restarts] == [
        ("deployment", 1),
        ("engine", 2),
    ]
    assert "'NoneType' object is not iterable" in restarts[1].error
    assert state.restarts == 3


async def test_one_that_is_given_up_says_what_it_holds(database: Database, owner: UUID, told: Told) -> None:
    """Its engine goes on watching that."""
    stage = await on_quotes(database, owner, notices=told, restarts=0)
    await stage.begun()
    await stage.until_it_holds()
    crash(stage.process)
    await until_told(told, NoticeKind.FAILURE)
    gave_up: GaveUp = told.of(NoticeKind.FAILURE)[0]
    assert gave_up.holding == ("BTC",)
    assert gave_up.reason.startswith("deployment:sample:")
    assert await stage.is_(Status.FAILED)
    stage.process.look()
    await until(stage.is_watched)
    assert (await stage.standing()).positions
    await stage.end()


async def test_an_engine_that_never_opens_tells_what_was_held_last(
    database: Database, admin: Connection, owner: UUID, told: Told
) -> None:
    """From what its deployment has shown of itself."""
    stage = await on_quotes(database, owner, notices=told, restarts=1)
    await stage.begun()
    await stage.until_it_holds()
    await stage.end()
    account = (await row_of(database, stage.deployment)).account_id
    await admin.execute("update trading_accounts set engine = '\\x00' where id = $1", account)
    await stage.again(after_ms=0)
    stage.process.look()
    await until_told(told, NoticeKind.FAILURE)
    await stage.end()
    gave_up: GaveUp = told.of(NoticeKind.FAILURE)[0]
    assert gave_up.holding == ("BTC",)
    assert gave_up.reason.startswith("engine:sample:")


async def test_a_days_budget_is_told_when_it_is_nearly_used_and_when_it_is(
    database: Database, owner: UUID, told: Told
) -> None:
    """Each once for a budget and its day, however many ticks come after."""
    await keep_market(database)
    text = thinker(risk="{max_leverage: 2, allow_short: true, max_inference_usd_per_day: 3}")
    deployment = await deploy(database, owner, await version_of(database, owner, text), AT_MOST)

    async def is_over() -> bool:
        return (await row_of(database, deployment)).status.is_over

    async with (
        stand_in(Biller()) as api,
        process(database, provider=provider(api.url), notices=told) as running,
    ):
        running.look()
        await until(is_over)
    nearly, up = (one for one in told.of(NoticeKind.BUDGET))
    assert isinstance(nearly, BudgetUsed)
    assert isinstance(up, BudgetUsed)
    assert (nearly.is_reached, up.is_reached) == (False, True)
    assert Decimal("2.4") <= nearly.spent_usd <= up.spent_usd <= Decimal(3)
    assert nearly.budget == up.budget == "the budget of the deployment's day"
    assert told.reasons(NoticeKind.BUDGET) == {""}
