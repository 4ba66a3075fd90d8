"""A tick waits for the bar and the funding it is due, for five seconds and no longer."""

import asyncio
from decimal import Decimal

import numpy as np
import pytest

from actors.kernel import ManualTime, settle
from db.market import BAR, FUNDING
from domain.bars import Bar
from domain.feeds import BarClosed, FundingSettled
from domain.time import HOUR_MS, MINUTE_MS
from market.feeds.due import Due, missing, wait_for_due
from market.growing import GrowingHistory

T0 = 1_735_689_600_000  # midnight
NOON = T0 + 12 * HOUR_MS


def history(*symbols: str, interval_ms: int = HOUR_MS, funding: bool = True) -> GrowingHistory:
    """A history that has nothing yet."""
    return GrowingHistory(
        interval_ms,
        {symbol: np.empty(0, BAR) for symbol in symbols},
        {symbol: np.empty(0, FUNDING) for symbol in symbols} if funding else {},
    )


def bar(symbol: str, closes: int, interval_ms: int = HOUR_MS) -> BarClosed:
    return BarClosed(closes, symbol, interval_ms, Bar(closes - interval_ms, *[Decimal(1)] * 5))


def rate(symbol: str, ts: int) -> FundingSettled:
    return FundingSettled(ts, symbol, Decimal("0.0001"), Decimal(1))


@pytest.mark.parametrize(
    ("ts", "interval_ms", "bars", "funding"),
    [
        (NOON, HOUR_MS, ("BTC",), ("BTC",)),
        (NOON + 30 * MINUTE_MS, HOUR_MS, (), ()),
        (NOON + 30 * MINUTE_MS, 30 * MINUTE_MS, ("BTC",), ()),
        (NOON + HOUR_MS, 4 * HOUR_MS, (), ("BTC",)),
    ],
)
def test_due_is_what_ends_at_this_very_instant(
    ts: int, interval_ms: int, bars: tuple[str, ...], funding: tuple[str, ...]
) -> None:
    """The bar that closes, the rate of the hour; between the grid's lines nothing."""
    assert missing(history("BTC", interval_ms=interval_ms), ["BTC"], ts) == Due(bars, funding)
    assert missing(history("BTC", interval_ms=interval_ms, funding=False), ["BTC"], ts).funding == ()


async def test_nothing_is_waited_for_where_all_is_there() -> None:
    """The answer comes at once, while time stands still."""
    grown = history("BTC")
    for event in (bar("BTC", NOON), rate("BTC", NOON)):
        grown.add(event)

    assert await wait_for_due(grown, ["BTC"], NOON, ManualTime(NOON)) == Due((), ())


async def test_the_wait_ends_when_the_last_of_it_comes() -> None:
    """Not with the first, and not with what is nobody's business here."""
    time, grown = ManualTime(NOON), history("BTC", "ETH", "SOL")
    waiting = asyncio.ensure_future(wait_for_due(grown, ["BTC", "ETH"], NOON, time))
    for event in (bar("BTC", NOON), rate("BTC", NOON), bar("SOL", NOON), rate("ETH", NOON)):
        await time.advance(500)
        grown.add(event)
        await settle()
        assert not waiting.done()
    await time.advance(500)
    grown.add(bar("ETH", NOON))

    assert await waiting == Due((), (), 2.5)


async def test_after_five_seconds_the_tick_goes_on_without_it() -> None:
    """What is missing is told; where the tick began late, there is that much less to wait."""
    time, grown = ManualTime(NOON + 2_000), history("BTC", "ETH")
    grown.add(bar("ETH", NOON))
    waiting = asyncio.ensure_future(wait_for_due(grown, ["BTC", "ETH"], NOON, time))
    await time.advance(2_999)
    assert not waiting.done()
    await time.advance(1)

    due = await waiting
    assert due == Due(("BTC",), ("BTC", "ETH"), 3.0)
    assert not due.is_complete


@pytest.mark.parametrize("now", [NOON + 5_000, NOON + HOUR_MS])
async def test_a_tick_that_is_late_already_waits_for_nothing(now: int) -> None:
    """What comes now was not known at its instant anyway."""
    assert await wait_for_due(history("BTC"), ["BTC"], NOON, ManualTime(now)) == Due(("BTC",), ("BTC",))


async def test_a_clock_that_is_set_back_makes_no_wait_longer() -> None:
    """Five seconds pass at most, whatever the clock shows."""
    time = ManualTime(NOON)
    waiting = asyncio.ensure_future(wait_for_due(history("BTC"), ["BTC"], NOON, time))
    await time.jump(-HOUR_MS)
    await time.advance(5_000)
    assert (await waiting).waited_s == 5.0

    waiting = asyncio.ensure_future(wait_for_due(history("BTC"), ["BTC"], NOON, time))
    await time.advance(5_000)
    assert (await waiting).waited_s == 5.0


async def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    """As when a deployment is killed in the middle of it."""
    time, grown = ManualTime(NOON), history("BTC")
    before = asyncio.all_tasks()
    waiting = asyncio.ensure_future(wait_for_due(grown, ["BTC"], NOON, time))
    await settle()
    waiting.cancel()
    await settle()
    assert asyncio.all_tasks() == before
