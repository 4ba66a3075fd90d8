"""What somebody with money in it relies on, on a market that a test drives: getting out, staying out, and restarts."""

from decimal import Decimal
from uuid import UUID

from db.connection import Connection
from db.pool import Database
from domain.actions import ProposeOrder
from domain.deployments import CommandKind, CommandState, Status
from domain.events import Liquidated
from domain.journal import HaltPhase, IntentRecorded
from domain.orders import OrderKind, Side
from domain.time import HOUR_MS, MINUTE_MS
from tests.integration.actors.driven import Driven, driven, quiet_skill
from tests.integration.actors.fleet import row_of, until

DAILY = "{max_leverage: 10, allow_short: true, daily_loss_pct: 2, max_drawdown_pct: 95, halt_lifts: next_day}"
AT_60, AT_59 = {"BTC": "60000"}, {"BTC": "59000"}


async def holding(stage: Driven, size: str = "0.1", **more: Decimal) -> None:
    """Buy at 60,000."""
    await stage.price("60000")
    assert (await stage.buy(size, **more)).approved
    await stage.price("60000")
    assert await stage.held() == Decimal(size)


async def lease_is_lost_for_once(stage: Driven) -> None:
    """The next order is written down, and not sent: the engine finds that it may not, and is opened again."""
    account = (await row_of(stage.database, stage.deployment)).account_id
    stage.process.leases._until_s[account] = 0.0


# Getting out.


