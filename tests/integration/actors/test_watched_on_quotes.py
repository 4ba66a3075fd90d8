"""What goes on by itself on a market that a test drives: protections, baselines, funding and halts, over restarts."""

from decimal import Decimal
from uuid import UUID

import pytest

from actors.deployment_messages import DriveEnded
from actors.kernel import ActorFailed, Failed
from actors.messages import Submit
from db.connection import Connection
from db.pool import Database
from domain.actions import ProposeOrder
from domain.deployments import CommandKind, CommandState, Status
from domain.events import FundingPaid
from domain.journal import DayOpened, HaltCause, HaltChanged, HaltPhase
from domain.orders import OrderKind, Side
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.integration.actors.driven import Driven, driven, quiet_skill
from tests.integration.actors.fleet import row_of, until

DAILY = "{max_leverage: 10, allow_short: true, daily_loss_pct: 2, max_drawdown_pct: 95}"
DRAWDOWN = "{max_leverage: 10, allow_short: true, daily_loss_pct: 90, max_drawdown_pct: 5}"
AT_60 = {"BTC": "60000"}


async def holding(stage: Driven, size: str, **more: Decimal) -> None:
    """Buy at 60,000."""
    await stage.price("60000")
    assert (await stage.buy(size, **more)).approved
    await stage.price("60000")
    assert await stage.held() == Decimal(size)


async def halts(stage: Driven) -> list[HaltChanged]:
    """The halts that were latched."""
    entries = [entry for entry in await stage.journal() if isinstance(entry, HaltChanged)]
    return [entry for entry in entries if entry.phase is HaltPhase.FLATTENING]


# Protections.