async def test_a_kill_closes_at_the_venue_and_in_the_journal(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """The position, the bid that rests and the stop are gone in both, and nothing fills afterwards."""
    async with driven(database, owner) as stage:
        await holding(stage, stop_px=Decimal(59_000))
        await stage.buy("0.1", limit_px=Decimal(59_500))
        done = await stage.told(CommandKind.KILL, AT_60)
        assert done.result == {"status": "stopped", "holding": []}
        assert [(fill.side, fill.size) for fill in await stage.fills()] == [
            (Side.BUY, Decimal("0.1")),
            (Side.SELL, Decimal("0.1")),
        ]
        assert await stage.faults(admin) == []


async def test_a_kill_waits_for_a_price_and_gets_out_with_the_first(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Without prices nothing is sent and the stop stays; orders that raise go at once."""
    async with driven(database, owner) as stage:
        await holding(stage, stop_px=Decimal(50_000))
        await stage.buy("0.1", limit_px=Decimal(59_500))
        await stage.silence(20)
        sent = await stage.tell(CommandKind.KILL)
        await stage.silence(60)
        standing = await stage.standing()
        assert (standing.phase, standing.orders) == (HaltPhase.FLATTENING, 1)
        assert (await stage.result(sent)).state is CommandState.ACKNOWLEDGED
        await stage.prices(AT_59, 3)
        assert (await stage.until_over(sent)).result == {"status": "stopped", "holding": []}
        assert await stage.faults(admin) == []


async def test_a_symbol_without_prices_keeps_no_other_from_getting_out(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """A thin market takes many attempts, which go on although what the account is worth is not known."""
    async with driven(database, owner, quiet_skill(("BTC", "ETH"))) as stage:
        both = {"BTC": "60000", "ETH": "3000"}
        await stage.prices(both)
        await stage.buy("0.1")
        await stage.buy("1", "ETH")
        await stage.prices(both)
        await stage.prices({"ETH": "3000"}, 20)
        sent = await stage.tell(CommandKind.FLATTEN)
        await stage.prices({"ETH": "3000"}, 30, shown=Decimal("0.1"))
        assert (await stage.held("ETH"), await stage.held()) == (0, Decimal("0.1"))
        await stage.prices(both, 5)
        done = await stage.until_over(sent)
        assert done.result is not None
        assert done.result["status"] == "paused"
        assert await stage.faults(admin, ("BTC", "ETH")) == []


async def test_a_close_by_hand_that_was_never_sent_is_sent_after_all(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Written down, and cut short before it was sent: nobody is told that it was done while the position is there."""
    async with driven(database, owner) as stage:
        await holding(stage)
        await lease_is_lost_for_once(stage)
        done = await stage.told(CommandKind.CLOSE, AT_60, symbol="BTC")
        await stage.prices(AT_60, 2)
        assert done.state is CommandState.DONE
        assert await stage.held() == 0
        intents = [e for e in await stage.journal() if isinstance(e, IntentRecorded)]
        assert sum(e.decision_id == done.id.hex for e in intents) == 2
        assert await stage.faults(admin) == []


async def test_a_cancel_by_hand_that_was_never_sent_is_sent_after_all(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """The order is gone when its person is told so."""
    async with driven(database, owner) as stage:
        await stage.price("60000")
        (number,) = (await stage.buy("0.1", limit_px=Decimal(59_500))).orders
        await stage.price("60000")
        await lease_is_lost_for_once(stage)
        done = await stage.told(CommandKind.CANCEL, AT_60, order=number)
        assert done.state is CommandState.DONE
        assert (await stage.standing()).orders == 0
        assert await stage.faults(admin) == []


# Staying out.


async def test_a_halt_is_told_as_soon_as_the_account_is_flat(database: Database, owner: UUID) -> None:
    """Not with the next minute: its person and its status hear of it at once."""
    async with driven(database, owner, quiet_skill(risk=DAILY)) as stage:
        await holding(stage, "0.5")
        await stage.prices(AT_59, 2)
        assert (await stage.standing()).phase is HaltPhase.HALTED
        await until(lambda: stage.is_(Status.HALTED))


async def test_a_halt_is_still_latched_after_restarts(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """While it flattens it goes on, with the stop in place until it is flat; then nothing raises in any process."""
    async with driven(database, owner, quiet_skill(risk=DAILY)) as stage:
        await holding(stage, "0.5", stop_px=Decimal(50_000))
        await stage.silence(1)
        stage.feed.mark("59000")  # and no quote that anything could be closed at
        assert (await stage.standing()).phase is HaltPhase.FLATTENING
        await stage.again(after_ms=MINUTE_MS)
        standing = await stage.standing()
        assert (standing.phase, standing.positions) == (HaltPhase.FLATTENING, {"BTC": Decimal("0.5")})
        assert standing.orders >= 1
        await stage.prices(AT_59, 20)
        assert (await stage.standing()).phase is HaltPhase.HALTED
        await stage.again(after_ms=MINUTE_MS)
        await stage.prices(AT_59, 3)
        assert (await stage.standing()).phase is HaltPhase.HALTED
        assert not (await stage.buy("0.01")).approved
        assert await stage.faults(admin) == []


async def test_a_halt_that_lifts_sets_nothing_going_that_its_person_paused(
    database: Database, owner: UUID
) -> None:
    """A loss cap is met while it is paused; the next day its account may trade again, and it stays paused."""
    async with driven(database, owner, quiet_skill(risk=DAILY)) as stage:
        await holding(stage, "0.5")
        await stage.told(CommandKind.PAUSE, AT_60)
        await stage.prices(AT_59, 3)
        assert (await stage.standing()).phase is HaltPhase.HALTED
        assert (await stage.told(CommandKind.RESUME, AT_59)).result == {"status": "halted"}
        assert (await stage.told(CommandKind.PAUSE, AT_59)).result == {"status": "paused"}
        await stage.time.advance(10 * MINUTE_MS)  # past midnight
        await stage.prices(AT_59, 3)
        assert await stage.phases() == [HaltPhase.FLATTENING, HaltPhase.HALTED, HaltPhase.ACTIVE]
        await stage.process.system.quiet()
        assert await stage.is_(Status.PAUSED)


async def test_a_flatten_of_what_is_halted_ends_paused(database: Database, owner: UUID) -> None:
    """As every flatten does; so it does not begin again with the next day."""
    async with driven(database, owner, quiet_skill(risk=DAILY)) as stage:
        await holding(stage, "0.5")
        await stage.prices(AT_59, 3)
        done = await stage.told(CommandKind.FLATTEN, AT_59)
        assert done.result is not None
        assert done.result["status"] == "paused"
        assert await stage.is_(Status.PAUSED)


# Prices.


async def test_nothing_is_ordered_on_a_price_that_is_older_than_15_s(database: Database, owner: UUID) -> None:
    """The refusal names it; with the next price it may."""
    async with driven(database, owner) as stage:
        await stage.price("60000")
        await stage.silence(15)
        assert (await stage.buy("0.1")).approved
        await stage.silence(1)
        refused = await stage.buy("0.1")
        assert [refusal.cap for refusal in refused.refusals] == ["fresh_price"]
        await stage.price("60000")
        assert (await stage.buy("0.1")).approved


async def test_a_market_order_that_meets_no_quote_expires(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """In the same process or the next, it fills at none that comes later."""
    async with driven(database, owner) as stage:
        await stage.price("60000")
        await stage.buy("0.1")
        for _ in range(15):
            await stage.silence(1)
            stage.feed.mark("60000")
        assert (await stage.standing()).orders == 0
        await stage.price("60000")
        await stage.buy("0.1")
        await stage.again(after_ms=MINUTE_MS)
        await stage.price("60000")
        standing = await stage.standing()
        assert (standing.orders, standing.positions, await stage.fills()) == (0, {}, [])
        assert await stage.faults(admin) == []


async def test_prices_come_again_after_the_machine_slept(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """All that is told lies hours ahead of what was told before; the stop fires all the same."""
    async with driven(database, owner) as stage:
        await holding(stage, stop_px=Decimal(59_000))
        await stage.time.jump(3 * HOUR_MS)
        await stage.prices({"BTC": "58000"}, 17)
        assert await stage.held() == 0
        assert await stage.faults(admin) == []


# Restarts.


async def test_protections_and_numbers_outlive_a_restart(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """The stop fires at the first quote, gapped through as it was, and its take-profit goes; no number comes twice."""
    async with driven(database, owner) as stage:
        await holding(stage, stop_px=Decimal(59_000), take_profit_px=Decimal(62_000))
        await stage.again(after_ms=20 * MINUTE_MS)
        assert (await stage.standing()).orders == 2
        await stage.price("60100")
        (number,) = (await stage.buy("0.01")).orders
        assert number == 4  # after an entry, its stop and its take-profit
        await stage.price("60100")
        await stage.again(after_ms=20 * MINUTE_MS)
        await stage.price("58000")
        stop = (await stage.fills())[-1]
        assert (stop.cause, stop.size, stop.px) == (OrderKind.STOP, Decimal("0.11"), Decimal(57_999))
        assert (await stage.standing()).is_flat
        assert await stage.faults(admin) == []


async def test_a_liquidation_is_one_at_the_venue_and_in_the_journal(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """With the orders that it cancelled; the next process knows of it, and nothing is left to trade."""
    async with driven(database, owner, quiet_skill(risk="{max_leverage: 40, allow_short: true}")) as stage:
        await holding(stage, "5", stop_px=Decimal(40_000))
        await stage.buy("0.1", limit_px=Decimal(57_500))
        await stage.prices({"BTC": "58600"}, 2)
        liquidated = [entry for entry in await stage.journal() if isinstance(entry, Liquidated)]
        assert [entry.backstop for entry in liquidated] == [False]
        await stage.again(after_ms=MINUTE_MS)
        await stage.price("57000")
        assert (await stage.standing()).is_flat
        assert await stage.faults(admin) == []


async def test_two_orders_of_one_moment_see_each_other(database: Database, owner: UUID) -> None:
    """The second is judged with the first on its way, before anything has filled."""
    risk = "{max_leverage: 10, allow_short: true, max_position_usd: 7000}"
    async with driven(database, owner, quiet_skill(risk=risk)) as stage:
        await stage.price("60000")
        assert (await stage.buy("0.1")).approved
        refused = await stage.submit(ProposeOrder("BTC", Side.BUY, Decimal("0.1")))
        assert [refusal.cap for refusal in refused.refusals] == ["max_position_usd"]