async def test_a_stop_in_a_thin_market_works_on_until_nothing_is_held(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Also in the next process: fired once, it takes of each quote what is displayed."""
    async with driven(database, owner) as stage:
        await holding(stage, "0.1", stop_px=Decimal(59_000), take_profit_px=Decimal(62_000))
        await stage.price("58900", shown=Decimal("0.03"))
        assert await stage.held() == Decimal("0.07")
        await stage.again(after_ms=MINUTE_MS)
        assert await stage.held() == Decimal("0.07")
        await stage.prices({"BTC": "59500"}, 3, shown=Decimal("0.03"))
        assert (await stage.standing()).is_flat
        assert [fill.cause for fill in await stage.fills()][1:] == [OrderKind.STOP] * 4
        assert await stage.faults(admin) == []


async def test_an_entry_that_fills_in_part_is_protected_in_that_part(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Never more is closed than is held, and never less."""
    async with driven(database, owner) as stage:
        await stage.price("60000")
        await stage.buy("0.1", stop_px=Decimal(59_000))
        await stage.price("60000", shown=Decimal("0.04"))
        assert await stage.held() == Decimal("0.04")
        await stage.prices({"BTC": "58900"}, 2)
        assert (await stage.standing()).is_flat
        assert await stage.faults(admin) == []


async def test_what_a_stopped_deployment_keeps_its_stop_still_closes(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """In this process or the next. The bid that could have bought more is gone with the deployment."""
    async with driven(database, owner) as stage:
        await holding(stage, "0.1", stop_px=Decimal(59_000))
        await stage.buy("0.1", limit_px=Decimal(59_500))
        assert (await stage.told(CommandKind.STOP, AT_60)).result == {"status": "stopped", "holding": ["BTC"]}
        assert (await stage.standing()).orders == 1
        await stage.again(after_ms=MINUTE_MS)
        await stage.prices({"BTC": "58900"}, 2)
        assert [fill.cause for fill in await stage.fills()] == ["market", OrderKind.STOP]
        assert await stage.faults(admin) == []


async def test_a_failed_deployment_opens_nothing_any_more(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """What it holds is watched; its bid, about which nobody would decide any more, is withdrawn."""
    async with driven(database, owner, restarts=0) as stage:
        await holding(stage, "0.1", stop_px=Decimal(58_000))
        await stage.buy("0.1", limit_px=Decimal(59_500))
        await stage.price("60000")
        system = stage.process.system
        (name,) = [one.name for one in system.stats() if one.name.startswith("deployment:")]
        deployment = system.find(name)
        assert deployment is not None
        deployment.tell(DriveEnded(Failed(RuntimeError("nothing works any more"))))
        await until(lambda: stage.is_(Status.FAILED))
        stage.process.look()
        await until(stage.is_watched)
        await stage.prices({"BTC": "59000"}, 2)
        standing = await stage.standing()
        assert (standing.positions, standing.orders) == ({"BTC": Decimal("0.1")}, 1)
        assert await stage.faults(admin) == []


# Losses.


async def test_a_day_s_baseline_is_not_moved_by_a_restart(database: Database, owner: UUID) -> None:
    """1.5 % lost before it and 1 % after it are more than the 2 % of the day."""
    async with driven(database, owner, quiet_skill(risk=DAILY)) as stage:
        await holding(stage, "0.1")
        await stage.prices({"BTC": "58500"}, 2)
        await stage.again(after_ms=MINUTE_MS)
        await stage.prices({"BTC": "58200"}, 2)
        assert await halts(stage) == []
        await stage.prices({"BTC": "57900"}, 2)
        (halt,) = await halts(stage)
        assert (halt.cause, halt.level) == (HaltCause.DAILY_LOSS, Decimal(9_800))


async def test_the_first_price_of_a_day_is_held_against_that_day(database: Database, owner: UUID) -> None:
    """What it loses from yesterday's baseline is nothing to today's, which it makes."""
    async with driven(database, owner, quiet_skill(risk=DAILY)) as stage:
        await holding(stage, "0.5")
        await stage.prices({"BTC": "59700"}, 2)
        midnight = stage.time.now_ms() // DAY_MS * DAY_MS + DAY_MS
        await stage.time.move_to(midnight - 1_000)
        await stage.price("59500")
        assert await halts(stage) == []
        (day,) = [entry for entry in await stage.journal() if isinstance(entry, DayOpened)]
        await stage.price("59200")
        assert (await halts(stage), day.ts) == ([], midnight)
        await stage.price("59100")
        assert [halt.level for halt in await halts(stage)] == [day.equity * Decimal("0.98")]


async def test_a_peak_outlives_a_restart(database: Database, owner: UUID) -> None:
    """What was won and lost again counts: 5 % from the peak, not from where the process began."""
    async with driven(database, owner, quiet_skill(risk=DRAWDOWN)) as stage:
        await holding(stage, "0.5")
        await stage.prices({"BTC": "61000"}, 125)  # until an equity point is kept
        peak = (await stage.standing()).equity
        await stage.again(after_ms=MINUTE_MS)
        await stage.prices({"BTC": "60200"}, 2)
        assert await halts(stage) == []
        await stage.prices({"BTC": "59900"}, 2)
        (halt,) = await halts(stage)
        assert (halt.cause, halt.level) == (HaltCause.DRAWDOWN, peak * Decimal("0.95"))


async def test_a_loss_cap_holds_when_nobody_trades_in_the_account_any_more(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Its deployment was stopped with what it holds: the engine flattens all the same."""
    async with driven(database, owner, quiet_skill(risk=DAILY)) as stage:
        await holding(stage, "0.5")
        await stage.told(CommandKind.STOP, AT_60)
        await stage.prices({"BTC": "59000"}, 3)
        assert await halts(stage)
        assert await stage.is_(Status.STOPPED)
        assert sum(fill.size * fill.side.sign for fill in await stage.fills()) == 0
        assert await stage.faults(admin) == []


async def test_nobody_is_judged_by_prices_that_stopped(database: Database, owner: UUID) -> None:
    """What the account is worth is unknown then: no halt, no raising; judged again with the first price."""
    async with driven(database, owner, quiet_skill(("BTC", "ETH"), DAILY)) as stage:
        both = {"BTC": "60000", "ETH": "3000"}
        await stage.prices(both)
        await stage.buy("0.4")
        await stage.buy("1", "ETH")
        await stage.prices(both)
        await stage.prices({"BTC": "59800"}, 16)
        await stage.prices({"BTC": "59000"}, 5)
        assert await halts(stage) == []
        refused = await stage.buy("0.01")
        assert {refusal.cap for refusal in refused.refusals} == {"fresh_price"}
        await stage.price("3000", "ETH")
        assert len(await halts(stage)) == 1


# Funding.


async def test_an_hour_s_funding_is_paid_once_however_often_it_is_told(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Before and after a restart, late, and looked up: on what was held as the hour began."""
    async with driven(database, owner) as stage:
        await holding(stage, "0.1")
        hour = stage.time.now_ms() // HOUR_MS * HOUR_MS + HOUR_MS
        await stage.time.move_to(hour - 1_000)
        await stage.prices(AT_60, 2)
        await stage.buy("0.2")
        await stage.prices(AT_60, 3)
        stage.feed.funding(hour, "0.0001", "60000")
        stage.feed.tell_again(hour)
        await stage.again(after_ms=MINUTE_MS)
        await stage.prices(AT_60, 2)
        stage.feed.funding(hour, "0.0001", "60000")
        await stage.prices(AT_60, 70)
        (paid,) = [entry for entry in await stage.journal() if isinstance(entry, FundingPaid)]
        assert (paid.position, paid.amount) == (Decimal("0.1"), Decimal("-0.6"))
        assert await stage.faults(admin) == []


# Two processes.


async def test_a_process_that_was_paused_too_long_trades_no_more(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Its lease has ended, and another process has the account: whatever it still believes, nothing comes of it."""
    async with driven(database, owner) as stage:
        await holding(stage, "0.1", stop_px=Decimal(59_000))
        paused, its_feed, its_engine = stage.process, stage.feed, stage.engine()
        assert its_engine is not None
        await admin.execute("update account_leases set expires_at = clock_timestamp() - interval '1 second'")
        stage.process = stage.another()
        stage.process.look()
        await until(stage.is_watched)
        await stage.price("60000")
        order = Submit(ProposeOrder("BTC", Side.BUY, Decimal("0.1")), stage.time.now_ms(), "late", 0)
        with pytest.raises(ActorFailed):
            await its_engine.ask(order, timeout_s=30)
        its_feed.price("58900")
        await paused.system.quiet()
        assert await stage.held() == Decimal("0.1")
        assert len(await stage.fills()) == 1
        await stage.prices({"BTC": "58900"}, 2)
        assert (await stage.standing()).is_flat
        await paused.stop()
        assert await stage.faults(admin) == []


async def test_a_kill_that_two_processes_see_is_done_once(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """The one that began it ends before the account is flat; the next closes what is left, and answers."""
    async with driven(database, owner) as stage:
        await holding(stage, "0.1", stop_px=Decimal(50_000))
        await stage.silence(16)
        sent = await stage.tell(CommandKind.KILL)
        assert (await stage.result(sent)).state is CommandState.ACKNOWLEDGED
        await stage.again(after_ms=MINUTE_MS)
        await stage.prices(AT_60, 4)
        assert (await stage.until_over(sent)).result == {"status": "stopped", "holding": []}
        assert (await row_of(database, stage.deployment)).reason == "killed"
        assert [fill.side for fill in await stage.fills()] == [Side.BUY, Side.SELL]
        assert await stage.faults(admin) == []
